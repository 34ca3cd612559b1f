package dev.haven.core.ha;

import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/** A fault of ours is told, and nothing else stops for it. */
final class OurFaults {
  /** So long the alarm about a broken entry of the log stays after the last one. */
  private static final Duration BROKEN_ENTRY_TOLD = Duration.ofHours(24);

  private OurFaults() {}

  /** That an entry changed nothing is told for a day: everything else has gone on since. */
  static void brokenEntry(Deliberation d) {
    var alarm = d.state().alarm(ClusterState.BROKEN_ENTRY);
    if (alarm.isEmpty()) {
      return;
    }
    var a = alarm.get();
    if (a.since().equals(Instant.EPOCH)) { // it was raised without a clock
      d.change(
          new Change.AlarmRaised(
              new Alarm(a.id(), a.kind(), a.level(), a.subject(), a.message(), d.at())));
      d.tell(
          new Fact.AlarmRaised(a.id(), true, a.subject(), a.kind(), Optional.empty(), a.message()));
    } else if (!d.at().isBefore(a.since().plus(BROKEN_ENTRY_TOLD))) {
      d.clearAlarm(a.id());
      d.tell(new Fact.EntriesWell(BROKEN_ENTRY_TOLD));
    }
  }

  /** A decision failed, again and again: its guest or host is left as it is. */
  static Deliberation undecided(Deliberation d, Event.DecisionFailed e) {
    var alarm = "fault-" + e.subject();
    if (e.what().isEmpty()) {
      d.clearAlarm(alarm);
    } else {
      d.alarm(
          alarm,
          Alarm.Kind.OUR_FAULT,
          Alarm.Level.CRITICAL,
          e.subject(),
          "Haven could not decide about %s (%d times): %s. It is left as it is and tried again each minute; everything else goes on. That is a fault of Haven's: please report it, with the log of the leader"
              .formatted(e.subject(), e.times(), e.what()));
    }
    return d.because("a fault of ours is told");
  }
}
