package dev.haven.fencing;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Switches one host on, level by level from the last one: a BMC behind a switched outlet answers
 * only once the outlet is on.
 */
final class PowerOn {
  private final Fencer fencer;
  private final FencingTarget target;
  private final FencingPlan plan;
  private final Deadline deadline;
  private final StepLog log;
  private final Map<String, String> reasons = new LinkedHashMap<>();
  private final List<PowerReading.On> on = new ArrayList<>();

  PowerOn(Fencer fencer, FencingTarget target, FencingPlan plan, Deadline deadline, StepLog log) {
    this.fencer = fencer;
    this.target = target;
    this.plan = plan;
    this.deadline = deadline;
    this.log = log;
  }

  PowerOnOutcome run() {
    for (int i = plan.levels().size() - 1; i >= 0; i--) {
      int level = i + 1;
      var share = deadline.share(level);
      try {
        var results =
            fencer.onEach(plan.levels().get(i).devices(), spec -> switchOn(spec, level, share));
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
          // this level tells more about the host: an outlet may be on and the host off
          on.clear();
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

  private PowerReading switchOn(DeviceSpec spec, int level, Deadline until)
      throws InterruptedException {
    PowerDevice device;
    try {
      device = fencer.kinds().open(spec);
    } catch (FencingConfigException e) {
      return fencer.unknown(spec, e.getMessage());
    }
    try (device) {
      return switchOn(device, spec, level, until);
    }
  }

  private PowerReading switchOn(PowerDevice device, DeviceSpec spec, int level, Deadline until)
      throws InterruptedException {
    if (fencer.findings().identity(target, spec, device, until)
        instanceof DeviceIdentity.Different(var alarm)) {
      log.add(level, spec.name(), FencingStep.Kind.WRONG_HOST, alarm);
      return fencer.unknown(spec, alarm);
    }
    var pause = new Backoff();
    boolean accepted = false;
    var last = fencer.unknown(spec, "there was no time left to ask it");
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
            last = fencer.unknown(spec, result.reason());
          }
          case SwitchResult.NeedsOperator result -> {
            log.add(level, spec.name(), FencingStep.Kind.NEEDS_OPERATOR, result.instructions());
            return fencer.unknown(spec, result.instructions());
          }
        }
      }
      if (accepted && until.left().isPositive()) {
        last = fencer.readings().read(device, spec, until.left(), false);
        if (last instanceof PowerReading.On reading) {
          log.add(level, spec.name(), FencingStep.Kind.READ_ON, reading.evidence());
          return reading;
        }
      }
      pause.sleep(until);
    }
    return last;
  }
}
