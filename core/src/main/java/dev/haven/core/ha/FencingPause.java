package dev.haven.core.ha;

import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import java.util.List;

/** An operator keeps all hosts from being fenced for a while. */
final class FencingPause {
  private FencingPause() {}

  /** Says that fencing is paused, for as long as it is. */
  static void tellPause(Deliberation d) {
    d.state()
        .pause()
        .ifPresent(
            p ->
                d.alarm(
                    "paused",
                    Alarm.Kind.FENCING_PAUSED,
                    Alarm.Level.WARNING,
                    "cluster",
                    p.words()));
  }

  static void pause(Deliberation d, Pause pause) {
    d.change(new Change.Paused(pause));
    for (var host : List.copyOf(d.state().hosts())) {
      if (host.state() instanceof HostState.Fencing f
          && (!f.cause().ordered() || f.cause() == HostState.Cause.STUCK)) {
        d.host(host.id(), new HostState.Suspect(f.since(), "its fencing was paused"));
        d.act(new Action.DropFence(host.id()));
      }
    }
    tellPause(d);
  }

  static void resume(Deliberation d, String why) {
    d.change(new Change.Resumed());
    d.clearAlarm("paused");
    d.tell(new Fact.FencingResumed(why));
  }

  /** A pause ends by itself when its time is over. */
  static void tick(Deliberation d) {
    if (d.state().pause().flatMap(Pause::until).filter(t -> !d.at().isBefore(t)).isPresent()) {
      resume(d, "its pause is over");
    }
  }
}
