package dev.haven.agent;

import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent.OrderFrame;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Obeys orders: those for one guest one after another, those for different guests side by side.
 *
 * <p>Whether an order may still be obeyed is asked of the {@link OrderBook} when its turn has come,
 * right before anything is touched. One that is given again while it waits or runs is done once,
 * and every time it was given is answered.
 */
final class Orders implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Orders.class);

  /** Enough for an evacuation by shutdown: each such guest keeps a thread until it is off. */
  private static final int THREADS = 64;

  /** Waiting orders in all; the leader bounds what it gives, so more is a mistake of somebody. */
  private static final int WAITING = 2_000;

  /** One order, or the same given several times. */
  static final class Work {
    final Order order;

    /** Of the newest leader who gave it. */
    private volatile long term;

    private volatile long generation;
    private final List<Long> numbers = new ArrayList<>();

    /** Guarded by the orders' lock, as the numbers are. */
    private boolean running;

    private int answered;

    private volatile boolean hurried;
    private volatile boolean aborted;

    Work(OrderFrame frame) {
      this.order = frame.what();
      this.term = frame.term();
      this.generation = frame.generation();
      numbers.add(frame.order());
    }

    /** It should not wait for the guest's own shutdown any longer. */
    boolean hurried() {
      return hurried;
    }

    /** A migration should not begin any more. */
    boolean aborted() {
      return aborted;
    }
  }

  private final OrderBook book;
  private final GuestKeeper keeper;
  private final Consumer<FromAgent> answers;
  private final Object lock = new Object();
  private final Map<GuestId, ArrayDeque<Work>> lanes = new HashMap<>();
  private final ThreadPoolExecutor workers;
  private final ThreadPoolExecutor urgent;
  private int waiting;

  Orders(OrderBook book, GuestKeeper keeper, Consumer<FromAgent> answers) {
    this.book = book;
    this.keeper = keeper;
    this.answers = answers;
    this.workers = pool("order", THREADS);
    this.urgent = pool("abort", 2);
  }

  private static ThreadPoolExecutor pool(String name, int threads) {
    var pool =
        new ThreadPoolExecutor(
            threads,
            threads,
            30,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(), // bounded by WAITING
            Thread.ofPlatform().daemon().name(name + "-", 1).factory());
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  /** Takes an order and returns at once; the answer follows. */
  void take(OrderFrame frame) {
    var refused = unheard(frame.term(), frame.generation());
    if (refused.isPresent()) {
      answer(List.of(frame.order()), frame.what(), refused.get());
      return;
    }
    var guest = frame.what().guest();
    synchronized (lock) {
      if (waiting >= WAITING) {
        answer(
            List.of(frame.order()),
            frame.what(),
            new Answer.Failed("this agent has %d orders waiting".formatted(waiting)));
        return;
      }
      var lane = lanes.get(guest);
      if (frame.what() instanceof Order.AbortMigration) {
        if (lane != null) {
          lane.forEach(work -> work.aborted |= work.order instanceof Order.MigrateOut);
        }
        waiting++;
        urgent.execute(() -> runOne(new Work(frame)));
        return;
      }
      boolean idle = lane == null; // a lane that is there has a thread, even one that is empty
      if (lane == null) {
        lane = new ArrayDeque<>();
        lanes.put(guest, lane);
      }
      for (var work : lane) {
        hurry(work, frame.what());
        if (same(work.order, frame.what())) {
          if (!work.numbers.contains(frame.order())) {
            work.numbers.add(frame.order());
          }
          // a newer leader wants it too: it is not refused for being the older one's
          work.term = Math.max(work.term, frame.term());
          work.generation = Math.max(work.generation, frame.generation());
          return;
        }
      }
      waiting++;
      lane.addLast(new Work(frame));
      if (idle) {
        workers.execute(() -> runLane(guest));
      }
    }
  }

  /**
   * The leader has said which guests this host is given, thus which orders may come. What must be
   * on disk before such an order is obeyed is written now, so that a guest that arrives paused does
   * not wait for it.
   */
  void expect(Map<GuestId, Epoch> guests) {
    guests.forEach(
        (guest, epoch) -> {
          if (!book.seen(guest, epoch)) {
            synchronized (lock) {
              if (lanes.putIfAbsent(guest, new ArrayDeque<>()) == null) {
                workers.execute(() -> admit(guest, epoch));
              }
            }
          }
        });
  }

  private void admit(GuestId guest, Epoch epoch) {
    try {
      keeper.expect(guest, epoch);
    } catch (IOException e) {
      log.warn("guest {}: epoch {} cannot be remembered yet: {}", guest, epoch, e.toString());
    }
    runLane(guest);
  }

  /** A later order may mean that an earlier one should not take its time. */
  private void hurry(Work work, Order later) {
    switch (later) {
      case Order.StopGuest stop ->
          work.hurried |= work.order instanceof Order.StopGuest && stop.grace().isZero();
      case Order.ConfirmGone gone when gone.destroy() -> {
        work.hurried = true;
        if (work.order instanceof Order.MigrateOut m && work.running) {
          work.aborted = true;
          urgent.execute(() -> keeper.abort(m.guest(), m.epoch()));
        }
      }
      case Order.ConfirmGone _,
          Order.StartGuest _,
          Order.Precheck _,
          Order.MigrateOut _,
          Order.AbortMigration _,
          Order.ResumeGuest _,
          Order.PauseGuest _,
          Order.ForgetGuest _ -> {}
    }
  }

  private static boolean same(Order a, Order b) {
    return switch (a) {
      case Order.StopGuest x -> b instanceof Order.StopGuest y && x.epoch().equals(y.epoch());
      case Order.StartGuest x -> b instanceof Order.StartGuest y && x.epoch().equals(y.epoch());
      case Order.MigrateOut x ->
          b instanceof Order.MigrateOut y
              && x.epoch().equals(y.epoch())
              && x.targetEpoch().equals(y.targetEpoch());
      case Order.ConfirmGone _,
          Order.Precheck _,
          Order.AbortMigration _,
          Order.ResumeGuest _,
          Order.PauseGuest _,
          Order.ForgetGuest _ ->
          a.equals(b);
    };
  }

  private void runLane(GuestId guest) {
    while (true) {
      Work work;
      synchronized (lock) {
        var lane = lanes.get(guest);
        if (lane == null || lane.isEmpty()) {
          lanes.remove(guest);
          return;
        }
        work = lane.getFirst();
        work.running = true;
      }
      var answer = obey(work);
      synchronized (lock) {
        // from here on the same order given again is a new one
        var lane = lanes.get(guest);
        if (lane != null) {
          lane.removeFirst();
        }
        waiting--;
      }
      answer(work, answer);
    }
  }

  private void runOne(Work work) {
    var answer = obey(work);
    synchronized (lock) {
      waiting--;
    }
    answer(work, answer);
  }

  private Answer obey(Work work) {
    try {
      var refused = unheard(work.term, work.generation);
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
              answer(work, answer);
            }
          });
    } catch (IOException e) {
      log.error(
          "guest {}: {} cannot be remembered: {}",
          work.order.guest(),
          kind(work.order),
          e.toString());
      return notNoted("it cannot be noted on disk", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Answer.Unknown("the agent is stopping");
    } catch (RuntimeException e) {
      log.error("a fault of ours in {}", work.order, e);
      return new Answer.Unknown("a fault in the agent: " + e);
    }
  }

  /**
   * Why an order of this term and generation must not be obeyed; empty if it may be. One whose term
   * cannot be remembered must not either: after its restart this agent would obey an older leader.
   */
  private Optional<Answer> unheard(long term, long generation) {
    try {
      return book.meet(term, generation).map(Answer.Refused::new);
    } catch (IOException e) {
      log.error("term {} cannot be remembered: {}", term, e.toString());
      return Optional.of(
          notNoted("term %d of the leader cannot be noted on disk".formatted(term), e));
    }
  }

  private static Answer notNoted(String what, IOException e) {
    return new Answer.NotNoted(
        "nothing was done: %s (%s). Look at the disk of this host's agent (its data directory)"
            .formatted(what, e.getMessage()));
  }

  private void report(Work work, Hypervisor.MigrationProgress p) {
    long number;
    synchronized (lock) {
      number = work.numbers.getLast();
    }
    answers.accept(
        new FromAgent.Progress(
            FromAgent.VERSION,
            number,
            work.order.guest(),
            p.memoryTotal(),
            p.memoryRemaining(),
            p.rate()));
  }

  /** Answers every time it was given and has not been answered. */
  private void answer(Work work, Answer answer) {
    List<Long> numbers;
    synchronized (lock) {
      numbers = List.copyOf(work.numbers.subList(work.answered, work.numbers.size()));
      work.answered = work.numbers.size();
    }
    answer(numbers, work.order, answer);
  }

  private void answer(List<Long> numbers, Order order, Answer answer) {
    log.info("guest {}: {}: {}", order.guest(), kind(order), answer);
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

  /** Begins nothing more. What libvirt is at goes on: guests are not touched. */
  @Override
  public void close() {
    workers.shutdownNow();
    urgent.shutdownNow();
  }
}
