package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.SystemUuid;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import java.util.List;
import java.util.Optional;

/** An agent joins, is heard, and says what its host and its watchdog are worth. */
final class HostJoining {
  private HostJoining() {}

  static void joined(Deliberation d, Event.AgentJoined e) {
    var hello = e.hello();
    var id = hello.host();
    var known = d.state().host(id);
    if (known.isEmpty()) {
      d.because("host %s is not part of this cluster".formatted(id));
      return;
    }
    var host = known.get();
    var boot = hello.boot();
    if (host.left(boot)) { // it is no newer one, so what runs under the present one is not gone
      twins(d, id, boot);
      return;
    }
    var verdict = Newcomers.judge(host, hello, e.newcomer());
    if (!(verdict instanceof Newcomers.Verdict.Open)) {
      Newcomers.tell(d, host, hello, e.newcomer(), verdict);
      return;
    }
    d.clearAlarm("twins-" + id).clearAlarm("identity-" + id);
    host.boot()
        .filter(old -> !old.equals(boot))
        .ifPresent(
            old -> {
              d.tell(new Fact.HostBooted(id, boot));
              ProvenOff.prove(d, new Proof.NewerBoot(id, old, boot, e.at()));
            });
    if (host.state() instanceof HostState.Fenced f && f.boot().equals(boot)) {
      ProvenOff.lives(d, host, f, "its agent says hello", e.at());
      host = d.host(id);
    }
    var uuid = hello.systemUuid().flatMap(SystemUuid::usable).or(host::systemUuid);
    var agent = new Host.Agent(hello.process(), hello.heartbeatKey(), hello.agentVersion());
    if (!host.agent().equals(Optional.of(agent))
        || !host.boot().equals(Optional.of(boot))
        || !host.capacity().equals(hello.capacity())
        || !host.systemUuid().equals(uuid)) {
      d.change(new Change.AgentSeated(id, boot, agent, hello.capacity(), uuid));
    }
    guarded(d, id, boot, hello.watchdog());
    if (host.state() instanceof HostState.Fencing f
        && f.cause().ordered()
        && host.boot().equals(Optional.of(boot))) {
      d.because("its fencing goes on: " + f.cause().words());
      return;
    }
    online(d, id, "joined");
    FencingTrial.booted(d, id);
    checkIdentity(d, host, hello.systemUuid());
    tellHazards(d, id, hello.hazards());
    tellWarnings(d, id, hello.warnings());
    takeUp(d, e);
  }

  /** An agent speaks under a boot that its host has left. */
  private static void twins(Deliberation d, HostId id, BootId boot) {
    d.alarm(
        "twins-" + id,
        Alarm.Kind.TWINS,
        Alarm.Level.WARNING,
        id,
        "an agent of host %s has spoken under boot %s, which that host has left: if it is no message that was very late, two machines have the identity of host %s. Give each its own"
            .formatted(id, boot, id));
    d.because("an earlier boot does not come back");
  }

  /** Gives again the orders that were lost with the connection, and takes in its report. */
  private static void takeUp(Deliberation d, Event.AgentJoined e) {
    var hello = e.hello();
    var id = hello.host();
    var boot = hello.boot();
    for (var guest : d.state().load(id).guests()) {
      GuestOrders.orders(d, d.guest(guest));
    }
    GuestReports.reported(
        d,
        new Event.DomainsReported(
            id, boot, hello.libvirtUp(), hello.domains(), hello.goingDown(), e.at()));
  }

  static void watchdogReported(Deliberation d, Event.WatchdogReported e) {
    if (d.joined(e.host(), e.boot()).isEmpty()) {
      return;
    }
    guarded(d, e.host(), e.boot(), e.watchdog());
    d.because("its watchdog is known");
  }

  static void leasesShortened(Deliberation d, Event.LeasesShortened e) {
    var guard =
        d.state()
            .host(e.host())
            .filter(h -> h.boot().equals(Optional.of(e.boot())))
            .flatMap(Host::guard)
            .filter(g -> g.boot().equals(Optional.of(e.boot())))
            .filter(g -> g.leasing() == Guard.Leasing.SHORTENING);
    if (guard.isEmpty()) {
      d.because("its leases are not getting shorter");
      return;
    }
    var after = guard.get().shortened();
    d.change(new Change.HostGuarded(e.host(), after));
    after.bound(e.host(), e.boot()).ifPresent(b -> d.tell(new Fact.LeasesEnforced(e.host(), b)));
    d.because("nothing is left of its long leases");
  }

  private static void guarded(
      Deliberation d, HostId id, BootId boot, Optional<dev.haven.model.wire.Watchdog> watchdog) {
    var known = d.host(id).guard();
    if (known.isEmpty() && watchdog.isEmpty()) {
      tellPills(d, id, boot);
      return;
    }
    var before = known.orElse(Guard.NONE);
    var paused = d.state().pause();
    var after = before.heard(boot, watchdog);
    if (paused.isPresent()) {
      after = after.notEnforcing(d.state().version()); // nobody is relied on during a pause
      if (paused.get().unheard().contains(id)
          && watchdog.filter(dev.haven.model.wire.Watchdog::enforcing).isEmpty()) {
        d.change(new Change.PauseHeard(id));
        FencingPause.tellPause(d);
      }
    }
    if (!after.equals(before)) {
      d.change(new Change.HostGuarded(id, after));
    }
    tellPills(d, id, boot);
    var bound = after.bound(id, boot);
    if (bound.isPresent() && !bound.equals(before.bound(id, boot))) {
      d.tell(new Fact.LeasesEnforced(id, bound.get()));
    } else if (after.seenToReset().isPresent() && before.seenToReset().isEmpty()) {
      d.tell(new Fact.WatchdogHasReset(id));
    }
  }

  /** A device whose word would not count is told of before it is needed. */
  private static void tellPills(Deliberation d, HostId id, BootId boot) {
    var host = d.host(id);
    var flaw =
        host.spec().fencing().stream()
            .flatMap(List::stream)
            .filter(device -> device.kind().equals("sbd"))
            .findFirst()
            .flatMap(_ -> host.guard().orElse(Guard.NONE).noPill(id, boot));
    if (flaw.isPresent()) {
      d.alarm(
          "pill-" + id,
          Alarm.Kind.PILL_USELESS,
          Alarm.Level.WARNING,
          id,
          "host %s: a poison pill would prove nothing: %s".formatted(id, flaw.get()));
    } else {
      d.clearAlarm("pill-" + id);
    }
  }

  private static void checkIdentity(Deliberation d, Host host, Optional<String> systemUuid) {
    var alarm = "uuid-" + host.id();
    var expected = host.spec().uuid();
    if (expected.isPresent()
        && systemUuid.isPresent()
        && !expected.get().equalsIgnoreCase(systemUuid.get())) {
      d.alarm(
          alarm,
          Alarm.Kind.OTHER_UUID,
          Alarm.Level.WARNING,
          host.id(),
          "host %s says that its UUID is %s, but %s was given for it: its fencing device may belong to another machine"
              .formatted(host.id(), systemUuid.get(), expected.get()));
    } else {
      d.clearAlarm(alarm);
    }
  }

  /**
   * Its agent could not keep something from starting guests there, or from feeding its watchdog.
   */
  private static void tellHazards(Deliberation d, HostId id, List<String> hazards) {
    tell(
        d,
        "hazard-" + id,
        Alarm.Kind.HAZARD,
        id,
        "host %s may run a second copy of a guest, so nobody relies on its leases: ".formatted(id),
        hazards);
  }

  /** Nothing is wrong yet, and something would be in a failure. */
  private static void tellWarnings(Deliberation d, HostId id, List<String> warnings) {
    tell(d, "readiness-" + id, Alarm.Kind.NOT_READY, id, "host %s: ".formatted(id), warnings);
  }

  /** The alarm stands for as long as the agent has something to say. */
  private static void tell(
      Deliberation d,
      String alarm,
      Alarm.Kind kind,
      HostId id,
      String begins,
      List<String> sentences) {
    if (sentences.isEmpty()) {
      d.clearAlarm(alarm);
    } else {
      d.alarm(
          alarm,
          kind,
          Alarm.Level.WARNING,
          id,
          begins + String.join("; ", sentences.stream().limit(5).toList()));
    }
  }

  private static void online(Deliberation d, HostId id, String how) {
    var host = d.host(id);
    if (host.state() instanceof HostState.Fencing) {
      d.act(new Action.DropFence(id));
    }
    if (!host.online()) {
      d.host(id, new HostState.Online(Optional.of(d.at())));
      d.tell(new Fact.HostOnline(id, how));
      d.clearAlarm("silent-" + id).clearAlarm("fencing-" + id);
      if (Suspicion.storm(d).isEmpty()) {
        d.clearAlarm("storm");
      }
      d.because("host %s %s".formatted(id, how));
    }
  }

  static void heard(Deliberation d, Event.HostHeard e) {
    var host = d.joined(e.host(), e.boot());
    if (host.isEmpty()) {
      return;
    }
    switch (host.get().state()) {
      case HostState.Suspect _ -> online(d, e.host(), "is heard again");
      case HostState.Fencing f -> {
        if (f.cause().ordered()) {
          d.because("its fencing goes on: " + f.cause().words());
        } else {
          online(d, e.host(), "is heard again before its power was proven off");
        }
      }
      case HostState.Fenced f -> {
        ProvenOff.lives(d, host.get(), f, "its agent is heard", e.at());
        d.because("it lives though it was proven off");
      }
      case HostState.Online _, HostState.Expected _ -> d.because("as expected");
    }
  }
}
