package dev.haven.core.obey;

import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent.OrderFrame;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Which order is done now and which waits: those for one guest one after another, those for
 * different guests side by side. Safe for several threads, and has none.
 *
 * <p>Whether an order may still be obeyed is asked of the {@link Refusals} when it comes, and again
 * when its turn has come, right before anything is touched. One that is given again while it waits
 * or runs is done once, and every time it was given is answered. The thread that takes a lane does
 * its orders:
 *
 * <pre>
 *   take ──Lane──▶ next ──▶ refused? ──▶ (obey) ──▶ ended ──▶ next …  until next is empty
 * </pre>
 */
public final class Lanes {
  /** Waiting orders in all; the leader bounds what it gives, so more is a mistake of somebody. */
  static final int WAITING = 2_000;

  /** One order, or the same given several times. */
  public static final class Work {
    private final Order order;

    /** Whether it waits for no other order of its guest. */
    private final boolean aside;

    /** Of the newest leader who gave it. */
    private volatile long term;

    private volatile long generation;

    /** Guarded by the lanes, as all below but the volatile ones. */
    private final List<Long> numbers = new ArrayList<>();

    private int answered;
    private boolean running;
    private volatile boolean hurried;
    private volatile boolean aborted;

    private Work(OrderFrame frame, boolean aside) {
      this.order = frame.what();
      this.aside = aside;
      this.term = frame.term();
      this.generation = frame.generation();
      numbers.add(frame.order());
    }

    public Order order() {
      return order;
    }

    public long term() {
      return term;
    }

    /** It should not wait for the guest's own shutdown any longer. */
    public boolean hurried() {
      return hurried;
    }

    /** A migration should not begin any more. */
    public boolean aborted() {
      return aborted;
    }
  }

  /** What is to be done about an order that has come. */
  public sealed interface Step {
    /** It is answered at once: nothing is done. */
    record Answered(OrderFrame frame, Answer answer) implements Step {}

    /** It is done now, whatever else is under way for its guest. */
    record Aside(Work work) implements Step {}

    /** Somebody has to do the orders of this guest's lane, from {@link #next} on. */
    record Lane(Exclusive of) implements Step {}

    /** A migration that is under way is to be called off now. */
    record CallOff(GuestId guest, Epoch epoch) implements Step {}
  }

  private final Refusals book;
  private final Map<Exclusive, ArrayDeque<Work>> lanes = new HashMap<>();
  private int waiting;

  public Lanes(Refusals book) {
    this.book = book;
  }

  /**
   * An order has come.
   *
   * @return in this order; nothing if it waits behind others or is the same as one of them
   */
  public List<Step> take(OrderFrame frame) {
    var refused = unheard(frame.term(), frame.generation()); // may wait for the disk
    return refused.isPresent() ? List.of(new Step.Answered(frame, refused.get())) : taken(frame);
  }

  private synchronized List<Step> taken(OrderFrame frame) {
    if (waiting >= WAITING) {
      return List.of(
          new Step.Answered(
              frame, new Answer.Failed("this agent has %d orders waiting".formatted(waiting))));
    }
    var of = frame.what().exclusive();
    var lane = lanes.get(of);
    if (frame.what() instanceof Order.AbortMigration) {
      if (lane != null) {
        lane.forEach(work -> work.aborted |= work.order instanceof Order.MigrateOut);
      }
      waiting++;
      return List.of(new Step.Aside(new Work(frame, true)));
    }
    boolean idle = lane == null; // a lane that is there is somebody's, even one that is empty
    if (lane == null) {
      lane = new ArrayDeque<>();
      lanes.put(of, lane);
    }
    var steps = new ArrayList<Step>();
    for (var work : lane) {
      hurry(work, frame.what()).ifPresent(steps::add);
      if (same(work.order, frame.what())) {
        if (!work.numbers.contains(frame.order())) {
          work.numbers.add(frame.order());
        }
        // a newer leader wants it too: it is not refused for being the older one's
        work.term = Math.max(work.term, frame.term());
        work.generation = Math.max(work.generation, frame.generation());
        return steps;
      }
    }
    waiting++;
    lane.addLast(new Work(frame, false));
    if (idle) {
      steps.add(new Step.Lane(of));
    }
    return steps;
  }

  /**
   * The leader has said which guests this host is given, thus which orders may come. What must be
   * on disk before such an order is obeyed is to be written now, so that a guest that arrives
   * paused does not wait for it.
   *
   * @return of which guests the epoch is to be noted; then their lanes are to be done
   */
  public synchronized Map<Exclusive, Epoch> expect(Map<Exclusive, Epoch> given) {
    var unknown = new TreeMap<Exclusive, Epoch>();
    given.forEach(
        (of, epoch) -> {
          if (!book.seen(of, epoch) && lanes.putIfAbsent(of, new ArrayDeque<>()) == null) {
            unknown.put(of, epoch);
          }
        });
    return unknown;
  }

  /**
   * The order of this guest whose turn it is. Asked by the thread that has the guest's lane, once
   * the last one has {@linkplain #ended ended}.
   *
   * @return empty if there is none: the lane is nobody's from now on
   */
  public synchronized Optional<Work> next(Exclusive of) {
    var lane = lanes.get(of);
    if (lane == null || lane.isEmpty()) {
      lanes.remove(of);
      return Optional.empty();
    }
    var work = lane.getFirst();
    work.running = true;
    return Optional.of(work);
  }

  /**
   * Asked right before an order is obeyed.
   *
   * @return the answer to it if it must not be obeyed any more
   */
  public Optional<Answer> refused(Work work) {
    return unheard(work.term, work.generation);
  }

  /** The number by which this order is known to the newest leader that gave it. */
  public synchronized long number(Work work) {
    return work.numbers.getLast();
  }

  /**
   * Its answer is certain, though it has not ended.
   *
   * @return the numbers that are to be answered now
   */
  public synchronized List<Long> answered(Work work) {
    var numbers = List.copyOf(work.numbers.subList(work.answered, work.numbers.size()));
    work.answered = work.numbers.size();
    return numbers;
  }

  /**
   * It has ended: from here on the same order given again is a new one.
   *
   * @return the numbers that are to be answered now
   */
  public synchronized List<Long> ended(Work work) {
    waiting--;
    if (!work.aside) {
      var lane = lanes.get(work.order.exclusive());
      if (lane != null) {
        lane.removeFirst();
      }
    }
    return answered(work);
  }

  /**
   * Nothing was done, because what must be noted first could not be.
   *
   * @param what could not be noted
   */
  public static Answer notNoted(String what, IOException e) {
    return new Answer.NotNoted(
        "nothing was done: %s (%s). Look at the disk of this host's agent (its data directory)"
            .formatted(what, e.getMessage()));
  }

  /**
   * Why an order of this term and generation must not be obeyed; empty if it may be. One whose term
   * cannot be remembered must not either: after its restart this agent would obey an older leader.
   */
  private Optional<Answer> unheard(long term, long generation) {
    try {
      return book.meet(term, generation).map(Answer.Refused::new);
    } catch (IOException e) {
      return Optional.of(
          notNoted("term %d of the leader cannot be noted on disk".formatted(term), e));
    }
  }

  /** A later order may mean that an earlier one should not take its time. */
  private static Optional<Step> hurry(Work work, Order later) {
    return switch (later) {
      case Order.StopGuest stop -> {
        work.hurried |= work.order instanceof Order.StopGuest && stop.grace().isZero();
        yield Optional.empty();
      }
      case Order.ConfirmGone gone when gone.destroy() -> {
        work.hurried = true;
        if (work.order instanceof Order.MigrateOut m && work.running) {
          work.aborted = true;
          yield Optional.of(new Step.CallOff(m.guest(), m.epoch()));
        }
        yield Optional.empty();
      }
      case Order.ConfirmGone _,
          Order.StartGuest _,
          Order.Precheck _,
          Order.MigrateOut _,
          Order.AbortMigration _,
          Order.ResumeGuest _,
          Order.PauseGuest _,
          Order.ForgetGuest _ ->
          Optional.empty();
    };
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
}
