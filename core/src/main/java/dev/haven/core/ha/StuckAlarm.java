package dev.haven.core.ha;

import dev.haven.model.GuestId;
import dev.haven.model.api.Alarm;

/** The alarm of a guest that comes no further. */
final class StuckAlarm {
  private StuckAlarm() {}

  /** Whether people were told that it comes no further. */
  static boolean isTold(Deliberation d, GuestId id) {
    return d.state()
        .alarm("guest-" + id)
        .filter(a -> a.kind() == Alarm.Kind.GUEST_STUCK)
        .isPresent();
  }

  /** It came further. */
  static void over(Deliberation d, GuestId id) {
    if (isTold(d, id)) {
      d.clearAlarm("guest-" + id);
    }
  }
}
