package dev.haven.fencing;

import dev.haven.model.Time;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
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
   * A BMC that has not told its GUID in this time is fenced without: its identity stays unknown.
   */
  private static final Duration GUID_LIMIT = Duration.ofSeconds(2);

  /**
   * A finding is older only if the checks of every minute have not reached the device: it may have
   * been given to another machine meanwhile.
   */
  static final Duration FINDING_LASTS = Duration.ofMinutes(3);

  /**
   * A device whose word may be older than this is refused: a guest waits for so long, at each
   * attempt, before a host that is off already counts as off.
   */
  static final Duration LONGEST_STALE = Duration.ofMinutes(2);

  /** For the readings that follow once a device's state cannot be stale any more. */
  static final Duration AFTER_STALE = Duration.ofSeconds(10);

  /**
   * Two readings that are further apart do not make one time of saying off: a BMC that restarts in
   * between takes longer than this, and may be stale again.
   */
  private static final Duration GAP = Duration.ofSeconds(10);

  private final DeviceKinds kinds;
  private final Time time;

  /** Since when devices have said off without a break after an order of ours, over all attempts. */
  private final Map<DeviceSpec, SaysOff> saysOff = new ConcurrentHashMap<>();

  /**
   * @param since end of the first reading
   * @param last end of the latest
   */
  private record SaysOff(long since, long last) {}

  /** The last finding for each device that answered; a changed device or UUID makes it void. */
  private final Map<String, Finding> findings = new ConcurrentHashMap<>();

  private record Finding(
      FencingTarget target, DeviceSpec device, DeviceIdentity identity, long at) {}

  /**
   * With devices of every kind.
   *
   * @param folder for the little that their programs need on disk; made if it is missing
   */
  public Fencer(Path folder) {
    this(DeviceKinds.standard(folder));
  }

  public Fencer(DeviceKinds kinds) {
    this(kinds, Time.SYSTEM);
  }

  /**
   * @param time in which it waits; its devices have to live in the same
   */
  public Fencer(DeviceKinds kinds, Time time) {
    this.kinds = kinds;
    this.time = time;
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
    var deadline = Deadline.in(time, within);
    var reasons = new LinkedHashMap<String, String>();
    var on = new ArrayList<PowerReading.On>();
    for (int i = plan.levels().size() - 1; i >= 0; i--) {
      int level = i + 1;
      var share = deadline.share(level);
      try {
        var results =
            onEach(
                plan.levels().get(i).devices(), spec -> switchOn(target, spec, level, share, log));
        var readings = new ArrayList<PowerReading.On>();
        for (var result : results) {
          switch (result) {
            case PowerReading.On reading -> readings.add(reading);
            case PowerReading.Off reading ->
                reasons.put(reading.device(), "it still says off: " + reading.evidence());
            case PowerReading.Unknown reading -> reasons.put(reading.device(), reading.reason());
          }
        }
        if (readings.size() == results.size()) {
          on.clear(); // the level before tells more about the host: an outlet may be on and the
          // host off
          on.addAll(readings);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        reasons.putIfAbsent(target.host(), "it was interrupted");
        return new PowerOnOutcome.Failed(reasons, log.steps());
      }
    }
    if (plan.levels().isEmpty()) {
      reasons.put(
          target.host(), "host " + target.host() + " has no fencing device; switch it on by hand");
    }
    return on.isEmpty()
        ? new PowerOnOutcome.Failed(reasons, log.steps())
        : new PowerOnOutcome.On(on, log.steps());
  }

  private PowerReading switchOn(
      FencingTarget target, DeviceSpec spec, int level, Deadline until, StepLog log)
      throws InterruptedException {
    PowerDevice device;
    try {
      device = kinds.open(spec);
    } catch (FencingConfigException e) {
      return unknown(spec, e.getMessage());
    }
    try (device) {
      return switchOn(device, target, spec, level, until, log);
    }
  }

  private PowerReading switchOn(
      PowerDevice device,
      FencingTarget target,
      DeviceSpec spec,
      int level,
      Deadline until,
      StepLog log)
      throws InterruptedException {
    if (identity(target, spec, device, until) instanceof DeviceIdentity.Different(var alarm)) {
      log.add(level, spec.name(), FencingStep.Kind.WRONG_HOST, alarm);
      return unknown(spec, alarm);
    }
    var pause = new Backoff();
    boolean accepted = false;
    var last = unknown(spec, "there was no time left to ask it");
    while (until.left().isPositive()) {
      if (!accepted) {
        log.add(level, spec.name(), FencingStep.Kind.ON_SENT, "");
        switch (device.switchOn(until.left())) {
          case SwitchResult.Accepted result -> {
            accepted = true;
            log.add(level, spec.name(), FencingStep.Kind.ON_ACCEPTED, result.evidence());
          }
          case SwitchResult.AlreadyOff _, SwitchResult.Poisoned _ ->
              throw new IllegalStateException(spec.name() + " answered an order on with off");
          case SwitchResult.Failed result -> {
            log.add(level, spec.name(), FencingStep.Kind.ON_FAILED, result.reason());
            last = unknown(spec, result.reason());
          }
          case SwitchResult.NeedsOperator result -> {
            log.add(level, spec.name(), FencingStep.Kind.NEEDS_OPERATOR, result.instructions());
            return unknown(spec, result.instructions());
          }
        }
      }
      if (accepted && until.left().isPositive()) {
        last = read(device, spec, until.left(), false);
        if (last instanceof PowerReading.On reading) {
          log.add(level, spec.name(), FencingStep.Kind.READ_ON, reading.evidence());
          return reading;
        }
      }
      pause.sleep(until);
    }
    return last;
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
      return read(device, spec, deadline.left(), false);
    } catch (FencingConfigException e) {
      return unknown(spec, e.getMessage());
    }
  }

  /**
   * Every reading passes here, so that it is known for how long a device has said off.
   *
   * @param ordered whether a first off begins that time, as an order of ours went before it
   */
  PowerReading read(PowerDevice device, DeviceSpec spec, Duration within, boolean ordered) {
    long began = time.nanos();
    var reading = device.read(within);
    switch (reading) {
      case PowerReading.Off _ -> saidOff(spec, began, ordered);
      case PowerReading.On _ -> saysOff.remove(spec);
      case PowerReading.Unknown _ -> {} // a break that is too long shows at the next off
    }
    return reading;
  }

  /** The device has said off, in a reading or as its answer to an order. */
  void saidOff(DeviceSpec spec, long began, boolean ordered) {
    long now = time.nanos();
    saysOff.compute(
        spec,
        (_, known) ->
            known != null && began - known.last() <= GAP.toNanos()
                ? new SaysOff(known.since(), now)
                : ordered ? new SaysOff(now, now) : null);
  }

  /** How long the device has said off without a break; zero if it does not. */
  Duration saysOffFor(DeviceSpec spec) {
    long now = time.nanos();
    var known = saysOff.get(spec);
    return known == null || now - known.last() > GAP.toNanos()
        ? Duration.ZERO
        : Duration.ofNanos(now - known.since());
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
      return onEach(specs, spec -> new HealthCheck(target, spec, dark, deadline).run());
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

  private static boolean sharesPower(DeviceSpec spec) {
    try {
      return new DeviceSettings(spec).sharesPower();
    } catch (FencingConfigException e) {
      return false; // the device cannot be opened then, which its health says
    }
  }

  DeviceKinds kinds() {
    return kinds;
  }

  /** From the last finding where there is one: asking takes time that a fence does not have. */
  DeviceIdentity identity(
      FencingTarget target, DeviceSpec spec, PowerDevice device, Deadline until) {
    var finding = findings.get(target.host() + "/" + spec.name());
    if (finding != null
        && finding.target().equals(target)
        && finding.device().equals(spec)
        && time.nanos() - finding.at() <= FINDING_LASTS.toNanos()) {
      return finding.identity();
    }
    if (target.systemUuid().isEmpty()) {
      return DeviceIdentity.compare(spec.name(), target, Optional.empty());
    }
    var guid =
        device.systemGuid(until.left().compareTo(GUID_LIMIT) < 0 ? until.left() : GUID_LIMIT);
    var identity = DeviceIdentity.compare(spec.name(), target, guid);
    if (guid.isPresent()) {
      remember(target, spec, identity);
    }
    return identity;
  }

  private void remember(FencingTarget target, DeviceSpec spec, DeviceIdentity identity) {
    findings.put(
        target.host() + "/" + spec.name(), new Finding(target, spec, identity, time.nanos()));
  }

  private PowerReading unknown(DeviceSpec spec, String reason) {
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

  /** One look at one device. */
  private final class HealthCheck {
    private final FencingTarget target;
    private final DeviceSpec spec;
    private final boolean dark;
    private final Deadline deadline;
    private final Instant began = time.instant();
    private final List<String> warnings = new ArrayList<>();
    private String behaviour = "";

    /**
     * @param dark every level has a device that shares the host's power
     */
    HealthCheck(FencingTarget target, DeviceSpec spec, boolean dark, Deadline deadline) {
      this.target = target;
      this.spec = spec;
      this.dark = dark;
      this.deadline = deadline;
    }

    DeviceHealth run() {
      try (var device = kinds.open(spec)) {
        behaviour = behaviour(device);
        if (device instanceof ManualDevice) {
          return health(
              true,
              device.read(deadline.left()),
              device.privilege(deadline.left()),
              new DeviceIdentity.Unknown("a person switches it"),
              spec.name() + " is a person: a fence that comes to it waits until someone confirms",
              "");
        }
        if (device instanceof SbdDevice sbd) {
          return run(sbd);
        }
        return run(device);
      } catch (FencingConfigException e) {
        var unasked = new DeviceIdentity.Unknown("it could not be asked");
        return health(
            false,
            unknown(spec, e.getMessage()),
            new Privilege.Unknown("it could not be asked"),
            unasked,
            e.getMessage(),
            "correct it and check again");
      }
    }

    private static String behaviour(PowerDevice device) {
      return switch (device) {
        case ManualDevice _ -> "a person switches; a fence waits for their word";
        case SbdDevice _ -> "a message ends the host, and its wait is the proof; reads no power";
        default ->
            device
                .stale()
                .map(
                    stale ->
                        "may refuse the order while the host is off: then it is proven off after it"
                            + " has said so for "
                            + Program.seconds(stale))
                .orElse("takes the order also while the host is off");
      };
    }

    private DeviceHealth run(SbdDevice sbd) {
      var finding = sbd.look(deadline.left());
      warnings.addAll(finding.warnings());
      return health(
          !finding.broken(),
          sbd.read(deadline.left()),
          sbd.privilege(deadline.left()),
          new DeviceIdentity.Unknown("a disk names its host by the slot"),
          finding.sentence(),
          finding.broken() ? "until then host " + target.host() + " is not fenced by it" : "");
    }

    private DeviceHealth run(PowerDevice device) {
      warnings.addAll(device.warnings());
      if (dark && sharesPower(spec)) {
        warnings.add(
            spec.name()
                + " loses its power together with host "
                + target.host()
                + ", and no level does without such a device: when the cord is pulled nothing"
                + " proves that the host is off; add a level with a power supply of its own, such"
                + " as a switched outlet");
      }
      var power = read(device, spec, deadline.left(), false);
      var privilege = device.privilege(deadline.left());
      if (power instanceof PowerReading.Unknown(var name, _, _, var reason)) {
        var unasked = new DeviceIdentity.Unknown("it could not be asked");
        return privilege instanceof Privilege.Missing(var why)
            ? mayNotSwitch(power, privilege, unasked, why)
            : health(
                false,
                power,
                privilege,
                unasked,
                name + " does not tell the power of host " + target.host() + ": " + reason,
                "check its address, its cable and the account; until then host "
                    + target.host()
                    + " cannot be fenced by it");
      }
      var guid =
          target.systemUuid().isEmpty()
              ? Optional.<String>empty()
              : device.systemGuid(deadline.left());
      var identity = DeviceIdentity.compare(spec.name(), target, guid);
      remember(target, spec, identity);
      if (identity instanceof DeviceIdentity.Different(var alarm)) {
        return health(
            false,
            power,
            privilege,
            identity,
            alarm,
            "until then host " + target.host() + " is not fenced by it");
      }
      if (privilege instanceof Privilege.Missing(var why)) {
        return mayNotSwitch(power, privilege, identity, why);
      }
      return health(
          true,
          power,
          privilege,
          identity,
          spec.name()
              + " answers, says "
              + (power instanceof PowerReading.On ? "on" : "off")
              + switch (privilege) {
                case Privilege.Enough() -> ", may switch";
                case Privilege.Missing _ -> ", may not switch";
                case Privilege.Unknown(var reason) ->
                    ", whether it may switch is not known (" + reason + ")";
              }
              + switch (identity) {
                case DeviceIdentity.Same() -> ", and is this host's";
                case DeviceIdentity.Different _ -> ", and is another host's";
                case DeviceIdentity.Unknown(var reason) ->
                    "; whose it is is not proven (" + reason + ")";
              },
          identity instanceof DeviceIdentity.Unknown
              ? "test it once with the host evacuated, so that its word counts"
              : "");
    }

    private DeviceHealth mayNotSwitch(
        PowerReading power, Privilege privilege, DeviceIdentity identity, String why) {
      return health(
          false,
          power,
          privilege,
          identity,
          spec.name() + " answers, but its account may not switch the power: " + why,
          "give the account the privilege OPERATOR at the device, or use another account");
    }

    private DeviceHealth health(
        boolean usable,
        PowerReading power,
        Privilege privilege,
        DeviceIdentity identity,
        String sentence,
        String wayOut) {
      return new DeviceHealth(
          spec.name(),
          began,
          usable,
          power,
          privilege,
          identity,
          sentence,
          wayOut,
          warnings,
          behaviour);
    }
  }
}
