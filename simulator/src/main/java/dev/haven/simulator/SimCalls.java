package dev.haven.simulator;

import dev.haven.agent.guest.Hypervisor.Answer;
import dev.haven.agent.guest.Hypervisor.Outcome;
import dev.haven.model.GuestId;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.function.Supplier;

/**
 * What every call of an agent to its libvirt has in common: it is done when its turn comes, and the
 * connection may break before the answer.
 */
final class SimCalls {
  /** libvirt's own limit for a call that waits until it is done with another one. */
  private static final long JOB_WAIT_NANOS = 30_000_000_000L;

  private final SimHost host;
  private final Clock clock;
  private final LivedTime time;

  /** Guests of which an order of this process is under way: one after another. */
  private final Set<String> ordered = new HashSet<>();

  SimCalls(SimHost host, LivedTime time) {
    this.host = host;
    this.clock = host.world.clock;
    this.time = time;
  }

  /** No answer came; what was sent may yet be done. */
  static final class Away extends Exception {
    private static final long serialVersionUID = 1;
    final boolean sent;

    Away(boolean sent) {
      super(sent ? "the connection to libvirt broke" : "libvirt is away");
      this.sent = sent;
    }
  }

  interface Steps {
    Outcome take() throws Away;
  }

  /** One answer, or empty if the connection breaks. */
  static <T> BlockingQueue<Optional<T>> answer() {
    return new ArrayBlockingQueue<>(1);
  }

  <T> T await(BlockingQueue<Optional<T>> answer) throws Away {
    try {
      return time.take(answer).orElseThrow(() -> new Away(true));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Away(true);
    }
  }

  void rest(double millis) throws Away {
    try {
      time.sleep(Duration.ofNanos((long) (millis * 1e6)));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Away(true);
    }
  }

  boolean isBoot(int boots) {
    return host.boots == boots && host.machine.power;
  }

  /** A question. */
  <T> T ask(double millis, Supplier<T> what) throws Away {
    if (!host.libvirtUp) {
      throw new Away(false);
    }
    BlockingQueue<Optional<T>> answer = answer();
    int boots = host.boots;
    clock.afterMillis(
        millis,
        () -> {
          boolean there = isBoot(boots) && host.libvirtUp;
          answer.offer(there ? Optional.of(what.get()) : Optional.empty());
        });
    return await(answer);
  }

  <T> Answer<T> answerOf(double millis, Supplier<T> what) {
    try {
      return new Answer.Known<>(ask(millis, what));
    } catch (Away e) {
      return new Answer.Unknown<>(String.valueOf(e.getMessage()));
    }
  }

  /** Does this when libvirt is not at something else with this guest. */
  Outcome change(GuestId guest, Duration within, Supplier<Outcome> what) throws Away {
    if (!host.libvirtUp) {
      throw new Away(false);
    }
    BlockingQueue<Optional<Outcome>> answer = answer();
    int boots = host.boots;
    long limit = clock.nanos() + JOB_WAIT_NANOS;
    clock.afterMillis(clock.between(1, 20), () -> inTurn(guest, boots, limit, what, answer));
    if (occupied(guest)) {
      clock.after(within, () -> answer.offer(Optional.empty()));
    }
    return await(answer);
  }

  private void inTurn(
      GuestId guest,
      int boots,
      long limit,
      Supplier<Outcome> what,
      BlockingQueue<Optional<Outcome>> answer) {
    if (!isBoot(boots) || !host.libvirtUp) {
      answer.offer(Optional.empty());
    } else if (!occupied(guest)) {
      answer.offer(Optional.of(what.get()));
    } else if (clock.nanos() > limit) {
      answer.offer(Optional.of(new Outcome.Failed(68, "cannot acquire state change lock")));
    } else {
      clock.afterMillis(20, () -> inTurn(guest, boots, limit, what, answer));
    }
  }

  boolean occupied(GuestId guest) {
    var here = host.domains.get(guest);
    return here != null && here.occupied();
  }

  /** One order for a guest after another. */
  Outcome order(String name, Duration within, Steps steps) {
    long deadline = clock.nanos() + within.toNanos();
    try {
      while (ordered.contains(name)) {
        if (clock.nanos() >= deadline) {
          return new Outcome.Unavailable("another order for " + name + " is under way");
        }
        rest(20);
      }
      ordered.add(name);
      try {
        return steps.take();
      } finally {
        ordered.remove(name);
      }
    } catch (Away e) {
      return e.sent
          ? new Outcome.Unknown(String.valueOf(e.getMessage()))
          : new Outcome.Unavailable(String.valueOf(e.getMessage()));
    }
  }
}
