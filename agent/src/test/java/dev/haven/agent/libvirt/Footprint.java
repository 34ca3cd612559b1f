package dev.haven.agent.libvirt;

import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.Hypervisor.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/**
 * A process of its own that does nothing but ask libvirt's test driver; prints its resident memory
 * before and after.
 */
final class Footprint {
  private Footprint() {}

  public static void main(String[] args) throws Exception {
    var listener =
        new Hypervisor.Listener() {
          @Override
          public void heard(DomainEvent event) {}

          @Override
          public void link(Hypervisor.Link link) {}
        };
    try (var hypervisor = LibvirtHypervisor.connect("test:///default", listener, _ -> false)) {
      PrivateHost.await("connected", () -> hypervisor.link() instanceof Hypervisor.Link.Up);
      ask(hypervisor, Integer.parseInt(args[0]));
      var before = residentKib();
      ask(hypervisor, Integer.parseInt(args[1]));
      System.out.println(before + " " + residentKib());
    }
  }

  /** Eight calls into libvirt each, and a look-up by name. */
  private static void ask(Hypervisor hypervisor, int times) {
    for (var i = 0; i < times; i++) {
      if (!(hypervisor.domain("test", Duration.ofSeconds(5)) instanceof Answer.Known)) {
        throw new AssertionError("libvirt's test driver does not answer");
      }
    }
  }

  private static long residentKib() throws IOException {
    System.gc();
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElseThrow();
  }
}
