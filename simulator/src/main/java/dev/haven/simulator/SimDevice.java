package dev.haven.simulator;

import dev.haven.fencing.PowerDevice;
import dev.haven.fencing.PowerReading;
import dev.haven.fencing.Privilege;
import dev.haven.fencing.SwitchResult;
import dev.haven.model.Time;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Optional;

/**
 * The device of one of a host's power supplies, as it behaves. What it is told happens by itself:
 * its caller may be gone by then.
 */
final class SimDevice {
  /** What the shipped kinds of devices wait for one answer. */
  private static final Duration NO_ANSWER = Duration.ofSeconds(5);

  /** What the shipped kinds of devices take for stale. */
  static final Duration STALE = Duration.ofSeconds(30);

  private final World world;
  private final SimHost host;
  private final int supply;
  private final Deque<Was> history = new ArrayDeque<>();
  private DeviceMode mode = DeviceMode.WORKS;

  /** It says how the power was so long ago. */
  private Duration lag = Duration.ZERO;

  /** Until then it does not know yet that its host was switched on. */
  private long forgottenUntil = Long.MIN_VALUE;

  /** How the power was from a time on. */
  private record Was(long since, boolean off) {}

  SimDevice(World world, SimHost host, int supply) {
    this.world = world;
    this.host = host;
    this.supply = supply;
  }

  DeviceMode mode() {
    return mode;
  }

  void behaves(DeviceMode now) {
    mode = now;
    lag = now == DeviceMode.STALE ? millis(1_000, STALE.toMillis() - 500) : Duration.ZERO;
    isReset();
  }

  /** The power of its supply, or of its host, is different from now on. */
  void powerIs(boolean off) {
    long now = world.clock.nanos();
    history.addLast(new Was(now, off));
    while (history.size() > 2 && now - second(history).since() > STALE.toNanos()) {
      history.removeFirst();
    }
  }

  private static Was second(Deque<Was> all) {
    var each = all.iterator();
    each.next();
    return each.next();
  }

  /** It starts again, by itself or together with its host. */
  void isReset() {
    if (mode == DeviceMode.FORGETS) {
      forgottenUntil = world.clock.nanos() + millis(1_000, STALE.toMillis() - 500).toNanos();
    }
  }

  private Duration millis(double least, double most) {
    return Duration.ofNanos((long) (world.devices.between(least, most) * 1e6));
  }

  /** By the truth; for one that is another's, of that. */
  private boolean off() {
    var whose = whose();
    return !whose.machine.power || whose.outletOff[whose == host ? supply : 0];
  }

  /** What it has to say of the power. */
  private boolean saysOff() {
    return switch (mode) {
      case LIES -> true;
      case STALE -> {
        long then = world.clock.nanos() - lag.toNanos();
        boolean was = history.isEmpty() ? off() : !history.getFirst().off();
        for (var one : history) {
          if (one.since() - then <= 0) {
            was = one.off();
          }
        }
        yield was;
      }
      case FORGETS -> off() || world.clock.nanos() - forgottenUntil < 0;
      case WORKS, HANGS, REFUSES, SLOW, ASKS_FIRST, NAMELESS, WRONG_HOST, DIES -> off();
    };
  }

  private SimHost whose() {
    if (mode != DeviceMode.WRONG_HOST) {
      return host;
    }
    var all = new ArrayList<>(world.hosts.values());
    return all.get((all.indexOf(host) + 1) % all.size());
  }

  private boolean asksFirst() {
    return mode == DeviceMode.ASKS_FIRST || mode == DeviceMode.FORGETS || mode == DeviceMode.STALE;
  }

  private void cut() {
    var whose = whose();
    int which = whose == host ? supply : 0;
    if (whose.secondDevice == null || whose.outletOff[1 - which]) {
      if (whose.machine.power) {
        world.log("truth", "the power of host " + whose.id + " is cut by its device");
      }
      whose.powerOff();
      world.moment(Moment.POWER_CUT, whose.id.value());
    } else {
      whose.outletOff[which] = true;
      whose.device(which).powerIs(true);
    }
  }

  private void giveBack() {
    var whose = whose();
    int which = whose == host ? supply : 0;
    whose.outletOff[which] = false;
    if (whose.machine.power) {
      whose.device(which).powerIs(false);
    } else {
      world.log("truth", "host " + whose.id + " is switched on");
      whose.powerOn();
    }
  }

  /** Whether it says off; empty if it does not answer. */
  Optional<Boolean> says() {
    return mode == DeviceMode.HANGS ? Optional.empty() : Optional.of(saysOff());
  }

  /** The device as somebody asks it. */
  PowerDevice askedBy(String name, Time time) {
    return new Asked(name, time);
  }

  private final class Asked implements PowerDevice {
    private final String name;
    private final Time time;

    Asked(String name, Time time) {
      this.name = name;
      this.time = time;
    }

    @Override
    public String name() {
      return name;
    }

    /**
     * @return whether an answer came in time
     */
    private boolean answers(Duration after, Duration within) {
      boolean comes = mode != DeviceMode.HANGS && after.compareTo(within) < 0;
      var wait = comes ? after : within.compareTo(NO_ANSWER) < 0 ? within : NO_ANSWER;
      try {
        time.sleep(wait);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return false;
      }
      return comes && mode != DeviceMode.HANGS; // it may hang since
    }

    @Override
    public PowerReading read(Duration within) {
      var began = time.instant();
      var says = new boolean[1];
      var takes = mode == DeviceMode.SLOW ? millis(500, 2_000) : millis(20, 80);
      world.clock.after(takes.dividedBy(2), () -> says[0] = saysOff());
      if (!answers(takes, within)) {
        return new PowerReading.Unknown(name, began, time.instant(), "no answer");
      }
      return says[0]
          ? new PowerReading.Off(name, began, time.instant(), "off")
          : new PowerReading.On(name, began, time.instant(), "on");
    }

    @Override
    public SwitchResult switchOff(Duration within) {
      var began = time.instant();
      var takes = millis(20, 150);
      if (mode == DeviceMode.REFUSES) {
        return failed(began, answers(takes, within) ? "it refuses" : "no answer");
      }
      var already = new boolean[1];
      world.clock.after(
          takes.dividedBy(2),
          () -> {
            already[0] = asksFirst() && saysOff();
            switch (mode) {
              case WORKS, NAMELESS, WRONG_HOST -> cut();
              case ASKS_FIRST, FORGETS, STALE -> {
                if (!already[0]) {
                  cut();
                }
              }
              case SLOW -> world.clock.after(millis(4_000, 12_000), SimDevice.this::cut);
              case DIES -> {
                cut();
                behaves(DeviceMode.HANGS);
              }
              case HANGS, REFUSES, LIES -> {}
            }
          });
      if (!answers(takes, within)) {
        return failed(began, "no answer");
      }
      return already[0]
          ? new SwitchResult.AlreadyOff(name, began, time.instant(), "already off", STALE)
          : new SwitchResult.Accepted(name, began, time.instant(), "ok");
    }

    @Override
    public SwitchResult switchOn(Duration within) {
      var began = time.instant();
      var takes = millis(500, 2_000);
      if (mode != DeviceMode.REFUSES && mode != DeviceMode.LIES && mode != DeviceMode.HANGS) {
        world.clock.after(takes.dividedBy(2), SimDevice.this::giveBack);
      }
      return answers(takes, within) && mode != DeviceMode.REFUSES
          ? new SwitchResult.Accepted(name, began, time.instant(), "ok")
          : failed(began, "it refuses, or does not answer");
    }

    private SwitchResult failed(Instant began, String why) {
      return new SwitchResult.Failed(name, began, time.instant(), why);
    }

    @Override
    public Privilege privilege(Duration within) {
      return new Privilege.Enough();
    }

    @Override
    public Optional<String> systemGuid(Duration within) {
      return !answers(millis(20, 80), within) || mode == DeviceMode.NAMELESS
          ? Optional.empty()
          : Optional.of(whose().uuid());
    }

    @Override
    public Optional<Duration> stale() {
      return asksFirst() ? Optional.of(STALE) : Optional.empty();
    }
  }
}
