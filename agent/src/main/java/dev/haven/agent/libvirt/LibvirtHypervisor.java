package dev.haven.agent.libvirt;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.Letting;
import dev.haven.agent.guest.LibvirtState;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import dev.haven.agent.libvirt.Session.Result;
import dev.haven.agent.libvirt.Session.Work;
import dev.haven.model.DomainState;
import dev.haven.model.Time;
import java.io.IOException;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.libvirt.jna.CString;
import org.libvirt.jna.DomainPointer;
import org.libvirt.jna.NetworkPointer;
import org.libvirt.jna.virDomainBlockJobInfo;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The hypervisor behind a libvirt URI. Connects by itself, and again whenever the connection
 * breaks.
 */
public final class LibvirtHypervisor implements Hypervisor {
  private static final Logger log = LoggerFactory.getLogger(LibvirtHypervisor.class);
  private static final Duration DISK_ERRORS_WITHIN = Duration.ofSeconds(1);

  private static final Duration DISARM_WITHIN = Duration.ofSeconds(30);

  private final Driver driver;
  private final Watch watch;
  private final Sessions sessions;
  private final Sessions pauses;
  private final Sessions pings;
  private final Map<String, Migration.Heard> migrations = new ConcurrentHashMap<>();
  private final Path root;
  // look and then act must be one step for each guest, and none waits for another one's: a pause
  // has
  // only seconds. One lock for each name that was ever ordered here
  private final Map<String, ReentrantLock> orders = new ConcurrentHashMap<>();

  /**
   * Domains whose QEMU has not yet said why a disk failed: asked once at a time, for it may hang.
   */
  private final Set<String> askedForErrors = ConcurrentHashMap.newKeySet();

  /** Domains that shut themselves down since they were started, as libvirt's events say. */
  private final Set<String> poweredOff = ConcurrentHashMap.newKeySet();

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
    this.watch = new Watch(uri, listener, this::hearEarly, name -> isOurs(name, ordered));
    this.sessions = Sessions.forOrders(watch);
    this.pauses = Sessions.forPauses(watch);
    this.pings = Sessions.forPings(watch);
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
        withDiskErrors(
            watch.ask(session -> session.each(0, domain -> look(session, domain)), within)));
  }

  @Override
  public Answer<List<Domain>> domain(String name, Duration within) {
    return answer(
        withDiskErrors(
            watch.ask(
                session ->
                    found(session, name, domain -> look(session, domain))
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
    DomainXml xml;
    try {
      xml = DomainXml.parse(domainXml);
    } catch (IllegalArgumentException e) {
      return new Answer.Known<>(List.of(String.valueOf(e.getMessage())));
    }
    return answer(sessions.run(session -> obstacles(session, xml), within));
  }

  @Override
  public Gone confirmGone(String name, Duration within) {
    // the pool, because libvirt lets the last step wait for a job that is under way
    return switch (sessions.run(session -> gone(session, name), within)) {
      case Result.Done<Gone>(var gone) -> gone;
      case Result.Refused<Gone>(var error) -> new Gone.Unknown(error.message());
      case Result.Lost<Gone>(var reason) -> new Gone.Unknown(reason);
      case Result.Unsent<Gone>(var reason) -> new Gone.Unknown(reason);
    };
  }

  @Override
  public Outcome start(GuestStart order, Permit permit, Duration within) {
    DomainXml xml;
    try {
      xml = DomainXml.parse(order.domainXml());
      if (!xml.name().equals(order.name())) {
        throw new IllegalArgumentException(
            "domain XML: its name is " + xml.name() + ", the guest's is " + order.name());
      }
    } catch (IllegalArgumentException e) {
      return new Outcome.Failed(Native.ERROR_XML, String.valueOf(e.getMessage()));
    }
    return order(sessions, order.name(), session -> start(session, order, xml, permit), within);
  }

  @Override
  public Outcome shutdown(String name, long epoch, Duration within) {
    return unlessOff(
        name,
        epoch,
        (session, domain, _) -> act(session, api -> api.virDomainShutdown(domain)),
        within);
  }

  @Override
  public Outcome destroy(String name, long epoch, Duration within) {
    return unlessOff(
        name,
        epoch,
        (session, domain, _) -> act(session, api -> api.virDomainDestroy(domain)),
        within);
  }

  @Override
  public Outcome endArrival(String name, long epoch, Duration within) {
    return unlessOff(
        name,
        epoch,
        (session, domain, state) -> {
          return state.shared(false) == DomainState.INCOMING
              ? act(session, api -> api.virDomainDestroy(domain))
              : new Outcome.Failed(
                  Native.ERROR_OPERATION_INVALID, name + " is " + state + " and arrives no more");
        },
        within);
  }

  @Override
  public Outcome undefine(String name, long epoch, Duration within) {
    var outcome =
        onOurs(
            name,
            epoch,
            (session, domain, state) -> {
              if (!state.shutOff()) {
                return new Outcome.Failed(Native.ERROR_OPERATION_INVALID, name + " is " + state);
              }
              return act(
                  session, api -> api.virDomainUndefineFlags(domain, driver.undefineFlags()));
            },
            within);
    return outcome instanceof Outcome.Absent ? new Outcome.Already() : outcome;
  }

  @Override
  public Outcome suspend(String name, long epoch, Duration within) {
    return order(
        pauses,
        name,
        onOurs(
            name,
            epoch,
            (session, domain, state) -> {
              session.stillWanted();
              // also where it is paused already: the call waits for what libvirt is still at with
              // it, which may be to let it go on
              session.check(session.api().virDomainSuspend(domain));
              var after = session.state(domain);
              if (after.run() != Run.PAUSED) {
                return new Outcome.Failed(0, name + " is " + after + " after it was suspended");
              }
              endBlockJobs(session, domain);
              if (state.run() != Run.PAUSED) {
                return new Outcome.Done();
              }
              return state.why() == Why.USER || isDrained(session, domain)
                  ? new Outcome.Already()
                  : new Outcome.Failed(
                      0,
                      name + " is " + after + ", and it cannot be proven that nothing is written");
            }),
        within);
  }

  /** A commit or a copy of a disk goes on writing while the guest is paused. */
  private void endBlockJobs(Session session, DomainPointer domain) throws LibvirtError {
    if (driver != Driver.QEMU) {
      return;
    }
    var api = session.api();
    var xml = DomainXml.parse(session.text(api.virDomainGetXMLDesc(domain, 0)));
    for (var disk : xml.disks()) {
      if (blockJob(session, domain, disk)) {
        session.stillWanted();
        session.check(api.virDomainBlockJobAbort(domain, disk, 0));
        if (blockJob(session, domain, disk)) {
          throw new LibvirtError(0, "a block job of disk " + disk + " goes on writing");
        }
      }
    }
  }

  private static boolean blockJob(Session session, DomainPointer domain, String disk)
      throws LibvirtError {
    var info = new virDomainBlockJobInfo();
    return session.check(session.api().virDomainGetBlockJobInfo(domain, disk, info, 0)) != 0;
  }

  /**
   * Of a guest that QEMU has paused by itself libvirt knows only an event, which comes before what
   * was in flight has ended, and its suspend does nothing.
   */
  private boolean isDrained(Session session, DomainPointer domain) throws LibvirtError {
    return driver == Driver.QEMU && QemuMonitor.stopped(session, domain);
  }

  @Override
  public Outcome resume(String name, long epoch, boolean arrived, Permit permit, Duration within) {
    return onOurs(
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
          return letRun(session, name, epoch, permit, domain);
        },
        within);
  }

  @Override
  public Map<String, Long> letRun() {
    return letting.now();
  }

  @Override
  public Outcome release(String name, long epoch, Duration within) {
    return onOurs(
        name,
        epoch,
        (session, domain, state) -> {
          var autostart =
              session.mark(domain, Native.AFFECT_CURRENT).map(DomainXml.Mark::autostartFound);
          session.stillWanted();
          session.check(
              session
                  .api()
                  .virDomainSetMetadata(
                      domain,
                      Native.METADATA_ELEMENT,
                      null,
                      DomainXml.PREFIX,
                      DomainXml.NAMESPACE,
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
    var heard = new Migration.Heard();
    if (migrations.putIfAbsent(order.name(), heard) != null) {
      return new MigrationResult.Refused(order.name() + " is being migrated already");
    }
    try {
      return new Migration(order, driver, sessions, watcher, heard, root).run();
    } finally {
      migrations.remove(order.name());
    }
  }

  @Override
  public Outcome cancelMigration(String name, long epoch, Duration within) {
    // without the guest's lock: an order that waits in libvirt for the migration's end must not
    // keep it from being cancelled
    return outcome(
        sessions.run(
            onOurs(
                name,
                epoch,
                (session, domain, state) -> {
                  return act(session, api -> api.virDomainAbortJob(domain));
                }),
            within));
  }

  @Override
  public Ping ping(String name, long epoch, Duration within) {
    return switch (pings.run(session -> ping(session, name, epoch), within)) {
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

  private Domain look(Session session, DomainPointer domain) throws LibvirtError {
    var api = session.api();
    var name = session.name(domain);
    var state = byWhom(name, session.state(domain));
    var info = session.info(domain);
    return new Domain(
        name,
        UUID.fromString(session.uuid(domain)),
        api.virDomainGetID(domain),
        state,
        session.epoch(domain),
        migrations.containsKey(name) || busy(session, domain, state),
        session.check(api.virDomainIsPersistent(domain)) == 1,
        session.autostart(domain),
        info.maxMem.longValue() / 1024,
        Short.toUnsignedInt(info.nrVirtCpu),
        List.of());
  }

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
          DomainXml.NAMESPACE);
    }
    return ours;
  }

  /** An autostart flag that was set by hand since, or an image that libvirt's own service saved. */
  private void disarm() {
    var result =
        sessions.run(session -> session.each(0, domain -> disarm(session, domain)), DISARM_WITHIN);
    hazards =
        switch (result) {
          case Result.Done<List<Optional<String>>>(var found) ->
              found.stream().flatMap(Optional::stream).toList();
          case Result.Refused<List<Optional<String>>>(var error) -> unknown(error.message());
          case Result.Lost<List<Optional<String>>>(var reason) -> unknown(reason);
          case Result.Unsent<List<Optional<String>>>(var reason) -> unknown(reason);
        };
    listener.link(link());
  }

  private static List<String> unknown(String why) {
    return List.of("guests may be started by libvirt itself: " + why);
  }

  private Optional<String> disarm(Session session, DomainPointer domain) throws LibvirtError {
    var api = session.api();
    var mark = session.mark(domain, Native.AFFECT_CURRENT);
    if (mark.isEmpty() || session.check(api.virDomainIsPersistent(domain)) != 1) {
      return Optional.empty();
    }
    try {
      if (session.autostart(domain)) {
        session.stillWanted();
        session.check(api.virDomainSetAutostart(domain, 0));
        var active = !session.state(domain).shutOff();
        setMark(
            session,
            domain,
            new DomainXml.Mark(mark.get().epoch(), true),
            active ? Native.AFFECT_LIVE | Native.AFFECT_CONFIG : Native.AFFECT_CONFIG);
      }
      if (driver != Driver.OTHER && api.virDomainHasManagedSaveImage(domain, 0) == 1) {
        session.stillWanted();
        session.check(api.virDomainManagedSaveRemove(domain, 0));
      }
      return Optional.empty();
    } catch (LibvirtError e) {
      return e.code() == Native.ERROR_NO_DOMAIN
          ? Optional.empty()
          : Optional.of(
              "libvirt may start guest %s by itself: %s"
                  .formatted(api.virDomainGetName(domain), e.message()));
    }
  }

  /** The state alone does not tell a guest's own shutdown from a signal to its QEMU. */
  private LibvirtState byWhom(String name, LibvirtState state) {
    return driver == Driver.QEMU
            && state.shutOff()
            && state.why() == Why.SHUTDOWN
            && !poweredOff.contains(name)
        ? new LibvirtState(state.run(), Why.BY_HOST)
        : state;
  }

  private Ping ping(Session session, String name, long epoch) throws LibvirtError {
    int before = undisturbed(session, name, epoch);
    if (before < 0) {
      return new Ping.NotAsked("it does not run undisturbed");
    }
    try {
      session.with(name, domain -> session.text(GuestAgent.ping(domain)));
      return new Ping.Answered(before);
    } catch (LibvirtError e) {
      if (e.code() != Native.ERROR_AGENT_UNRESPONSIVE) {
        return new Ping.NotAsked(e.message());
      }
      boolean open =
          session.with(
              name,
              domain ->
                  GuestAgent.portOpen(session.text(session.api().virDomainGetXMLDesc(domain, 0))));
      if (!open) {
        return new Ping.NotAsked("its agent's port is closed");
      }
      return undisturbed(session, name, epoch) == before
          ? new Ping.Missed(before)
          : new Ping.NotAsked("it was disturbed meanwhile");
    }
  }

  /** The number of a turn that runs with no job of libvirt's on it; -1 if it does not. */
  private int undisturbed(Session session, String name, long epoch) throws LibvirtError {
    if (migrations.containsKey(name)) {
      return -1;
    }
    return found(
            session,
            name,
            domain -> {
              var state = session.state(domain);
              return state.run() == Run.RUNNING
                      && session.epoch(domain).equals(OptionalLong.of(epoch))
                      && !busy(session, domain, state)
                  ? session.api().virDomainGetID(domain)
                  : -1;
            })
        .orElse(-1);
  }

  private static boolean busy(Session session, DomainPointer domain, LibvirtState state)
      throws LibvirtError {
    if (state.shutOff()) {
      return false;
    }
    if (state.run() == Run.PAUSED && state.why() == Why.MIGRATION) {
      return true;
    }
    try {
      return session.occupied(domain);
    } catch (LibvirtError e) {
      if (e.code() == Native.ERROR_OPERATION_INVALID || e.code() == Native.ERROR_NO_SUPPORT) {
        return false; // it stopped since, or this driver does not tell
      }
      throw e;
    }
  }

  private Gone gone(Session session, String name) throws LibvirtError {
    var gone =
        found(
            session,
            name,
            domain -> {
              var state = session.state(domain);
              var epoch = session.epoch(domain);
              if (!state.shutOff()) {
                return new Gone.StillThere(state, epoch, "libvirt says " + state);
              }
              // a domain that is about to arrive is listed as shut off until its QEMU runs, but a
              // job holds it:
              // writing its own mark again takes part in that queue, and shows that nobody else is
              // in it
              var mark = session.mark(domain, Native.AFFECT_CURRENT);
              if (mark.isPresent()) {
                try {
                  setMark(session, domain, mark.get(), Native.AFFECT_CONFIG);
                } catch (LibvirtError e) {
                  return new Gone.StillThere(state, epoch, "a job is left: " + e.message());
                }
              }
              var after = session.state(domain);
              return after.shutOff()
                  ? new Gone.Confirmed("libvirt says " + after + ", no job left")
                  : new Gone.StillThere(after, epoch, "libvirt says " + after);
            });
    return noProcess(
        name, gone.orElseGet(() -> new Gone.Confirmed("libvirt knows no domain " + name)));
  }

  /** A libvirtd that has lost its notes, or another one beside it, knows nothing of a QEMU. */
  private Gone noProcess(String name, Gone gone) {
    if (driver != Driver.QEMU || !(gone instanceof Gone.Confirmed)) {
      return gone;
    }
    try {
      var left = QemuProcess.running(root, name);
      return left.isEmpty()
          ? gone
          : new Gone.Unknown(
              "libvirt has no guest %s, and process %d runs it all the same"
                  .formatted(name, left.getAsLong()));
    } catch (IOException e) {
      return new Gone.Unknown("the kernel does not say whether a process runs it: " + e);
    }
  }

  /** The step of an order that changes something: only while whoever ordered it still waits. */
  private static Outcome act(Session session, Call call) throws LibvirtError {
    session.stillWanted();
    session.check(call.on(session.api()));
    return new Outcome.Done();
  }

  /** A call of libvirt that returns -1 where it fails. */
  private interface Call {
    int on(Native api);
  }

  private static void setMark(
      Session session, DomainPointer domain, DomainXml.Mark mark, int impact) throws LibvirtError {
    session.stillWanted();
    session.check(
        session
            .api()
            .virDomainSetMetadata(
                domain,
                Native.METADATA_ELEMENT,
                DomainXml.element(
                    mark.epoch(),
                    mark.autostartFound(),
                    session.name(domain),
                    session.uuid(domain)),
                DomainXml.PREFIX,
                DomainXml.NAMESPACE,
                impact));
  }

  /** Asks for the right to at the last moment. */
  private Outcome letRun(
      Session session, String name, long epoch, Permit permit, DomainPointer domain)
      throws LibvirtError {
    session.stillWanted();
    return letting.run(
        session::alive,
        name,
        epoch,
        () -> {
          var no = permit.toRun();
          if (no.isPresent()) {
            return new Outcome.Unavailable(no.get());
          }
          session.check(session.api().virDomainResume(domain));
          return new Outcome.Done();
        });
  }

  private Outcome start(Session session, GuestStart order, DomainXml xml, Permit permit)
      throws LibvirtError {
    var api = session.api();
    record Before(Optional<Outcome> verdict, String uuid, boolean autostart) {}
    var before =
        found(
                session,
                order.name(),
                domain -> {
                  var state = session.state(domain);
                  var mark = session.mark(domain, Native.AFFECT_CURRENT);
                  var report = look(session, domain);
                  return new Before(
                      verdict(order, state, report.epoch()),
                      report.uuid().toString(),
                      report.autostart() || mark.map(DomainXml.Mark::autostartFound).orElse(false));
                })
            // drawn here, so that the mark names it
            .orElseGet(() -> new Before(Optional.empty(), UUID.randomUUID().toString(), false));
    if (before.verdict.isPresent()) {
      return order.created() && before.verdict.get() instanceof Outcome.Already
          ? goOn(session, order, permit)
          : before.verdict.get();
    }
    session.stillWanted();
    @Nullable DomainPointer domain =
        api.virDomainDefineXML(
            session.connection(), xml.marked(order.epoch(), before.autostart, before.uuid));
    if (domain == null) {
      throw session.lastError();
    }
    try {
      if (session.autostart(domain)) {
        session.check(api.virDomainSetAutostart(domain, 0));
      }
      // a saved image would bring back old memory over disks that have moved on
      if (api.virDomainHasManagedSaveImage(domain, 0) == 1) {
        session.check(api.virDomainManagedSaveRemove(domain, 0));
      }
      session.stillWanted();
      var created =
          letting.run(
              session::alive,
              order.name(),
              order.epoch(),
              () -> {
                var no = permit.toCreate();
                if (no.isPresent()) {
                  return new Outcome.Unavailable(no.get());
                }
                session.check(api.virDomainCreateWithFlags(domain, Native.START_PAUSED));
                return new Outcome.Done();
              });
      return created instanceof Outcome.Done
          ? letRun(session, order.name(), order.epoch(), permit, domain)
          : created;
    } finally {
      api.virDomainFree(domain);
    }
  }

  /** Created by an earlier try, which may have found no lease to let it run under. */
  private Outcome goOn(Session session, GuestStart order, Permit permit) throws LibvirtError {
    return session.with(
        order.name(),
        domain -> {
          var state = session.state(domain);
          if (startsUp(state)) {
            return notYet(order.name());
          }
          return state.run() == Run.PAUSED && state.why() == Why.USER
              ? letRun(session, order.name(), order.epoch(), permit, domain)
              : new Outcome.Already();
        });
  }

  /** An earlier process of the agent has had it created, and libvirt is not done with that. */
  private static boolean startsUp(LibvirtState state) {
    return state.run() == Run.PAUSED && state.why() == Why.STARTING_UP;
  }

  private static Outcome notYet(String name) {
    return new Outcome.Unavailable("libvirt is still starting " + name + " up");
  }

  private static Optional<Outcome> verdict(
      GuestStart order, LibvirtState state, OptionalLong epoch) {
    if (epoch.isEmpty()) {
      return Optional.of(
          new Outcome.Conflict(
              epoch, "a domain " + order.name() + " that Haven does not keep is here: " + state));
    }
    var here = epoch.getAsLong();
    if (!state.shutOff()) {
      return Optional.of(
          here == order.epoch()
              ? startsUp(state) ? notYet(order.name()) : new Outcome.Already()
              : new Outcome.Conflict(
                  epoch, order.name() + " is " + state + " here with epoch " + here));
    }
    return here > order.epoch()
        ? Optional.of(
            new Outcome.Conflict(
                epoch, order.name() + " is defined here with the newer epoch " + here))
        : Optional.empty();
  }

  private List<String> obstacles(Session session, DomainXml xml) throws LibvirtError {
    var found = new ArrayList<String>();
    for (var link : xml.links()) {
      switch (link.kind()) {
        case BRIDGE -> {
          if (!exists(link.name())) {
            found.add("bridge " + link.name() + " is not on this host");
          }
        }
        case DEVICE -> {
          if (!exists(link.name())) {
            found.add("network device " + link.name() + " is not on this host");
          }
        }
        case NETWORK -> {
          @Nullable NetworkPointer network =
              session.api().virNetworkLookupByName(session.connection(), link.name());
          if (network == null) {
            found.add("libvirt network " + link.name() + " is not defined on this host");
          } else {
            if (session.api().virNetworkIsActive(network) != 1) {
              found.add("libvirt network " + link.name() + " is not started on this host");
            }
            session.api().virNetworkFree(network);
          }
        }
      }
    }
    @Nullable CString capabilities =
        session
            .api()
            .virConnectGetDomainCapabilities(
                session.connection(),
                xml.emulator().orElse(null),
                xml.architecture().orElse(null),
                xml.machine().orElse(null),
                xml.type(),
                0);
    if (capabilities == null) {
      var error = session.lastError();
      if (error.code() != Native.ERROR_NO_SUPPORT) {
        found.add("libvirt cannot run such a domain here: " + error.message());
      }
    } else {
      session.text(capabilities);
    }
    if (xml.comparableCpu().isPresent()) {
      var compared =
          session
              .api()
              .virConnectCompareHypervisorCPU(
                  session.connection(),
                  xml.emulator().orElse(null),
                  xml.architecture().orElse(null),
                  xml.machine().orElse(null),
                  xml.type(),
                  xml.comparableCpu().get(),
                  Native.COMPARE_CPU_FAIL_INCOMPATIBLE);
      if (compared < 0) {
        var error = session.lastError();
        if (error.code() != Native.ERROR_NO_SUPPORT) {
          found.add("the CPU does not fit: " + error.message());
        }
      }
    }
    return List.copyOf(found);
  }

  private static boolean exists(String networkDevice) {
    try {
      return NetworkInterface.getByName(networkDevice) != null;
    } catch (SocketException e) {
      return false;
    }
  }

  private static List<DiskError> diskErrors(Session session, DomainPointer domain)
      throws LibvirtError {
    var most = session.check(session.api().virDomainGetDiskErrors(domain, null, 0, 0));
    if (most == 0) {
      return List.of();
    }
    try (var array = new Memory(16L * most)) {
      var count = session.check(session.api().virDomainGetDiskErrors(domain, array, most, 0));
      var errors = new ArrayList<DiskError>();
      for (var i = 0; i < count; i++) {
        var disk = array.getPointer(16L * i);
        errors.add(
            new DiskError(
                disk.getString(0), array.getInt(16L * i + 8) == Native.DISK_ERROR_NO_SPACE));
        com.sun.jna.Native.free(Pointer.nativeValue(disk));
      }
      return errors;
    }
  }

  private static <T> Optional<T> found(Session session, String name, Session.DomainWork<T> work)
      throws LibvirtError {
    try {
      return Optional.of(session.with(name, work));
    } catch (LibvirtError e) {
      if (e.code() == Native.ERROR_NO_DOMAIN) {
        return Optional.empty();
      }
      throw e;
    }
  }

  // ---- on the caller's thread ----

  /**
   * Disk errors are asked over the pool: QEMU may hang on the very disk that fails, and would take
   * the question along.
   */
  private Result<List<Domain>> withDiskErrors(Result<List<Domain>> result) {
    if (!(result instanceof Result.Done<List<Domain>>(var domains))
        || domains.stream().noneMatch(LibvirtHypervisor::stoppedByItsDisk)) {
      return result;
    }
    // side by side: each may take as long as it is given
    var asked =
        domains.stream()
            .map(
                d ->
                    stoppedByItsDisk(d)
                        ? CompletableFuture.supplyAsync(
                            () -> withDiskErrors(d), Thread::startVirtualThread)
                        : CompletableFuture.completedFuture(d))
            .toList();
    return new Result.Done<>(asked.stream().map(CompletableFuture::join).toList());
  }

  private static boolean stoppedByItsDisk(Domain domain) {
    return domain.state().run() == Run.PAUSED && domain.state().why() == Why.IO_ERROR;
  }

  private Domain withDiskErrors(Domain domain) {
    if (!askedForErrors.add(domain.name())) {
      return domain;
    }
    var asked =
        sessions.run(
            session -> {
              try {
                return session.with(domain.name(), pointer -> diskErrors(session, pointer));
              } finally {
                askedForErrors.remove(domain.name());
              }
            },
            DISK_ERRORS_WITHIN);
    if (asked instanceof Result.Unsent<List<DiskError>>) {
      askedForErrors.remove(domain.name());
    }
    if (!(asked instanceof Result.Done<List<DiskError>>(var errors))) {
      return domain;
    }
    return new Domain(
        domain.name(),
        domain.uuid(),
        domain.id(),
        domain.state(),
        domain.epoch(),
        domain.job(),
        domain.persistent(),
        domain.autostart(),
        domain.memoryMib(),
        domain.vcpus(),
        errors);
  }

  private interface OnOurs {
    Outcome run(Session session, DomainPointer domain, LibvirtState state) throws LibvirtError;
  }

  /** {@link Outcome.Already} where it is off. */
  private Outcome unlessOff(String name, long epoch, OnOurs act, Duration within) {
    return onOurs(
        name,
        epoch,
        (session, domain, state) ->
            state.shutOff() ? new Outcome.Already() : act.run(session, domain, state),
        within);
  }

  private Outcome onOurs(String name, long epoch, OnOurs act, Duration within) {
    return order(sessions, name, onOurs(name, epoch, act), within);
  }

  private static Work<Outcome> onOurs(String name, long epoch, OnOurs act) {
    return session ->
        found(
                session,
                name,
                domain -> {
                  var here = session.epoch(domain);
                  if (here.isEmpty()) {
                    return new Outcome.Conflict(here, name + " here is not kept by Haven");
                  }
                  if (here.getAsLong() != epoch) {
                    return new Outcome.Conflict(
                        here, name + " has epoch " + here.getAsLong() + " here, not " + epoch);
                  }
                  return act.run(session, domain, session.state(domain));
                })
            .orElseGet(Outcome.Absent::new);
  }

  private Outcome order(Sessions pool, String name, Work<Outcome> work, Duration within) {
    var deadline = System.nanoTime() + within.toNanos();
    var lock = orders.computeIfAbsent(name, _ -> new ReentrantLock());
    try {
      if (!lock.tryLock(within.toNanos(), TimeUnit.NANOSECONDS)) {
        return new Outcome.Unavailable("another order for " + name + " is under way");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Outcome.Unavailable("interrupted");
    }
    try {
      return outcome(pool.run(work, Duration.ofNanos(Math.max(deadline - System.nanoTime(), 1))));
    } finally {
      lock.unlock();
    }
  }

  private static Outcome outcome(Result<Outcome> result) {
    return switch (result) {
      case Result.Done<Outcome>(var outcome) -> outcome;
      case Result.Refused<Outcome>(var error) -> new Outcome.Failed(error.code(), error.message());
      case Result.Lost<Outcome>(var reason) -> new Outcome.Unknown(reason);
      case Result.Unsent<Outcome>(var reason) -> new Outcome.Unavailable(reason);
    };
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
    if (event instanceof DomainEvent.Changed(_, var name, var change, var why)) {
      if (change == DomainEvent.Change.SHUTDOWN && why == Why.SHUTDOWN) {
        poweredOff.add(name);
      } else if (change == DomainEvent.Change.SHUTDOWN || change == DomainEvent.Change.STARTED) {
        poweredOff.remove(name);
      }
    }
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
