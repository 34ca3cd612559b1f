package dev.haven.agent.libvirt;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;

/** Small guests for tests. */
final class GuestXml {
  private GuestXml() {}

  /** A machine without anything to boot: its BIOS looks for a disk and gives up. */
  static String idle(String name) {
    return xml(name, "");
  }

  /** What a {@link #busy} guest does once it has filled 95 MiB. */
  enum Then {
    /** Writes a dot to its console about every 15 µs. */
    TICK,
    /** Fills its memory again and again, a dot for every 64 pages. */
    DIRTY,
    /** Powers off. */
    EXIT
  }

  // A boot sector: enters "unreal" mode (32-bit addresses from real mode), writes one word to every
  // page between 1 and 96
  // MiB, then does what the byte at MODE says. Made from 16-bit assembly with `as` and `objcopy -O
  // binary`; it boots
  // at once, where Linux takes ten seconds without KVM.
  private static final String SECTOR =
      "fa31c08ed80f0116807c0f20c00c010f22c0bb08008ec324fe0f22c0baf803b075ee66bf00001000266766ff0726"
          + "6766897f046681c70010000066f7c7ffff03007503b02eee6681ff0000000672d9a0867c3c0174cc770e66b9204e"
          + "000067e2fdb02eeeebf2ba0406b80020eff466900000000000000000ffff00000092cf000f00707c0000";
  private static final int MODE = 0x86;

  static String busy(String name, Path directory, Then then) {
    var sector = Arrays.copyOf(HexFormat.of().parseHex(SECTOR), 64 << 10);
    sector[MODE] = (byte) then.ordinal();
    sector[510] = 0x55;
    sector[511] = (byte) 0xaa;
    try {
      var disk = Files.write(directory.resolve(name + ".disk"), sector);
      return xml(
          name,
          "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/><target dev='hda'/></disk>"
                  .formatted(disk)
              + "<serial type='file'><source path='%s' append='on'/><target port='0'/></serial>"
                  .formatted(console(directory, name)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Path console(Path directory, String name) {
    return directory.resolve(name + ".console");
  }

  private static String xml(String name, String device) {
    return """
        <domain type='qemu'>
          <name>%s</name>
          <memory unit='MiB'>128</memory>
          <vcpu>1</vcpu>
          <os><type arch='x86_64' machine='pc'>hvm</type></os>
          <features><acpi/></features>
          <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
          <devices><emulator>/usr/bin/qemu-system-x86_64</emulator><memballoon model='none'/>%s</devices>
        </domain>
        """
        .formatted(name, device);
  }
}
