package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.SystemUuid;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.SortedMap;
import java.util.stream.Collectors;

/** From silence to proof: when a host is suspected, fenced, taken back. */
public final class HostPolicy {
  private static final Duration FENCE_RETRY_MIN = Duration.ofSeconds(1);
  private static final Duration FENCE_RETRY_MAX = Duration.ofSeconds(30);

  /** A switch that comes back port by port fences nobody: as long as after a quorum's return. */
  private static final Duration STORM_GRACE = Duration.ofSeconds(30);

  /** Longer than a fence with a device that has to be read for 30 s. */
  private static final Duration NEXT_VOTER_AFTER = Duration.ofSeconds(60);

  /** So long the alarm about a broken entry of the log stays after the last one. */
  private static final Duration BROKEN_ENTRY_TOLD = Duration.ofHours(24);

  private HostPolicy() {}

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
      d.alarm(
          "twins-" + id,
          Alarm.Level.WARNING,
          id,
          "an agent of host %s has spoken under boot %s, which that host has left: if it is no message that was very late, two machines have the identity of host %s. Give each its own"
              .formatted(id, boot, id));
      d.because("an earlier boot does not come back");
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
              d.note("evidence", id, "host %s has booted anew".formatted(id));
              prove(d, new Proof.NewerBoot(id, old, boot, e.at()));
            });
    if (host.state() instanceof HostState.Fenced f && f.boot().equals(boot)) {
      lives(d, host, f, "its agent says hello", e.at());
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
    FencingTests.booted(d, id);
    checkIdentity(d, host, hello.systemUuid());
    tellHazards(d, id, hello.hazards());
    tellWarnings(d, id, hello.warnings());
    // orders that were lost with the connection are implied by the state
    for (var guest : d.state().load(id).guests()) {
      GuestPolicy.orders(d, d.guest(guest));
    }
    GuestPolicy.reported(
        d,
        new Event.DomainsReported(
            id, boot, hello.libvirtUp(), hello.domains(), hello.goingDown(), e.at()));
  }

  /** Says that fencing is paused, for as long as it is. */
  static void tellPause(Deliberation d) {
    d.state().pause().ifPresent(p -> d.alarm("paused", Alarm.Level.WARNING, "cluster", p.words()));
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
    d.note("phase", "cluster", "fencing goes on: " + why);
  }

  /** A pause ends by itself when its time is over; and so does the time of a host that boots. */
  static void tick(Deliberation d) {
    bootsAreOver(d);
    if (d.state().alarm("storm").isPresent() && storm(d).isEmpty()) {
      d.clearAlarm("storm");
    }
    if (d.state().pause().flatMap(Pause::until).filter(t -> !d.at().isBefore(t)).isPresent()) {
      resume(d, "its pause is over");
    }
    brokenEntry(d);
  }

  /** That an entry changed nothing is told for a day: everything else has gone on since. */
  private static void brokenEntry(Deliberation d) {
    var alarm = d.state().alarm(ClusterState.BROKEN_ENTRY);
    if (alarm.isEmpty()) {
      return;
    }
    var a = alarm.get();
    if (a.since().equals(Instant.EPOCH)) { // it was raised without a clock
      d.change(
          new Change.AlarmRaised(new Alarm(a.id(), a.level(), a.subject(), a.message(), d.at())));
      d.note("alarm", a.subject(), a.message());
    } else if (!d.at().isBefore(a.since().plus(BROKEN_ENTRY_TOLD))) {
      d.clearAlarm(a.id());
      d.note("alarm", a.subject(), "no entry of the log was broken for 24 h");
    }
  }

  static void watchdogReported(Deliberation d, Event.WatchdogReported e) {
    if (d.state().host(e.host()).filter(h -> h.boot().equals(Optional.of(e.boot()))).isEmpty()) {
      d.because("not the boot that joined");
      return;
    }
    guarded(d, e.host(), e.boot(), e.watchdog());
    d.because("its watchdog is known");
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
        tellPause(d);
      }
    }
    if (!after.equals(before)) {
      d.change(new Change.HostGuarded(id, after));
    }
    tellPills(d, id, boot);
    if (after.bound(id, boot).isPresent() && before.bound(id, boot).isEmpty()) {
      d.note(
          "phase",
          id,
          "host %s enforces its leases: cut off and unreachable, it runs nothing any more after %d s"
              .formatted(id, after.bound(id, boot).orElseThrow().toSeconds()));
    } else if (after.seenToReset().isPresent() && before.seenToReset().isEmpty()) {
      d.note("evidence", id, "host %s was reset by its own watchdog".formatted(id));
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
          Alarm.Level.WARNING,
          id,
          "host %s: a poison pill would prove nothing: %s".formatted(id, flaw.get()));
    } else {
      d.clearAlarm("pill-" + id);
    }
  }

  /**
   * Nobody can reach it, and it has had its time: the next best thing to its power read back off.
   */
  static void boundRanOut(Deliberation d, Event.BoundRanOut e) {
    var known = d.state().host(e.host());
    if (known.isEmpty() || !known.get().boot().equals(Optional.of(e.boot()))) {
      d.because("not the boot that joined");
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
    d.note("evidence", e.host(), "host %s: %s".formatted(e.host(), proof.evidence()));
    d.act(new Action.DropFence(e.host()));
    fenced(d, host, proof);
  }

  private static void checkIdentity(Deliberation d, Host host, Optional<String> systemUuid) {
    var alarm = "uuid-" + host.id();
    var expected = host.spec().uuid();
    if (expected.isPresent()
        && systemUuid.isPresent()
        && !expected.get().equalsIgnoreCase(systemUuid.get())) {
      d.alarm(
          alarm,
          Alarm.Level.WARNING,
          host.id(),
          "host %s says that its UUID is %s, but %s was given for it: its fencing device may belong to another machine"
              .formatted(host.id(), systemUuid.get(), expected.get()));
    } else {
      d.clearAlarm(alarm);
    }
  }

  /** Its agent could not keep something from starting guests there that nobody ordered. */
  private static void tellHazards(Deliberation d, HostId id, List<String> hazards) {
    tell(
        d,
        "hazard-" + id,
        id,
        "host %s may run a second copy of a guest after a boot, so nobody relies on its leases: "
            .formatted(id),
        hazards);
  }

  /** Nothing is wrong yet, and something would be in a failure. */
  private static void tellWarnings(Deliberation d, HostId id, List<String> warnings) {
    tell(d, "readiness-" + id, id, "host %s: ".formatted(id), warnings);
  }

  /** The alarm stands for as long as the agent has something to say. */
  private static void tell(
      Deliberation d, String alarm, HostId id, String begins, List<String> sentences) {
    if (sentences.isEmpty()) {
      d.clearAlarm(alarm);
    } else {
      d.alarm(
          alarm,
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
      d.note("phase", id, "host %s is online (%s)".formatted(id, how));
      d.clearAlarm("silent-" + id).clearAlarm("fencing-" + id);
      if (storm(d).isEmpty()) {
        d.clearAlarm("storm");
      }
      d.because("host %s %s".formatted(id, how));
    }
  }

  static void heard(Deliberation d, Event.HostHeard e) {
    var host = d.state().host(e.host());
    if (host.isEmpty() || !host.get().boot().equals(Optional.of(e.boot()))) {
      d.because("not the boot that joined");
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
        lives(d, host.get(), f, "its agent is heard", e.at());
        d.because("it lives though it was proven off");
      }
      case HostState.Online _, HostState.Expected _ -> d.because("as expected");
    }
  }

  /** The table of the design: what a silence and its evidence mean. */
  static void silent(Deliberation d, Event.HostSilent e) {
    var known = d.state().host(e.host());
    if (known.isEmpty() || !known.get().boot().equals(Optional.of(e.boot()))) {
      d.because("not the boot that joined");
      return;
    }
    var host = known.get();
    switch (host.state()) {
      case HostState.Online _ -> {
        d.host(e.host(), new HostState.Suspect(e.at(), e.silence().evidence()));
        d.note(
            "evidence",
            e.host(),
            "host %s is silent for %d ms: %s"
                .formatted(e.host(), e.silence().lasted().toMillis(), e.silence().evidence()));
        judge(d, host, e);
      }
      case HostState.Suspect s -> {
        if (!s.evidence().equals(e.silence().evidence())) {
          d.host(e.host(), s.with(e.silence().evidence()));
          d.note("evidence", e.host(), "host %s: %s".formatted(e.host(), e.silence().evidence()));
        }
        judge(d, host, e);
      }
      case HostState.Expected _ -> d.because("it has not joined yet");
      case HostState.Fencing _ -> d.because("its fencing has begun");
      case HostState.Fenced _ -> d.because("it is fenced");
    }
  }

  private static void judge(Deliberation d, Host host, Event.HostSilent e) {
    var silence = e.silence();
    var policy = d.state().policy();
    var patience = patience(policy, silence);
    boolean kernel = silence.kernel() == Event.Echo.ANSWERS;
    if (PlannedShutdown.explains(d.state(), host, silence.lasted())) {
      d.because("it goes down as planned, and each of its guests is accounted for");
    } else if (silence.power() == Event.Power.ALL_OFF && kernel) {
      d.alarm(
          "fencing-" + host.id(),
          Alarm.Level.CRITICAL,
          host.id(),
          "host %s: its power device says off, but its kernel answers. The device lies or belongs to another machine; nothing of the host is started elsewhere"
              .formatted(host.id()));
      d.because("the evidence contradicts itself");
    } else if (leftAlone(d.state(), host)) {
      d.because("cordoned and empty: nothing has to be proven of it, and somebody may work on it");
    } else if (silence.power() == Event.Power.ALL_OFF
        && silence.kernelKnown()
        && doubted(d.state(), host).isEmpty()) {
      if (longer(silence, policy.powerLossAfter())) {
        fence(d, host, e, HostState.Cause.POWER_LOSS);
      } else {
        d.because("silent for less than " + policy.powerLossAfter().toMillis() + " ms");
      }
    } else if (silence.boots()) {
      // it is no proof that the older boot is over, but to cut its power now would only hit a boot
      d.alarm(
          "silent-" + host.id(),
          Alarm.Level.WARNING,
          host.id(),
          "host %s asks to join after a boot and is held, because its earlier boot may still run. It is not fenced meanwhile; its guests stay put. Bring the missing voters back; to cut its power now: haven fence %s; or, if you have made sure that its earlier boot is over: haven fence %s --confirm-dead"
              .formatted(host.id(), host.id(), host.id()));
      d.because("it boots: waiting until its earlier boot is known to be over");
    } else if (kernel) {
      d.alarm(
          "silent-" + host.id(),
          Alarm.Level.WARNING,
          host.id(),
          "host %s: its kernel answers but its agent is silent; its guests go on. It is fenced if the agent is not back within %d s"
              .formatted(host.id(), policy.agentGoneAfter().toSeconds()));
      if (longer(silence, policy.agentGoneAfter())) {
        fence(d, host, e, HostState.Cause.AGENT_GONE);
      } else {
        d.because("its kernel answers: waiting for its agent");
      }
    } else if (longer(silence, patience)) {
      fence(d, host, e, HostState.Cause.UNREACHABLE);
    } else {
      d.because(
          "nothing answers%s; waiting until it is silent for %d ms"
              .formatted(
                  silence.kernelKnown() ? "" : ", nor is it known that its kernel would",
                  patience.toMillis()));
    }
  }

  /**
   * How long nothing must answer. Where it is not known that the kernel answers at all, its agent
   * may as well be restarting.
   */
  private static Duration patience(Policy policy, Event.Silence silence) {
    var patience = silence.networks() >= 2 ? policy.silentAfter() : policy.silentAfterOneNetwork();
    return silence.kernelKnown() || patience.compareTo(policy.agentGoneAfter()) > 0
        ? patience
        : policy.agentGoneAfter();
  }

  /**
   * Whether its silence is its owner's business: no guest waits for a proof, and to cut its power
   * in the middle of an upgrade could cost the machine.
   */
  public static boolean leftAlone(ClusterState s, Host host) {
    return host.cordoned() && s.load(host.id()).guests().isEmpty();
  }

  private static boolean longer(Event.Silence silence, Duration than) {
    return silence.lasted().compareTo(than) >= 0;
  }

  private static void fence(Deliberation d, Host host, Event.HostSilent e, HostState.Cause cause) {
    if (d.state().pause().isPresent()) {
      d.because("fencing is paused");
      return;
    }
    // an order to devices that all say off already is no new fence
    var storm = cause == HostState.Cause.POWER_LOSS ? Optional.<String>empty() : storm(d);
    if (storm.isPresent()) {
      d.alarm("storm", Alarm.Level.CRITICAL, "cluster", storm.get());
      d.because("storm guard");
      if (d.host(host.id()).state() instanceof HostState.Suspect s
          && !s.storm().equals(Optional.of(HostState.Storm.LASTS))) {
        d.host(host.id(), s.in(HostState.Storm.LASTS));
      }
      return;
    }
    if (cause != HostState.Cause.POWER_LOSS && afterStorm(d, host.id())) {
      return;
    }
    if (host.spec().fencing().isEmpty()) {
      d.alarm(
          "fencing-" + host.id(),
          Alarm.Level.CRITICAL,
          host.id(),
          "host %s is silent and has no fencing device: its guests stay put until it is back or an operator has made sure that it is off and says so: haven fence %s --confirm-dead"
              .formatted(host.id(), host.id()));
      d.because("nothing can prove it off");
      return;
    }
    if (e.silence().quorum().needs(host.id(), beingCut(d))) {
      waitsForVoters(d, host.id());
      return;
    }
    d.host(host.id(), new HostState.Fencing(1, cause, d.at(), ""));
    d.note("decision", host.id(), "fence host %s: %s".formatted(host.id(), cause.words()));
    d.act(new Action.FenceHost(host.id(), e.boot(), 1, Duration.ZERO));
    d.because("fence host " + host.id() + ": " + cause.words());
  }

  /**
   * The hosts whose voters are without power, or about to be. One that is proven off counts until
   * it has joined anew: its voter is still heard for a moment after its end.
   */
  private static Set<HostId> beingCut(Deliberation d) {
    return d.state().hosts().stream()
        .filter(
            h -> h.state() instanceof HostState.Fencing || h.state() instanceof HostState.Fenced)
        .map(Host::id)
        .collect(Collectors.toSet());
  }

  /**
   * Why this host's power must not be cut now though somebody wants it: its voter is needed to
   * commit the proof. Without a quorum no guest starts anywhere until a voter has booted.
   */
  static Optional<String> needed(Deliberation d, HostId id, Event.Quorum quorum) {
    var cut = beingCut(d);
    if (!quorum.needs(id, cut)) {
      return Optional.empty();
    }
    var without =
        quorum.voters().stream()
            .filter(v -> !v.equals(id.value()))
            .filter(v -> !quorum.heard().contains(v) || cut.contains(new HostId(v)))
            .sorted()
            .toList();
    return Optional.of(
        "host %s: its power is not cut, because its voter is needed to commit the proof that it is off: of %d voters %s are off, being cut or not heard, so without it there would be no majority. Bring one of them back first (haven voter list), then say it again"
            .formatted(id, quorum.voters().size(), String.join(", ", without)));
  }

  /** A fence that takes the quorum with it proves nothing: nobody could commit its proof. */
  private static void waitsForVoters(Deliberation d, HostId id) {
    d.alarm(
        "fencing-" + id,
        Alarm.Level.CRITICAL,
        id,
        "host %s is silent, but its voter is needed to commit the proof, so its power is not cut yet; its guests stay put. It is fenced once another voter is back. Bring the other voters back; or make sure that the host is off and say so: haven fence %s --confirm-dead"
            .formatted(id, id));
    d.because("its voter is needed: it is fenced once another one is back");
  }

  /**
   * Of four or more hosts, half or more silent at once and not all in one failure domain: the
   * network, or we ourselves. Those that are proven off do not count.
   */
  static Optional<String> storm(Deliberation d) {
    int all = 0;
    int silent = 0;
    var domains = new java.util.TreeSet<String>();
    for (var h : d.state().hosts()) {
      if (h.state() instanceof HostState.Suspect && PlannedShutdown.accountedFor(d.state(), h)) {
        continue; // its silence is expected
      }
      switch (h.state()) {
        case HostState.Online _ -> all++;
        case HostState.Suspect _, HostState.Fencing _ -> {
          all++;
          silent++;
          domains.add(h.spec().failureDomain().orElse("host " + h.id()));
        }
        case HostState.Expected _, HostState.Fenced _ -> {}
      }
    }
    if (all < 4 || silent * 2 < all || domains.size() == 1) {
      return Optional.empty();
    }
    return Optional.of(
        "%d of %d hosts are silent at once: that is the network or ourselves. Nobody is fenced until fewer than half are"
            .formatted(silent, all));
  }

  /** A host that fell silent in a storm gets time to come back once that is over. */
  private static boolean afterStorm(Deliberation d, HostId id) {
    if (!(d.host(id).state() instanceof HostState.Suspect s) || s.storm().isEmpty()) {
      return false;
    }
    var over = s.storm().get().over();
    if (over.isEmpty() || d.at().isBefore(over.get())) { // a clock may have been set back
      d.host(id, s.in(new HostState.Storm(Optional.of(d.at()))));
      d.note(
          "decision",
          id,
          "host %s fell silent with many others and has %d s to come back"
              .formatted(id, STORM_GRACE.toSeconds()));
      d.because("the storm is over: its hosts are coming back");
      return true;
    }
    if (d.at().isBefore(over.get().plus(STORM_GRACE))) {
      d.because("the storm is over: its hosts are coming back");
      return true;
    }
    return false;
  }

  static void fencingConfirmed(Deliberation d, Event.FencingConfirmed e) {
    var fencing = fencing(d, e.host(), e.boot());
    if (fencing.isEmpty() || !e.proof().boot().equals(e.boot())) {
      d.because("no such fencing is under way any more");
      return;
    }
    var f = fencing.get();
    if (f.cause() == HostState.Cause.TEST) {
      FencingTests.off(d, e);
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
      d.alarm(
          "fencing-" + e.host(), Alarm.Level.CRITICAL, e.host(), lies(e.host(), e.contradiction()));
      retry(d, e.host(), e.boot(), f, "contradicted: " + e.contradiction(), OptionalInt.empty());
      return;
    }
    fenced(d, e.proof(), e.times());
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
    fenced(
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

  static void fenced(Deliberation d, Proof proof, SortedMap<String, Instant> times) {
    d.note("evidence", proof.host(), "host %s: %s".formatted(proof.host(), proof.evidence()));
    d.note(
        "times",
        proof.host(),
        String.join(
            " ", times.entrySet().stream().map(t -> t.getKey() + "=" + t.getValue()).toList()));
    fenced(d, d.host(proof.host()), proof);
  }

  /** The proof came before the quorum: this voter is the only one because of it. */
  static void fencedAlone(Deliberation d, Event.FencedAlone e) {
    var host = d.state().host(e.host());
    if (host.isEmpty()
        || host.get().state() instanceof HostState.Fenced
        || !host.get().boot().equals(Optional.of(e.boot()))
        || !e.proof().boot().equals(e.boot())) {
      d.because("it is fenced, or has booted anew since");
      return;
    }
    if (!e.contradiction().isEmpty()) {
      d.alarm(
          "fencing-" + e.host(), Alarm.Level.CRITICAL, e.host(), lies(e.host(), e.contradiction()));
      d.because("contradicted: " + e.contradiction());
      return;
    }
    fenced(d, e.proof(), e.times());
    if (!e.wasOff() && d.state().policy().powerOnAfterFence()) {
      d.act(new Action.PowerOn(e.host()));
    }
  }

  private static String lies(HostId host, String contradiction) {
    return "host %s: its power device says off, but %s. The device lies or belongs to another machine; nothing of the host is started elsewhere"
        .formatted(host, contradiction);
  }

  /** The host is proven off: nothing holds its guests there any more. */
  static void fenced(Deliberation d, Host host, Proof proof) {
    d.host(host.id(), new HostState.Fenced(proof.boot(), proof));
    d.note(
        "decision",
        host.id(),
        "host %s is proven off: its guests may start elsewhere".formatted(host.id()));
    d.clearAlarm("silent-" + host.id())
        .clearAlarm("fencing-" + host.id())
        .clearAlarm(ECHO + host.id());
    prove(d, proof);
    d.because("host " + host.id() + " is proven off");
  }

  static void fencingFailed(Deliberation d, Event.FencingFailed e) {
    var fencing = fencing(d, e.host(), e.boot());
    if (fencing.isEmpty()) {
      d.because("no such fencing is under way any more");
      return;
    }
    if (fencing.get().cause() == HostState.Cause.TEST) {
      FencingTests.failed(d, e.host(), e.reason());
      return;
    }
    if (votersAreMissing(d, e, fencing.get())) {
      return;
    }
    failed(d, e.host(), e.boot(), fencing.get(), e.reason(), e.saidOff());
  }

  /**
   * Whether a fence is not tried again yet, as another voter has gone since: the host is judged
   * anew. What a person ordered goes on, and so does one whose devices have said off once.
   */
  private static boolean votersAreMissing(
      Deliberation d, Event.FencingFailed e, HostState.Fencing f) {
    if (f.cause() == HostState.Cause.OPERATOR
        || f.off().isPresent()
        || e.saidOff().isPresent()
        || !e.quorum().needs(e.host(), beingCut(d))) {
      return false;
    }
    d.host(e.host(), new HostState.Suspect(f.since(), "its voter is needed"));
    if (f.cause() == HostState.Cause.STUCK) { // it is heard, and its operation goes on
      d.because("its voter is needed: it is fenced once another one is back");
    } else {
      waitsForVoters(d, e.host());
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
        Alarm.Level.CRITICAL,
        host,
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
   * the quorum with them are judged anew, one after another. What a person ordered goes on, but not
   * at the same time: the first one's proof is committed before the second one is cut.
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
          waitsForVoters(d, id);
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
    d.note(
        "evidence",
        e.host(),
        "host %s was off and is on: somebody has switched it on".formatted(e.host()));
    d.alarm(
        "fencing-" + e.host(),
        Alarm.Level.CRITICAL,
        e.host(),
        "host %s was off, but not proven so (%s), and somebody has switched it on since: it has %d min to boot before its power is cut again. Its guests stay put until its agent joins; to cut its power now: haven fence %s"
            .formatted(e.host(), f.lastFailure(), HostState.BOOTS_WITHIN.toMinutes(), e.host()));
    d.because("it was switched on by somebody else: it is left to boot");
  }

  /** The time of a host that was switched on is over. */
  private static void bootsAreOver(Deliberation d) {
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
    d.note("decision", host, "fence host %s again: %s".formatted(host, why));
    cut(d, host, boot, next, Duration.ZERO);
    d.because("fence host " + host + " again: " + why);
  }

  /** An operator has no time for a host that boots. */
  static void cutNow(Deliberation d, HostId host, BootId boot, HostState.Fencing f, String by) {
    if (f.off().flatMap(HostState.Off::onSince).isPresent()) {
      cutAgain(d, host, boot, f, HostState.Cause.OPERATOR, "ordered by " + by);
    }
  }

  static void contradicted(Deliberation d, Event.ProofContradicted e) {
    var boot = d.state().host(e.host()).flatMap(Host::boot);
    if (!boot.equals(Optional.of(e.boot()))) {
      // the sign is of the boot after: by that alone, what ran before is gone
      d.because("it has booted anew since");
      return;
    }
    var host = d.host(e.host());
    if (host.state() instanceof HostState.Fenced f && f.boot().equals(e.boot())) {
      lives(d, host, f, e.sign(), e.at());
    } else {
      VoidedProofs.takeBack(d, e.host(), e.boot());
    }
    d.because("a proof was contradicted before its order left");
  }

  /**
   * A host shows a sign of life under the boot that was proven off. Nothing rests on that proof any
   * more: the host is watched again, its agent may join, and it holds every guest again that does
   * not run elsewhere yet.
   */
  private static void lives(
      Deliberation d, Host host, HostState.Fenced f, String sign, Instant at) {
    var id = host.id();
    if (!(f.proof() instanceof Proof.BoundRunOut)) { // after that it may live on, paused
      d.alarm(
          "two-lives-" + id,
          Alarm.Level.CRITICAL,
          id,
          "host %s was proven off (%s), but then %s: the proof was wrong, and a guest that already started elsewhere may run twice. Find out why before you trust it again. Guests that had not started elsewhere stay with host %s"
              .formatted(id, f.proof().evidence(), sign, id));
    }
    d.host(id, new HostState.Suspect(at, "proven off, but " + sign));
    VoidedProofs.takeBack(d, id, f.boot());
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
              d.note(
                  "decision",
                  e.host(),
                  "host %s: the leader cannot say whether it was heard since it was proven off, so that is proven once more"
                      .formatted(e.host()));
            });
    VoidedProofs.takeBack(d, e.host(), e.boot());
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
      if (holding != null && proof.covers(proof.host(), id, holding)) {
        d.change(new Change.HolderCleared(id, proof.host(), proof));
      } else if (!(guest.phase() instanceof GuestPhase.Migrating m
          && m.target().equals(proof.host()))) {
        continue;
      }
      GuestPolicy.holderGone(d, id, proof.host(), "host " + proof.host() + ": " + proof.evidence());
    }
  }

  /** In the alarm of a device that nothing shows to be its host's. */
  static final String NO_WORD = "its word does not count";

  /**
   * Takes up what an entry had no room for. Everything follows from the state: a host that is
   * proven off holds nothing that its proof covers, and a host that has booted anew nothing of
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

  /** In the alarm of a device that spoke against what everybody heard. */
  private static final String LIED = "said off while the host ran";

  private static boolean doubted(ClusterState s, HostId host, String device) {
    return s.alarm("device-" + host + "-" + device)
        .filter(a -> a.message().contains(LIED))
        .isPresent();
  }

  /** Those of a host's devices whose off is no evidence, until they say on or are tested. */
  private static List<String> doubted(ClusterState s, Host host) {
    return host.spec().fencing().stream()
        .flatMap(List::stream)
        .map(dev.haven.model.FencingDevice::name)
        .filter(name -> doubted(s, host.id(), name))
        .toList();
  }

  static void deviceChecked(Deliberation d, Event.DeviceChecked e) {
    var alarm = "device-" + e.host() + "-" + e.device();
    boolean before = doubted(d.state(), e.host(), e.device());
    boolean lied = e.off() ? e.heard() || before : e.critical() && before;
    if (lied) {
      d.alarm(
          alarm,
          Alarm.Level.CRITICAL,
          e.host(),
          "%sdevice %s of host %s %s: it lies or belongs to another machine; check its cables and address. Until it says on, its off is no evidence of a loss of power"
              .formatted(
                  e.problem().isEmpty() ? "" : e.problem() + "; ", e.device(), e.host(), LIED));
    } else if (e.problem().isEmpty()
        && e.unidentified()
        && !d.host(e.host()).seenToCut(e.device())) {
      d.alarm(
          alarm,
          Alarm.Level.WARNING,
          e.host(),
          "device %s of host %s: nothing shows that it is this host's, so %s. Try it once, with the host empty: haven evacuate %s --wait && haven fence test %s --off-and-on --wait && haven uncordon %s"
              .formatted(e.device(), e.host(), NO_WORD, e.host(), e.host(), e.host()));
    } else if (e.problem().isEmpty()) {
      d.clearAlarm(alarm);
    } else {
      d.alarm(
          alarm, e.critical() ? Alarm.Level.CRITICAL : Alarm.Level.WARNING, e.host(), e.problem());
    }
    d.because("device checked");
  }

  private static final String ECHO = "echo-";

  /** Whether there is an alarm that this host's kernel answers no echo. */
  public static boolean toldMute(ClusterState s, HostId host) {
    return s.alarm(ECHO + host).isPresent();
  }

  /** A host that runs and answers no echo: its silence will be judged without that sign. */
  static void echoChecked(Deliberation d, Event.EchoChecked e) {
    var host = d.state().host(e.host()).filter(Host::online);
    if (host.isEmpty() || e.answers()) {
      d.clearAlarm(ECHO + e.host());
      d.because("its kernel answers, or it is not online");
      return;
    }
    d.alarm(
        ECHO + e.host(),
        Alarm.Level.WARNING,
        e.host(),
        "host %s is heard, but its kernel has answered no voter's echo for minutes: is ICMP filtered on its networks? Until it answers, a silent agent looks like a dead host, so its silence is judged more slowly: %d s"
            .formatted(e.host(), d.state().policy().agentGoneAfter().toSeconds()));
    d.because("its kernel answers no echo");
  }

  private static final String UNCONNECTED = "unconnected-";

  /** Whether there is an alarm that this host's agent has no connection. */
  public static boolean toldUnconnected(ClusterState s, HostId host) {
    return s.alarms().stream().anyMatch(a -> a.id().equals(UNCONNECTED + host));
  }

  /**
   * A host that sends and hears nothing beats on, so it counts as online, and nothing can be
   * ordered there. It is not fenced for that: what is broken may as well be a certificate, on all
   * hosts at once.
   */
  static void agentChecked(Deliberation d, Event.AgentChecked e) {
    var alarm = UNCONNECTED + e.host();
    var host = d.state().host(e.host()).filter(Host::online);
    if (host.isEmpty() || e.connected()) {
      d.clearAlarm(alarm);
      d.because("its agent is connected, or its silence is told elsewhere");
      return;
    }
    boolean pauses =
        host.get()
            .boot()
            .flatMap(b -> host.get().guard().flatMap(g -> g.bound(e.host(), b)))
            .isPresent();
    d.alarm(
        alarm,
        pauses ? Alarm.Level.CRITICAL : Alarm.Level.WARNING,
        e.host(),
        "host %s is heard, but its agent has had no connection to the leader for half a minute: nothing can be ordered there, and its guests %s. Look at the network towards it, its certificate and the log of haven-agent there; if they are to start elsewhere: haven fence %s"
            .formatted(e.host(), pauses ? "pause if no lease reaches it" : "go on", e.host()));
    d.because("its agent has no connection");
  }
}
