package dev.haven.fencing;

import dev.haven.model.Time;
import java.util.ArrayList;
import java.util.List;

/** Keeps the steps and passes them on as they happen. */
final class StepLog {
  private final Time time;
  private final FencingListener listener;
  private final List<FencingStep> steps = new ArrayList<>();

  StepLog(Time time, FencingListener listener) {
    this.time = time;
    this.listener = listener;
  }

  void add(int level, String device, FencingStep.Kind kind, String detail) {
    var step = new FencingStep(time.instant(), level, device, kind, detail);
    synchronized (steps) {
      steps.add(step);
    }
    listener.heard(step);
  }

  List<FencingStep> steps() {
    synchronized (steps) {
      return List.copyOf(steps);
    }
  }
}
