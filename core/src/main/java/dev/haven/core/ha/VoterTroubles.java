package dev.haven.core.ha;

import dev.haven.model.api.Alarm;
import java.util.List;
import java.util.Optional;

/** What ails a voter and only a person can mend. */
public final class VoterTroubles {
  private VoterTroubles() {}

  static void stands(Deliberation d, Event.VoterStands e) {
    var id = id(e.voter(), e.trouble());
    if (e.what().isEmpty()) {
      d.clearAlarm(id);
      d.because("voter %s is well".formatted(e.voter()));
      return;
    }
    var message = message(e.voter(), e.trouble(), e.what().get());
    d.alarm(id, kind(e.trouble()), level(e.trouble()), "voter " + e.voter(), message);
    d.because("voter %s needs a person".formatted(e.voter()));
  }

  /** The voters of which that is told. */
  public static List<String> told(ClusterState s, Event.Trouble trouble) {
    var prefix = id("", trouble);
    return s.alarms().stream()
        .map(Alarm::id)
        .filter(id -> id.startsWith(prefix))
        .map(id -> id.substring(prefix.length()))
        .toList();
  }

  /** Whether that is what stands there. */
  public static boolean knows(
      ClusterState s, String voter, Event.Trouble trouble, Optional<String> what) {
    return s.alarm(id(voter, trouble))
        .map(Alarm::message)
        .equals(what.map(w -> message(voter, trouble, w)));
  }

  private static String id(String voter, Event.Trouble trouble) {
    return switch (trouble) {
          case SECRETS_KEY -> "secrets-";
          case GENERATION -> "generation-";
        }
        + voter;
  }

  private static Alarm.Kind kind(Event.Trouble trouble) {
    return switch (trouble) {
      case SECRETS_KEY -> Alarm.Kind.SECRETS_KEY;
      case GENERATION -> Alarm.Kind.VOTER_WAITS;
    };
  }

  private static Alarm.Level level(Event.Trouble trouble) {
    return switch (trouble) {
      case SECRETS_KEY -> Alarm.Level.CRITICAL;
      case GENERATION -> Alarm.Level.WARNING;
    };
  }

  private static String message(String voter, Event.Trouble trouble, String what) {
    return switch (trouble) {
      case SECRETS_KEY ->
          "voter %s has another secrets.key than the one that the cluster's secrets are sealed with (%s): it can use no fencing device with a password, and while it cannot read the heartbeats' keys it says of no host that it is silent. Copy secrets.key from a voter that is not named here, with mode 600, and restart the orchestrator of %s"
              .formatted(voter, what, voter);
      case GENERATION -> "voter %s waits for a person: %s".formatted(voter, what);
    };
  }
}
