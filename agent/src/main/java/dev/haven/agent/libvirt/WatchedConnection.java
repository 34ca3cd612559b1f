package dev.haven.agent.libvirt;

import com.sun.jna.Pointer;
import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.Hypervisor.Link;
import dev.haven.agent.libvirt.Session.Result;
import dev.haven.agent.libvirt.Session.Work;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.libvirt.jna.ConnectionPointer;
import org.libvirt.jna.DomainPointer;
import org.libvirt.jna.Libvirt;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The watched connection: it hears libvirt's events, answers quick questions, and shows whether
 * libvirt is there.
 *
 * <pre>
 *   away ──opened, events registered──► up
 *     ▲                                  │
 *     └──closed by libvirtd, or a question unanswered──┘   opened again after 0.1 s, then 0.2 s, … 2 s
 * </pre>
 *
 * Events pass from libvirt's loop through a bounded queue to one thread that calls the listener.
 */
final class WatchedConnection implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(WatchedConnection.class);
  private static final Duration RETRY_MIN = Duration.ofMillis(100);
  private static final Duration RETRY_MAX = Duration.ofSeconds(2);

  /** Some minutes of the busiest host; beyond it the listener is told to look for itself. */
  private static final int QUEUE = 1024;

  // libvirt may call a function pointer once more while it is being deregistered: callbacks live as
  // long as the process
  private static final Set<Object> CALLBACKS = ConcurrentHashMap.newKeySet();

  private final String uri;
  private final Hypervisor.Listener listener;
  private final Consumer<DomainEvent> early;
  private final Predicate<String> ordered;
  private final BlockingQueue<DomainEvent> queue = new LinkedBlockingQueue<>(QUEUE);
  private final AtomicInteger missed = new AtomicInteger();
  private final CountDownLatch closed = new CountDownLatch(1);
  private final ReentrantLock asking = new ReentrantLock();
  private final Libvirt.VirConnectDomainEventCallback lifecycle = this::lifecycle;
  private final Libvirt.VirConnectDomainEventGenericCallback rebooted = this::rebooted;
  private final Native.WatchdogCallback watchdog = this::watchdog;
  private final Native.IoErrorCallback ioError = this::ioError;
  private final Native.JobCompletedCallback jobCompleted = this::jobCompleted;
  private final Libvirt.VirConnectCloseFunc closeCallback = this::closed;
  private volatile Link link;
  private volatile @Nullable Current current;

  /** The session in use, and the future that ends it with a reason. */
  private record Current(Session session, CompletableFuture<String> broken) {}

  /**
   * @param early hears events before the listener does, on libvirt's loop; must not block
   * @param ordered whether this host was ordered to run a guest of that name
   */
  WatchedConnection(
      String uri,
      Hypervisor.Listener listener,
      Consumer<DomainEvent> early,
      Predicate<String> ordered) {
    this.uri = uri;
    this.listener = listener;
    this.early = early;
    this.ordered = ordered;
    this.link = new Link.Away(Instant.now(), "not connected yet");
    CALLBACKS.addAll(List.of(lifecycle, rebooted, watchdog, ioError, jobCompleted, closeCallback));
  }

  /**
   * @param connected run after each connecting, before anybody waits for it
   */
  void start(Runnable connected) {
    Thread.ofPlatform().daemon().name("libvirt-watch").start(() -> keepConnected(connected));
    Thread.ofPlatform().daemon().name("libvirt-events").start(this::tell);
  }

  Link link() {
    return link;
  }

  /** Another connection to the same libvirt. */
  CompletableFuture<Session> open(Work<Runnable> setUp) {
    return Session.open(uri, ordered, setUp);
  }

  /** A quick question, one at a time. */
  <T> Result<T> ask(Work<T> question, Duration within) {
    var deadline = System.nanoTime() + within.toNanos();
    try {
      if (!asking.tryLock(within.toNanos(), TimeUnit.NANOSECONDS)) {
        return new Result.Unsent<>("other questions took " + within.toMillis() + " ms");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Result.Unsent<>("interrupted");
    }
    try {
      var now = current;
      if (now == null) {
        return new Result.Unsent<>(awayReason());
      }
      var left = Duration.ofNanos(Math.max(deadline - System.nanoTime(), 1));
      var result = now.session.run(question, left);
      if (result instanceof Result.Lost<T>(var reason)) {
        // before the next question, not when the other thread comes around to it
        lose(now, reason);
      }
      return result;
    } finally {
      asking.unlock();
    }
  }

  String awayReason() {
    return switch (link) {
      case Link.Away(var since, var reason) -> "libvirt is away since " + since + ": " + reason;
      case Link.Up _ -> "libvirt is being reconnected";
    };
  }

  private void lose(Current lost, String reason) {
    synchronized (this) {
      if (current == lost) {
        current = null;
        link = new Link.Away(Instant.now(), reason);
      }
    }
    lost.broken.complete(reason);
  }

  private void keepConnected(Runnable connected) {
    var retry = RETRY_MIN;
    while (closed.getCount() > 0) {
      try {
        if (Session.HELD.get() >= Sessions.MOST_HELD) {
          away(Sessions.MOST_HELD + " calls hang in libvirt; no more are begun");
          if (closed.await(RETRY_MAX.toMillis(), TimeUnit.MILLISECONDS)) {
            return;
          }
          continue;
        }
        var session = open(this::register).get();
        var opened = new Current(session, new CompletableFuture<>());
        synchronized (this) {
          if (closed.getCount() == 0) {
            session.close();
            return;
          }
          current = opened;
          link = new Link.Up(Instant.now());
        }
        log.info("connected to libvirt at {}", uri);
        nudge();
        connected.run();
        retry = RETRY_MIN;
        if (!session.alive()) {
          lose(
              opened,
              "closed right after it was opened"); // the callback came before `current` was set
        }
        var reason = opened.broken.get();
        log.warn("libvirt is away: {}", reason);
        session.close(); // nothing to do where it was abandoned
        nudge();
      } catch (ExecutionException | RuntimeException e) {
        if (e instanceof ExecutionException refused) {
          away("cannot connect: " + Session.asError(refused).message());
        } else {
          log.error("a fault of Haven's own; libvirt is connected to again", e);
          away("a fault of Haven's own: " + e);
        }
        try {
          if (closed.await(retry.toMillis(), TimeUnit.MILLISECONDS)) {
            return;
          }
        } catch (InterruptedException interrupted) {
          return;
        }
        retry = retry.multipliedBy(2).compareTo(RETRY_MAX) < 0 ? retry.multipliedBy(2) : RETRY_MAX;
      } catch (InterruptedException e) {
        return; // only our own close() does that, and it has set `closed`
      }
    }
  }

  private void away(String reason) {
    synchronized (this) {
      var since = link instanceof Link.Away(var first, _) ? first : Instant.now();
      link = new Link.Away(since, reason);
    }
    nudge();
  }

  private Runnable register(Session session) throws LibvirtError {
    var api = session.api();
    var connection = session.connection();
    var ids = new ArrayList<Integer>();
    Runnable tearDown =
        () -> {
          ids.forEach(id -> api.virConnectDomainEventDeregisterAny(connection, id));
          api.virConnectUnregisterCloseCallback(connection, closeCallback);
        };
    try {
      session.check(api.virConnectRegisterCloseCallback(connection, closeCallback, null, null));
      ids.add(session.check(on(session, Native.EVENT_LIFECYCLE, lifecycle)));
      // not every driver has these; what they lack shows in domains()
      for (var more :
          List.of(
              Native.EVENT_REBOOT,
              Native.EVENT_WATCHDOG,
              Native.EVENT_IO_ERROR_REASON,
              Native.EVENT_JOB_COMPLETED)) {
        var callback =
            switch (more) {
              case Native.EVENT_REBOOT -> rebooted;
              case Native.EVENT_WATCHDOG -> watchdog;
              case Native.EVENT_IO_ERROR_REASON -> ioError;
              default -> jobCompleted;
            };
        var id = on(session, more, callback);
        if (id >= 0) {
          ids.add(id);
        } else {
          log.info("no event {} from this driver: {}", more, session.lastError().message());
        }
      }
      return tearDown;
    } catch (LibvirtError e) {
      tearDown.run();
      throw e;
    }
  }

  private static int on(Session session, int event, Libvirt.VirDomainEventCallback callback) {
    return session
        .api()
        .virConnectDomainEventRegisterAny(session.connection(), null, event, callback, null, null);
  }

  // ---- on libvirt's event loop: nothing here may wait or call libvirtd ----

  private int lifecycle(
      ConnectionPointer connection,
      DomainPointer domain,
      int event,
      int detail,
      @Nullable Pointer opaque) {
    if (States.known(event)) {
      hear(
          new DomainEvent.Changed(
              Instant.now(), name(domain), States.change(event), States.why(event, detail)));
    }
    return 0;
  }

  private void rebooted(
      ConnectionPointer connection, DomainPointer domain, @Nullable Pointer opaque) {
    hear(new DomainEvent.Rebooted(Instant.now(), name(domain)));
  }

  private void watchdog(
      ConnectionPointer connection, DomainPointer domain, int action, @Nullable Pointer opaque) {
    hear(
        new DomainEvent.WatchdogFired(
            Instant.now(),
            name(domain),
            EventLoop.libvirt().virDomainGetID(domain), // came with the event, as the name did
            States.watchdog(action)));
  }

  private void ioError(
      ConnectionPointer connection,
      DomainPointer domain,
      @Nullable String path,
      @Nullable String alias,
      int action,
      @Nullable String reason,
      @Nullable Pointer opaque) {
    hear(
        new DomainEvent.IoError(
            Instant.now(),
            name(domain),
            Objects.requireNonNullElse(alias, ""),
            Objects.requireNonNullElse(path, ""),
            action == 1,
            "enospc".equals(reason)));
  }

  private void jobCompleted(
      ConnectionPointer connection,
      DomainPointer domain,
      Pointer params,
      int count,
      @Nullable Pointer opaque) {
    var stats = TypedParams.numbers(params, count);
    hear(
        new DomainEvent.JobCompleted(
            Instant.now(),
            name(domain),
            stats.getOrDefault("success", 1L) != 0,
            Duration.ofMillis(stats.getOrDefault("time_elapsed", 0L)),
            Duration.ofMillis(stats.getOrDefault("downtime", 0L)),
            stats.getOrDefault("data_processed", 0L)));
  }

  private void closed(ConnectionPointer connection, int reason, @Nullable Pointer opaque) {
    var now = current;
    if (now != null && now.session.connection().equals(connection)) {
      lose(
          now,
          switch (reason) {
            case 1 -> "libvirtd closed the connection";
            case 2 -> "libvirtd did not answer keepalives";
            default -> "the connection broke (reason " + reason + ")";
          });
    }
  }

  private static String name(DomainPointer domain) {
    return EventLoop.libvirt().virDomainGetName(domain); // local, asks nobody
  }

  private void hear(DomainEvent event) {
    early.accept(event);
    if (!queue.offer(event)) {
      missed.incrementAndGet();
    }
  }

  // ---- towards the listener ----

  /** Wakes the listener's thread, which compares the link with what it told last. */
  private void nudge() {
    var _ = queue.offer(new DomainEvent.Missed(Instant.now(), 0));
  }

  private void tell() {
    Link told = link;
    while (closed.getCount() > 0) {
      try {
        var event = queue.poll(1, TimeUnit.SECONDS);
        var now = link;
        if (!now.equals(told)) {
          told = now;
          listener.link(now);
        }
        var lost = missed.getAndSet(0);
        if (lost > 0) {
          listener.heard(new DomainEvent.Missed(Instant.now(), lost));
        }
        if (event != null && !(event instanceof DomainEvent.Missed)) {
          listener.heard(event);
        }
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        log.error("the listener broke on an event; it goes on with the next", e);
      }
    }
  }

  @Override
  public void close() {
    @Nullable Current now;
    synchronized (this) {
      closed.countDown();
      now = current;
    }
    if (now != null) {
      lose(now, "closed by the agent");
    }
  }
}
