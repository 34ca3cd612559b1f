package dev.haven.model;

import java.time.Duration;
import java.util.Optional;

/**
 * The numbers of the design's table, for the whole cluster.
 *
 * @param powerLossAfter silence after which a power device that says off is believed, after our own
 *     order and two readings
 * @param silentAfter silence after which a host heard on two networks is fenced when nothing
 *     answers
 * @param silentAfterOneNetwork the same for a host with one network
 * @param agentGoneAfter silence after which a host is fenced although its kernel answers
 * @param startsPerHost guests that start on one host at the same time
 * @param migrationsOut of one host at the same time
 * @param migrationsIn to one host at the same time
 * @param bandwidthMibPerSecond for one migration; 0 for no limit
 * @param powerOnAfterFence whether a host fenced because nothing answered is switched on again
 * @param stuckDestroy what follows if libvirt cannot end a guest that is to run elsewhere; empty
 *     for the default, to fence
 * @param brokenRules what is done about strict rules that are broken while their guests run; empty
 *     for the default, to advise
 * @param makeRoom what is done to less important guests for one that fits nowhere; empty for the
 *     default, to migrate them
 */
public record Policy(
    Duration powerLossAfter,
    Duration silentAfter,
    Duration silentAfterOneNetwork,
    Duration agentGoneAfter,
    int startsPerHost,
    int migrationsOut,
    int migrationsIn,
    long bandwidthMibPerSecond,
    boolean powerOnAfterFence,
    Optional<StuckDestroy> stuckDestroy,
    Optional<BrokenRules> brokenRules,
    Optional<MakeRoom> makeRoom) {
  /** A guest's QEMU cannot be ended, as its storage hangs, and the guest is to run elsewhere. */
  public enum StuckDestroy {
    /** Its host is emptied of the other guests, live, and then fenced. */
    FENCE,
    /** Only an alarm: an operator decides. */
    ALARM
  }

  /** A strict rule does not hold for a guest that runs. */
  public enum BrokenRules {
    /** Nothing. */
    OFF,
    /** An alarm that names the way to mend it. */
    ADVISE,
    /** The alarm, and a live migration where that mends it. */
    MEND
  }

  /** A guest fits on no host, and less important ones run. */
  public enum MakeRoom {
    /** It waits. */
    OFF,
    /** They are moved live to where they fit too. */
    MIGRATE,
    /** As before; where that is not enough they are stopped, and start again when there is room. */
    STOP
  }

  private static final Duration SHOWN_LOSS_AFTER = Duration.ofMillis(400);

  public static final Policy DEFAULT =
      new Policy(
          Duration.ofSeconds(1),
          Duration.ofSeconds(3),
          Duration.ofSeconds(8),
          Duration.ofSeconds(30),
          4,
          2,
          2,
          0,
          true,
          Optional.empty(),
          Optional.empty(),
          Optional.empty());

  /**
   * Silence after which a loss of power is believed that everything shows: see {@code
   * Silence.lossShown}. 400 ms; longer where an operator has more patience with devices.
   */
  public Duration shownLossAfter() {
    return powerLossAfter.compareTo(DEFAULT.powerLossAfter) > 0 ? powerLossAfter : SHOWN_LOSS_AFTER;
  }

  public Policy with(StuckDestroy stuck) {
    return with(Optional.of(stuck), brokenRules, makeRoom);
  }

  public Policy with(BrokenRules broken) {
    return with(stuckDestroy, Optional.of(broken), makeRoom);
  }

  public Policy with(MakeRoom room) {
    return with(stuckDestroy, brokenRules, Optional.of(room));
  }

  private Policy with(
      Optional<StuckDestroy> stuck, Optional<BrokenRules> broken, Optional<MakeRoom> room) {
    return new Policy(
        powerLossAfter,
        silentAfter,
        silentAfterOneNetwork,
        agentGoneAfter,
        startsPerHost,
        migrationsOut,
        migrationsIn,
        bandwidthMibPerSecond,
        powerOnAfterFence,
        stuck,
        broken,
        room);
  }

  /** Whether a guest that cannot be ended may cost its host. */
  public boolean fencesStuckDestroys() {
    return stuckDestroy.orElse(StuckDestroy.FENCE) == StuckDestroy.FENCE;
  }

  /** What is done about strict rules that are broken; advice by default. */
  public BrokenRules aboutBrokenRules() {
    return brokenRules.orElse(BrokenRules.ADVISE);
  }

  /** What is done to less important guests; they are moved by default. */
  public MakeRoom aboutRoom() {
    return makeRoom.orElse(MakeRoom.MIGRATE);
  }
}
