package dev.haven.bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What {@code haven bench scale} has measured.
 *
 * @param flags of the voters' JVMs: a figure holds for them alone
 * @param cores of this machine
 * @param steps one for each number of agents
 */
public record ScaleReport(List<String> flags, int cores, List<Step> steps) {
  public static final double GOAL_CORES = 1.0;
  public static final long GOAL_MIB = 512;
  public static final Duration GOAL_DECISION = Duration.ofMillis(100);

  /** Later than this, the stand-ins themselves may be what looks like a slow voter. */
  public static final Duration STAND_INS_LATE = Duration.ofMillis(50);

  /**
   * One number of agents.
   *
   * @param guests that run
   * @param seconds of the window in which CPU and heartbeats were counted
   * @param standInCores the stand-ins' own CPU
   * @param standInLagMillis by how much their timers were late at most
   * @param leaderChanged another voter led in the end
   * @param status how long a request for the whole cluster took, its TLS handshake included
   * @param statusKib its answer's size
   * @param events from an audit line's own time to its arrival in an event stream
   * @param notLost why no loss of a host was measured; empty if one was
   */
  public record Step(
      int agents,
      int guests,
      double seconds,
      Load leader,
      List<Load> followers,
      double standInCores,
      double standInLagMillis,
      boolean leaderChanged,
      Beats beats,
      Leases leases,
      Waits status,
      long statusKib,
      Waits events,
      Optional<Loss> loss,
      String notLost) {

    /** Why its figures say nothing; empty if they do. */
    public List<String> invalid() {
      var why = new ArrayList<String>();
      if (standInLagMillis > STAND_INS_LATE.toMillis()) {
        why.add(
            say(
                "the stand-ins were late by up to %.0f ms, more than %d ms: this machine is too"
                    + " small or too busy",
                standInLagMillis, STAND_INS_LATE.toMillis()));
      }
      if (beats.unsent() > 0 || beats.droppedAtStandIns() > 0) {
        why.add(
            say(
                "the stand-ins lost %d heartbeats and %d answers themselves",
                beats.unsent(), beats.droppedAtStandIns()));
      }
      if (leaderChanged) {
        why.add("the leader changed meanwhile: the CPU of two leaders is mixed");
      }
      return why;
    }

    /** The goals that were missed; counts only if the step is valid. */
    public List<String> missed() {
      var missed = new ArrayList<String>();
      if (leader.cores() > GOAL_CORES) {
        missed.add(say("leader: %.2f cores, goal <= %.0f", leader.cores(), GOAL_CORES));
      }
      if (leader.peakMib() > GOAL_MIB) {
        missed.add(say("leader: %d MiB, goal <= %d", leader.peakMib(), GOAL_MIB));
      }
      loss.filter(l -> l.firstOrderMillis() - l.proofMillis() > GOAL_DECISION.toMillis())
          .ifPresent(
              l ->
                  missed.add(
                      say(
                          "first start order %.0f ms after the proof, goal <= %d ms",
                          l.firstOrderMillis() - l.proofMillis(), GOAL_DECISION.toMillis())));
      return missed;
    }
  }

  /**
   * One voter.
   *
   * @param cores of CPU, by the kernel's account of that process alone
   * @param residentMib at the end of the window
   * @param peakMib the most that it ever was
   */
  public record Load(String voter, double cores, long residentMib, long peakMib) {}

  /**
   * Heartbeats, each from one agent to one voter over one network.
   *
   * @param unsent the kernel did not take them
   * @param answered the voters have checked them and answered
   * @param droppedAtVoters the kernel had no room for them at a voter
   * @param droppedAtStandIns the same, for answers
   */
  public record Beats(
      long sent, long unsent, long answered, long droppedAtVoters, long droppedAtStandIns) {}

  /**
   * @param late times that an agent got no new lease for 1 s
   * @param ended times that a lease ran out, or that a start waited for one in vain
   * @param longestMillis between one lease of an agent and the next, at most
   */
  public record Leases(long late, long ended, double longestMillis) {}

  /** How long something took. */
  public record Waits(int count, double medianMillis, double maxMillis) {
    static Waits of(List<Double> millis) {
      var sorted = millis.stream().sorted().toList();
      return sorted.isEmpty()
          ? new Waits(0, 0, 0)
          : new Waits(sorted.size(), sorted.get(sorted.size() / 2), sorted.getLast());
    }
  }

  /**
   * The loss of one host: milliseconds since its last sign of life.
   *
   * @param guests that it had
   * @param suspectMillis the leader noted the silence
   * @param verdictMillis the order to cut its power was decided
   * @param proofMillis its power was read back off
   * @param firstOrderMillis the first order to start one of its guests arrived at another stand-in
   * @param lastOrderMillis the last one did
   * @param slowestLeaseMillis from such an order to the lease that allows the start, at most
   */
  public record Loss(
      String host,
      int guests,
      double suspectMillis,
      double verdictMillis,
      double proofMillis,
      double firstOrderMillis,
      double lastOrderMillis,
      double slowestLeaseMillis) {}

  /** The largest step whose figures count. */
  public Optional<Step> largestValid() {
    return steps.stream()
        .filter(s -> s.invalid().isEmpty())
        .reduce((a, b) -> b.agents() >= a.agents() ? b : a);
  }

  /**
   * How many cores the leader needs for 100 agents more: between the smallest and the largest valid
   * step, or from nothing where there is only one.
   */
  public Optional<Double> coresPer100() {
    var largest = largestValid();
    var smallest =
        steps.stream()
            .filter(s -> s.invalid().isEmpty())
            .reduce((a, b) -> b.agents() < a.agents() ? b : a);
    if (largest.isEmpty() || smallest.isEmpty()) {
      return Optional.empty();
    }
    var to = largest.get();
    var from = smallest.get();
    return Optional.of(
        to.agents() == from.agents()
            ? to.leader().cores() / to.agents() * 100
            : (to.leader().cores() - from.leader().cores()) / (to.agents() - from.agents()) * 100);
  }

  /** Whether something was measured, and every valid step meets the goals. */
  public boolean good() {
    return largestValid().isPresent()
        && steps.stream().filter(s -> s.invalid().isEmpty()).allMatch(s -> s.missed().isEmpty());
  }

  /** One step, for people. */
  public static String text(Step s) {
    var text = new StringBuilder();
    line(text, "%d agents, %d guests, %.0f s:", s.agents(), s.guests(), s.seconds());
    load(text, "leader", s.leader());
    s.followers().forEach(f -> load(text, "follower", f));
    line(
        text,
        "  stand-ins    %.2f cores; their timers were late by %.0f ms at most",
        s.standInCores(),
        s.standInLagMillis());
    var b = s.beats();
    line(
        text,
        "  heartbeats   %d sent, %d answered, %d dropped at voters, %d unsent, %d answers dropped",
        b.sent(),
        b.answered(),
        b.droppedAtVoters(),
        b.unsent(),
        b.droppedAtStandIns());
    line(
        text,
        "  leases       %d late (above 1 s), %d ended; the longest wait for the next one was %.0f"
            + " ms",
        s.leases().late(),
        s.leases().ended(),
        s.leases().longestMillis());
    line(
        text,
        "  status       %d requests: median %.0f ms, max %.0f ms, %d KiB",
        s.status().count(),
        s.status().medianMillis(),
        s.status().maxMillis(),
        s.statusKib());
    line(
        text,
        "  event stream %d lines: median %.0f ms, max %.0f ms after their own time",
        s.events().count(),
        s.events().medianMillis(),
        s.events().maxMillis());
    s.loss()
        .ifPresentOrElse(
            l -> {
              line(
                  text,
                  "  loss of %s, %d guests: suspect %.0f ms, fence ordered %.0f ms, proof %.0f ms",
                  l.host(),
                  l.guests(),
                  l.suspectMillis(),
                  l.verdictMillis(),
                  l.proofMillis());
              line(
                  text,
                  "  start orders first %.0f ms, last %.0f ms after the proof; their leases %.0f ms"
                      + " later at most",
                  l.firstOrderMillis() - l.proofMillis(),
                  l.lastOrderMillis() - l.proofMillis(),
                  l.slowestLeaseMillis());
            },
            () -> line(text, "  loss of a host: not measured: %s", s.notLost()));
    if (s.invalid().isEmpty()) {
      line(text, "  valid; %s", s.missed().isEmpty() ? "goals met" : "goals missed:");
      s.missed().forEach(m -> line(text, "    %s", m));
    } else {
      line(text, "  INVALID:");
      s.invalid().forEach(why -> line(text, "    %s", why));
    }
    return text.toString();
  }

  private static void load(StringBuilder text, String role, Load load) {
    line(
        text,
        "  %-12s %.2f cores, %d MiB, at most %d MiB (voter %s)",
        role,
        load.cores(),
        load.residentMib(),
        load.peakMib(),
        load.voter());
  }

  /** What follows from all steps, for people. */
  public String summary() {
    var text = new StringBuilder();
    var valid = largestValid();
    int tried = steps.stream().mapToInt(Step::agents).max().orElse(0);
    if (valid.isEmpty()) {
      line(text, "No step is valid: nothing is known of the voters.");
    } else {
      line(
          text,
          "Largest valid: %d agents, leader %.2f cores, %d MiB.",
          valid.get().agents(),
          valid.get().leader().cores(),
          valid.get().leader().peakMib());
      boolean one = steps.stream().filter(s -> s.invalid().isEmpty()).count() == 1;
      coresPer100()
          .ifPresent(
              slope ->
                  line(
                      text,
                      "Each 100 agents more take %s%.3f cores of the leader: %.2f for 1000.",
                      one ? "at most " : "", // what the first one costs is in it
                      slope,
                      valid.get().leader().cores() + slope * (1000 - valid.get().agents()) / 100));
    }
    if (valid.isEmpty() || valid.get().agents() < tried) {
      line(
          text,
          "On a machine with more than %d cores, or a quieter one: haven bench scale --agents %d",
          cores,
          tried);
    }
    line(text, "Voters' flags: %s", String.join(" ", flags));
    return text.toString();
  }

  private static void line(StringBuilder text, String format, Object... values) {
    text.append(say(format, values)).append('\n');
  }

  private static String say(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
