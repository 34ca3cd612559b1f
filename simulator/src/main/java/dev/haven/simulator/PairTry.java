package dev.haven.simulator;

import dev.haven.core.ha.Event;
import dev.haven.orchestrator.alone.TwoAlone;
import dev.haven.orchestrator.alone.TwoAlone.State;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.Stream;

/**
 * Two hosts alone, something that goes wrong between them, and what the production decision of each
 * side does about it, in simulated time, from a seed. What it looks at is the truth: who is off,
 * who was switched off by whom, who goes on as the only voter.
 *
 * <p>The log is a model of the real one, which dev.haven.raft's own tests try: a side may go on
 * alone only within the boot in which it was in touch with the other, and a log of an older
 * generation begins anew.
 */
public final class PairTry {
  private static final int STEP = 50;
  private static final long LENGTH = 900_000;

  private final Random chance;
  private final long seed;
  private final Side a = new Side("a");
  private final Side b = new Side("b");
  private final List<String> tale = new ArrayList<>();
  private long now;
  private boolean linkAB = true;
  private boolean linkBA = true;
  private boolean voterLink = true;

  /**
   * @param violation what must never be and was; empty if nothing
   * @param shots how many hosts were switched off by the other side
   * @param wentOn how many times a side went on alone
   * @param stuck whether nobody went on although somebody could; empty where that was not to be
   *     expected
   */
  public record Outcome(
      long seed,
      Optional<String> violation,
      int shots,
      int wentOn,
      Optional<String> stuck,
      List<String> tale) {}

  private static final class Side {
    private final String name;
    private boolean on = true;
    private int boot = 1;

    // the orchestrator's process
    private long runsFrom;
    private long awakeSince;
    private State standing = TwoAlone.START;
    private boolean inTouch;
    private long heardVoter;
    private long heardAgent;

    // its agent's process
    private long agentBack;

    // on its disk
    private boolean sole;
    private int generation = 1;
    private int intentBoot;

    // its world
    private int targets = 1;
    private int reached = 1;
    private boolean outweighed;
    private boolean deviceReached = true;
    private long deviceTakes = 300;
    private boolean shotByOther;

    // the fence that it has under way
    private long orderAt = -1;
    private long fenceEnds = -1;
    private int fencedBoot;
    private boolean targetWasOffOnce;

    Side(String name) {
      this.name = name;
    }

    boolean runs(long now) {
      return on && now >= runsFrom;
    }
  }

  private record Order(Side target, long at, String by) {}

  private final List<Order> inFlight = new ArrayList<>();
  private Optional<String> violation = Optional.empty();
  private int shots;
  private int wentOn;

  private PairTry(long seed) {
    this.seed = seed;
    this.chance = new Random(seed);
  }

  public static Outcome of(long seed) {
    return new PairTry(seed).run();
  }

  // ---- what breaks

  private record Fault(long at, Runnable hit) {}

  private List<Fault> faults() {
    var faults = new ArrayList<Fault>();
    int kind = chance.nextInt(7);
    long at = 30_000 + chance.nextInt(10_000);
    for (var side : List.of(a, b)) {
      side.targets = 1 + chance.nextInt(3);
      side.reached = side.targets;
      side.outweighed = chance.nextBoolean(); // the two need not agree: one may not know it yet
      side.deviceTakes =
          chance.nextInt(4) == 0 ? chance.nextInt(12_000) : 100 + chance.nextInt(900);
    }
    switch (kind) {
      case 0 -> faults.add(new Fault(at, () -> powerLoss(pick())));
      case 1, 2 -> faults.add(new Fault(at, () -> cut(true, true, true)));
      case 3 -> { // one way first, the other later
        boolean first = chance.nextBoolean();
        faults.add(new Fault(at, () -> cut(first, !first, true)));
        faults.add(new Fault(at + chance.nextInt(80_000), () -> cut(true, true, true)));
      }
      case 5 -> { // an upgrade of its agent, or one that is killed, just when the link breaks
        var side = pick();
        int before = 1_000 + chance.nextInt(28_000); // for longer it is fenced
        faults.add(new Fault(at - before, () -> agentAway(side, before + chance.nextInt(10_000))));
        faults.add(new Fault(at, () -> cut(true, true, true)));
      }
      case 4 -> { // the switch: no targets either, at least for one of them
        faults.add(new Fault(at, () -> cut(true, true, true)));
        faults.add(new Fault(at, () -> loseTargets(pick(), true)));
        if (chance.nextBoolean()) {
          faults.add(new Fault(at + chance.nextInt(500), () -> loseTargets(pick(), true)));
        }
      }
      default -> {
        faults.add(new Fault(at, () -> cut(true, true, true)));
        faults.add(new Fault(at + chance.nextInt(3_000), () -> powerLoss(pick())));
      }
    }
    for (int more = chance.nextInt(5); more > 0; more--) {
      long later = at - 3_000 + chance.nextInt(100_000);
      var side = pick();
      faults.add(
          switch (chance.nextInt(9)) {
            case 0 -> new Fault(later, () -> restartProcess(side));
            case 1 -> new Fault(later, () -> standStill(side, 500 + chance.nextInt(45_000)));
            case 2 -> new Fault(later, () -> side.deviceReached = false);
            case 3 -> new Fault(later, () -> loseTargets(side, false));
            case 4 -> new Fault(later, () -> powerOn(side));
            case 5 -> new Fault(later, this::heal);
            case 6 -> new Fault(later, () -> side.outweighed = !side.outweighed);
            case 7 -> new Fault(later, () -> agentAway(side, 1_000 + chance.nextInt(28_000)));
            default -> new Fault(later, () -> powerLoss(side));
          });
    }
    return faults;
  }

  private Side pick() {
    return chance.nextBoolean() ? a : b;
  }

  private Side other(Side side) {
    return side == a ? b : a;
  }

  private void tell(String what) {
    tale.add("%7.2f s  %s".formatted(now / 1e3, what));
  }

  private void cut(boolean ab, boolean ba, boolean voters) {
    linkAB &= !ab;
    linkBA &= !ba;
    voterLink &= !voters;
    tell("cut%s%s".formatted(ab ? " a>b" : "", ba ? " b>a" : ""));
  }

  private void heal() {
    linkAB = true;
    linkBA = true;
    voterLink = true;
    for (var side : List.of(a, b)) {
      side.reached = side.targets;
      side.deviceReached = true;
    }
    tell("healed");
  }

  private void loseTargets(Side side, boolean all) {
    side.reached = all ? 0 : chance.nextInt(side.targets + 1);
    tell("%s reaches %d of %d targets".formatted(side.name, side.reached, side.targets));
  }

  private void powerLoss(Side side) {
    if (side.on) {
      tell(side.name + " loses its power");
      off(side);
    }
  }

  private static void off(Side side) {
    side.on = false;
    forget(side);
  }

  private static void forget(Side side) {
    side.standing = TwoAlone.START;
    side.inTouch = false;
    side.orderAt = -1;
    side.fenceEnds = -1;
  }

  private void powerOn(Side side) {
    if (!side.on) {
      side.on = true;
      side.boot++;
      side.shotByOther = false;
      start(side, 2_000 + chance.nextInt(8_000));
      tell(side.name + " is switched on");
    }
  }

  private void restartProcess(Side side) {
    if (side.on) {
      forget(side);
      start(side, 1_000 + chance.nextInt(3_000));
      tell(side.name + "'s orchestrator is started anew");
    }
  }

  private void start(Side side, long takes) {
    side.runsFrom = now + takes;
    side.awakeSince = side.runsFrom;
    side.heardVoter = side.runsFrom - 10_000;
    side.heardAgent = side.runsFrom - 10_000;
  }

  private void agentAway(Side side, long takes) {
    side.agentBack = now + takes;
    tell("%s's agent is away for %d ms".formatted(side.name, takes));
  }

  private void standStill(Side side, long takes) {
    if (side.runs(now)) {
      side.runsFrom = now + takes;
      side.awakeSince = side.runsFrom;
      tell("%s's orchestrator stands still for %d ms".formatted(side.name, takes));
    }
  }

  // ---- the course

  private Outcome run() {
    var faults = faults();
    long last = faults.stream().mapToLong(Fault::at).max().orElse(0);
    for (now = 0; now < LENGTH && violation.isEmpty() && !(now > last && settled()); now += STEP) {
      for (var fault : faults) {
        if (fault.at() >= now && fault.at() < now + STEP) {
          fault.hit().run();
        }
      }
      orders();
      hear(a, b, linkBA);
      hear(b, a, linkAB);
      meet();
      for (var side : chance.nextBoolean() ? List.of(a, b) : List.of(b, a)) {
        if (side.runs(now)) {
          fenceGoesOn(side);
          look(side);
        }
      }
      judge();
    }
    return new Outcome(seed, violation, shots, wentOn, stuck(), tale);
  }

  /** Orders to switch off that devices have taken: nothing calls them back. */
  private void orders() {
    for (var order : List.copyOf(inFlight)) {
      if (now < order.at()) {
        continue;
      }
      inFlight.remove(order);
      if (order.target().on) {
        tell("%s is switched off by %s".formatted(order.target().name, order.by()));
        off(order.target());
        order.target().shotByOther = true;
        shots++;
      }
    }
  }

  private void hear(Side side, Side from, boolean link) {
    if (side.runs(now) && from.on && now >= from.agentBack && link) {
      side.heardAgent = now; // agents are processes of their own
    }
  }

  /** The two voters, over TCP: both ways or not at all. */
  private void meet() {
    if (!a.runs(now) || !b.runs(now) || !voterLink || !linkAB || !linkBA) {
      return;
    }
    a.heardVoter = now;
    b.heardVoter = now;
    if (a.generation != b.generation) {
      var older = a.generation < b.generation ? a : b;
      older.generation = other(older).generation;
      older.sole = false;
      forget(older);
      start(older, 1_500);
      tell(older.name + " begins anew as a newcomer");
      return;
    }
    for (var side : List.of(a, b)) {
      if (side.sole) {
        side.sole = false; // the other one is admitted again
        tell(other(side).name + " is admitted again");
      }
    }
    a.inTouch = true;
    b.inTouch = true;
  }

  private void look(Side side) {
    var them = other(side);
    boolean may = !side.sole && (side.inTouch || side.intentBoot == side.boot);
    var power =
        !side.deviceReached
            ? Event.Power.UNREACHABLE
            : them.on ? Event.Power.ON : Event.Power.ALL_OFF;
    boolean asked = now - Math.max(side.heardVoter, side.heardAgent) > 1_600;
    take(
        side,
        TwoAlone.decide(
            side.standing,
            new TwoAlone.Seen(
                nanos(now),
                may,
                nanos(side.heardVoter),
                nanos(Math.max(side.heardVoter, side.heardAgent)),
                nanos(side.awakeSince),
                side.targets,
                asked || side.reached == side.targets
                    ? OptionalInt.of(side.reached)
                    : OptionalInt.empty(),
                power,
                side.outweighed,
                side == b,
                Duration.ofSeconds(3))));
  }

  private static long nanos(long millis) {
    return millis * 1_000_000;
  }

  private void take(Side side, TwoAlone.Step step) {
    if (!step.next().getClass().equals(side.standing.getClass())) {
      tell(side.name + ": " + step.next() + " " + step.why());
    }
    side.standing = step.next();
    switch (step.act()) {
      case NOTHING -> {}
      case DROP_FENCE -> {
        side.orderAt = -1;
        side.fenceEnds = -1;
      }
      case FENCE -> {
        side.intentBoot = side.boot;
        side.orderAt = now + 50 + chance.nextInt(450);
        side.fenceEnds = now + TwoAlone.FENCE.toMillis();
        side.fencedBoot = other(side).boot;
        side.targetWasOffOnce = false;
      }
      case SHRINK -> shrink(side);
    }
  }

  private void fenceGoesOn(Side side) {
    if (!(side.standing instanceof State.Fencing) || side.fenceEnds < 0) {
      return;
    }
    var them = other(side);
    if (side.orderAt >= 0
        && now >= side.orderAt
        && now < side.fenceEnds // looked at before each order, also by a process that stood still
        && side.deviceReached) {
      side.orderAt = -1;
      if (them.on) {
        inFlight.add(new Order(them, now + side.deviceTakes, side.name));
      }
    }
    boolean ordered = side.orderAt < 0;
    if (ordered && side.deviceReached && !them.on) {
      if (side.targetWasOffOnce) {
        side.fenceEnds = -1;
        take(side, TwoAlone.decide(side.standing, new TwoAlone.FenceConfirmed(nanos(now))));
        return;
      }
      side.targetWasOffOnce = now % 200 == 0;
    } else if (now >= side.fenceEnds) {
      side.fenceEnds = -1;
      side.orderAt = -1;
      take(
          side,
          TwoAlone.decide(
              side.standing, new TwoAlone.FenceFailed(nanos(now), "no answer in time")));
    }
  }

  private void shrink(Side side) {
    if (chance.nextInt(20) == 0) {
      tell(side.name + " dies between the fence and the shrink");
      if (chance.nextBoolean()) {
        off(side);
      } else {
        forget(side);
        start(side, 1_500);
      }
      return;
    }
    side.sole = true;
    side.generation++;
    side.standing = TwoAlone.START;
    wentOn++;
    tell("%s goes on alone under generation %d".formatted(side.name, side.generation));
    var them = other(side);
    if (them.on && them.boot == side.fencedBoot) {
      violated("%s runs, and %s starts its guests".formatted(them.name, side.name));
    }
  }

  // ---- what must always hold

  private void violated(String what) {
    violation = Optional.of("seed %d, %.2f s: %s".formatted(seed, now / 1e3, what));
  }

  private void judge() {
    if (a.shotByOther && b.shotByOther) {
      violated("both are shot");
    }
    if (a.sole && b.sole) {
      violated("both go on alone");
    }
    if (a.sole && a.generation < b.generation || b.sole && b.generation < a.generation) {
      violated(
          "one goes on under an older generation: %d and %d".formatted(a.generation, b.generation));
    }
  }

  private boolean decides() {
    boolean together = a.on && b.on && voterLink && linkAB && linkBA;
    return together || (a.on && a.sole) || (b.on && b.sole);
  }

  /** Nothing is under way that could change anything. */
  private boolean settled() {
    return decides()
        && inFlight.isEmpty()
        && Stream.of(a, b)
            .allMatch(side -> side.runs(now) == side.on && side.standing instanceof State.Together);
  }

  /** At the end one of them decides, wherever one side could know enough. */
  private Optional<String> stuck() {
    if (decides() || violation.isPresent()) {
      return Optional.empty();
    }
    for (var side : List.of(a, b)) {
      boolean knows = side.on && (side.inTouch || side.intentBoot == side.boot);
      if (knows && side.reached > 0 && side.deviceReached) {
        return Optional.of("seed %d: %s could go on and does not".formatted(seed, side.name));
      }
    }
    return Optional.empty();
  }
}
