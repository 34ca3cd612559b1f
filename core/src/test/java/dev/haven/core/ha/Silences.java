package dev.haven.core.ha;

import java.time.Duration;
import java.util.Optional;

/** What voters know of the older boot of a host that says hello. */
final class Silences {
  /** Nobody has heard it for a minute, and the newcomer has asked for as long. */
  static final Event.Newcomer OLDER_BOOT_IS_SILENT =
      new Event.Newcomer(Duration.ofMinutes(1), Optional.of(Duration.ofMinutes(1)), false);

  private Silences() {}
}
