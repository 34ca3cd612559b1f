package dev.haven.templates;

import java.util.Locale;
import java.util.Optional;

/**
 * One disk of a guest.
 *
 * @param path absolute; a file, or a block device below /dev. Every host that may run the guest
 *     must reach it under the same path.
 * @param bus empty for what the template prefers
 */
public record TemplateDisk(String path, Format format, Optional<Bus> bus, Device device) {
  /** How the image is laid out. */
  public enum Format {
    RAW,
    QCOW2
  }

  /** How the guest sees the disk. */
  public enum Bus {
    VIRTIO("vd"),
    SCSI("sd"),
    SATA("sd"),
    IDE("hd"),
    XEN("xvd");

    final String prefix;

    Bus(String prefix) {
      this.prefix = prefix;
    }
  }

  /** A CD-ROM is read-only. */
  public enum Device {
    DISK,
    CDROM
  }

  public TemplateDisk {
    if (!path.startsWith("/")) {
      throw new IllegalArgumentException(
          "disk '" + path + "': give the absolute path that it has on every host");
    }
  }

  /** A disk with the template's own bus. */
  public static TemplateDisk of(String path, Format format) {
    return new TemplateDisk(path, format, Optional.empty(), Device.DISK);
  }

  /**
   * Reads {@code PATH[,format=raw|qcow2][,bus=…][,device=disk|cdrom]}. Without a format, a name
   * that ends in {@code .qcow2} is taken for qcow2 and anything else for raw; one that ends in
   * {@code .iso} is a CD-ROM.
   *
   * @throws IllegalArgumentException naming the wrong part and what it may be
   */
  public static TemplateDisk parse(String text) {
    var options = Options.of("disk", text);
    var path = options.first("path");
    var format = path.endsWith(".qcow2") ? Format.QCOW2 : Format.RAW;
    var device = path.endsWith(".iso") ? Device.CDROM : Device.DISK;
    var disk =
        new TemplateDisk(
            path,
            options.take("format", Format.class).orElse(format),
            options.take("bus", Bus.class),
            options.take("device", Device.class).orElse(device));
    options.refuseRest("format, bus, device");
    return disk;
  }

  boolean isBlockDevice() {
    return path.startsWith("/dev/");
  }

  static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }
}
