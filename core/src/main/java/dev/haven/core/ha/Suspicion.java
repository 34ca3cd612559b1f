package dev.haven.core.ha;

import dev.haven.model.HostId;
import dev.haven.model.Policy;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import dev.haven.model.wire.OtherVersion;
import java.time.Duration;
import java.util.Optional;

/** What the silence of a host means, by the evidence at hand: it is waited for, or fenced. */
public final class Suspicion {
  /** A switch that comes back port by port fences nobody: as long as after a quorum's return. */
  private static final Duration STORM_GRACE = Duration.ofSeconds(30);

  private Suspicion() {}

  /** The alarm about a storm ends with it. */
  static void tick(Deliberation d) {
    if (d.state().alarm("storm").isPresent() && storm(d).isEmpty()) {
      d.clearAlarm("storm");
    }
  }

  /** The table of the design: what a silence and its evidence mean. */
  static void silent(Deliberation d, Event.HostSilent e) {
    var known = d.joined(e.host(), e.boot());
    if (known.isEmpty()) {
      return;
    }
    var host = known.get();
    var version = speaks(d.state().policy(), e.silence());
    switch (host.state()) {
      case HostState.Online _ -> {
        var found = e.silence().evidence();
        d.host(e.host(), new HostState.Suspect(e.at(), found, Optional.empty(), version));
        d.tell(new Fact.HostFellSilent(e.host(), e.silence().lasted(), signs(e.silence())));
        judge(d, host, e);
      }
      case HostState.Suspect s -> {
        var now = s.with(e.silence().evidence(), version);
        if (!now.equals(s)) {
          d.host(e.host(), now);
        }
        if (!now.evidence().equals(s.evidence())) {
          d.tell(new Fact.HostWeighed(e.host(), signs(e.silence())));
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
          Alarm.Kind.OFF_AND_ALIVE,
          Alarm.Level.CRITICAL,
          host.id(),
          "host %s: its power device says off, but its kernel answers. The device lies or belongs to another machine; nothing of the host is started elsewhere"
              .formatted(host.id()));
      d.because("the evidence contradicts itself");
    } else if (leftAlone(d.state(), host)) {
      d.because("cordoned and empty: nothing has to be proven of it, and somebody may work on it");
    } else if (silence.power() == Event.Power.ALL_OFF
        && silence.kernelKnown()
        && HostChecks.doubted(d.state(), host).isEmpty()) {
      boolean shown = silence.lossShown() && longer(silence, policy.shownLossAfter());
      if (shown || silence.mute().compareTo(policy.powerLossAfter()) >= 0) {
        fence(d, host, e, HostState.Cause.POWER_LOSS);
      } else {
        d.because("silent for less than " + policy.powerLossAfter().toMillis() + " ms");
      }
    } else if (silence.boots()) {
      // it is no proof that the older boot is over, but to cut its power now would only hit a boot
      d.alarm(
          "silent-" + host.id(),
          Alarm.Kind.BOOT_HELD,
          Alarm.Level.WARNING,
          host.id(),
          "host %s asks to join after a boot and is held, because its earlier boot may still run. It is not fenced meanwhile; its guests stay put. Bring the missing voters back; to cut its power now: haven fence %s; or, if you have made sure that its earlier boot is over: haven fence %s --confirm-dead"
              .formatted(host.id(), host.id(), host.id()));
      d.because("it boots: waiting until its earlier boot is known to be over");
    } else if (kernel) {
      agentSilent(d, host, e);
    } else if (nothingAnswers(policy, silence, patience)) {
      fence(d, host, e, HostState.Cause.UNREACHABLE);
    } else {
      d.because(
          "nothing answers%s; waiting until it is silent for %d ms"
              .formatted(
                  silence.kernelKnown() ? "" : ", nor is it known that its kernel would",
                  patience.toMillis()));
    }
  }

  /** Its kernel answers. */
  private static void agentSilent(Deliberation d, Host host, Event.HostSilent e) {
    var silence = e.silence();
    var policy = d.state().policy();
    var other = silence.other().filter(o -> o.fresh(policy));
    if (other.isPresent()) {
      d.clearAlarm("silent-" + host.id());
      HostChecks.otherVersion(d, host, other.get());
    } else {
      d.alarm(
          "silent-" + host.id(),
          Alarm.Kind.AGENT_SILENT,
          Alarm.Level.WARNING,
          host.id(),
          "host %s: its kernel answers but its agent is silent; its guests go on. It is fenced if the agent is not back within %d s"
              .formatted(host.id(), policy.agentGoneAfter().toSeconds()));
    }
    if (other.isPresent()
        && !HostChecks.pauses(host)
        && !longer(silence, HostChecks.OTHER_VERSION_AT_MOST)) {
      // its guests run: to cut its power would only cost them, as its next agent speaks so as well
      d.because("its kernel answers, and its agent lives and speaks another version");
    } else if (longer(silence, policy.agentGoneAfter())) {
      // where no lease reaches it, its guests are paused: they are to start elsewhere
      fence(d, host, e, HostState.Cause.AGENT_GONE);
    } else {
      d.because("its kernel answers: waiting for its agent");
    }
  }

  /** Nothing came for long. What its agent says delays that a little: others may have its key. */
  private static boolean nothingAnswers(Policy policy, Event.Silence silence, Duration patience) {
    boolean spoke = silence.other().filter(o -> o.ago().compareTo(patience) < 0).isPresent();
    return silence.mute().compareTo(patience) >= 0
        && (!spoke || silence.mute().compareTo(policy.agentGoneAfter()) >= 0);
  }

  /**
   * The other version that its agent speaks, where that is what its silence is due to. Over well
   * before the host may be fenced as mute: then the network may be to blame.
   */
  private static Optional<Integer> speaks(Policy policy, Event.Silence silence) {
    return silence
        .other()
        .filter(o -> o.fresh(policy))
        .filter(_ -> silence.mute().compareTo(policy.silentAfter().dividedBy(2)) < 0)
        .map(OtherVersion::version);
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
    var storm =
        cause == HostState.Cause.POWER_LOSS
            ? Optional.<String>empty()
            : storm(d, speaks(d.state().policy(), e.silence()).isPresent());
    if (storm.isPresent()) {
      d.alarm("storm", Alarm.Kind.STORM, Alarm.Level.CRITICAL, "cluster", storm.get());
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
          Alarm.Kind.NO_DEVICE,
          Alarm.Level.CRITICAL,
          host.id(),
          "host %s is silent and has no fencing device: its guests stay put until it is back or an operator has made sure that it is off and says so: haven fence %s --confirm-dead"
              .formatted(host.id(), host.id()));
      d.because("nothing can prove it off");
      return;
    }
    if (e.silence().quorum().needs(host.id(), NeededVoters.beingCut(d))) {
      NeededVoters.waitsForVoters(d, host.id());
      return;
    }
    d.host(host.id(), new HostState.Fencing(1, cause, d.at(), ""));
    d.tell(new Fact.FenceDecided(host.id(), cause.verdict(), Optional.empty()));
    d.act(new Action.FenceHost(host.id(), e.boot(), 1, Duration.ZERO));
    d.because("fence host " + host.id() + ": " + cause.words());
  }

  /**
   * Of four or more hosts, half or more silent at once and not all in one failure domain: the
   * network, or we ourselves. Those that are proven off do not count.
   */
  static Optional<String> storm(Deliberation d) {
    return storm(d, true);
  }

  /**
   * @param otherVersions whether those count as silent whose agents only speak another version.
   *     They do where such a host would be fenced: half of the hosts may have been upgraded so
   */
  private static Optional<String> storm(Deliberation d, boolean otherVersions) {
    int all = 0;
    int silent = 0;
    var domains = new java.util.TreeSet<String>();
    for (var h : d.state().hosts()) {
      if (h.state() instanceof HostState.Suspect && PlannedShutdown.accountedFor(d.state(), h)) {
        continue; // its silence is expected
      }
      switch (h.state()) {
        case HostState.Online _ -> all++;
        case HostState.Suspect s when s.version().isPresent() && !otherVersions -> all++;
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
      d.tell(new Fact.HostMayComeBack(id, STORM_GRACE));
      d.because("the storm is over: its hosts are coming back");
      return true;
    }
    if (d.at().isBefore(over.get().plus(STORM_GRACE))) {
      d.because("the storm is over: its hosts are coming back");
      return true;
    }
    return false;
  }

  private static Fact.Signs signs(Event.Silence silence) {
    return new Fact.Signs(
        silence.networks(),
        switch (silence.kernel()) {
          case ANSWERS -> Fact.Kernel.ANSWERS;
          case SILENT -> Fact.Kernel.SILENT;
          case UNKNOWN -> Fact.Kernel.UNKNOWN;
        },
        switch (silence.power()) {
          case ALL_OFF -> Fact.Power.OFF;
          case ON -> Fact.Power.ON;
          case UNREACHABLE -> Fact.Power.UNREACHABLE;
          case UNKNOWN -> Fact.Power.UNKNOWN;
          case NO_DEVICE -> Fact.Power.NO_DEVICE;
        },
        silence.evidence());
  }
}
