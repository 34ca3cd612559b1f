package dev.haven.agent.libvirt;

import dev.haven.agent.guest.Hypervisor.Gone;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** Whether a guest is surely gone from this host: nothing of libvirt's, and no process. */
final class Absence {
  private final Driver driver;
  private final Path root;

  /**
   * @param root where libvirtd sees its own root directory
   */
  Absence(Driver driver, Path root) {
    this.driver = driver;
    this.root = root;
  }

  Gone gone(Session session, String name) throws LibvirtError {
    var gone =
        session.find(
            name,
            domain -> {
              var state = session.state(domain);
              var epoch = session.epoch(domain);
              if (!state.shutOff()) {
                return new Gone.StillThere(state, epoch, "libvirt says " + state);
              }
              // a domain that is about to arrive is listed as shut off until its QEMU runs, but a
              // job holds it: writing its own mark again takes part in that queue, and shows that
              // nobody else is in it
              var mark = session.mark(domain, Native.AFFECT_CURRENT);
              if (mark.isPresent()) {
                try {
                  session.writeMark(domain, mark.get(), Native.AFFECT_CONFIG);
                } catch (LibvirtError e) {
                  return new Gone.StillThere(state, epoch, "a job is left: " + e.message());
                }
              }
              var after = session.state(domain);
              return after.shutOff()
                  ? new Gone.Confirmed("libvirt says " + after + ", no job left")
                  : new Gone.StillThere(after, epoch, "libvirt says " + after);
            });
    return noProcess(
        name, gone.orElseGet(() -> new Gone.Confirmed("libvirt knows no domain " + name)));
  }

  private Gone noProcess(String name, Gone gone) {
    return gone instanceof Gone.Confirmed
        ? stray(name).<Gone>map(Gone.Unknown::new).orElse(gone)
        : gone;
  }

  /** See {@link dev.haven.agent.guest.Hypervisor#stray}. */
  Optional<String> stray(String name) {
    if (driver != Driver.QEMU) {
      return Optional.empty();
    }
    try {
      var left = QemuProcess.running(root, name);
      return left.isEmpty()
          ? Optional.empty()
          : Optional.of(
              "libvirt has no guest %s, and process %d runs it all the same"
                  .formatted(name, left.getAsLong()));
    } catch (IOException e) {
      return Optional.of("the kernel does not say whether a process runs it: " + e);
    }
  }
}
