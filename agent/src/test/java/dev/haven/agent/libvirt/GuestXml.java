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
    EXIT,
    /** Instead of all that: writes to its disk for ever, a dot before each write. */
    WRITE
  }

  // A boot sector: enters "unreal" mode (32-bit addresses from real mode), writes one word to every
  // page between 1 and 96
  // MiB, then does what the byte at MODE says. Made from 16-bit assembly with `as` and `objcopy -O
  // binary`; it boots
  // at once, where Linux takes ten seconds without KVM.
  private static final String SECTOR =
      "fa31c08ed88ec0803eae7c03751cbc007c8ed0fbbaf803b02eeeb80103b90200ba8000bb007ecd13ebea0f0116a8"
          + "7c0f20c00c010f22c0bb08008ec324fe0f22c0baf803b075ee66bf00001000266766ff07266766897f046681c700"
          + "10000066f7c7ffff03007503b02eee6681ff0000000672d9a0ae7c3c0174cc770e66b9204e000067e2fdb02eeeeb"
          + "f2ba0406b80020eff48db40000900000000000000000ffff00000092cf000f00987c000000";
  private static final int MODE = 0xae;

  static String busy(String name, Path directory, Then then) {
    return onDisk(
        name, directory, "type='file'", "file='" + disk(name, directory, then) + "'", "/>");
  }

  /** As {@link Then#WRITE}, from a network disk on this socket; pauses when a write fails. */
  static String writing(String name, Path directory, Path socket) {
    return onDisk(
        name,
        directory,
        "type='network'",
        "protocol='nbd' name='" + name + "'",
        "><host transport='unix' socket='" + socket + "'/></source>");
  }

  static Path disk(String name, Path directory, Then then) {
    var sector = Arrays.copyOf(HexFormat.of().parseHex(SECTOR), 64 << 10);
    sector[MODE] = (byte) then.ordinal();
    sector[510] = 0x55;
    sector[511] = (byte) 0xaa;
    try {
      return Files.write(directory.resolve(name + ".disk"), sector);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String onDisk(
      String name, Path directory, String type, String source, String end) {
    return xml(
        name,
        "<disk %s device='disk'><driver name='qemu' type='raw' error_policy='stop'/><source %s%s<target dev='hda'/></disk>"
                .formatted(type, source, end)
            + "<serial type='file'><source path='%s' append='on'/><target port='0'/></serial>"
                .formatted(console(directory, name)));
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
