package dev.haven.lab;

import java.util.Locale;

/** What the hosts of a lab are. */
public enum LabForm {
  /** Namespaces of this machine's kernel, with its root file system: up in seconds. */
  NAMESPACES,
  /** A Debian of its own each, with kernel, systemd and disk, and Haven's packages in it. */
  WHOLE,
  /** The same without Haven and libvirt, beside a source of packages. */
  BARE;

  /** Whether each host is a machine with a kernel of its own. */
  public boolean whole() {
    return this != NAMESPACES;
  }

  String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
