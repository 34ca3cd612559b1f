package dev.haven.fencing;

import dev.haven.fencing.FencingStep.Kind;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One level of one fence.
 *
 * <pre>
 *   each device, side by side:   order off --accepted--> read --off--> waits for the others
 *                                  ^  |                   |  ^           |
 *                                  |  failed              on |           all have said off once:
 *                                  +--(3 in a row: the    |  |           read again --off--> counted
 *                                  |   level has failed)  +--+             |
 *                                  +-- still on after 5 s, order again     on or no answer: not off any more
 * </pre>
 *
 * A poison pill ends a level of its own: what the device answers is the whole fence, written and
 * waited for, and there is nothing to read.
 *
 * <p>Where a device says off already and the order is therefore not sent on, the readings count
 * only once its state cannot be stale any more. The level goes on reading for that long, and orders
 * nothing after its own time. Both readings of a device begin after it accepted our order, and
 * between the first and the second round there is a moment at which every device had said off: two
 * power supplies that were off one after the other are no proof.
 */
final class LevelOff {
  /** So long a device may say on before the order is repeated: real ones take seconds to switch. */
  private static final Duration ORDER_AGAIN = Duration.ofSeconds(5);

  /** Failed calls in a row after which the next level is worth more than another try. */
  private static final int GIVE_UP = 3;

  private final Fencer fencer;
  private final FencingTarget target;
  private final Level level;
  private final int number;
  private final boolean last;
  private final Deadline until;
  private final StepLog log;
  private final List<Candidate> candidates = new ArrayList<>();

  /** A device of the level cannot be had: no use to wait for the others. */
  private volatile boolean lost;

  /** Until then the devices are read; never earlier than the time for orders ends. */
  private volatile Deadline readsUntil;

  private @Nullable FencingOutcome proof;

  LevelOff(
      Fencer fencer,
      FencingTarget target,
      Level level,
      int number,
      boolean last,
      Deadline until,
      StepLog log) {
    this.fencer = fencer;
    this.target = target;
    this.level = level;
    this.number = number;
    this.last = last;
    this.until = until;
    this.readsUntil = until;
    this.log = log;
  }

  /**
   * @return whether the host is proven off
   */
  boolean run() throws InterruptedException {
    try {
      return attempt();
    } finally {
      candidates.forEach(Candidate::close);
    }
  }

  private boolean attempt() throws InterruptedException {
    log.add(number, "", Kind.LEVEL_BEGAN, "");
    level.devices().forEach(spec -> candidates.add(new Candidate(spec)));
    boolean off = false;
    while (!off && !lost && readsUntil.left().isPositive()) {
      var first = fencer.onEach(candidates, Candidate::orderAndReadOff);
      off =
          !first.contains(false)
              && (candidates.getFirst().pill != null
                  || !fencer.onEach(candidates, Candidate::readOffAgain).contains(false));
    }
    var pill = candidates.getFirst().pill;
    if (off && pill != null) {
      log.add(number, "", Kind.LEVEL_CONFIRMED, "");
      proof =
          new FencingOutcome.Poisoned(
              number,
              pill.device(),
              pill.slot(),
              pill.disks(),
              pill.ids(),
              pill.waited(),
              pill.ended(),
              log.steps());
      return true;
    }
    if (!off) {
      log.add(number, "", Kind.LEVEL_FAILED, "");
      return false;
    }
    var readings = new ArrayList<PowerReading.Off>();
    var identities = new HashMap<String, DeviceIdentity>();
    for (var candidate : candidates) {
      readings.add(Objects.requireNonNull(candidate.first));
      readings.add(Objects.requireNonNull(candidate.second));
      identities.put(candidate.spec.name(), candidate.identity);
    }
    var began =
        readings.stream().map(PowerReading.Off::began).min(Instant::compareTo).orElseThrow();
    log.add(number, "", Kind.LEVEL_CONFIRMED, "");
    proof = new FencingOutcome.Confirmed(number, readings, began, identities, log.steps());
    return true;
  }

  /** How it is proven; only after {@link #run} said so. */
  FencingOutcome proof() {
    return Objects.requireNonNull(proof);
  }

  Map<String, String> instructions() {
    var all = new LinkedHashMap<String, String>();
    for (var candidate : candidates) {
      if (candidate.instructions != null) {
        all.put(candidate.spec.name(), candidate.instructions);
      }
    }
    return all;
  }

  Map<String, String> reasons() {
    var all = new LinkedHashMap<String, String>();
    for (var candidate : candidates) {
      if (candidate.instructions == null && candidate.reason != null) {
        all.put(candidate.spec.name(), candidate.reason);
      }
    }
    return all;
  }

  /** A device on its way to being believed. Used by one thread at a time. */
  private final class Candidate {
    final DeviceSpec spec;
    DeviceIdentity identity = new DeviceIdentity.Unknown("it was not asked");
    PowerReading.@Nullable Off first;
    PowerReading.@Nullable Off second;
    SwitchResult.@Nullable Poisoned pill;
    @Nullable String reason;
    @Nullable String instructions;

    private @Nullable PowerDevice device;
    private boolean ordered;
    private Deadline orderAgain = until;
    private @Nullable Duration stale;
    private int failures;

    Candidate(DeviceSpec spec) {
      this.spec = spec;
    }

    /** Until it has taken our order and has said off once since. */
    boolean orderAndReadOff() throws InterruptedException {
      if (first != null) {
        return true;
      }
      var pause = new Backoff();
      while (readsUntil.left().isPositive()) {
        try {
          if (!ordered && !until.left().isPositive()) {
            giveUp(); // only reading goes on after the time for orders
            break;
          }
          if (!ordered && !order()) {
            if (lost) {
              return false;
            }
            pause.sleep(until);
            continue;
          }
          if (pill != null) {
            return true;
          }
          // The order is out; whether it worked is of no more use when another device of the level
          // cannot be had.
          if (lost) {
            return false;
          }
          boolean early = stale != null && fencer.readings().saysOffFor(spec).compareTo(stale) < 0;
          switch (fencer.readings().read(opened(), spec, readsUntil.left(), true)) {
            case PowerReading.Off _ when early -> failures = 0;
            case PowerReading.Off off -> {
              log.add(number, spec.name(), Kind.READ_OFF_1, off.evidence());
              failures = 0;
              first = off;
              return true;
            }
            case PowerReading.On on -> stillOn(on);
            case PowerReading.Unknown unknown -> failed(Kind.READ_FAILED, unknown.reason());
          }
        } catch (FencingConfigException e) {
          failed(Kind.OFF_FAILED, e.getMessage());
          giveUp();
        }
        if (lost) {
          return false;
        }
        pause.sleep(readsUntil);
      }
      if (reason == null) {
        reason = "there was no time left to ask it";
      }
      return false;
    }

    /** Once; anything but off makes the first reading worthless too. */
    boolean readOffAgain() {
      second = null;
      switch (fencer.readings().read(opened(), spec, readsUntil.left(), true)) {
        case PowerReading.Off off -> {
          log.add(number, spec.name(), Kind.READ_OFF_2, off.evidence());
          second = off;
          return true;
        }
        case PowerReading.On on -> {
          ordered = false;
          stillOn(on);
        }
        case PowerReading.Unknown unknown -> failed(Kind.READ_FAILED, unknown.reason());
      }
      first = null;
      return false;
    }

    private boolean order() {
      identity = fencer.findings().identity(target, spec, opened(), until);
      if (identity instanceof DeviceIdentity.Different(var alarm)) {
        log.add(number, spec.name(), Kind.WRONG_HOST, alarm);
        reason = alarm;
        giveUp();
        return false;
      }
      log.add(number, spec.name(), Kind.OFF_SENT, "");
      long began = until.time().nanos();
      switch (opened().switchOff(until.left())) {
        case SwitchResult.Accepted accepted -> {
          log.add(number, spec.name(), Kind.OFF_ACCEPTED, accepted.evidence());
          failures = 0;
          ordered = true;
          stale = null;
          orderAgain = Deadline.in(until.time(), ORDER_AGAIN);
        }
        case SwitchResult.AlreadyOff already -> {
          fencer.readings().saidOff(spec, began, true);
          log.add(number, spec.name(), Kind.ALREADY_OFF, already.evidence());
          failures = 0;
          ordered = true;
          stale = already.stale();
          readUntil(already.stale().minus(fencer.readings().saysOffFor(spec)));
          orderAgain = Deadline.in(until.time(), Duration.ZERO);
          reason =
              "it said off already, so no order went out; that counts after "
                  + Program.seconds(already.stale())
                  + ", and the time for the fence ended before";
        }
        case SwitchResult.Poisoned _ when candidates.size() > 1 -> {
          reason = "a poison pill proves nothing together with other devices";
          log.add(number, spec.name(), Kind.OFF_FAILED, reason);
          giveUp();
        }
        case SwitchResult.Poisoned poisoned -> {
          log.add(
              number,
              spec.name(),
              Kind.POISONED,
              "on "
                  + String.join(", ", poisoned.disks())
                  + " for "
                  + Program.seconds(poisoned.waited()));
          ordered = true;
          pill = poisoned;
        }
        case SwitchResult.Failed result -> failed(Kind.OFF_FAILED, result.reason());
        case SwitchResult.NeedsOperator result -> {
          log.add(number, spec.name(), Kind.NEEDS_OPERATOR, result.instructions());
          instructions = result.instructions();
          giveUp();
        }
      }
      return ordered;
    }

    /** The level is read for as long as this device may be stale, and a little more. */
    private void readUntil(Duration stillStale) {
      synchronized (candidates) {
        readsUntil = readsUntil.atLeast(stillStale.plus(Fencer.AFTER_STALE));
      }
    }

    private void stillOn(PowerReading.On on) {
      log.add(number, spec.name(), Kind.STILL_ON, on.evidence());
      failures = 0;
      reason = "it took the order and still says on: " + on.evidence();
      if (orderAgain.passed()) {
        ordered = false;
      }
    }

    private void failed(Kind kind, String why) {
      log.add(number, spec.name(), kind, why);
      // A call cut short by the end of the time says less than the one before.
      if (reason == null || readsUntil.left().isPositive()) {
        reason = why;
      }
      failures++;
      if (failures >= GIVE_UP && !last) {
        giveUp();
      }
    }

    private void giveUp() {
      lost = true;
    }

    void close() {
      if (device != null) {
        device.close();
      }
    }

    private PowerDevice opened() {
      var opened = device;
      if (opened == null) {
        opened = fencer.kinds().open(spec);
        device = opened;
      }
      return opened;
    }
  }
}
