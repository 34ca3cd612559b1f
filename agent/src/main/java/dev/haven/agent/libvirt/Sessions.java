package dev.haven.agent.libvirt;

import dev.haven.agent.guest.Hypervisor.Link;
import dev.haven.agent.libvirt.Session.Result;
import dev.haven.agent.libvirt.Session.Work;
import java.time.Duration;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Lends connections to orders, which may take long, so that they wait neither for each other nor
 * for questions.
 */
final class Sessions implements AutoCloseable {
  /** libvirtd works on 20 calls at once by default; a few are left to pauses and other clients. */
  private static final int MOST = 10;

  /** Kept for pauses alone: what hangs in orders keeps no guest from being paused in time. */
  static final int MOST_PAUSES = 8;

  /**
   * Beyond these, something is wrong with libvirtd for good, and more threads in it help nobody.
   */
  static final int MOST_HELD = 16;

  /** An agent that hangs keeps one for 5 s, by libvirt's own limit. */
  private static final int MOST_PINGS = 4;

  private static final int MOST_IDLE = 4;

  private final WatchedConnection watch;
  private final Semaphore permits;
  private final int most;
  private final int mostHeld;
  private final ConcurrentLinkedDeque<Session> idle = new ConcurrentLinkedDeque<>();
  private volatile boolean closed;

  private Sessions(WatchedConnection watch, int most, int mostHeld) {
    this.watch = watch;
    this.most = most;
    this.mostHeld = mostHeld;
    this.permits = new Semaphore(most, true);
  }

  static Sessions forOrders(WatchedConnection watch) {
    return new Sessions(watch, MOST, MOST_HELD);
  }

  /** For pausing guests whose leases have ended: never behind orders, however many of them hang. */
  static Sessions forPauses(WatchedConnection watch) {
    return new Sessions(watch, MOST_PAUSES, MOST_HELD + MOST_PAUSES);
  }

  /**
   * For what may hang in a guest: few, and none once calls hang, so that orders find their place.
   */
  static Sessions forPings(WatchedConnection watch) {
    return new Sessions(watch, MOST_PINGS, MOST_PINGS);
  }

  /**
   * Opens a session for the first order, which may be a guest's resume that every millisecond
   * counts for.
   */
  void warmUp() {
    if (idle.isEmpty()) {
      watch.open(_ -> () -> {}).thenAccept(this::giveBack);
    }
  }

  /** What uses a borrowed session itself; it must not keep it. */
  interface Borrower<T> {
    Result<T> use(Session session);
  }

  <T> Result<T> run(Work<T> work, Duration within) {
    var deadline = System.nanoTime() + within.toNanos();
    return lend(session -> session.run(work, left(deadline)), within);
  }

  /**
   * @param within how long to wait for a session; the borrower has its own limit
   */
  <T> Result<T> lend(Borrower<T> borrower, Duration within) {
    if (!(watch.link() instanceof Link.Up)) {
      return new Result.Unsent<>(watch.awayReason());
    }
    var deadline = System.nanoTime() + within.toNanos();
    try {
      if (!permits.tryAcquire(within.toNanos(), TimeUnit.NANOSECONDS)) {
        return new Result.Unsent<>(most + " other orders keep libvirt busy");
      }
    } catch (InterruptedException e) {
      return interrupted();
    }
    try {
      var session = idleSession();
      if (session == null) {
        if (Session.HELD.get() >= mostHeld) {
          return new Result.Unsent<>(mostHeld + " calls hang in libvirt; no more are begun");
        }
        var opening = watch.open(_ -> () -> {});
        try {
          session = opening.get(left(deadline).toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
          return new Result.Unsent<>("cannot connect to libvirt: " + Session.asError(e).message());
        } catch (TimeoutException e) {
          if (opening.cancel(true)) {
            return new Result.Unsent<>(
                "libvirt accepts no connection in " + within.toMillis() + " ms");
          }
          session = opening.resultNow();
        } catch (InterruptedException e) {
          opening.cancel(true);
          return interrupted();
        }
      }
      var result = borrower.use(session);
      giveBack(session);
      return result;
    } finally {
      permits.release();
    }
  }

  private @Nullable Session idleSession() {
    for (var session = idle.poll(); session != null; session = idle.poll()) {
      if (session.alive()) {
        return session;
      }
      session.close();
    }
    return null;
  }

  private void giveBack(Session session) {
    if (!closed && session.alive() && idle.size() < MOST_IDLE) {
      idle.push(session);
    } else {
      session.close();
    }
  }

  private static <T> Result<T> interrupted() {
    Thread.currentThread().interrupt();
    return new Result.Unsent<>("interrupted");
  }

  private static Duration left(long deadline) {
    return Duration.ofNanos(Math.max(deadline - System.nanoTime(), 1));
  }

  @Override
  public void close() {
    closed = true;
    for (var session = idle.poll(); session != null; session = idle.poll()) {
      session.close();
    }
  }
}
