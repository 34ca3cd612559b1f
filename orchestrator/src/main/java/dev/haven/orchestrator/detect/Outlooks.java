package dev.haven.orchestrator.detect;

import dev.haven.core.ha.Event;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Looks at one host for someone who waits for the answer. */
final class Outlooks {
  private Outlooks() {}

  /** What both said, as far as they did. */
  record Said(Event.Echo kernel, Event.Power power) {}

  /**
   * Asks both at once. What has not answered in time says nothing for or against the host: a hung
   * power device must not keep an operator from giving their word.
   *
   * @param kernel whether the host's kernel answers
   * @param within for both together
   */
  static Said of(Callable<Boolean> kernel, Callable<Event.Power> powerDevice, Duration within)
      throws InterruptedException {
    long end = System.nanoTime() + within.toNanos();
    var echo = ask(kernel);
    var says = ask(powerDevice);
    return new Said(
        by(end, echo)
            .map(answers -> answers ? Event.Echo.ANSWERS : Event.Echo.SILENT)
            .orElse(Event.Echo.UNKNOWN),
        by(end, says).orElse(Event.Power.UNREACHABLE));
  }

  private static <T> FutureTask<T> ask(Callable<T> question) {
    var task = new FutureTask<>(question);
    Thread.ofVirtual().name("outlook").start(task);
    return task;
  }

  private static <T> Optional<T> by(long end, FutureTask<T> task) throws InterruptedException {
    try {
      return Optional.of(task.get(Math.max(0, end - System.nanoTime()), TimeUnit.NANOSECONDS));
    } catch (TimeoutException e) {
      return Optional.empty();
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    } finally {
      task.cancel(true);
    }
  }
}
