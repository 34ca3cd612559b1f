package dev.haven.agent.guest;

import dev.haven.core.obey.Lanes;
import dev.haven.core.obey.Lanes.Work;
import dev.haven.core.obey.Refusals;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent.OrderFrame;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;

/** The threads that do the orders of the {@link Lanes}, and what is said about each. */
public final class Orders {
  /** Enough for an evacuation by shutdown: each such guest keeps a thread until it is off. */
  private static final int THREADS = 64;

  private final Lanes lanes;
  private final GuestKeeper keeper;
  private final Consumer<FromAgent> answers;
  private final Executor workers;
  private final Executor urgent;
  private final Logger log;

  /**
   * @param workers a thread for each lane that has work, as far as there are any
   * @param urgent for what must not wait for those, such as calling a migration off
   */
  public Orders(
      Refusals book,
      GuestKeeper keeper,
      Consumer<FromAgent> answers,
      Executor workers,
      Executor urgent,
      Logger log) {
    this.lanes = new Lanes(book);
    this.keeper = keeper;
    this.answers = answers;
    this.workers = workers;
    this.urgent = urgent;
    this.log = log;
  }

  /** Threads for {@code workers}. */
  public static ThreadPoolExecutor workers() {
    return pool("order", THREADS);
  }

  /** Threads for {@code urgent}. */
  public static ThreadPoolExecutor urgent() {
    return pool("abort", 2);
  }

  private static ThreadPoolExecutor pool(String name, int threads) {
    var pool =
        new ThreadPoolExecutor(
            threads,
            threads,
            30,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(), // bounded by the lanes
            Thread.ofPlatform().daemon().name(name + "-", 1).factory());
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  /** Takes an order and returns at once; the answer follows. */
  public void take(OrderFrame frame) {
    for (var step : lanes.take(frame)) {
      switch (step) {
        case Lanes.Step.Answered s -> answer(List.of(frame.order()), frame.what(), s.answer());
        case Lanes.Step.Aside s -> urgent.execute(() -> run(s.work()));
        case Lanes.Step.Lane s -> workers.execute(() -> runLane(s.of()));
        case Lanes.Step.CallOff s -> urgent.execute(() -> keeper.abort(s.guest(), s.epoch()));
      }
    }
  }

  /** The leader has said what this host is given. */
  public void expect(Map<Exclusive, Epoch> given) {
    lanes.expect(given).forEach((of, epoch) -> workers.execute(() -> admit(of, epoch)));
  }

  private void admit(Exclusive of, Epoch epoch) {
    try {
      switch (of) {
        case GuestId guest -> keeper.expect(guest, epoch);
      }
    } catch (IOException e) {
      log.warn("guest {}: epoch {} cannot be remembered yet: {}", of, epoch, e.toString());
    }
    runLane(of);
  }

  private void runLane(Exclusive of) {
    for (var work = lanes.next(of); work.isPresent(); work = lanes.next(of)) {
      run(work.get());
    }
  }

  private void run(Work work) {
    var answer = obey(work);
    answer(lanes.ended(work), work.order(), answer);
  }

  private Answer obey(Work work) {
    try {
      var refused = lanes.refused(work);
      if (refused.isPresent()) {
        return refused.get();
      }
      return keeper.obey(
          work,
          new GuestKeeper.Watch() {
            @Override
            public void progress(Hypervisor.MigrationProgress progress) {
              report(work, progress);
            }

            @Override
            public void early(Answer answer) {
              answer(lanes.answered(work), work.order(), answer);
            }
          });
    } catch (IOException e) {
      return Lanes.notNoted("it cannot be noted on disk", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Answer.Unknown("the agent is stopping");
    } catch (RuntimeException e) {
      log.error("a fault of ours in {}", work.order(), e);
      return new Answer.Unknown("a fault in the agent: " + e);
    }
  }

  private void report(Work work, Hypervisor.MigrationProgress p) {
    switch (work.order()) {
      case Order.OfGuest o ->
          answers.accept(
              new FromAgent.Progress(
                  FromAgent.VERSION,
                  lanes.number(work),
                  o.guest(),
                  p.memoryTotal(),
                  p.memoryRemaining(),
                  p.rate()));
    }
  }

  private void answer(List<Long> numbers, Order order, Answer answer) {
    if (answer instanceof Answer.NotNoted a) {
      log.error("guest {}: {}: {}", order.exclusive(), kind(order), a.reason());
    } else {
      log.info("guest {}: {}: {}", order.exclusive(), kind(order), answer);
    }
    for (long number : numbers) {
      answers.accept(new FromAgent.AnswerFrame(FromAgent.VERSION, number, answer));
    }
  }

  private static String kind(Order order) {
    return "%s (epoch %s)".formatted(order.getClass().getSimpleName(), epoch(order));
  }

  private static Epoch epoch(Order order) {
    return switch (order) {
      case Order.StartGuest o -> o.epoch();
      case Order.StopGuest o -> o.epoch();
      case Order.ConfirmGone o -> o.refuse();
      case Order.Precheck o -> o.epoch();
      case Order.MigrateOut o -> o.epoch();
      case Order.AbortMigration o -> o.epoch();
      case Order.ResumeGuest o -> o.epoch();
      case Order.PauseGuest o -> o.epoch();
      case Order.ForgetGuest o -> o.epoch();
    };
  }
}
