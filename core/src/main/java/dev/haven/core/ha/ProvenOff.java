package dev.haven.core.ha;

import dev.haven.model.HostId;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import java.time.Instant;
import java.util.Optional;
import java.util.SortedMap;

/** A host is proven off, or that proof turns out to be void. */
final class ProvenOff {
  private ProvenOff() {}

  /**
   * Nobody can reach it, and it has had its time: the next best thing to its power read back off.
   */
  static void boundRanOut(Deliberation d, Event.BoundRanOut e) {
    var known = d.joined(e.host(), e.boot());
    if (known.isEmpty()) {
      return;
    }
    var host = known.get();
    boolean unreachable =
        host.state() instanceof HostState.Fencing
            || (host.state() instanceof HostState.Suspect && host.spec().fencing().isEmpty());
    var bound = host.guard().flatMap(g -> g.bound(e.host(), e.boot()));
    if (!unreachable || bound.isEmpty() || e.bound().compareTo(bound.get()) < 0) {
      d.because("the bound is no proof here");
      return;
    }
    if (!e.contradiction().isEmpty()) {
      d.because("contradicted: " + e.contradiction());
      return;
    }
    var watchdog = host.guard().flatMap(Guard::watchdog).orElseThrow();
    var proof = new Proof.BoundRunOut(e.host(), e.boot(), e.bound(), watchdog.identity(), e.at());
    d.tell(proven(proof));
    d.act(new Action.DropFence(e.host()));
    fenced(d, host, proof);
  }

  static void fenced(Deliberation d, Proof proof, SortedMap<String, Instant> times) {
    d.tell(proven(proof));
    d.tell(new Fact.FenceTimed(proof.host(), times));
    fenced(d, d.host(proof.host()), proof);
  }

  private static Fact proven(Proof proof) {
    return new Fact.HostProven(proof.host(), proof.boot(), proof.kind(), proof.evidence());
  }

  /** The proof came before the quorum: this voter is the only one because of it. */
  static void fencedAlone(Deliberation d, Event.FencedAlone e) {
    var host = d.state().host(e.host());
    if (host.isEmpty()
        || host.get().state() instanceof HostState.Fenced
        || !host.get().boot().equals(Optional.of(e.boot()))
        || !e.proof().boot().equals(e.boot())) {
      d.because("it is fenced, or has booted again since");
      return;
    }
    if (!e.contradiction().isEmpty()) {
      contradicted(d, e.host(), e.contradiction());
      d.because("contradicted: " + e.contradiction());
      return;
    }
    fenced(d, e.proof(), e.times());
    if (!e.wasOff() && d.state().policy().powerOnAfterFence()) {
      d.act(new Action.PowerOn(e.host()));
    }
  }

  /** Its devices say off, and something says that it lives. */
  static void contradicted(Deliberation d, HostId host, String contradiction) {
    d.alarm(
        "fencing-" + host,
        Alarm.Kind.OFF_AND_ALIVE,
        Alarm.Level.CRITICAL,
        host,
        "host %s: its power device says off, but %s. The device lies or belongs to another machine; nothing of the host is started elsewhere"
            .formatted(host, contradiction));
  }

  /** The host is proven off: nothing holds its guests there any more. */
  static void fenced(Deliberation d, Host host, Proof proof) {
    d.host(host.id(), new HostState.Fenced(proof.boot(), proof));
    d.tell(new Fact.HostProvenOff(host.id()));
    d.clearAlarm("silent-" + host.id())
        .clearAlarm("fencing-" + host.id())
        .clearAlarm(HostChecks.ECHO + host.id());
    prove(d, proof);
    d.because("host " + host.id() + " is proven off");
  }

  static void contradicted(Deliberation d, Event.ProofContradicted e) {
    var boot = d.state().host(e.host()).flatMap(Host::boot);
    if (!boot.equals(Optional.of(e.boot()))) {
      // the sign is of the boot after: by that alone, what ran before is gone
      d.because("it has booted again since");
      return;
    }
    var host = d.host(e.host());
    if (host.state() instanceof HostState.Fenced f && f.boot().equals(e.boot())) {
      lives(d, host, f, e.sign(), e.at());
    } else {
      Holders.takeBack(d, e.host(), e.boot());
    }
    d.because("a proof was contradicted before its order left");
  }

  /**
   * A host shows a sign of life under the boot that was proven off. Nothing rests on that proof any
   * more: the host is watched again, its agent may join, and it holds every guest again that does
   * not run elsewhere yet.
   */
  static void lives(Deliberation d, Host host, HostState.Fenced f, String sign, Instant at) {
    var id = host.id();
    if (!(f.proof() instanceof Proof.BoundRunOut)) { // after that it may live on, paused
      d.alarm(
          "two-lives-" + id,
          Alarm.Kind.PROOF_WAS_WRONG,
          Alarm.Level.CRITICAL,
          id,
          "host %s was proven off (%s), but then %s: the proof was wrong, and a guest that already started elsewhere may run twice. Find out why before you trust it again. Guests that had not started elsewhere stay with host %s"
              .formatted(id, f.proof().evidence(), sign, id));
    }
    d.host(id, new HostState.Suspect(at, "proven off, but " + sign));
    Holders.takeBack(d, id, f.boot());
  }

  /**
   * A leader does not know when the evidence of a proof was gathered, so it cannot tell whether the
   * host was heard since: the host is watched again and proven off once more.
   */
  static void unchecked(Deliberation d, Event.ProofUnchecked e) {
    d.state()
        .host(e.host())
        .filter(h -> h.state() instanceof HostState.Fenced f && f.boot().equals(e.boot()))
        .ifPresent(
            _ -> {
              d.host(
                  e.host(),
                  new HostState.Suspect(e.at(), "its proof is older than this leader's memory"));
              d.tell(new Fact.ProofOutdated(e.host()));
            });
    Holders.takeBack(d, e.host(), e.boot());
    d.because("the leader cannot say whether the proof still holds");
  }

  /** Takes away every holding that the proof covers, and moves each guest to what follows. */
  static void prove(Deliberation d, Proof proof) {
    for (var id : d.state().load(proof.host()).guests()) {
      if (d.full()) {
        return; // the rest follows at once: see finish
      }
      if (d.leavesOut(id)) {
        continue;
      }
      var guest = d.guest(id);
      var holding = guest.holders().get(proof.host());
      if (holding != null && proof.covers(id, holding)) {
        d.change(new Change.HolderCleared(id, proof.host(), proof));
      } else if (!(guest.phase() instanceof GuestPhase.Migrating m
          && m.target().equals(proof.host()))) {
        continue;
      }
      Holders.holderGone(d, id, proof.host(), "host " + proof.host() + ": " + proof.evidence());
    }
  }

  /**
   * Takes up what an entry had no room for. Everything follows from the state: a host that is
   * proven off holds nothing that its proof covers, and a host that has booted again nothing of
   * before. So a new leader goes on with it, each tick does where an entry was lost, and a sign of
   * life that voids the proof meanwhile ends it.
   */
  static void finish(Deliberation d) {
    for (var host : d.state().hosts()) {
      if (host.state() instanceof HostState.Fenced f) {
        if (!d.state().load(host.id()).guests().isEmpty()) {
          prove(d, f.proof());
        }
      } else if (host.formerBoots().isPresent()) {
        d.state().load(host.id()).guests().stream()
            .flatMap(g -> Optional.ofNullable(d.guest(g).holders().get(host.id())).stream())
            .map(Holding::boot)
            .filter(host::left)
            .distinct()
            .forEach(
                old ->
                    prove(
                        d, new Proof.NewerBoot(host.id(), old, host.boot().orElseThrow(), d.at())));
      }
    }
  }
}
