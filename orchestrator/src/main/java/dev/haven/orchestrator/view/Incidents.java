package dev.haven.orchestrator.view;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.AuditLine;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Incident;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Puts the incidents together from the audit log. Nothing else is kept for them, so every leader
 * tells the same, as far back as the audit log reaches.
 */
public final class Incidents {
  private final List<Building> all = new ArrayList<>();

  /** The one that each host is in the middle of. */
  private final Map<HostId, Building> ofHost = new TreeMap<>();

  /** The one because of which each guest is down. */
  private final Map<GuestId, Building> ofGuest = new TreeMap<>();

  private Incidents() {}

  /**
   * All that these lines tell of, oldest first.
   *
   * @param lines of the audit log, oldest first
   */
  public static List<Incident> of(List<AuditLine> lines) {
    var incidents = new Incidents();
    lines.forEach(incidents::take);
    return incidents.all.stream().map(Building::built).toList();
  }

  private void take(AuditLine line) {
    switch (line.fact()) {
      case Fact.OfHost f -> host(line, f);
      case Fact.OfGuest f -> guest(line, f);
      case Fact.LeaderElected _ ->
          all.stream().filter(b -> b.ended == null).forEach(b -> b.phase(line, "new-leader"));
      case Fact.AlarmRaised f -> about(f.subject()).ifPresent(b -> b.phase(line, "alarm"));
      case Fact.CommandAccepted f ->
          f.host()
              .map(HostId::value)
              .or(() -> f.guest().map(GuestId::value))
              .flatMap(this::about)
              .ifPresent(b -> b.phase(line, "command"));
      case Fact.OfCluster _, Fact.OperationEnded _ -> {}
    }
  }

  private Optional<Building> about(String subject) {
    return all.stream()
        .filter(b -> b.ended == null)
        .filter(
            b ->
                b.subject.equals(subject)
                    || b.guests.keySet().stream().anyMatch(g -> g.value().equals(subject)))
        .findFirst();
  }

  // ---- hosts

  private void host(AuditLine line, Fact.OfHost fact) {
    var id = fact.host();
    if (fact instanceof Fact.HostFellSilent f) {
      open(line, id, line.at().minus(f.lasted())).phase(line, "suspect");
    } else if (fact instanceof Fact.FenceDecided f && f.verdict() != Fact.Verdict.TEST) {
      var incident = open(line, id, line.at());
      incident.verdict = f.verdict();
      incident.phase(line, "verdict");
    } else if (ofHost.get(id) instanceof Building incident) {
      goesOn(line, fact, incident);
    }
  }

  /** A host that falls silent again before its guests run is in the same incident still. */
  private Building open(AuditLine line, HostId host, Instant began) {
    var incident = ofHost.get(host);
    if (incident == null || incident.ended != null) {
      incident = new Building(line.index(), Incident.Kind.HOST, host.value(), began);
      ofHost.put(host, incident);
      all.add(incident);
    }
    return incident;
  }

  private void goesOn(AuditLine line, Fact.OfHost fact, Building incident) {
    if (fact instanceof Fact.FenceTimed f) {
      f.times().forEach((name, at) -> incident.phase(at, name, f.host().value(), ""));
      return;
    }
    if (fact instanceof Fact.HostProven f) {
      incident.proof = f.evidence();
    }
    incident.phase(line, name(fact));
    if (fact instanceof Fact.HostProvenOff) {
      incident.provenOff = line.at();
      settle(incident);
    } else if (fact instanceof Fact.HostOnline) {
      incident.back = line.at();
      ofHost.remove(fact.host());
      settle(incident);
    }
  }

  private static String name(Fact.OfHost fact) {
    return switch (fact) {
      case Fact.HostFellSilent _ -> "suspect";
      case Fact.HostWeighed _ -> "evidence";
      case Fact.FenceDecided _, Fact.FenceRepeated _, Fact.FencingTrialBegun _ -> "verdict";
      case Fact.HostProven _ -> "proof";
      case Fact.FenceTimed _ -> "times";
      case Fact.HostProvenOff _ -> "proven-off";
      case Fact.ProofOutdated _ -> "proof-outdated";
      case Fact.HostMayComeBack _ -> "waiting";
      case Fact.HostSwitchedOn _ -> "switched-on";
      case Fact.HostBooted _ -> "booted";
      case Fact.HostOnline _ -> "back";
      case Fact.HostGoesDown _ -> "goes-down";
      case Fact.HostAccepted _ -> "accepted";
      case Fact.LeasesEnforced _ -> "leases-enforced";
      case Fact.WatchdogHasReset _ -> "reset";
      case Fact.DevicesProven _ -> "devices-proven";
    };
  }

  // ---- guests

  private void guest(AuditLine line, Fact.OfGuest fact) {
    var id = fact.guest();
    switch (fact) {
      case Fact.GuestGone f -> opened(line, id, f.host()).phase(line, "gone");
      case Fact.GuestOff f -> {
        var host = f.host().map(ofHost::get);
        if (!ofGuest.containsKey(id) && host.isPresent() && host.get().ended == null) {
          host.get().down(id, f.host().orElseThrow());
          ofGuest.put(id, host.get());
        }
        waiting(id).ifPresent(b -> b.phase(line, "off"));
      }
      case Fact.GuestPlaced f ->
          waiting(id)
              .ifPresent(
                  b -> {
                    b.phase(line, "placed");
                    b.placed(id, f.host(), line.at());
                  });
      case Fact.GuestRuns _ ->
          waiting(id)
              .ifPresent(
                  b -> {
                    b.phase(line, "running");
                    b.runs(id, line.at());
                    ofGuest.remove(id);
                    settle(b);
                  });
      case Fact.StartFailed _ -> waiting(id).ifPresent(b -> b.phase(line, "start-failed"));
      case Fact.StartUnclear _ -> waiting(id).ifPresent(b -> b.phase(line, "start-unclear"));
      case Fact.GuestQuestioned f -> {
        if (f.end() == Fact.End.UNHEALTHY || f.end() == Fact.End.IO_ERROR) {
          var unused = opened(line, id, f.host()); // it is to be ended and started again
        }
        waiting(id).ifPresent(b -> b.phase(line, "questioned"));
      }
      case Fact.GuestMayRunThere _ -> waiting(id).ifPresent(b -> b.phase(line, "may-run-there"));
      case Fact.GuestUnhealthy _,
          Fact.GuestShutDownByHost _,
          Fact.GuestStoppedForRoom _,
          Fact.StuckGuestFreed _,
          Fact.MigrationDecided _,
          Fact.MigrationBegun _,
          Fact.MigrationArrived _,
          Fact.MigrationFailed _ ->
          waiting(id).ifPresent(b -> b.phase(line, "guest"));
    }
  }

  private Optional<Building> waiting(GuestId guest) {
    return Optional.ofNullable(ofGuest.get(guest));
  }

  private Building opened(AuditLine line, GuestId guest, HostId from) {
    return ofGuest.computeIfAbsent(
        guest,
        _ -> {
          var made = new Building(line.index(), Incident.Kind.GUEST, guest.value(), line.at());
          made.down(guest, from);
          all.add(made);
          return made;
        });
  }

  /** It is over once the host is back or proven off, and each guest that was down runs. */
  private static void settle(Building incident) {
    boolean settled =
        incident.kind == Incident.Kind.GUEST
            || incident.back != null
            || incident.provenOff != null && !incident.guests.isEmpty();
    if (incident.ended == null && settled && incident.allRun()) {
      incident.ended = incident.settled();
    }
  }
}
