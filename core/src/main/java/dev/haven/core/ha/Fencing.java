package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** The course of a fence from its first order to the proof, or to the next try. */
final class Fencing {
  private static final Duration FENCE_RETRY_MIN = Duration.ofSeconds(1);

  private static final Duration FENCE_RETRY_MAX = Duration.ofSeconds(30);

  /** Longer than a fence with a device that has to be read for 30 s. */
  private static final Duration NEXT_VOTER_AFTER = Duration.ofSeconds(60);

  private Fencing() {}

  static void fencingConfirmed(Deliberation d, Event.FencingConfirmed e) {
    var fencing = fencing(d, e.host(), e.boot());
    if (fencing.isEmpty() || !e.proof().boot().equals(e.boot())) {
      d.because("no such fencing is under way any more");
      return;
    }
    var f = fencing.get();
    if (f.cause() == HostState.Cause.TEST) {
      FencingTrial.off(d, e);
      return;
    }
    var strange =
        e.unidentified().stream().filter(name -> !d.host(e.host()).seenToCut(name)).toList();
    if (!strange.isEmpty()) {
      failed(
          d,
          e.host(),
          e.boot(),
          f,
          "%s says off, but nothing shows that it is this host's: it tells no identity of its own, and no test of it is on record; when the host is back: haven fence test %s --off-and-on"
              .formatted(String.join(" and ", strange), e.host()),
          level(d.host(e.host()), strange.getFirst()));
      return;
    }
    if (!e.contradiction().isEmpty()) {
      ProvenOff.contradicted(d, e.host(), e.contradiction());
      retry(d, e.host(), e.boot(), f, "contradicted: " + e.contradiction(), OptionalInt.empty());
      return;
    }
    ProvenOff.fenced(d, e.proof(), e.times());
    boolean ownFault =
        f.cause() == HostState.Cause.UNREACHABLE
            || f.cause() == HostState.Cause.AGENT_GONE
            || f.cause() == HostState.Cause.STUCK;
    if (ownFault && d.state().policy().powerOnAfterFence()) {
      d.act(new Action.PowerOn(e.host()));
    }
  }

  /** A pill is a proof only for a host that was known to listen, with a watchdog behind it. */
  static void poisoned(Deliberation d, Event.HostPoisoned e) {
    var fencing = fencing(d, e.host(), e.boot());
    if (fencing.isEmpty()) {
      d.because("no such fencing is under way any more");
      return;
    }
    var guard = d.host(e.host()).guard().orElse(Guard.NONE);
    var flaw =
        e.contradiction().isEmpty()
            ? guard.noPill(e.host(), e.boot(), e.pill())
            : Optional.of(e.contradiction());
    if (flaw.isPresent()) {
      failed(
          d,
          e.host(),
          e.boot(),
          fencing.get(),
          "its poison pill proves nothing: " + flaw.get(),
          OptionalInt.empty());
      return;
    }
    var watchdog = guard.watchdog().orElseThrow();
    var armed =
        "it listened under this boot (slot %s), its watchdog (%s, %d s) behind it"
            .formatted(e.pill().slot(), watchdog.identity(), watchdog.timeout().toSeconds());
    ProvenOff.fenced(
        d,
        new Proof.PoisonPill(
            e.host(), e.boot(), e.pill().disks(), e.pill().waited(), armed, e.at()),
        e.times());
  }

  private static Optional<HostState.Fencing> fencing(Deliberation d, HostId id, BootId boot) {
    return d.state()
        .host(id)
        .filter(h -> h.boot().equals(Optional.of(boot)))
        .map(Host::state)
        .filter(HostState.Fencing.class::isInstance)
        .map(HostState.Fencing.class::cast);
  }

  static void fencingFailed(Deliberation d, Event.FencingFailed e) {
    var fencing = fencing(d, e.host(), e.boot());
    if (fencing.isEmpty()) {
      d.because("no such fencing is under way any more");
      return;
    }
    if (fencing.get().cause() == HostState.Cause.TEST) {
      FencingTrial.failed(d, e.host(), e.reason());
      return;
    }
    if (votersAreMissing(d, e, fencing.get())) {
      return;
    }
    failed(d, e.host(), e.boot(), fencing.get(), e.reason(), e.saidOff());
  }

  /**
   * Whether a fence is not tried again yet, as another voter has gone since: the host is judged
   * again. What a person ordered goes on, and so does one whose devices have said off once.
   */
  private static boolean votersAreMissing(
      Deliberation d, Event.FencingFailed e, HostState.Fencing f) {
    if (f.cause() == HostState.Cause.OPERATOR
        || f.off().isPresent()
        || e.saidOff().isPresent()
        || !e.quorum().needs(e.host(), NeededVoters.beingCut(d))) {
      return false;
    }
    d.host(e.host(), new HostState.Suspect(f.since(), "its voter is needed"));
    if (f.cause() == HostState.Cause.STUCK) { // it is heard, and its operation goes on
      d.because("its voter is needed: it is fenced once another one is back");
    } else {
      NeededVoters.waitsForVoters(d, e.host());
    }
    return true;
  }

  /** The level that this device belongs to, from 1. */
  private static OptionalInt level(Host host, String device) {
    var levels = host.spec().fencing();
    for (int i = 0; i < levels.size(); i++) {
      if (levels.get(i).stream().anyMatch(known -> known.name().equals(device))) {
        return OptionalInt.of(i + 1);
      }
    }
    return OptionalInt.empty();
  }

  private static void failed(
      Deliberation d,
      HostId host,
      BootId boot,
      HostState.Fencing f,
      String reason,
      OptionalInt saidOff) {
    d.alarm(
        "fencing-" + host,
        Alarm.Kind.FENCE_FAILED,
        Alarm.Level.CRITICAL,
        host,
        Optional.of(reason),
        "host %s could not be fenced (%s): its guests stay put. It is tried again; if you have made sure that it is off: haven fence %s --confirm-dead"
            .formatted(host, reason, host));
    retry(d, host, boot, f, reason, saidOff);
  }

  private static void retry(
      Deliberation d,
      HostId host,
      BootId boot,
      HostState.Fencing f,
      String failure,
      OptionalInt saidOff) {
    var off =
        saidOff.isPresent()
            ? Optional.of(new HostState.Off(saidOff.getAsInt(), Optional.empty()))
            : f.off();
    var next = new HostState.Fencing(f.attempt() + 1, f.cause(), f.since(), failure, off);
    d.host(host, next);
    var wait = FENCE_RETRY_MIN.multipliedBy(1L << Math.min(f.attempt() - 1, 6));
    cut(d, host, boot, next, wait.compareTo(FENCE_RETRY_MAX) > 0 ? FENCE_RETRY_MAX : wait);
    d.because("fencing of host %s failed: %s".formatted(host, failure));
  }

  private static void cut(
      Deliberation d, HostId host, BootId boot, HostState.Fencing f, Duration after) {
    d.act(
        new Action.FenceHost(
            host,
            boot,
            f.attempt(),
            after,
            f.off().map(off -> OptionalInt.of(off.level())).orElse(OptionalInt.empty())));
  }

  /**
   * A new leader goes on with the fences; a host that boots is left to boot. Those that would take
   * the quorum with them are judged again, one after another. What a person ordered goes on, but
   * not at the same time: the first one's proof is committed before the second one is cut.
   */
  static void takeUp(Deliberation d, Event.Quorum quorum) {
    var cut =
        new HashSet<HostId>(
            d.state().hosts().stream()
                .filter(h -> h.state() instanceof HostState.Fenced)
                .map(Host::id)
                .toList());
    for (var host : List.copyOf(d.state().hosts())) {
      if (!(host.state() instanceof HostState.Fencing f) || host.boot().isEmpty()) {
        continue;
      }
      var id = host.id();
      if (f.off().isEmpty() && quorum.needs(id, cut)) {
        if (f.cause().ordered()) {
          cut(d, id, host.boot().get(), f, NEXT_VOTER_AFTER);
        } else {
          d.host(id, new HostState.Suspect(f.since(), "its voter is needed"));
          NeededVoters.waitsForVoters(d, id);
        }
      } else if (f.off().flatMap(HostState.Off::onSince).isEmpty()) {
        cut.add(id);
        cut(d, id, host.boot().get(), f, Duration.ZERO);
      }
    }
  }

  /**
   * Somebody has switched on a host that was off by our order and not proven so. To cut its power
   * again would kill it in the middle of its boot, each time; its new boot proves more than any
   * device.
   */
  static void switchedOn(Deliberation d, Event.HostSwitchedOn e) {
    var fencing = fencing(d, e.host(), e.boot());
    if (fencing.isEmpty()
        || fencing.get().attempt() != e.attempt()
        || fencing.get().off().filter(off -> off.onSince().isEmpty()).isEmpty()) {
      d.because("no such fencing is under way any more");
      return;
    }
    var f = fencing.get();
    d.host(
        e.host(), f.with(f.off().map(off -> new HostState.Off(off.level(), Optional.of(e.at())))));
    d.tell(new Fact.HostSwitchedOn(e.host()));
    d.alarm(
        "fencing-" + e.host(),
        Alarm.Kind.SWITCHED_ON,
        Alarm.Level.CRITICAL,
        e.host(),
        "host %s was off, but not proven so (%s), and somebody has switched it on since: it has %d min to boot before its power is cut again. Its guests stay put until its agent joins; to cut its power now: haven fence %s"
            .formatted(e.host(), f.lastFailure(), HostState.BOOTS_WITHIN.toMinutes(), e.host()));
    d.because("it was switched on by somebody else: it is left to boot");
  }

  /** The time of a host that was switched on is over. */
  static void bootsAreOver(Deliberation d) {
    for (var host : List.copyOf(d.state().hosts())) {
      if (host.state() instanceof HostState.Fencing f
          && f.bootLeft(d.at()).filter(Duration::isZero).isPresent()) {
        host.boot()
            .ifPresent(
                boot ->
                    cutAgain(
                        d,
                        host.id(),
                        boot,
                        f,
                        f.cause(),
                        "it was switched on and did not join within %d min"
                            .formatted(HostState.BOOTS_WITHIN.toMinutes())));
      }
    }
  }

  private static void cutAgain(
      Deliberation d,
      HostId host,
      BootId boot,
      HostState.Fencing f,
      HostState.Cause cause,
      String why) {
    var next = new HostState.Fencing(f.attempt() + 1, cause, f.since(), f.lastFailure());
    d.host(host, next);
    d.tell(new Fact.FenceRepeated(host, next.attempt(), why));
    cut(d, host, boot, next, Duration.ZERO);
    d.because("fence host " + host + " again: " + why);
  }

  /** An operator has no time for a host that boots. */
  static void cutNow(Deliberation d, HostId host, BootId boot, HostState.Fencing f, String by) {
    if (f.off().flatMap(HostState.Off::onSince).isPresent()) {
      cutAgain(d, host, boot, f, HostState.Cause.OPERATOR, "ordered by " + by);
    }
  }
}
