package dev.haven.lab;

import java.util.Locale;

/** A daemon that a host's supervisor keeps running. */
public enum Daemon {
  AGENT,
  ORCHESTRATOR,
  LIBVIRTD;

  /** The name of its log and pid file. */
  String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
