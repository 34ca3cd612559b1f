package dev.haven.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** What runs a guest's instructions. */
public enum Accelerator {
  /** The processor itself; {@code <domain type='kvm'>}. */
  KVM("kvm"),
  /** QEMU's emulation, some ten times slower; {@code <domain type='qemu'>}. */
  TCG("qemu");

  /**
   * Kept until the machine reboots: a reboot may bring another kernel or another virtualization
   * below.
   */
  private static final Path ANSWER = Path.of("/run/haven-lab/accelerator");

  /**
   * Under KVM a guest is up in a fraction of this. One that is not after this long never will be.
   */
  private static final Duration LIMIT = Duration.ofSeconds(4);

  private final String domainType;

  Accelerator(String domainType) {
    this.domainType = domainType;
  }

  /** The {@code type} attribute of a libvirt domain. */
  public String domainType() {
    return domainType;
  }

  /**
   * KVM if a guest really comes up under it, else TCG. A device that opens proves nothing: on some
   * machines guests never get past their first instructions. Takes up to 4 s once after each boot
   * of the machine.
   */
  public static Accelerator probe(GuestImage image) {
    try {
      var bootId = Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
      if (Files.exists(ANSWER)) {
        var known = Files.readString(ANSWER).strip().split(" ", 2);
        if (known.length == 2 && known[0].equals(bootId)) {
          return valueOf(known[1]);
        }
      }
      var answer = Files.exists(Path.of("/dev/kvm")) && boots(image) ? KVM : TCG;
      Files.createDirectories(ANSWER.getParent());
      Files.writeString(ANSWER, bootId + " " + answer + "\n");
      return answer;
    } catch (IOException e) {
      throw new LabException("cannot remember which accelerator works: " + e.getMessage(), e);
    }
  }

  private static boolean boots(GuestImage image) throws IOException {
    var console = Files.createTempFile("haven-probe", ".console");
    Process process =
        new ProcessBuilder(
                List.of(
                    "qemu-system-x86_64",
                    "-accel",
                    "kvm",
                    "-m",
                    "128",
                    "-nodefaults",
                    "-display",
                    "none",
                    "-no-reboot",
                    "-serial",
                    "file:" + console,
                    "-kernel",
                    image.kernel().toString(),
                    "-initrd",
                    image.initrd().toString(),
                    "-append",
                    image.commandLine("probe")))
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      Lab.await(
          "a guest to come up under KVM",
          LIMIT,
          () -> !process.isAlive() || ConsoleWatch.text(console).contains("GUEST UP"));
      return ConsoleWatch.text(console).contains("GUEST UP");
    } catch (LabException e) {
      return false;
    } finally {
      process.destroyForcibly();
      Files.deleteIfExists(console);
    }
  }
}
