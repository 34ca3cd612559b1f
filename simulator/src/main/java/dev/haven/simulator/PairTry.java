package dev.haven.simulator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Proof;
import dev.haven.core.lead.Watch;
import dev.haven.fencing.Fencer;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.Time;
import dev.haven.model.wire.Heartbeat;
import dev.haven.orchestrator.alone.PairFailover;
import dev.haven.orchestrator.power.FencingDevices;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Two hosts alone, something that goes wrong between them, and what the orchestrator of each side
 * does about it, as it ships, in simulated time, from a seed. What it looks at is the truth: who is
 * off, who was switched off by whom, who goes on as the only voter.
 *
 * <p>The log is a model of the real one, which dev.haven.raft's own tests try: a side may go on
 * alone only within the boot in which it was in touch with the other, and a log of an older
 * generation begins again.
 */
public final class PairTry {
  private static final int STEP = 50;
  private static final long BEAT = 200;
  private static final long LENGTH = 900_000;

  /** Whatever a fault or an order has begun is over by then. */
  private static final long LAST_FAULT_ENDS = 60_000;

  private static final String TARGET = "target-";

  private final Random chance;
  private final long seed;
  private final Clock clock;
  private final SimTime time;
  private final Side a;
  private final Side b;
  private final List<String> tale = new ArrayList<>();
  private long now;
  private boolean linkAB = true;
  private boolean linkBA = true;
  private boolean voterLink = true;
  private Optional<String> violation = Optional.empty();
  private int shots;
  private int wentOn;

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

  private PairTry(long seed) {
    this.seed = seed;
    this.chance = new Random(seed);
    this.clock = new Clock(seed);
    this.time = new SimTime(clock);
    this.a = new Side("a");
    this.b = new Side("b");
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
    side.end();
  }

  private void powerOn(Side side) {
    if (!side.on) {
      side.on = true;
      side.boot++;
      side.shotByOther = false;
      startsAfter(side, 2_000 + chance.nextInt(8_000));
      tell(side.name + " is switched on");
    }
  }

  private void restartProcess(Side side) {
    if (side.on) {
      side.end();
      startsAfter(side, 1_000 + chance.nextInt(3_000));
      tell(side.name + "'s orchestrator is restarted");
    }
  }

  private void startsAfter(Side side, long takes) {
    side.startsAt = now + takes;
  }

  private void agentAway(Side side, long takes) {
    side.agentBack = now + takes;
    tell("%s's agent is away for %d ms".formatted(side.name, takes));
  }

  private void standStill(Side side, long takes) {
    if (side.runs()) {
      side.stillUntil = now + takes;
      tell("%s's orchestrator stands still for %d ms".formatted(side.name, takes));
    }
  }

  // ---- the course

  private Outcome run() {
    var faults = faults();
    long last = faults.stream().mapToLong(Fault::at).max().orElse(0);
    startsAfter(a, 0);
    startsAfter(b, 0);
    for (now = 0;
        now < LENGTH
            && violation.isEmpty()
            && !(now > last && settled())
            && !(now > last + LAST_FAULT_ENDS && hopeless());
        now += STEP) {
      for (var fault : faults) {
        if (fault.at() >= now && fault.at() < now + STEP) {
          fault.hit().run();
        }
      }
      for (var side : List.of(a, b)) {
        if (side.on && side.process == null && now >= side.startsAt) {
          side.begin();
        }
      }
      meet();
      if (now % BEAT == 0) {
        hear(a, b, linkBA);
        hear(b, a, linkAB);
      }
      clock.run(Duration.ofMillis(STEP));
      judge();
    }
    var outcome = new Outcome(seed, violation, shots, wentOn, stuck(), tale);
    a.end();
    b.end();
    time.end();
    return outcome;
  }

  /** What the other side's agent beats, over two networks of one fate. */
  private void hear(Side side, Side from, boolean link) {
    if (side.runs() && from.on && now >= from.agentBack && link) {
      side.process().beats(from.boot);
    }
  }

  /** The two voters, over TCP: both ways or not at all. */
  private void meet() {
    boolean reach = linkAB && linkBA;
    for (var side : List.of(a, b)) {
      boolean decides = side.runs() && (side.sole || b.runs() && a.runs() && voterLink && reach);
      if (decides) { // agents join the leader
        boolean joins = reach && other(side).on && now >= other(side).agentBack;
        side.seat(side.boot, joins ? other(side).boot : side.seatedOther);
      }
    }
    if (!a.runs() || !b.runs() || !voterLink || !reach) {
      return;
    }
    a.heardVoter = nanos();
    b.heardVoter = nanos();
    if (a.generation != b.generation) {
      var older = a.generation < b.generation ? a : b;
      older.generation = other(older).generation;
      older.sole = false;
      older.end();
      startsAfter(older, 1_500);
      tell(older.name + " begins again as a newcomer");
      return;
    }
    for (var side : List.of(a, b)) {
      if (side.sole) {
        side.sole = false; // the other one is admitted again
        tell(other(side).name + " is admitted again");
      }
    }
    a.process().inTouch = true;
    b.process().inTouch = true;
  }

  private long nanos() {
    return time.nanos();
  }

  // ---- one side

  private final class Side {
    private final String name;
    private final HostId id;
    private boolean on = true;
    private int boot = 1;
    private @Nullable Process process;
    private long startsAt;
    private long stillUntil;
    private long heardVoter = nanos();

    // its agent's process
    private long agentBack;

    // on its disk
    private boolean sole;
    private int generation = 1;
    private int intentBoot;
    private int seatedOwn = 1;
    private int seatedOther = 1;

    // its world
    private int targets = 1;
    private int reached = 1;
    private boolean outweighed;
    private boolean deviceReached = true;
    private long deviceTakes = 300;
    private boolean shotByOther;

    Side(String name) {
      this.name = name;
      this.id = new HostId(name);
    }

    boolean runs() {
      return on && process != null && now >= stillUntil;
    }

    Process process() {
      return Objects.requireNonNull(process);
    }

    void begin() {
      heardVoter = Math.max(heardVoter, nanos() - 10_000_000_000L);
      process = new Process(this);
      process.start();
    }

    void end() {
      var was = process;
      process = null;
      stillUntil = 0;
      if (was != null) {
        was.over = true;
        was.pairFailover.close();
      }
    }

    /** Whether it knows enough and reaches what it needs. */
    boolean couldGoOn() {
      boolean inTouch = process != null && process.inTouch;
      return on && (inTouch || intentBoot == boot) && reached > 0 && deviceReached;
    }

    /** What its log says of the two hosts. */
    void seat(int own, int others) {
      seatedOwn = own;
      seatedOther = others;
    }

    /** The heavier guest is on the host that this side believes to be the more important one. */
    ClusterState state() {
      var heavier = outweighed ? other(this).name : "";
      int ofA = this == a ? seatedOwn : seatedOther;
      int ofB = this == a ? seatedOther : seatedOwn;
      return PairStates.of(ofA, ofB, heavier);
    }
  }

  /** The orchestrator of one side: what ships, on its own time. */
  private final class Process implements PairFailover.Surroundings, Watch.Voter {
    private final Side side;
    private final Side them;
    private final Time lived = new Lived();
    private final Watch watch;
    private final PairFailover pairFailover;
    private boolean inTouch;
    private boolean over;
    private long beats;

    Process(Side side) {
      this.side = side;
      this.them = other(side);
      this.watch = new Watch(side.name, this, nanos());
      var fencer = new Fencer(spec -> device(spec.name()), lived);
      pairFailover =
          new PairFailover(
              side.name,
              IntStream.range(0, side.targets).mapToObj(i -> TARGET + i).toList(),
              new Log(),
              this,
              new FencingDevices(fencer, Plain.SECRETS, lived),
              lived);
    }

    private PairDevice device(String name) {
      return new PairDevice(name, PairStates.uuid(them.name), lived, chance) {
        @Override
        boolean reached() {
          return side.deviceReached;
        }

        @Override
        boolean on() {
          return them.on;
        }

        @Override
        void takesOrder() { // nothing calls it back
          clock.after(Duration.ofMillis(side.deviceTakes), () -> cut(side, them));
        }
      };
    }

    void start() {
      pairFailover.start(lived.threads());
    }

    void beats(int boot) {
      if (boot == side.seatedOther) { // of another boot it has no key
        watch.heard(
            new Heartbeat(
                them.id,
                PairStates.boot(them.name, boot),
                new ProcessId(them.name),
                ++beats,
                nanos(),
                PairStates.CONTROL,
                0,
                0),
            nanos(),
            time.instant());
      }
    }

    @Override
    public ClusterState state() {
      return side.state();
    }

    @Override
    public List<String> voters() {
      return List.of("a", "b");
    }

    @Override
    public boolean leads() {
      return false;
    }

    @Override
    public OptionalLong quorumRound() {
      return OptionalLong.empty();
    }

    @Override
    public Optional<Duration> lastHeard(HostId host) {
      return watch.lastHeard(host, nanos());
    }

    @Override
    public Optional<String> signOfLifeSince(HostId host, long since) {
      return watch.signOfLifeSince(host, since, nanos());
    }

    @Override
    public boolean answers(List<String> addresses, int millis) throws InterruptedException {
      boolean answers =
          addresses.stream()
              .anyMatch(
                  address ->
                      address.startsWith(TARGET)
                          ? Integer.parseInt(address.substring(TARGET.length())) < side.reached
                          : them.on && linkAB && linkBA);
      lived.sleep(Duration.ofMillis(answers ? 2 : millis));
      return answers;
    }

    @Override
    public void surrendered(boolean now) {}

    @Override
    public void proven(Proof proof, long began) {}

    @Override
    public CompletableFuture<?> ask(Event event) {
      return CompletableFuture.completedFuture(event);
    }

    @Override
    public void note(String what) {
      tell(side.name + ": " + what);
    }

    @Override
    public void fault(String what, Exception fault) {
      violated("%s: %s: %s".formatted(side.name, what, fault));
    }

    /** Time as this process lives through it. */
    private final class Lived implements Time {
      private void goOn() throws InterruptedException {
        while (!over && now < side.stillUntil) {
          time.sleep(Duration.ofMillis(STEP));
        }
        if (over) {
          throw new InterruptedException();
        }
      }

      @Override
      public long nanos() {
        return time.nanos();
      }

      @Override
      public Instant instant() {
        return time.instant();
      }

      @Override
      public void sleep(Duration wait) throws InterruptedException {
        time.sleep(wait);
        goOn();
      }

      @Override
      public <T> Optional<T> poll(BlockingQueue<T> queue, Duration within)
          throws InterruptedException {
        var there = time.poll(queue, within);
        goOn();
        return there;
      }

      @Override
      public Thread.Builder.OfVirtual threads() {
        return time.threads();
      }
    }

    /** Its log, as far as one of two asks it. */
    private final class Log extends PairLog {
      @Override
      public long generation() {
        return side.generation;
      }

      @Override
      public Optional<Other> other() {
        return !side.sole && (inTouch || side.intentBoot == side.boot)
            ? Optional.of(new Other(them.name, side.heardVoter, side.heardVoter))
            : Optional.empty();
      }

      @Override
      public CompletableFuture<Void> intend(String name) {
        if (other().isEmpty()) {
          return CompletableFuture.failedFuture(new Refused("it may not"));
        }
        side.intentBoot = side.boot;
        return CompletableFuture.completedFuture(null);
      }

      @Override
      public CompletableFuture<Void> goOnAlone(String name, long unheardSince) {
        if (chance.nextInt(20) == 0) {
          tell(side.name + " dies between the fence and the shrink");
          if (chance.nextBoolean()) {
            off(side);
          } else {
            side.end();
            startsAfter(side, 1_500);
          }
          return new CompletableFuture<>();
        }
        if (other().isEmpty() || side.heardVoter - unheardSince > 0) {
          return CompletableFuture.failedFuture(new Refused("the other voter was heard"));
        }
        side.sole = true;
        side.generation++;
        wentOn++;
        tell("%s goes on alone under generation %d".formatted(side.name, side.generation));
        if (them.on && them.boot == side.seatedOther) {
          violated("%s runs, and %s starts its guests".formatted(them.name, side.name));
        }
        return CompletableFuture.completedFuture(null);
      }

      @Override
      public Leadership leadership() {
        return new Leadership(1, Optional.of(side.name), side.sole, side.sole);
      }
    }
  }

  private void cut(Side by, Side target) {
    if (target.on) {
      tell("%s is switched off by %s".formatted(target.name, by.name));
      off(target);
      target.shotByOther = true;
      shots++;
    }
  }

  private enum Plain implements FencingDevices.Secrets {
    SECRETS;

    @Override
    public Map<String, String> open(HostId host, FencingDevice device) {
      return Map.of();
    }

    @Override
    public boolean plain(FencingDevice device) {
      return false;
    }
  }

  // ---- what must always hold

  private void violated(String what) {
    violation = Optional.of("seed %d, %.2f s: %s".formatted(seed, now / 1e3, what));
  }

  private void judge() {
    if (a.shotByOther && b.shotByOther) {
      violated("both are fenced");
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
        && Stream.of(a, b)
            .allMatch(
                side ->
                    side.runs() == side.on
                        && (!side.on || side.process().pairFailover.words().isEmpty()));
  }

  /** At the end one of them decides, wherever one side could know enough. */
  private Optional<String> stuck() {
    if (decides() || violation.isPresent()) {
      return Optional.empty();
    }
    return Stream.of(a, b)
        .filter(Side::couldGoOn)
        .map(side -> "seed %d: %s could go on and does not".formatted(seed, side.name))
        .findFirst();
  }

  /** Nobody decides, and nobody will. */
  private boolean hopeless() {
    return !decides()
        && Stream.of(a, b).allMatch(side -> side.on == (side.process != null) && !side.couldGoOn());
  }
}
