package dev.haven.model.api;

import java.util.Locale;
import java.util.stream.Collectors;

/** The words of the audit log: here alone they are made from what it stores. */
public final class FactWords {
  private FactWords() {}

  /** One sentence, or one clause, for people. */
  public static String of(Fact fact) {
    return switch (fact) {
      case Fact.CommandAccepted f -> f.message();
      case Fact.AlarmRaised f -> f.message();
      case Fact.OperationEnded f ->
          "%s %s: %s"
              .formatted(f.operation(), f.result().name().toLowerCase(Locale.ROOT), f.detail());
      case Fact.OfCluster f -> ofCluster(f);
      case Fact.OfHost f -> ofHost(f);
      case Fact.OfGuest f -> ofGuest(f);
    };
  }

  private static String ofCluster(Fact.OfCluster fact) {
    return switch (fact) {
      case Fact.EntriesWell f ->
          "no entry of the log was broken for %d h".formatted(f.since().toHours());
      case Fact.LeaderElected f -> "a new leader took over in term " + f.term();
      case Fact.GenerationBegun f -> "generation %d has begun".formatted(f.generation());
      case Fact.EntryTakenUp _ ->
          "the log did not say what became of an entry; its actions are taken up";
      case Fact.FencingResumed f -> "fencing goes on: " + f.why();
    };
  }

  private static String ofHost(Fact.OfHost fact) {
    var id = fact.host();
    return switch (fact) {
      case Fact.HostFellSilent f ->
          "host %s is silent for %d ms: %s".formatted(id, f.lasted().toMillis(), f.signs().words());
      case Fact.HostWeighed f -> "host %s: %s".formatted(id, f.signs().words());
      case Fact.FenceDecided f ->
          "fence host %s: %s"
              .formatted(id, f.by().map(by -> "ordered by " + by).orElse(f.verdict().words()));
      case Fact.FenceRepeated f -> "fence host %s again: %s".formatted(id, f.why());
      case Fact.FencingTrialBegun f ->
          "the fencing of host %s is tested, ordered by %s".formatted(id, f.by());
      case Fact.HostProven f -> "host %s: %s".formatted(id, f.words());
      case Fact.FenceTimed f ->
          f.times().entrySet().stream()
              .map(t -> t.getKey() + "=" + t.getValue())
              .collect(Collectors.joining(" "));
      case Fact.HostProvenOff _ ->
          "host %s is proven off: its guests may start elsewhere".formatted(id);
      case Fact.ProofOutdated _ ->
          "host %s: the leader cannot say whether it was heard since it was proven off, so that is proven once more"
              .formatted(id);
      case Fact.HostMayComeBack f ->
          "host %s fell silent with many others and has %d s to come back"
              .formatted(id, f.within().toSeconds());
      case Fact.HostSwitchedOn _ ->
          "host %s was off and is on: somebody has switched it on".formatted(id);
      case Fact.HostBooted _ -> "host %s has booted again".formatted(id);
      case Fact.HostOnline f -> "host %s is online (%s)".formatted(id, f.how());
      case Fact.HostGoesDown f ->
          "host %s is %s"
              .formatted(id, f.how().map(Fact.Shutdown::words).orElse("not going down any more"));
      case Fact.HostAccepted f ->
          "host %s is the machine with the UUID %s by the word of %s, no longer %s"
              .formatted(id, f.uuid(), f.by(), f.before().orElse("one without a UUID"));
      case Fact.LeasesEnforced f ->
          "host %s enforces its leases: cut off and unreachable, it runs nothing any more after %d s"
              .formatted(id, f.bound().toSeconds());
      case Fact.WatchdogHasReset _ -> "host %s was reset by its own watchdog".formatted(id);
      case Fact.DevicesProven f ->
          "host %s: level %d of its fencing devices was seen to cut its power"
              .formatted(id, f.level());
    };
  }

  private static String ofGuest(Fact.OfGuest fact) {
    var id = fact.guest();
    return switch (fact) {
      case Fact.GuestPlaced f ->
          "start guest %s on host %s (epoch %s)".formatted(id, f.host(), f.epoch());
      case Fact.GuestRuns f ->
          "guest %s runs on host %s (epoch %s)%s"
              .formatted(id, f.host(), f.epoch(), f.moved().map(how -> ": " + how).orElse(""));
      case Fact.GuestOff f -> "guest %s is off: %s".formatted(id, f.why());
      case Fact.GuestQuestioned f ->
          "guest %s: %s; its agent is asked for its word that it is gone".formatted(id, f.why());
      case Fact.StartFailed f ->
          "guest %s did not start on host %s: %s".formatted(id, f.host(), f.why());
      case Fact.StartUnclear f ->
          "guest %s: its start on host %s is unclear (%s)".formatted(id, f.host(), f.why());
      case Fact.GuestGone f ->
          "guest %s is gone from host %s: %s".formatted(id, f.host(), f.detail());
      case Fact.GuestShutDownByHost f ->
          "guest %s was shut down by its host %s: %s".formatted(id, f.host(), f.detail());
      case Fact.GuestUnhealthy f ->
          "guest %s is unhealthy on host %s: %s".formatted(id, f.host(), f.detail());
      case Fact.GuestMayRunThere f ->
          "guest %s: host %s may still run it (epoch %s)".formatted(id, f.host(), f.epoch());
      case Fact.GuestStoppedForRoom f ->
          "stop guest %s on host %s: it makes room for guest %s, which is more important"
              .formatted(id, f.host(), f.forGuest());
      case Fact.StuckGuestFreed f ->
          "free guest %s, which libvirt on host %s cannot end: its other guests (%d) move off, then it is fenced (%s)"
              .formatted(id, f.host(), f.others(), f.operation());
      case Fact.MigrationDecided f ->
          "migrate guest %s from host %s to host %s: %s".formatted(id, f.from(), f.to(), f.why());
      case Fact.MigrationBegun f ->
          "guest %s: host %s can take it; the intent is committed".formatted(id, f.to());
      case Fact.MigrationArrived f ->
          "guest %s has arrived on host %s, paused; host %s is empty of it"
              .formatted(id, f.to(), f.from());
      case Fact.MigrationFailed f -> "guest %s stays on host %s: %s".formatted(id, f.at(), f.why());
    };
  }
}
