package dev.haven.agent.libvirt;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A guest with the distribution's kernel, busybox, a watchdog that it feeds and qemu-guest-agent;
 * it takes some seconds to boot, where {@link GuestXml} has those that take none.
 */
record LinuxGuest(Path kernel, Path initrd) {
  private static final Path AGENT = Path.of("/usr/sbin/qemu-ga");

  /** Why there can be none here; empty if there can. */
  static Optional<String> missing() throws IOException {
    if (!Files.isExecutable(AGENT)) {
      return Optional.of("not installed: qemu-guest-agent (./haven test installs it)");
    }
    return kernels().isEmpty() ? Optional.of("no kernel in /boot") : Optional.empty();
  }

  private static List<Path> kernels() throws IOException {
    try (var files = Files.list(Path.of("/boot"))) {
      return files
          .filter(f -> f.getFileName().toString().startsWith("vmlinuz-") && Files.isReadable(f))
          .sorted()
          .toList();
    }
  }

  static LinuxGuest build(Path directory) throws Exception {
    var kernel = kernels().getLast();
    var script = directory.resolve("linux-guest.sh");
    try (var in = LinuxGuest.class.getResourceAsStream("linux-guest.sh")) {
      Files.write(script, Objects.requireNonNull(in).readAllBytes());
    }
    var initrd = directory.resolve("initrd");
    var version = kernel.getFileName().toString().substring("vmlinuz-".length());
    PrivateHost.execute(List.of("bash", script.toString(), version, initrd.toString()));
    return new LinuxGuest(kernel, initrd);
  }

  String xml(String name, Path directory) {
    return """
        <domain type='qemu'>
          <name>%s</name>
          <memory unit='MiB'>192</memory>
          <vcpu>1</vcpu>
          <os>
            <type arch='x86_64' machine='pc'>hvm</type>
            <kernel>%s</kernel><initrd>%s</initrd>
            <cmdline>console=ttyS0 quiet panic=-1 cryptomgr.notests tsc=reliable no_timer_check</cmdline>
          </os>
          <features><acpi/></features>
          <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
          <devices>
            <emulator>/usr/bin/qemu-system-x86_64</emulator>
            <serial type='file'><source path='%s'/><target port='0'/></serial>
            <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
            <watchdog model='i6300esb' action='none'/>
            <memballoon model='none'/>
          </devices>
        </domain>
        """
        .formatted(name, kernel, initrd, GuestXml.console(directory, name));
  }

  /** Whether its guest agent answers. */
  boolean answers(PrivateHost host, String name) {
    try {
      host.virsh("qemu-agent-command", name, "{\"execute\":\"guest-ping\"}", "--timeout", "1");
      return true;
    } catch (Exception notYet) {
      return false;
    }
  }

  /** Stops a program inside, so that it is there and does nothing. Its agent does it. */
  void stops(PrivateHost host, String name, String program) {
    try {
      host.virsh(
          "qemu-agent-command",
          name,
          """
          {"execute":"guest-exec","arguments":{"path":"/bin/busybox","arg":["killall","-STOP","%s"]}}\
          """
              .formatted(program),
          "--timeout",
          "1");
    } catch (Exception e) {
      // it may have stopped before it could answer
      if (!program.equals("qemu-ga")) {
        throw new AssertionError(e);
      }
    }
  }
}
