package dev.haven.simulator.scenario;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import java.util.List;
import java.util.Optional;

/**
 * What became of a scenario. As JSON its fields only ever grow; docs/simulate.md says what each is.
 *
 * @param seconds of simulated time
 * @param settled whether nothing was left to do at the end
 * @param settling what was left to do, if anything
 * @param fences hosts that were proven to run nothing any more, when it mattered
 * @param violations of what must always hold
 * @param notRunning guests that are wanted, fit, and do not run where they can be reached
 */
public record Outcome(
    int format,
    String description,
    long seed,
    double seconds,
    boolean well,
    boolean settled,
    List<String> settling,
    List<HostEnd> hosts,
    List<GuestEnd> guests,
    List<Fence> fences,
    List<SelfFence> selfFenced,
    List<Move> moves,
    List<String> violations,
    List<NotRunning> notRunning,
    List<String> alarms,
    List<String> redundancy,
    List<Line> timeline) {
  public static final int FORMAT = 1;

  public Outcome {
    settling = List.copyOf(settling);
    hosts = List.copyOf(hosts);
    guests = List.copyOf(guests);
    fences = List.copyOf(fences);
    selfFenced = List.copyOf(selfFenced);
    moves = List.copyOf(moves);
    violations = List.copyOf(violations);
    notRunning = List.copyOf(notRunning);
    alarms = List.copyOf(alarms);
    redundancy = List.copyOf(redundancy);
    timeline = List.copyOf(timeline);
  }

  /**
   * @param state as the cluster sees it: online, suspect, fencing, fenced, expected
   * @param machine as it is: on, off, hung, cut off
   * @param guests that it runs
   */
  public record HostEnd(HostId host, String state, String machine, boolean cordoned, int guests) {}

  /**
   * @param state as the cluster sees it
   * @param host where it runs by the truth
   * @param outageSeconds while it was wanted and did not run, or ran where nobody could reach it
   */
  public record GuestEnd(
      GuestId guest,
      String state,
      boolean wanted,
      Optional<HostId> host,
      double outageSeconds,
      int outages,
      int moves,
      String why) {}

  /**
   * @param proof its kind, such as {@code power-read-off}
   */
  public record Fence(double at, HostId host, String proof, String evidence) {}

  /** A host that its own watchdog reset; by the truth, which the cluster may never learn. */
  public record SelfFence(double at, HostId host) {}

  /**
   * @param kind {@code migrate}, or {@code restart} where it was started elsewhere
   */
  public record Move(double at, GuestId guest, HostId from, HostId to, String kind) {}

  public record NotRunning(GuestId guest, String why) {}

  /**
   * @param kind happens, decision, evidence, phase, alarm, command, refused, leader, truth, BROKEN
   */
  public record Line(double at, String kind, String message) {}
}
