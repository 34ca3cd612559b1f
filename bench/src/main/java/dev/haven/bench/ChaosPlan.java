package dev.haven.bench;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/**
 * Pure: which faults are made when, all drawn from one seed. Several overlap; what a host cannot
 * have twice at the same time it does not get twice.
 *
 * @param faults in the order in which they begin
 */
record ChaosPlan(List<Planned> faults) {
  private static final Duration FIRST = Duration.ofSeconds(2);
  private static final Duration MEAN_GAP = Duration.ofMillis(2500);

  /** Between two faults of the same part, so that one is over before the next begins. */
  private static final Duration APART = Duration.ofSeconds(3);

  /** A fence that began just before still asks the device. */
  private static final Duration APART_FROM_A_LIE = Duration.ofSeconds(15);

  /** A long fault outlasts the lease and the watchdog's bound, which is 43 s in the lab. */
  private static final int LONG_LEAST = 50;

  private static final int LONG_MOST = 70;

  /** From the end of a long fault to the next one, after 5 s: often the host has booted by then. */
  private static final int BETWEEN_LONG = 50;

  ChaosPlan {
    faults = List.copyOf(faults);
  }

  /** What of a host a fault touches. */
  enum Part {
    /** Its power and its networks. */
    LINK,
    BMC,
    DISK,
    AGENT,
    ORCHESTRATOR,
    LIBVIRTD,
    GUEST,
    CLOCK
  }

  /** A kind of fault. Zero seconds: it happens, and nothing has to end it. */
  enum Fault {
    POWER_CUT(Part.LINK, 3, 15),
    HANG(Part.LINK, 2, 12),
    CUT_OFF(Part.LINK, 2, 15),
    CUT_FROM_CONTROL(Part.LINK, 2, 15),
    CUT_FROM_MIGRATION(Part.LINK, 2, 15),
    HEARS_NOTHING(Part.LINK, 2, 12),
    IS_NOT_HEARD(Part.LINK, 2, 12),
    LOSSY_NETWORKS(Part.LINK, 5, 20),
    NARROW_NETWORKS(Part.LINK, 5, 20),
    SLOW_NETWORKS(Part.LINK, 5, 20),
    BMC_HANGS(Part.BMC, 5, 20),
    BMC_REFUSES(Part.BMC, 5, 20),
    BMC_LIES(Part.BMC, 5, 15),
    BMC_DIES(Part.BMC, 5, 20),
    DISK_FULL(Part.DISK, 5, 15),
    DISK_SLOW(Part.DISK, 5, 15),
    AGENT_KILLED(Part.AGENT, 0, 0),
    AGENT_STOPPED(Part.AGENT, 1, 12),
    ORCHESTRATOR_KILLED(Part.ORCHESTRATOR, 0, 0),
    ORCHESTRATOR_STOPPED(Part.ORCHESTRATOR, 1, 12),
    LIBVIRTD_KILLED(Part.LIBVIRTD, 0, 0),
    LIBVIRTD_STOPPED(Part.LIBVIRTD, 1, 12),
    QEMU_KILLED(Part.GUEST, 0, 0),
    QEMU_STOPPED(Part.GUEST, 1, 8),
    CLOCK_JUMPS(Part.CLOCK, 5, 20);

    private final Part part;
    private final int least;
    private final int most;

    Fault(Part part, int leastSeconds, int mostSeconds) {
      this.part = part;
      this.least = leastSeconds;
      this.most = mostSeconds;
    }

    Part part() {
      return part;
    }

    String words() {
      return name().toLowerCase(java.util.Locale.ROOT).replace('_', ' ');
    }

    /** It can keep the host's voter from voting, or from being heard. */
    private boolean costsAVote() {
      return switch (part) {
        case LINK -> this != CUT_FROM_MIGRATION;
        case DISK, ORCHESTRATOR -> true;
        case BMC, AGENT, LIBVIRTD, GUEST, CLOCK -> false;
      };
    }

    /**
     * It can keep a host from being heard while its guests run: without its agent there is only its
     * kernel's echo, which a machine with too much to do may owe for a second.
     */
    private boolean hides() {
      return part == Part.LINK && this != POWER_CUT || part == Part.AGENT;
    }
  }

  private static final List<List<Fault>> LONG =
      List.of(
          List.of(Fault.CUT_OFF, Fault.BMC_DIES),
          List.of(Fault.CUT_OFF, Fault.BMC_HANGS),
          List.of(Fault.POWER_CUT, Fault.BMC_DIES), // a pulled cord
          List.of(Fault.HANG, Fault.BMC_DIES),
          List.of(Fault.CUT_OFF),
          List.of(Fault.CUT_FROM_CONTROL, Fault.BMC_HANGS),
          List.of(Fault.BMC_DIES),
          List.of(Fault.AGENT_STOPPED, Fault.BMC_REFUSES),
          List.of(Fault.LIBVIRTD_STOPPED));

  /**
   * One fault.
   *
   * @param at since the beginning
   * @param host its index in the lab
   * @param amount 0 to 99: how bad it is, or which guest it hits
   */
  record Planned(Duration at, Fault fault, int host, Duration lasts, int amount) {
    Duration end() {
      return at.plus(lasts);
    }

    /** It outlasts every bound: no guest of the host waits for its end. */
    boolean isLong() {
      return lasts.toSeconds() >= LONG_LEAST;
    }

    private boolean keepsApart(Planned other, boolean bold) {
      if (host != other.host) {
        return bold || !fault.costsAVote() || !other.fault.costsAVote() || isApart(other, APART);
      }
      if (fault.part == other.fault.part) {
        return isApart(other, APART);
      }
      return !(lieAndSilence(other) || other.lieAndSilence(this))
          || isApart(other, APART_FROM_A_LIE);
    }

    private boolean isApart(Planned other, Duration apart) {
      return at.minus(apart).compareTo(other.end()) > 0
          || other.at.minus(apart).compareTo(end()) > 0;
    }

    /**
     * A device that says off while its host runs and nobody can hear it is what Haven does not
     * protect from: docs/safety.md says so, and a second device in the level does.
     */
    private boolean lieAndSilence(Planned other) {
      return fault == Fault.BMC_LIES && other.fault.hides();
    }
  }

  /**
   * Long faults come first, one after the other, in a plan of two minutes or more: see {@link
   * #longFaults}. Of the short ones every kind comes once, in a random order, before any comes
   * again, except where it would collide. Mostly one voter at a time is hurt, so that there is
   * somebody left to make mistakes; one fault in four looks for no such thing.
   */
  static ChaosPlan draw(long seed, Duration length, int hosts, Set<Fault> possible) {
    var random = new Random(seed);
    var faults = new ArrayList<>(longFaults(random, length, hosts));
    var left = new ArrayDeque<Fault>();
    for (var at = FIRST; at.compareTo(length) < 0; at = at.plus(gap(random))) {
      if (left.isEmpty()) {
        var all = new ArrayList<>(possible.stream().sorted().toList());
        Collections.shuffle(all, random);
        left.addAll(all);
      }
      boolean bold = random.nextInt(4) == 0;
      int first = random.nextInt(hosts);
      int amount = random.nextInt(100);
      double share = random.nextDouble();
      for (int i = 0; i < left.size() * hosts; i++) {
        var kind = left.getFirst();
        var lasts = Duration.ofSeconds(kind.least + Math.round(share * (kind.most - kind.least)));
        var fault = new Planned(at, kind, (first + i) % hosts, lasts, amount);
        if (faults.stream().allMatch(other -> fault.keepsApart(other, bold))) {
          faults.add(fault);
          left.removeFirst();
          break;
        }
        if (i % hosts == hosts - 1) {
          left.addLast(left.removeFirst()); // its time will come
        }
      }
    }
    faults.sort(Comparator.comparing(Planned::at));
    return new ChaosPlan(faults);
  }

  /**
   * What lasts longer than a lease and a watchdog's bound. Often the host's device is dead for as
   * long, so that only the bound can be a proof.
   */
  private static List<Planned> longFaults(Random random, Duration length, int hosts) {
    var faults = new ArrayList<Planned>();
    var at = Duration.ofSeconds(10 + random.nextInt(20));
    while (at.plusSeconds(LONG_MOST).compareTo(length) <= 0) {
      var lasts = Duration.ofSeconds(LONG_LEAST + random.nextInt(LONG_MOST - LONG_LEAST + 1));
      int host = random.nextInt(hosts);
      for (var fault : LONG.get(random.nextInt(LONG.size()))) {
        faults.add(new Planned(at, fault, host, lasts, random.nextInt(100)));
      }
      at = at.plus(lasts).plusSeconds(5 + random.nextInt(BETWEEN_LONG));
    }
    return faults;
  }

  private static Duration gap(Random random) {
    double mean = -Math.log(1 - random.nextDouble()) * MEAN_GAP.toMillis();
    return Duration.ofMillis(100 + (long) mean);
  }

  /** How often each kind comes. */
  Map<Fault, Integer> counts() {
    var counts = new EnumMap<Fault, Integer>(Fault.class);
    faults.forEach(f -> counts.merge(f.fault(), 1, Integer::sum));
    return counts;
  }
}
