package dev.haven.agent.libvirt;

import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.DomainEvent.Change;
import dev.haven.agent.guest.DomainEvent.JobCompleted;
import dev.haven.agent.guest.Hypervisor.MigrateOut;
import dev.haven.agent.guest.Hypervisor.MigrationProgress;
import dev.haven.agent.guest.Hypervisor.MigrationResult;
import dev.haven.agent.guest.Hypervisor.MigrationWatcher;
import dev.haven.agent.guest.LibvirtState;
import dev.haven.agent.libvirt.Session.Result;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.libvirt.jna.CString;
import org.libvirt.jna.DomainPointer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One live migration, peer to peer: the source's libvirtd talks to the target's, and a connection
 * of ours that breaks does not end it. The call blocks on one session; progress is read, and the
 * pause allowed is raised, over others.
 */
final class LiveMigration {
  private static final Logger log = LoggerFactory.getLogger(LiveMigration.class);
  private static final Duration POLL = Duration.ofMillis(200);
  private static final Duration END_POLL = Duration.ofMillis(1);
  private static final Duration FIGURES_WITHIN = Duration.ofMillis(300);
  private static final Duration STATS_WITHIN = Duration.ofSeconds(2);

  /** How long an abort may take before we stop waiting for the migration's end. */
  private static final Duration ABORT_WITHIN = Duration.ofSeconds(10);

  private final MigrateOut order;
  private final Driver driver;
  private final Sessions sessions;
  private final MigrationWatcher watcher;
  private final Heard heard;
  private final Path root;
  private final long begun = System.nanoTime();

  private final Convergence convergence;
  private final AtomicBoolean aborted = new AtomicBoolean();
  private boolean gone;

  /**
   * What libvirt's events tell about the migration while it goes on.
   *
   * @param switchover the guest has been stopped here to go on there
   */
  record Heard(CompletableFuture<Instant> switchover, CompletableFuture<JobCompleted> completed) {
    Heard() {
      this(new CompletableFuture<>(), new CompletableFuture<>());
    }

    void hear(DomainEvent event) {
      switch (event) {
        case JobCompleted job -> completed.complete(job);
        case DomainEvent.Changed(var at, _, var change, var why)
            when change == Change.SUSPENDED && why == LibvirtState.Why.MIGRATION ->
            switchover.complete(at);
        case DomainEvent.Changed _,
            DomainEvent.IoError _,
            DomainEvent.Rebooted _,
            DomainEvent.WatchdogFired _,
            DomainEvent.Missed _ -> {}
      }
    }
  }

  /**
   * @param root of the file system in which libvirt keeps its process numbers
   */
  LiveMigration(
      MigrateOut order,
      Driver driver,
      Sessions sessions,
      MigrationWatcher watcher,
      Heard heard,
      Path root) {
    this.order = order;
    this.driver = driver;
    this.sessions = sessions;
    this.watcher = watcher;
    this.heard = heard;
    this.root = root;
    this.convergence = new Convergence(order.downtimeLadder(), order.noProgress());
  }

  MigrationResult run() {
    var result = sessions.lend(this::watchOver, order.within());
    return switch (result) {
      case Result.Done<MigrationResult>(var value) -> value;
      case Result.Refused<MigrationResult>(var error) -> failed(error);
      case Result.Lost<MigrationResult>(var reason) -> new MigrationResult.Unknown(reason);
      case Result.Unsent<MigrationResult>(var reason) -> new MigrationResult.Refused(reason);
    };
  }

  private Result<MigrationResult> watchOver(Session session) {
    var process = QemuProcess.of(root, order.name());
    var migrating = session.submit(this::migrate);
    var deadline = begun + order.within().toNanos();
    var nextLook = System.nanoTime() + POLL.toNanos();
    var looking = CompletableFuture.<Void>completedFuture(null);
    while (!migrating.isDone() && System.nanoTime() < deadline && session.alive()) {
      // the pause of a guest that arrives paused lasts until this is seen, so then every
      // millisecond counts
      var ending = heard.switchover.isDone() && process.isPresent() && !gone;
      await(
          ending ? migrating : CompletableFuture.anyOf(migrating, heard.switchover),
          ending ? END_POLL : POLL);
      if (ending && process.get().ended()) {
        gone("its process " + process.get().pid() + " has ended after the switchover");
      }
      // on a thread of its own: libvirt keeps a question that meets the switchover waiting until
      // the migration is over
      if (System.nanoTime() - nextLook >= 0
          && looking.isDone()
          && !migrating.isDone()
          && !heard.switchover.isDone()) {
        looking.join();
        looking = CompletableFuture.runAsync(this::observe, Thread::startVirtualThread);
        nextLook = System.nanoTime() + POLL.toNanos();
      }
    }
    if (!migrating.isDone() && session.alive()) {
      abort("it took longer than " + order.within());
    }
    var result = session.await(migrating, ABORT_WITHIN);
    if (result instanceof Result.Done<MigrationResult>(MigrationResult.Left left)) {
      gone("libvirt has returned from the migration");
      return new Result.Done<>(withFigures(left));
    }
    return result;
  }

  /** Waits a little for either; what became of the migration is read later. */
  private static void await(CompletableFuture<?> future, Duration within) {
    try {
      future.get(within.toNanos(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException | TimeoutException e) {
      // looked at by the loop
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void gone(String evidence) {
    if (!gone) {
      gone = true;
      watcher.gone(evidence);
    }
  }

  /**
   * The domain is undefined by now and its figures with it; the event has them, and comes at about
   * the same time.
   */
  private MigrationResult withFigures(MigrationResult.Left left) {
    await(heard.completed, FIGURES_WITHIN);
    var job = heard.completed.getNow(null);
    return job == null
        ? left
        : new MigrationResult.Left(left.total(), job.downtime(), job.transferred());
  }

  // ---- on the session's thread ----

  private MigrationResult migrate(Session session) throws LibvirtError {
    return session.with(
        order.name(),
        domain -> {
          var state = session.state(domain);
          if (state.run() != LibvirtState.Run.RUNNING && state.run() != LibvirtState.Run.PAUSED) {
            return new MigrationResult.Refused(order.name() + " does not run here: " + state);
          }
          var epoch = session.epoch(domain);
          if (epoch.isEmpty() || epoch.getAsLong() != order.epoch()) {
            return new MigrationResult.Refused(
                order.name() + " has epoch " + epoch + " here, not " + order.epoch());
          }
          return migrate(session, domain);
        });
  }

  private MigrationResult migrate(Session session, DomainPointer domain) throws LibvirtError {
    var api = session.api();
    var features = driver.features();
    var params = new TypedParams();
    params.with(
        "destination_xml", marked(session, domain, Native.XML_SECURE | Native.XML_MIGRATABLE));
    if (features.persistentXml()) {
      params.with(
          "persistent_xml",
          marked(session, domain, Native.XML_SECURE | Native.XML_MIGRATABLE | Native.XML_INACTIVE));
    }
    if (!order.migrationUri().isEmpty()) {
      params.with("migrate_uri", order.migrationUri());
    }
    if (features.bandwidth() && order.bandwidthMibS() > 0) {
      params.with("bandwidth", order.bandwidthMibS());
    }
    var flags =
        Native.MIGRATE_LIVE
            | Native.MIGRATE_PEER2PEER
            | Native.MIGRATE_PERSIST_DEST
            | Native.MIGRATE_UNDEFINE_SOURCE
            | driver.migrateFlags()
            | (order.arrivePaused() ? Native.MIGRATE_PAUSED : 0)
            | (order.unsafe() ? Native.MIGRATE_UNSAFE : 0);
    session.stillWanted();
    // before the copying begins, so that a guest that hardly writes does not switch over with
    // libvirt's longer default
    if (features.maxDowntime()) {
      api.virDomainMigrateSetMaxDowntime(domain, convergence.downtime().toMillis(), 0);
    }
    try (var memory = params.memory()) {
      session.check(
          api.virDomainMigrateToURI3(
              domain, order.destinationUri(), memory, params.count(), flags));
    }
    return new MigrationResult.Left(Duration.ofNanos(System.nanoTime() - begun), Duration.ZERO, 0);
  }

  private String marked(Session session, DomainPointer domain, int flags) throws LibvirtError {
    @Nullable CString xml = session.api().virDomainGetXMLDesc(domain, flags);
    var mark = session.mark(domain, Native.AFFECT_CURRENT);
    return MarkedDomain.parse(session.text(xml))
        .marked(order.targetEpoch(), mark.map(MarkedDomain.Mark::autostartFound).orElse(false), "");
  }

  // ---- on a thread of its own, one look after the other ----

  private void observe() {
    if (!driver.features().jobStats()) {
      return; // nothing to be seen, so the order's own limit is all that ends it
    }
    var stats = onDomain((session, domain) -> session.jobStats(domain));
    if (!(stats instanceof Result.Done<Map<String, Long>>(var numbers))
        || numbers.getOrDefault("memory_total", 0L) == 0
        || heard.switchover.isDone()) {
      return; // not begun yet, or over
    }
    var elapsed = Duration.ofNanos(System.nanoTime() - begun);
    var remaining = numbers.getOrDefault("memory_remaining", 0L);
    watcher.progress(
        new MigrationProgress(
            elapsed,
            numbers.getOrDefault("memory_total", 0L),
            numbers.getOrDefault("memory_processed", 0L),
            remaining,
            numbers.getOrDefault("memory_bps", 0L),
            numbers.getOrDefault("memory_dirty_rate", 0L)
                * numbers.getOrDefault("memory_page_size", 4096L),
            Duration.ofMillis(numbers.getOrDefault("downtime", 0L)),
            convergence.downtime()));
    switch (convergence.note(elapsed, numbers.getOrDefault("memory_iteration", 0L), remaining)) {
      case GO_ON -> {}
      case ALLOW_MORE -> {
        var downtime = convergence.downtime();
        log.info("{}: no headway, a pause of {} ms is allowed", order.name(), downtime.toMillis());
        onDomain(
            (session, domain) ->
                session.check(
                    session.api().virDomainMigrateSetMaxDowntime(domain, downtime.toMillis(), 0)));
      }
      case GIVE_UP -> abort("no progress for " + order.noProgress().toSeconds() + " s");
    }
  }

  private void abort(String reason) {
    if (!aborted.getAndSet(true)) {
      log.warn("{}: the migration is aborted: {}", order.name(), reason);
      onDomain(
          (session, domain) -> {
            session.stillWanted();
            return session.check(session.api().virDomainAbortJob(domain));
          });
    }
  }

  private MigrationResult failed(LibvirtError error) {
    var here =
        onDomain((session, domain) -> session.state(domain))
                instanceof Result.Done<LibvirtState>(var state)
            ? Optional.of(state)
            : Optional.<LibvirtState>empty();
    return new MigrationResult.Failed(error.code(), error.message(), here);
  }

  private interface OnDomain<T> {
    T run(Session session, DomainPointer domain) throws LibvirtError;
  }

  private <T> Result<T> onDomain(OnDomain<T> work) {
    return sessions.run(
        session -> session.with(order.name(), domain -> work.run(session, domain)), STATS_WITHIN);
  }
}
