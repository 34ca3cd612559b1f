package dev.haven.simulator;

import dev.haven.fencing.PowerDevice;
import dev.haven.fencing.PowerReading;
import dev.haven.fencing.Privilege;
import dev.haven.fencing.SwitchResult;
import dev.haven.model.Time;
import java.time.Duration;
import java.util.Optional;
import java.util.Random;

/** The power device of one of two hosts, as the other side reaches it. */
abstract class PairDevice implements PowerDevice {
  private final String name;
  private final String guid;
  private final Time time;
  private final Random chance;

  PairDevice(String name, String guid, Time time, Random chance) {
    this.name = name;
    this.guid = guid;
    this.time = time;
    this.chance = chance;
  }

  abstract boolean reached();

  abstract boolean on();

  /** It was ordered to switch off, and does so by itself. */
  abstract void takesOrder();

  private boolean answers(Duration within) {
    boolean comes = reached();
    try {
      time.sleep(comes ? Duration.ofMillis(20 + chance.nextInt(100)) : within);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
    return comes;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public PowerReading read(Duration within) {
    var began = time.instant();
    boolean on = on();
    if (!answers(within)) {
      return new PowerReading.Unknown(name, began, time.instant(), "no answer");
    }
    return on
        ? new PowerReading.On(name, began, time.instant(), "on")
        : new PowerReading.Off(name, began, time.instant(), "off");
  }

  @Override
  public SwitchResult switchOff(Duration within) {
    var began = time.instant();
    if (reached()) {
      takesOrder();
    }
    return answers(within)
        ? new SwitchResult.Accepted(name, began, time.instant(), "ok")
        : new SwitchResult.Failed(name, began, time.instant(), "no answer");
  }

  @Override
  public SwitchResult switchOn(Duration within) {
    throw new IllegalStateException("nobody asked for that");
  }

  @Override
  public Privilege privilege(Duration within) {
    return new Privilege.Enough();
  }

  @Override
  public Optional<String> systemGuid(Duration within) {
    return answers(within) ? Optional.of(guid) : Optional.empty();
  }
}
