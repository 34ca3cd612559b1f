package dev.haven.fencing;

import dev.haven.model.Time;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * Cuts and restores power through a host's devices, and reads it back.
 *
 * <p>Every call blocks its (virtual) thread until it is decided or {@code within} is over; calls
 * for several hosts may run side by side. An interrupt ends a call early, as {@code Failed}. It
 * decides nothing about whether a host <em>should</em> be fenced.
 */
public final class Fencer {
  /**
   * A device whose word may be older than this is refused: a guest waits for so long, at each
   * attempt, before a host that is off already counts as off.
   */
  static final Duration LONGEST_STALE = Duration.ofMinutes(2);

  /** For the readings that follow once a device's state cannot be stale any more. */
  static final Duration AFTER_STALE = Duration.ofSeconds(10);

  private final DeviceKinds kinds;
  private final Time time;
  private final Readings readings;
  private final Findings findings;

  /**
   * With devices of every kind.
   *
   * @param folder for the little that their programs need on disk; made if it is missing
   */
  public Fencer(Path folder) {
    this(DeviceKinds.standard(folder));
  }

  /** With these devices alone, in the time of this machine. */
  public Fencer(DeviceKinds kinds) {
    this(kinds, Time.SYSTEM);
  }

  /**
   * @param time in which it waits; its devices have to live in the same
   */
  public Fencer(DeviceKinds kinds, Time time) {
    this.kinds = kinds;
    this.time = time;
    this.readings = new Readings(time);
    this.findings = new Findings(time);
  }

  /**
   * Switches a host off and proves it. In each level every device gets the order to switch off,
   * also one that says off already (a freshly reset BMC reports stale states), and is read until it
   * says off; when all of them have said so, each is read once more. What fails is tried again,
   * with pauses that grow, and a level that fails three times in a row, or takes longer than its
   * share of the time, is followed by the next. Safe to repeat.
   *
   * <p>A device that sends no order to what says off already is waited for until its word cannot be
   * stale. That time is counted over all calls: a host that was off in the last one need not begin
   * again.
   *
   * @param within for everything together, 1 s to 10 min: no order leaves later. Only what orders
   *     nothing may come on top: the wait of a poison pill, which its disks prescribe, and that for
   *     devices that say off already, at most 2 min 10 s for each level
   */
  public FencingOutcome powerOff(
      FencingTarget target, FencingPlan plan, Duration within, FencingListener listener) {
    var log = new StepLog(time, listener);
    var deadline = Deadline.in(time, within);
    var instructions = new LinkedHashMap<String, String>();
    var reasons = new LinkedHashMap<String, String>();
    for (int i = 0; i < plan.levels().size(); i++) {
      boolean last = i == plan.levels().size() - 1;
      try {
        if (!waited(plan.levels().get(i), i + 1, deadline, reasons, log)) {
          continue;
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        reasons.putIfAbsent(target.host(), "the fence was interrupted");
        return new FencingOutcome.Failed(reasons, log.steps());
      }
      var share = last ? deadline : deadline.share(plan.levels().size() - i);
      share = withItsWait(plan.levels().get(i), share);
      var attempt = new LevelOff(this, target, plan.levels().get(i), i + 1, last, share, log);
      try {
        if (attempt.run()) {
          return attempt.proof();
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        attempt.reasons().forEach(reasons::put);
        reasons.putIfAbsent(target.host(), "the fence was interrupted");
        return new FencingOutcome.Failed(reasons, log.steps());
      }
      instructions.putAll(attempt.instructions());
      reasons.putAll(attempt.reasons());
    }
    if (plan.levels().isEmpty()) {
      reasons.put(
          target.host(),
          "host "
              + target.host()
              + " has no fencing device; add one, or confirm by hand that it is off");
    }
    return instructions.isEmpty()
        ? new FencingOutcome.Failed(reasons, log.steps())
        : new FencingOutcome.NeedsOperator(instructions, reasons, log.steps());
  }

  /**
   * Waits as long as the level's devices are set to, the longest of them.
   *
   * @return whether there is time left for the level
   */
  private static boolean waited(
      Level level, int number, Deadline until, Map<String, String> reasons, StepLog log)
      throws InterruptedException {
    for (var spec : level.devices()) {
      var delay = delay(spec);
      if (!delay.isZero() && delay.compareTo(until.left()) >= 0) {
        reasons.put(
            spec.name(),
            "its delay of "
                + Program.seconds(delay)
                + " is longer than the "
                + Program.seconds(until.left())
                + " that were left for the fence");
        return false;
      }
    }
    var longest =
        level.devices().stream().map(Fencer::delay).max(Duration::compareTo).orElse(Duration.ZERO);
    if (longest.isPositive()) {
      log.add(number, "", FencingStep.Kind.LEVEL_DELAYED, Program.seconds(longest));
      until.time().sleep(longest);
    }
    return true;
  }

  /** A pill that is not waited for proves nothing, so its level gets the time that takes. */
  private Deadline withItsWait(Level level, Deadline share) {
    for (var spec : level.devices()) {
      if (!spec.kind().equals("sbd")) {
        continue; // opening some kinds takes time that a fence does not have
      }
      try (var device = kinds.open(spec)) {
        if (device instanceof SbdDevice sbd) {
          return share.atLeast(sbd.takes());
        }
      } catch (FencingConfigException e) {
        // The level reports it.
      }
    }
    return share;
  }

  private static Duration delay(DeviceSpec spec) {
    try {
      return new DeviceSettings(spec).delay();
    } catch (FencingConfigException e) {
      return Duration.ZERO; // the device cannot be opened then, which the level reports
    }
  }

  /**
   * Switches a host on again: every device of every level, the last level first (a BMC behind a
   * switched outlet answers only once the outlet is on), until each device of a level says on.
   *
   * @param within for everything together, 1 s to 10 min
   */
  public PowerOnOutcome powerOn(
      FencingTarget target, FencingPlan plan, Duration within, FencingListener listener) {
    var log = new StepLog(time, listener);
    return new PowerOn(this, target, plan, Deadline.in(time, within), log).run();
  }

  /**
   * Asks every device of every level once, all at the same time, and answers as soon as one whole
   * level says off. Fast, and by itself no proof: nothing was ordered, and a device's state may be
   * stale.
   *
   * @param within 10 ms to 10 s
   */
  public EvidenceReading readAll(FencingPlan plan, Duration within) {
    var began = time.instant();
    var deadline = Deadline.in(time, within);
    var readings = new LinkedHashMap<String, PowerReading>();
    var specs = plan.levels().stream().flatMap(level -> level.devices().stream()).toList();
    var answers = new LinkedBlockingQueue<Future<PowerReading>>();
    try (var threads = threads()) {
      var asking = new ExecutorCompletionService<PowerReading>(threads, answers);
      for (var spec : specs) {
        asking.submit(() -> readOnce(spec, deadline));
      }
      for (int i = 0; i < specs.size(); i++) {
        var next = time.poll(answers, deadline.left());
        if (next.isEmpty()) {
          break;
        }
        var reading = result(next.get());
        readings.put(reading.device(), reading);
        for (int level = 1; level <= plan.levels().size(); level++) {
          if (plan.levels().get(level - 1).devices().stream()
              .allMatch(spec -> readings.get(spec.name()) instanceof PowerReading.Off)) {
            threads.shutdownNow();
            return new EvidenceReading.PowerOff(level, began, List.copyOf(readings.values()));
          }
        }
      }
      threads.shutdownNow();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    var all = List.copyOf(readings.values());
    return all.stream().anyMatch(PowerReading.On.class::isInstance)
        ? new EvidenceReading.PowerOn(began, all)
        : new EvidenceReading.Unclear(began, all);
  }

  private PowerReading readOnce(DeviceSpec spec, Deadline deadline) {
    try (var device = kinds.open(spec)) {
      return readings.read(device, spec, deadline.left(), false);
    } catch (FencingConfigException e) {
      return unknown(spec, e.getMessage());
    }
  }

  /**
   * Looks whether fencing by each device of the plan would work, all at the same time, without
   * switching anything. Meant to be asked every minute: what it learns about whose a device is
   * guards later fences.
   *
   * @param within for all together, 1 s to 1 min
   */
  public List<DeviceHealth> check(FencingTarget target, FencingPlan plan, Duration within) {
    var deadline = Deadline.in(time, within);
    var specs = plan.levels().stream().flatMap(level -> level.devices().stream()).toList();
    boolean dark =
        plan.levels().stream()
            .allMatch(level -> level.devices().stream().anyMatch(Fencer::sharesPower));
    try {
      return onEach(specs, spec -> new HealthCheck(this, target, spec, dark, deadline).run());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return List.of();
    }
  }

  /**
   * What an operator has to correct in a plan before it can be used, a sentence for each; empty
   * when it is fine.
   */
  public List<String> problems(FencingPlan plan) {
    var problems = new ArrayList<String>();
    for (var level : plan.levels()) {
      for (var spec : level.devices()) {
        try (var device = kinds.open(spec)) {
          if (device.stale().filter(stale -> stale.compareTo(LONGEST_STALE) > 0).isPresent()) {
            problems.add(
                "fencing device "
                    + spec.name()
                    + ": stale is "
                    + Program.seconds(device.stale().get())
                    + ", longer than a fence waits; give at most "
                    + Program.seconds(LONGEST_STALE)
                    + ", or a device that restarts faster");
          }
          if (device instanceof SbdDevice && level.devices().size() > 1) {
            problems.add(
                "fencing device "
                    + spec.name()
                    + ": a poison pill reads no power, so it proves nothing together with others;"
                    + " give it a level of its own");
          }
        } catch (FencingConfigException e) {
          problems.add(e.getMessage());
        }
      }
    }
    return problems;
  }

  static boolean sharesPower(DeviceSpec spec) {
    try {
      return new DeviceSettings(spec).sharesPower();
    } catch (FencingConfigException e) {
      return false; // the device cannot be opened then, which its health says
    }
  }

  DeviceKinds kinds() {
    return kinds;
  }

  Readings readings() {
    return readings;
  }

  Findings findings() {
    return findings;
  }

  Time time() {
    return time;
  }

  /** It could not even be asked. */
  PowerReading unknown(DeviceSpec spec, String reason) {
    var now = time.instant();
    return new PowerReading.Unknown(spec.name(), now, now, reason);
  }

  /** Something to do with one device, on a thread of its own. */
  @FunctionalInterface
  interface Job<A, R> {
    R run(A argument) throws InterruptedException;
  }

  /** All at the same time; the results in the order of the arguments. */
  <A, R> List<R> onEach(List<A> arguments, Job<A, R> job) throws InterruptedException {
    if (arguments.size() == 1) {
      return List.of(job.run(arguments.getFirst()));
    }
    try (var threads = threads()) {
      var futures = new ArrayList<Future<R>>();
      for (var argument : arguments) {
        futures.add(threads.submit(() -> job.run(argument)));
      }
      var results = new ArrayList<R>();
      try {
        for (var future : futures) {
          results.add(result(future));
        }
      } catch (InterruptedException e) {
        threads.shutdownNow();
        throw e;
      }
      return results;
    }
  }

  private ExecutorService threads() {
    return Executors.newThreadPerTaskExecutor(time.threads().factory());
  }

  private static <R> R result(Future<R> future) throws InterruptedException {
    try {
      return future.get();
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case InterruptedException interrupt -> throw interrupt;
        case RuntimeException ours -> throw ours;
        case Error ours -> throw ours;
        case null, default -> throw new IllegalStateException(e);
      }
    }
  }
}
