package dev.haven.core.ha;

import dev.haven.model.GuestId;

/** The alarm of a guest that comes no further. */
final class StuckAlarm {
  private StuckAlarm() {}

  static String begins(String guest) {
    return "guest " + guest + " has been ";
  }

  static boolean ours(Alarm alarm) {
    return alarm.message().startsWith(begins(alarm.subject()));
  }

  /** Whether people were told that it comes no further. */
  static boolean isTold(Deliberation d, GuestId id) {
    return d.state().alarm("guest-" + id).filter(StuckAlarm::ours).isPresent();
  }

  /** It came further. */
  static void over(Deliberation d, GuestId id) {
    if (isTold(d, id)) {
      d.clearAlarm("guest-" + id);
    }
  }
}
