package dev.haven.agent.libvirt;

import dev.haven.agent.guest.Hypervisor.Features;

/** What libvirt's drivers differ in, by the scheme of the connection's URI. */
enum Driver {
  QEMU(
      new Features(true, true, true, true, true, true, true),
      Native.MIGRATE_ABORT_ON_ERROR,
      Native.UNDEFINE_MANAGED_SAVE
          | Native.UNDEFINE_SNAPSHOTS
          | Native.UNDEFINE_CHECKPOINTS
          | Native.UNDEFINE_KEEP_NVRAM),
  /**
   * libxl takes a URI, a name and an XML for a migration, and PAUSED; nothing to tune it and no
   * figures.
   */
  XEN(
      new Features(true, true, false, false, false, false, false),
      0,
      Native.UNDEFINE_MANAGED_SAVE | Native.UNDEFINE_KEEP_NVRAM),
  /** The test driver and whatever else there is: nothing is taken for granted. */
  OTHER(new Features(false, false, false, false, false, false, false), 0, 0);

  private final Features features;
  private final int migrateFlags;
  private final int undefineFlags;

  Driver(Features features, int migrateFlags, int undefineFlags) {
    this.features = features;
    this.migrateFlags = migrateFlags;
    this.undefineFlags = undefineFlags;
  }

  /** By the part before "+" or ":", as in {@code qemu+tls://b/system}. */
  static Driver of(String uri) {
    var scheme = uri.split("[+:]", 2)[0];
    return switch (scheme) {
      case "qemu" -> QEMU;
      case "xen" -> XEN;
      default -> OTHER;
    };
  }

  Features features() {
    return features;
  }

  /** Beyond what every driver takes. */
  int migrateFlags() {
    return migrateFlags;
  }

  int undefineFlags() {
    return undefineFlags;
  }
}
