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
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * A guest in the hard state.
 *
 * @param wanted whether its owner wants it to run
 * @param epoch the highest ever given
 * @param holders the hosts that could run it as far as is proven
 * @param cleared the earlier holdings since it last ran, each with the proof that took it away; the
 *     order to start it rests on those proofs
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
    Epoch epoch,
    GuestPhase phase,
    Map<HostId, Holding> holders,
    List<Cleared> cleared,
    int failedStarts,
    Set<HostId> shunned,
    Optional<Crashes> crashes,
    Optional<IoError> ioError,
    Optional<HostId> byHand) {
  public Guest {
    holders =
        Collections.unmodifiableMap(new TreeMap<>(holders)); // in the same order on every voter
    cleared = List.copyOf(cleared);
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
        floor,
        phase,
        Map.of(),
        List.of(),
        0,
        Set.of(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  public GuestId id() {
    return spec.id();
  }

  /** The proofs that took the earlier holders away since it last ran. */
  public List<Proof> proofs() {
    return cleared.stream().map(Cleared::proof).toList();
  }

  /** The host that runs it or is meant to; the source while it migrates. Empty if none. */
  public Optional<HostId> host() {
    return switch (phase) {
      case GuestPhase.Starting p -> Optional.of(p.host());
      case GuestPhase.Running p -> Optional.of(p.host());
      case GuestPhase.Stopping p -> Optional.of(p.host());
      case GuestPhase.Vacating p -> Optional.of(p.host());
      case GuestPhase.Migrating p ->
          Optional.of(p.step() == GuestPhase.Step.ARRIVED ? p.target() : p.source());
      case GuestPhase.Stopped _, GuestPhase.Waiting _, GuestPhase.Failed _ -> Optional.empty();
    };
  }

  Guest with(GuestPhase next) {
    return new Guest(
        spec,
        wanted,
        epoch,
        next,
        holders,
        cleared,
        failedStarts,
        shunned,
        crashes,
        ioError,
        byHand);
  }

  Guest with(GuestSpec next) {
    return new Guest(
        next,
        wanted,
        epoch,
        phase,
        holders,
        cleared,
        failedStarts,
        shunned,
        crashes,
        ioError,
        byHand);
  }

  Guest with(List<Cleared> next) {
    return new Guest(
        spec, wanted, epoch, phase, holders, next, failedStarts, shunned, crashes, ioError, byHand);
  }

  Guest wanted(boolean on) {
    return new Guest(
        spec, on, epoch, phase, holders, cleared, failedStarts, shunned, crashes, ioError, byHand);
  }

  /** The host is given it under an epoch that is the highest now. */
  Guest heldBy(HostId host, Holding holding) {
    var all = new TreeMap<>(holders);
    all.put(host, holding);
    return new Guest(
        spec,
        wanted,
        epoch.compareTo(holding.epoch()) < 0 ? holding.epoch() : epoch,
        phase,
        all,
        cleared,
        failedStarts,
        shunned,
        crashes,
        ioError,
        byHand);
  }

  /** The next epoch is higher by so much. */
  Guest lifted(long by) {
    return new Guest(
        spec,
        wanted,
        new Epoch(epoch.value() + by),
        phase,
        holders,
        cleared,
        failedStarts,
        shunned,
        crashes,
        ioError,
        byHand);
  }

  Guest notHeldBy(HostId host) {
    var all = new TreeMap<>(holders);
    all.remove(host);
    return new Guest(
        spec, wanted, epoch, phase, all, cleared, failedStarts, shunned, crashes, ioError, byHand);
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
    return new Guest(
        spec, wanted, epoch, phase, holders, cleared, failed, all, crashes, ioError, byHand);
  }

  Guest withoutFailures() {
    return new Guest(
        spec, wanted, epoch, phase, holders, cleared, 0, Set.of(), crashes, ioError, byHand);
  }

  /** It ended by itself. */
  Guest crashedOn(HostId host, Instant at) {
    return withCrashes(Optional.of(Crashes.after(crashes, spec.restarts(), host, at)));
  }

  Guest withCrashes(Optional<Crashes> next) {
    return new Guest(
        spec, wanted, epoch, phase, holders, cleared, failedStarts, shunned, next, ioError, byHand);
  }

  /** An I/O error paused it. */
  Guest ioErrorOn(HostId host, Instant at) {
    return new Guest(
        spec,
        wanted,
        epoch,
        phase,
        holders,
        cleared,
        failedStarts,
        shunned,
        crashes,
        Optional.of(new IoError(host, at)),
        byHand);
  }

  Guest movedByHand(HostId to) {
    return new Guest(
        spec,
        wanted,
        epoch,
        phase,
        holders,
        cleared,
        failedStarts,
        shunned,
        crashes,
        ioError,
        Optional.of(to));
  }
}
