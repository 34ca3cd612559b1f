package dev.haven.agent.libvirt;

import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.Letting;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import dev.haven.agent.libvirt.Session.Result;
import dev.haven.model.DomainState;
import dev.haven.model.Time;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What stands behind a libvirt URI. Connects by itself, and again whenever the connection breaks.
 */
public final class LibvirtHypervisor implements Hypervisor {
  private static final Logger log = LoggerFactory.getLogger(LibvirtHypervisor.class);

  private final Driver driver;
  private final WatchedConnection watch;
  private final Sessions sessions;
  private final Sessions pauses;
  private final Sessions pings;
  private final Map<String, LiveMigration.Heard> migrations = new ConcurrentHashMap<>();
  private final Path root;
  private final Looks looks;
  private final DiskErrors diskErrors;
  private final GuestCalls calls;
  private final Starts starts;
  private final Suspending suspending;
  private final Absence absence;

  /** Domains with a mark that names nobody, of which the log has told. */
  private final Set<String> unnamed = ConcurrentHashMap.newKeySet();

  private final Listener listener;
  private final Letting letting = new Letting(Time.SYSTEM);
  private volatile @Nullable HostFacts facts;
  private volatile @Nullable List<String> hazards;

  private LibvirtHypervisor(String uri, Listener listener, Predicate<String> ordered, Path root) {
    this.driver = Driver.of(uri);
    this.root = root;
    this.listener = listener;
    this.watch =
        new WatchedConnection(uri, listener, this::hearEarly, name -> isOurs(name, ordered));
    this.sessions = Sessions.forOrders(watch);
    this.pauses = Sessions.forPauses(watch);
    this.pings = Sessions.forPings(watch);
    this.looks = new Looks(driver, migrations::containsKey);
    this.diskErrors = new DiskErrors(sessions);
    this.calls = new GuestCalls(sessions);
    this.starts = new Starts(looks, letting);
    this.suspending = new Suspending(driver);
    this.absence = new Absence(driver, root);
    watch.start(
        () -> {
          sessions.warmUp();
          Thread.startVirtualThread(this::disarm);
        });
  }

  /**
   * Begins to connect and returns at once.
   *
   * @param uri such as {@code qemu:///system} or {@code xen:///system}
   * @param ordered whether this host was ordered to run a guest of that name, as its own notes say.
   *     Asked of domains whose mark names nobody; must answer at once
   */
  public static LibvirtHypervisor connect(
      String uri, Listener listener, Predicate<String> ordered) {
    return connect(uri, listener, ordered, Path.of("/"));
  }

  /**
   * @param root where libvirtd sees its own root directory, for a test that looks at it from
   *     outside
   */
  static LibvirtHypervisor connect(
      String uri, Listener listener, Predicate<String> ordered, Path root) {
    return new LibvirtHypervisor(uri, listener, ordered, root);
  }

  @Override
  public Link link() {
    return watch.link();
  }

  @Override
  public Answer<HostReport> host(Duration within) {
    // the pool, because libvirtd asks every QEMU it has for its capabilities first, which takes
    // seconds
    return answer(
        sessions.run(
            session -> {
              var fixed = facts;
              if (fixed == null) {
                fixed = HostFacts.read(session);
                facts = fixed;
              }
              return fixed.report(session, driver);
            },
            within));
  }

  @Override
  public Optional<List<String>> hazards() {
    return Optional.ofNullable(hazards);
  }

  @Override
  public Answer<List<Domain>> domains(Duration within) {
    return answer(
        diskErrors.with(
            watch.ask(session -> session.each(0, domain -> looks.look(session, domain)), within)));
  }

  @Override
  public Answer<List<Domain>> domain(String name, Duration within) {
    return answer(
        diskErrors.with(
            watch.ask(
                session ->
                    session
                        .find(name, domain -> looks.look(session, domain))
                        .map(List::of)
                        .orElse(List.of()),
                within)));
  }

  @Override
  public Answer<String> definition(String name, Duration within) {
    return answer(
        watch.ask(
            session ->
                session.with(
                    name,
                    domain ->
                        session.text(
                            session
                                .api()
                                .virDomainGetXMLDesc(
                                    domain, Native.XML_SECURE | Native.XML_MIGRATABLE))),
            within));
  }

  @Override
  public Answer<List<String>> obstacles(String domainXml, Duration within) {
    MarkedDomain xml;
    try {
      xml = MarkedDomain.parse(domainXml);
    } catch (IllegalArgumentException e) {
      return new Answer.Known<>(List.of(String.valueOf(e.getMessage())));
    }
    return answer(sessions.run(session -> Obstacles.of(session, xml), within));
  }

  @Override
  public Optional<String> stray(String name) {
    return absence.stray(name);
  }

  @Override
  public Gone confirmGone(String name, Duration within) {
    // the pool, because libvirt lets the last step wait for a job that is under way
    return switch (sessions.run(session -> absence.gone(session, name), within)) {
      case Result.Done<Gone>(var gone) -> gone;
      case Result.Refused<Gone>(var error) -> new Gone.Unknown(error.message());
      case Result.Lost<Gone>(var reason) -> new Gone.Unknown(reason);
      case Result.Unsent<Gone>(var reason) -> new Gone.Unknown(reason);
    };
  }

  @Override
  public Outcome start(GuestStart order, Permit permit, Duration within) {
    MarkedDomain xml;
    try {
      xml = MarkedDomain.parse(order.domainXml());
      if (!xml.name().equals(order.name())) {
        throw new IllegalArgumentException(
            "domain XML: its name is " + xml.name() + ", the guest's is " + order.name());
      }
    } catch (IllegalArgumentException e) {
      return new Outcome.Failed(Native.ERROR_XML, String.valueOf(e.getMessage()));
    }
    return calls.order(
        sessions, order.name(), session -> starts.start(session, order, xml, permit), within);
  }

  @Override
  public Outcome shutdown(String name, long epoch, Duration within) {
    return calls.unlessOff(
        name,
        epoch,
        (session, domain, _) -> GuestCalls.act(session, api -> api.virDomainShutdown(domain)),
        within);
  }

  @Override
  public Outcome destroy(String name, long epoch, Duration within) {
    return calls.unlessOff(
        name,
        epoch,
        (session, domain, _) -> GuestCalls.act(session, api -> api.virDomainDestroy(domain)),
        within);
  }

  @Override
  public Outcome endArrival(String name, long epoch, Duration within) {
    return calls.unlessOff(
        name,
        epoch,
        (session, domain, state) -> {
          return state.shared(false) == DomainState.INCOMING
              ? GuestCalls.act(session, api -> api.virDomainDestroy(domain))
              : new Outcome.Failed(
                  Native.ERROR_OPERATION_INVALID, name + " is " + state + " and arrives no more");
        },
        within);
  }

  @Override
  public Outcome undefine(String name, long epoch, Duration within) {
    var outcome =
        calls.onOurs(
            name,
            epoch,
            (session, domain, state) -> {
              if (!state.shutOff()) {
                return new Outcome.Failed(Native.ERROR_OPERATION_INVALID, name + " is " + state);
              }
              return GuestCalls.act(
                  session, api -> api.virDomainUndefineFlags(domain, driver.undefineFlags()));
            },
            within);
    return outcome instanceof Outcome.Absent ? new Outcome.Already() : outcome;
  }

  @Override
  public Outcome suspend(String name, long epoch, Duration within) {
    return calls.order(pauses, name, GuestCalls.onOurs(name, epoch, suspending::suspend), within);
  }

  @Override
  public Outcome resume(String name, long epoch, boolean arrived, Permit permit, Duration within) {
    return calls.onOurs(
        name,
        epoch,
        (session, domain, state) -> {
          if (state.run() == Run.RUNNING) {
            return new Outcome.Already();
          }
          if (!arrived && state.run() == Run.PAUSED && state.why() == Why.USER) {
            return new Outcome.Already();
          }
          if (state.run() == Run.PAUSED
              && state.why() == Why.MIGRATION
              && (arrived || !session.jobStats(domain).isEmpty())) {
            return new Outcome.Failed(
                Native.ERROR_OPERATION_INVALID, name + " is " + state + ": its migration goes on");
          }
          return starts.letRun(session, name, epoch, permit, domain);
        },
        within);
  }

  @Override
  public Map<String, Long> letRun() {
    return letting.now();
  }

  @Override
  public Outcome release(String name, long epoch, Duration within) {
    return calls.onOurs(
        name,
        epoch,
        (session, domain, state) -> {
          var autostart =
              session.mark(domain, Native.AFFECT_CURRENT).map(MarkedDomain.Mark::autostartFound);
          session.stillWanted();
          session.check(
              session
                  .api()
                  .virDomainSetMetadata(
                      domain,
                      Native.METADATA_ELEMENT,
                      null,
                      MarkedDomain.PREFIX,
                      MarkedDomain.NAMESPACE,
                      state.shutOff()
                          ? Native.AFFECT_CONFIG
                          : Native.AFFECT_LIVE | Native.AFFECT_CONFIG));
          if (autostart.orElse(false)) {
            session.check(session.api().virDomainSetAutostart(domain, 1));
          }
          return new Outcome.Done();
        },
        within);
  }

  @Override
  public MigrationResult migrate(MigrateOut order, MigrationWatcher watcher) {
    var heard = new LiveMigration.Heard();
    if (migrations.putIfAbsent(order.name(), heard) != null) {
      return new MigrationResult.Refused(order.name() + " is being migrated already");
    }
    try {
      return new LiveMigration(order, driver, sessions, watcher, heard, root).run();
    } finally {
      migrations.remove(order.name());
    }
  }

  @Override
  public Outcome cancelMigration(String name, long epoch, Duration within) {
    // without the guest's lock: an order that waits in libvirt for the migration's end must not
    // keep it from being cancelled
    return GuestCalls.outcome(
        sessions.run(
            GuestCalls.onOurs(
                name,
                epoch,
                (session, domain, state) -> {
                  return GuestCalls.act(session, api -> api.virDomainAbortJob(domain));
                }),
            within));
  }

  @Override
  public Ping ping(String name, long epoch, Duration within) {
    return switch (pings.run(session -> looks.ping(session, name, epoch), within)) {
      case Result.Done<Ping>(var ping) -> ping;
      case Result.Refused<Ping>(var error) -> new Ping.NotAsked(error.message());
      case Result.Lost<Ping>(var reason) -> new Ping.NotAsked(reason);
      case Result.Unsent<Ping>(var reason) -> new Ping.NotAsked(reason);
    };
  }

  @Override
  public void close() {
    watch.close();
    sessions.close();
    pauses.close();
    pings.close();
  }

  // ---- on a session's thread ----

  /** Of a domain whose mark was written before marks had names, so a clone of it has the same. */
  private boolean isOurs(String name, Predicate<String> ordered) {
    boolean ours = ordered.test(name);
    if (!ours && unnamed.add(name)) {
      log.warn(
          "domain {} has a mark of Haven that names no guest, and this host was never ordered to"
              + " run one of that name. So it is taken for a clone and left alone. To remove the"
              + " mark: virsh metadata {} --uri {} --remove --config (with --live too while it"
              + " runs)",
          name,
          name,
          MarkedDomain.NAMESPACE);
    }
    return ours;
  }

  // ---- on the caller's thread ----

  private void disarm() {
    hazards = new Disarming(driver).disarm(sessions);
    listener.link(link());
  }

  private static <T> Answer<T> answer(Result<T> result) {
    return switch (result) {
      case Result.Done<T>(var value) -> new Answer.Known<>(value);
      case Result.Refused<T>(var error) -> new Answer.Unknown<>(error.message());
      case Result.Lost<T>(var reason) -> new Answer.Unknown<>(reason);
      case Result.Unsent<T>(var reason) -> new Answer.Unknown<>(reason);
    };
  }

  private void hearEarly(DomainEvent event) {
    looks.hear(event);
    tellMigration(event);
  }

  private void tellMigration(DomainEvent event) {
    var migration =
        switch (event) {
          case DomainEvent.Changed changed -> migrations.get(changed.domain());
          case DomainEvent.JobCompleted job -> migrations.get(job.domain());
          case DomainEvent.IoError _,
              DomainEvent.Rebooted _,
              DomainEvent.WatchdogFired _,
              DomainEvent.Missed _ ->
              null;
        };
    if (migration != null) {
      migration.hear(event);
    }
  }
}
