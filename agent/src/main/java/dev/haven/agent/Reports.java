package dev.haven.agent;

import dev.haven.agent.guest.Changes;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.Hypervisor.HostReport;
import dev.haven.model.Capacity;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.GuestHealth;
import dev.haven.model.wire.FromAgent;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the leader what libvirt has: at once after each event, and every few seconds in case an
 * event was lost. What runs already when this process begins is simply reported.
 */
final class Reports implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Reports.class);
  private static final Duration EVERY = Duration.ofSeconds(5);

  private static final Duration YOUNG = Duration.ofSeconds(10);
  private static final Duration EVERY_YOUNG = Duration.ofMillis(500);

  /** The first event of a burst is reported at once, the rest together after this. */
  private static final Duration APART = Duration.ofMillis(20);

  private static final Duration ASK = Duration.ofSeconds(2);
  private static final Duration FIRST = Duration.ofMillis(1_500);
  private static final Duration AWAY_IS_NEWS = Duration.ofSeconds(2);
  private static final Duration HOST_EVERY = Duration.ofSeconds(60);

  /** What libvirt said last. {@code domains} means nothing unless {@code libvirtUp}. */
  record Seen(boolean libvirtUp, List<DomainReport> domains, Capacity capacity) {
    static final Seen NOTHING = new Seen(false, List.of(), Capacity.UNKNOWN);
  }

  private final Hypervisor hypervisor;
  private final Changes changes;
  private final Consumer<FromAgent> leader;
  private final Runnable hostChanged;
  private final Function<Hypervisor.Domain, DomainReport> said;
  private final Function<Hypervisor.Domain, Optional<GuestHealth>> health;
  private final HostShutdown shutdown;
  private final OwnFaults faults;

  /** How each guest that is off ended, as it was first told. */
  private final Map<String, DomainReport> ended = new HashMap<>();

  private List<String> hazards = List.of();
  private Optional<Boolean> mayStop = Optional.empty();
  private final Thread thread;
  private volatile Seen seen = Seen.NOTHING;
  private volatile long digest;
  private volatile boolean closed;
  private final CountDownLatch known = new CountDownLatch(1);
  private final long began = System.nanoTime();
  private long hostAskedAt;
  private long awaySince;
  private boolean awaySaid;

  /**
   * @param changes counted up after each event; the first report does not wait for one
   * @param said a domain's state with what only this agent knows: why it is paused
   * @param health what is known of a domain beyond its state
   * @param shutdown of this host
   * @param hostChanged called when libvirt tells something new about the host itself
   * @param faults takes faults of Haven's own, and the next look is made
   */
  Reports(
      Hypervisor hypervisor,
      Changes changes,
      Function<Hypervisor.Domain, DomainReport> said,
      Function<Hypervisor.Domain, Optional<GuestHealth>> health,
      HostShutdown shutdown,
      Consumer<FromAgent> leader,
      Runnable hostChanged,
      OwnFaults faults) {
    this.faults = faults;
    this.said = said;
    this.health = health;
    this.shutdown = shutdown;
    this.hypervisor = hypervisor;
    this.changes = changes;
    this.leader = leader;
    this.hostChanged = hostChanged;
    this.thread = Thread.ofPlatform().name("reports").unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  Seen seen() {
    return seen;
  }

  /**
   * The same, but for a process that has just begun it waits a moment for libvirt: the leader would
   * be told that it is away, and a moment later that it is not.
   */
  Seen firstSeen() {
    try {
      long left = FIRST.toNanos() - (System.nanoTime() - began);
      if (left > 0) {
        boolean inTime = known.await(left, TimeUnit.NANOSECONDS);
        log.debug("libvirt was heard before the hello: {}", inTime);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return seen;
  }

  /** Of the domains last seen: another number means that something changed. */
  long digest() {
    return digest;
  }

  private void run() {
    try {
      while (!closed) {
        long before = changes.count();
        long lookedAt = System.nanoTime();
        try {
          look();
        } catch (RuntimeException e) {
          faults.met("telling of its guests", e);
        }
        changes.await(before, untilNext(lookedAt));
        changes.rest(APART.toNanos() - (System.nanoTime() - lookedAt));
      }
    } catch (InterruptedException e) {
      log.debug("reports end");
    }
  }

  private void look() {
    Seen old = seen;
    mayStop = Optional.empty();
    switch (reports()) {
      case Hypervisor.Answer.Known<List<DomainReport>>(var reports) -> {
        ended.keySet().retainAll(reports.stream().map(DomainReport::name).toList());
        seen = new Seen(true, reports, old.capacity());
        if (!old.libvirtUp()) {
          log.info("libvirt answers: {} domains", reports.size());
          awaySaid = false;
          awaySince = 0;
        }
      }
      case Hypervisor.Answer.Unknown<List<DomainReport>>(var reason) -> {
        seen = new Seen(false, List.of(), old.capacity());
        away(reason);
      }
    }
    digest = digest(seen.domains());
    tell(old);
    long now = System.nanoTime();
    boolean due =
        seen.capacity().equals(Capacity.UNKNOWN) || now - hostAskedAt > HOST_EVERY.toNanos();
    if (seen.libvirtUp() && due) {
      hostAskedAt = now;
      askHost();
    }
    var looked = hypervisor.hazards();
    if (seen.libvirtUp() && looked.isPresent()) {
      known.countDown();
    }
    var found = looked.orElse(hazards);
    if (!found.equals(hazards)) {
      hazards = found;
      found.forEach(h -> log.warn("{}", h));
      hostChanged.run();
    }
  }

  /**
   * What this agent cannot read it does not know: a guest that is left out would be taken for gone.
   */
  private Hypervisor.Answer<List<DomainReport>> reports() {
    var link = hypervisor.link();
    if (!(link instanceof Hypervisor.Link.Up)) {
      return new Hypervisor.Answer.Unknown<>(
          link instanceof Hypervisor.Link.Away away ? away.reason() : "not connected");
    }
    return switch (hypervisor.domains(ASK)) {
      case Hypervisor.Answer.Unknown<List<Hypervisor.Domain>>(var reason) ->
          new Hypervisor.Answer.Unknown<>(reason);
      case Hypervisor.Answer.Known<List<Hypervisor.Domain>>(var domains) -> {
        try {
          yield new Hypervisor.Answer.Known<>(
              domains.stream().map(d -> byWhom(said.apply(d)).with(health.apply(d))).toList());
        } catch (RuntimeException e) {
          faults.met("looking at its guests", e);
          yield new Hypervisor.Answer.Unknown<>("a fault of Haven's own: " + e);
        }
      }
    };
  }

  /**
   * A guest that shut down with its host is not off by its owner's wish, now or later: also
   * libvirt's own service asks guests to shut down then.
   */
  private DomainReport byWhom(DomainReport domain) {
    if (domain.state().active()) {
      ended.remove(domain.name());
      return domain;
    }
    var first = ended.get(domain.name());
    if (first == null || !first.epoch().equals(domain.epoch())) {
      first =
          domain.state() == DomainState.OFF_SHUTDOWN && hostMayStop()
              ? new DomainReport(
                  domain.name(),
                  DomainState.OFF_BY_HOST,
                  domain.epoch(),
                  domain.job(),
                  domain.detail() + " while its host goes down")
              : domain;
      ended.put(domain.name(), first);
    }
    return domain.state() == DomainState.OFF_SHUTDOWN && first.state() == DomainState.OFF_BY_HOST
        ? first
        : domain;
  }

  /** Asked once in each look: a systemd that hangs must not cost a wait for each guest. */
  private boolean hostMayStop() {
    var known = mayStop.orElseGet(shutdown::mayStop);
    mayStop = Optional.of(known);
    return known;
  }

  /** A libvirtd that is restarted is no news. */
  private void away(String reason) {
    long now = System.nanoTime();
    if (awaySince == 0) {
      awaySince = now;
    }
    if (!awaySaid && now - awaySince >= AWAY_IS_NEWS.toNanos()) {
      awaySaid = true;
      log.warn("libvirt does not answer: {}; guests go on, orders wait", reason);
    }
  }

  private long untilNext(long lookedAt) {
    // a libvirtd that has just begun tells no event of a guest that dies before it has the guest's
    // monitor again
    boolean young =
        hypervisor.link() instanceof Hypervisor.Link.Up up
            && Instant.now().isBefore(up.since().plus(YOUNG));
    var every = young ? EVERY_YOUNG : awaySince != 0 && !awaySaid ? AWAY_IS_NEWS : EVERY;
    return every.toNanos() - (System.nanoTime() - lookedAt);
  }

  private void tell(Seen old) {
    leader.accept(
        new FromAgent.Domains(
            FromAgent.VERSION, seen.libvirtUp(), seen.domains(), shutdown.last()));
    for (var domain : seen.domains()) {
      boolean same =
          old.domains().stream()
              .anyMatch(d -> d.name().equals(domain.name()) && d.state() == domain.state());
      if (!same) {
        log.info("domain {}: {}", domain.name(), domain.detail());
      }
    }
    if (old.libvirtUp() && seen.libvirtUp()) {
      for (var domain : old.domains()) {
        if (seen.domains().stream().noneMatch(d -> d.name().equals(domain.name()))) {
          log.info("domain {}: not defined any more", domain.name());
        }
      }
    }
  }

  private void askHost() {
    if (!(hypervisor.host(ASK) instanceof Hypervisor.Answer.Known<HostReport> known)) {
      return; // asked again with the next look
    }
    var host = known.value();
    var capacity =
        new Capacity(
            host.memoryTotalMib(),
            host.cpus(),
            "%s %s, libvirt %s"
                .formatted(host.hypervisor(), host.hypervisorVersion(), host.libvirtVersion()),
            Optional.of(host.machines()));
    if (!capacity.equals(seen.capacity())) {
      seen = new Seen(seen.libvirtUp(), seen.domains(), capacity);
      hostChanged.run();
    }
  }

  private static long digest(List<DomainReport> domains) {
    long hash = 0xcbf29ce484222325L;
    for (var domain : domains) {
      hash = mix(hash, domain.name().hashCode());
      hash = mix(hash, domain.state().ordinal());
      hash = mix(hash, domain.epoch().value());
    }
    return hash;
  }

  private static long mix(long hash, long value) {
    return (hash ^ value) * 0x100000001b3L;
  }

  @Override
  public void close() {
    closed = true;
    thread.interrupt();
  }
}
