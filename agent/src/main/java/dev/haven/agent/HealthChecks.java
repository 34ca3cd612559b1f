package dev.haven.agent;

import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.DomainEvent.WatchdogAction;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.Hypervisor.Domain;
import dev.haven.agent.guest.Hypervisor.Ping;
import dev.haven.model.AgentPing;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestHealth;
import dev.haven.model.GuestHealth.Verdict;
import dev.haven.model.GuestId;
import dev.haven.model.wire.ToAgent;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether the guests that run here are well: pings the guest agents that the leader names, and
 * hears the guests' watchdogs. Says what it found with the next report, and does nothing about it.
 *
 * <pre>
 *   unknown ──it answers──► healthy ──it misses, so often in a row──► unhealthy
 *      ▲                      │ ▲                                        │
 *      └── the guest boots ───┘ └───────────── it answers ───────────────┘
 *          or is restarted
 * </pre>
 *
 * A ping counts as missed only while the guest runs undisturbed and keeps its agent's port open,
 * and only after its agent has answered since it booted. A watchdog that fires counts until the
 * guest boots. All of this is of one process of this agent: the next one begins with unknown.
 */
final class HealthChecks implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(HealthChecks.class);

  /** As many pings at once as libvirt has connections for them. */
  private static final int THREADS = 4;

  /** libvirt gives an agent up by itself after 10 s. */
  private static final Duration PING = Duration.ofSeconds(15);

  /** A reset is told for so long. */
  private static final Duration RESET_TOLD = Duration.ofHours(1);

  /** What was seen of one turn of a guest. Guarded by the lock. */
  private static final class Turn {
    final int id;
    boolean answered;
    int misses;
    boolean unhealthy;
    Optional<DomainEvent.WatchdogFired> fired = Optional.empty();

    Turn(int id) {
      this.id = id;
    }

    void boots() {
      answered = false;
      misses = 0;
      unhealthy = false;
      fired = fired.filter(f -> f.action() == WatchdogAction.RESET);
    }
  }

  private final Object lock = new Object();
  private final Map<String, Turn> turns = new HashMap<>();
  private final Set<GuestId> scheduled = new HashSet<>();
  private SortedMap<GuestId, AgentPing> pings = new TreeMap<>();
  private SortedMap<Exclusive, Epoch> given = new TreeMap<>();
  private final Hypervisor hypervisor;
  private final Runnable changed;
  private final ScheduledThreadPoolExecutor pool;

  /**
   * @param changed called when a guest is to be reported again
   */
  HealthChecks(Hypervisor hypervisor, Runnable changed) {
    this.hypervisor = hypervisor;
    this.changed = changed;
    this.pool =
        new ScheduledThreadPoolExecutor(
            THREADS, Thread.ofPlatform().daemon().name("ping-", 1).factory());
  }

  /** The leader says which guests are here, and which of them are to be asked. */
  void told(ToAgent.Leased leased) {
    synchronized (lock) {
      given = leased.exclusives();
      pings = leased.pings().orElseGet(TreeMap::new);
      for (var guest : pings.keySet()) {
        if (!pool.isShutdown() && scheduled.add(guest)) {
          pool.execute(() -> ask(guest));
        }
      }
    }
  }

  /** Hears an event of libvirt's; does not wait. */
  void heard(DomainEvent event) {
    synchronized (lock) {
      switch (event) {
        case DomainEvent.WatchdogFired fired -> {
          log.warn("domain {}: its watchdog fired ({})", fired.domain(), fired.action());
          turn(fired.domain(), fired.id()).fired = Optional.of(fired);
        }
        case DomainEvent.Rebooted rebooted -> {
          var turn = turns.get(rebooted.domain());
          if (turn != null) {
            turn.boots();
          }
        }
        case DomainEvent.Changed changed -> {
          var turn = turns.get(changed.domain());
          if (turn != null) {
            turn.misses = 0; // paused or moved meanwhile: counted again
            if (changed.change() == DomainEvent.Change.RESUMED) { // somebody has looked at it
              turn.fired = turn.fired.filter(f -> f.action() != WatchdogAction.PAUSE);
            }
          }
          if (changed.change() == DomainEvent.Change.STOPPED) {
            turns.remove(changed.domain());
          }
        }
        case DomainEvent.IoError _, DomainEvent.JobCompleted _, DomainEvent.Missed _ -> {}
      }
    }
  }

  /** What is known of a domain as libvirt has it now. */
  Optional<GuestHealth> of(Domain domain) {
    synchronized (lock) {
      var turn = turns.get(domain.name());
      if (domain.id() < 0 || turn == null || turn.id != domain.id()) {
        return asked(domain)
            .map(_ -> new GuestHealth(Verdict.UNKNOWN, "its guest agent has not answered yet"));
      }
      var fired = turn.fired;
      if (fired.isPresent() && fired.get().action() != WatchdogAction.RESET) {
        return Optional.of(new GuestHealth(Verdict.UNHEALTHY, words(fired.get())));
      }
      var ping = asked(domain);
      if (ping.isPresent() && turn.unhealthy) {
        return Optional.of(
            new GuestHealth(
                Verdict.UNHEALTHY,
                "its guest agent has missed %d pings in a row".formatted(ping.get().misses())));
      }
      if (fired.filter(f -> Instant.now().isBefore(f.at().plus(RESET_TOLD))).isPresent()) {
        return Optional.of(new GuestHealth(Verdict.RESET, words(fired.get())));
      }
      return ping.map(
          _ ->
              turn.answered
                  ? new GuestHealth(Verdict.HEALTHY, "its guest agent answers")
                  : new GuestHealth(
                      Verdict.UNKNOWN, "its guest agent has not answered since it booted"));
    }
  }

  private Optional<AgentPing> asked(Domain domain) {
    return pings.entrySet().stream()
        .filter(e -> e.getKey().value().equals(domain.name()))
        .findFirst()
        .map(Map.Entry::getValue);
  }

  private static String words(DomainEvent.WatchdogFired fired) {
    return "its watchdog fired at %s, and QEMU %s"
        .formatted(
            fired.at().truncatedTo(ChronoUnit.SECONDS),
            switch (fired.action()) {
              case NONE -> "left it as it is";
              case RESET -> "has reset it";
              case PAUSE, POWEROFF, SHUTDOWN, DUMP, INJECT_NMI, UNKNOWN ->
                  "did what it was told (%s)"
                      .formatted(fired.action().name().toLowerCase(Locale.ROOT).replace('_', '-'));
            });
  }

  private void ask(GuestId guest) {
    try {
      ping(guest);
    } catch (RuntimeException e) {
      log.error("a fault of ours in a ping of guest {}", guest, e);
    }
    synchronized (lock) {
      var wish = pings.get(guest);
      if (wish == null || pool.isShutdown()) {
        scheduled.remove(guest);
      } else {
        pool.schedule(() -> ask(guest), wish.period().toNanos(), TimeUnit.NANOSECONDS);
      }
    }
  }

  /** Once; blocks for as long as libvirt waits for the guest's agent. */
  void ping(GuestId guest) {
    Epoch epoch;
    synchronized (lock) {
      if (!pings.containsKey(guest)) {
        return;
      }
      epoch = given.getOrDefault(guest, Epoch.NONE);
    }
    var ping = hypervisor.ping(guest.value(), epoch.value(), PING);
    log.debug("guest {}: {}", guest, ping);
    record(guest, ping);
  }

  private void record(GuestId guest, Ping ping) {
    synchronized (lock) {
      var wish = pings.get(guest);
      if (wish == null) {
        return;
      }
      switch (ping) {
        case Ping.Answered(int id) -> {
          var turn = turn(guest.value(), id);
          if (turn.unhealthy) {
            log.info("guest {}: its guest agent answers again", guest);
          }
          boolean news = turn.unhealthy || !turn.answered;
          turn.answered = true;
          turn.misses = 0;
          turn.unhealthy = false;
          if (!news) {
            return;
          }
        }
        case Ping.Missed(int id) -> {
          var turn = turn(guest.value(), id);
          if (!turn.answered || turn.unhealthy || ++turn.misses < wish.misses()) {
            return;
          }
          turn.unhealthy = true;
          log.warn("guest {}: its guest agent has missed {} pings in a row", guest, turn.misses);
        }
        case Ping.NotAsked _ -> {
          var turn = turns.get(guest.value());
          if (turn == null) {
            return;
          }
          boolean news = turn.unhealthy;
          turn.misses = 0;
          turn.unhealthy = false;
          if (!news) {
            return;
          }
        }
      }
    }
    changed.run();
  }

  /** A turn of another number is over, or has not been met yet. */
  private Turn turn(String domain, int id) {
    var turn = turns.get(domain);
    if (turn == null || turn.id != id) {
      turn = new Turn(id);
      turns.put(domain, turn);
    }
    return turn;
  }

  @Override
  public void close() {
    pool.shutdownNow();
  }
}
