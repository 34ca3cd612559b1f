package dev.haven.core.ha;

import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * A guest in the hard state.
 *
 * @param wanted whether its owner wants it to run
 * @param tenure who holds it
 * @param failedStarts in a row
 * @param shunned hosts on which it failed since it last ran well; tried last
 * @param crashes how it has lately ended by itself; empty if it has not since its owner started it
 * @param ioError the last one that paused it; empty if none has
 * @param byHand the host to which an operator moved it last: from there it does not go back by
 *     itself
 */
public record Guest(
    GuestSpec spec,
    boolean wanted,
    Tenure tenure,
    GuestPhase phase,
    int failedStarts,
    Set<HostId> shunned,
    Optional<Crashes> crashes,
    Optional<IoError> ioError,
    Optional<HostId> byHand) {
  public Guest {
    shunned = Collections.unmodifiableSet(new TreeSet<>(shunned));
  }

  /**
   * A new guest.
   *
   * @param floor the highest epoch that an earlier guest of its name may have had
   */
  static Guest of(GuestSpec spec, boolean wanted, Epoch floor) {
    var phase = wanted ? new GuestPhase.Waiting("new") : new GuestPhase.Stopped("new");
    return new Guest(
        spec,
        wanted,
        Tenure.none(floor),
        phase,
        0,
        Set.of(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  public GuestId id() {
    return spec.id();
  }

  /** The highest epoch ever given. */
  public Epoch epoch() {
    return tenure.epoch();
  }

  /** The hosts that could run it as far as is proven. */
  public Map<HostId, Holding> holders() {
    return tenure.holders();
  }

  /** The proofs that took the earlier holders away since it last ran. */
  public List<Proof> proofs() {
    return tenure.proofs();
  }

  /** What a host that is online would hold if it were given the guest now. */
  Holding next(Host on) {
    return new Holding(on.id(), on.boot().orElseThrow(), epoch().next());
  }

  /** The host that runs it or is meant to; the source while it migrates. Empty if none. */
  public Optional<HostId> host() {
    return switch (phase) {
      case GuestPhase.OnHost p -> Optional.of(p.host());
      case GuestPhase.Migrating p ->
          Optional.of(p.step() == GuestPhase.Step.ARRIVED ? p.target() : p.source());
      case GuestPhase.Stopped _, GuestPhase.Waiting _, GuestPhase.Failed _ -> Optional.empty();
    };
  }

  Guest with(GuestPhase next) {
    return new Guest(spec, wanted, tenure, next, failedStarts, shunned, crashes, ioError, byHand);
  }

  Guest with(GuestSpec next) {
    return new Guest(next, wanted, tenure, phase, failedStarts, shunned, crashes, ioError, byHand);
  }

  Guest wanted(boolean on) {
    return new Guest(spec, on, tenure, phase, failedStarts, shunned, crashes, ioError, byHand);
  }

  Guest with(Tenure next) {
    return new Guest(spec, wanted, next, phase, failedStarts, shunned, crashes, ioError, byHand);
  }

  Guest failedOn(HostId host) {
    return shunning(host, failedStarts + 1);
  }

  /** The host is tried last from now on. */
  Guest shunning(HostId host) {
    return shunning(host, failedStarts);
  }

  private Guest shunning(HostId host, int failed) {
    var all = new TreeSet<>(shunned);
    all.add(host);
    return new Guest(spec, wanted, tenure, phase, failed, all, crashes, ioError, byHand);
  }

  Guest withoutFailures() {
    return new Guest(spec, wanted, tenure, phase, 0, Set.of(), crashes, ioError, byHand);
  }

  /** It ended by itself. */
  Guest crashedOn(HostId host, Instant at) {
    return withCrashes(Optional.of(Crashes.after(crashes, spec.restarts(), host, at)));
  }

  Guest withCrashes(Optional<Crashes> next) {
    return new Guest(spec, wanted, tenure, phase, failedStarts, shunned, next, ioError, byHand);
  }

  /** An I/O error paused it. */
  Guest ioErrorOn(HostId host, Instant at) {
    return new Guest(
        spec,
        wanted,
        tenure,
        phase,
        failedStarts,
        shunned,
        crashes,
        Optional.of(new IoError(host, at)),
        byHand);
  }

  Guest movedByHand(HostId to) {
    return new Guest(
        spec, wanted, tenure, phase, failedStarts, shunned, crashes, ioError, Optional.of(to));
  }
}
