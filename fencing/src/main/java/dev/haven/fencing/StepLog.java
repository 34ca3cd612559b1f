package dev.haven.fencing;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** Keeps the steps and passes them on as they happen. */
final class StepLog {
  private final FencingListener listener;
  private final List<FencingStep> steps = new ArrayList<>();

  StepLog(FencingListener listener) {
    this.listener = listener;
  }

  void add(int level, String device, FencingStep.Kind kind, String detail) {
    var step = new FencingStep(Instant.now(), level, device, kind, detail);
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
