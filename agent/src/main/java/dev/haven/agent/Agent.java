package dev.haven.agent;

import dev.haven.agent.guest.Changes;
import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.GuestKeeper;
import dev.haven.agent.guest.HostLeases;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.Orders;
import dev.haven.agent.libvirt.LibvirtHypervisor;
import dev.haven.core.lease.Handover;
import dev.haven.core.lease.LeaseTable;
import dev.haven.model.Time;
import dev.haven.model.config.ServiceManager;
import dev.haven.model.config.Settings;
import dev.haven.model.config.SettingsException;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.GoingDown;
import dev.haven.model.wire.ToAgent;
import dev.haven.tls.NoJavaObjects;
import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import dev.haven.tls.TlsException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The agent of one host. Run as {@code Agent CONFIG.yaml}; with {@code --check} before the file it
 * starts nothing and says whether it would.
 *
 * <p>It decides nothing: it beats, reports what libvirt has and obeys current orders. Its end, by
 * whatever way, touches no guest.
 */
public final class Agent implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Agent.class);

  /** Nobody may rely on this host's leases before. */
  private static final List<String> NOT_LOOKED_FOR =
      List.of("libvirt was not yet asked for guests that it may start by itself");

  private static final Path KERNEL = Path.of("/proc/sys/fs");

  /** How often systemd is told how this agent does. */
  private static final Duration TELL = Duration.ofSeconds(10);

  private static final int EXIT_USAGE = 64;
  private static final int EXIT_FAULT = 70;

  /** Not now, and perhaps later. */
  static final int EXIT_BUSY = 75;

  private final Hypervisor hypervisor;
  private final Heartbeats heartbeats;
  private final LeaderChannel channel;
  private final Reports reports;
  private final Orders orders;
  private final ExecutorService workers = Orders.workers();
  private final ExecutorService urgent = Orders.urgent();
  private final DiskLook disks;
  private final SelfFence fence;
  private final HealthChecks health;
  private final HostShutdown shutdown;
  private final Readiness readiness;

  /**
   * @param hypervisor makes the connection to it, which then tells its events to the listener, and
   *     asks whether this host was ordered to run a guest of that name
   * @param watchdog null if there is none
   * @param pillListener null if it listens to no SBD disk
   * @param own what on this host, other than libvirtd, may undo its leases
   * @param shutdown of this host; calls what it is given after each change
   */
  Agent(
      AgentSettings settings,
      AgentIdentity identity,
      SSLContext tls,
      KnownVoters voters,
      OrderBook book,
      LeaseFile file,
      @Nullable WatchdogDevice watchdog,
      @Nullable PoisonPillListener pillListener,
      Supplier<List<String>> own,
      Function<Runnable, HostShutdown> shutdown,
      BiFunction<Hypervisor.Listener, Predicate<String>, Hypervisor> hypervisor)
      throws IOException {
    var changes = new Changes();
    var faults = new OwnFaults(System::nanoTime);
    var leaders = new Leaders();
    var leases = new HostLeases(new LeaseTable(), new BootClock()::nanos, Time.SYSTEM);
    var listener = new Ears(changes);
    this.hypervisor = hypervisor.apply(listener, name -> ordered(name, book, leases.table()));
    this.shutdown = shutdown.apply(changes::happened);
    this.health = new HealthChecks(this.hypervisor, changes::happened);
    listener.health.set(health);
    Supplier<List<String>> hazards = () -> hazards(own.get(), this.hypervisor);
    var out = new Way();
    this.reports =
        new Reports(
            this.hypervisor,
            changes,
            domain -> GuestKeeper.said(book, domain, log),
            health::of,
            this.shutdown,
            out::send,
            out::renew,
            faults);
    this.fence =
        new SelfFence(
            identity.boot(),
            this.hypervisor,
            book,
            leases,
            file,
            reports::seen,
            hazards,
            watchdog,
            pillListener,
            watchdogNow -> out.send(new FromAgent.Guarded(FromAgent.VERSION, watchdogNow)),
            faults,
            new BootClock()::nanos,
            SelfFence.threads());
    this.readiness =
        new Readiness(this.hypervisor, fence, KERNEL, faults, out::renew, System::nanoTime);
    var keeper =
        new GuestKeeper(
            this.hypervisor,
            book,
            changes,
            settings.unsafeMigration().orElse(false),
            fence.right(),
            Time.SYSTEM,
            log);
    listener.keeper.set(keeper);
    this.channel =
        new LeaderChannel(
            voters,
            tls,
            TlsContext.parameters(),
            () ->
                hello(
                    identity,
                    book,
                    fence,
                    reports.firstSeen(),
                    this.shutdown.last(),
                    hazards.get(),
                    readiness.warnings()),
            this::said,
            leaders,
            faults);
    out.to.set(channel);
    this.orders = new Orders(book, keeper, channel::send, workers, urgent, log);
    this.disks = new DiskLook(identity.host(), identity.boot(), channel::send);
    this.heartbeats =
        new Heartbeats(
            identity,
            settings.networks(),
            voters,
            settings.heartbeatPort(),
            leaders,
            leases,
            reports::digest,
            faults);
  }

  private void said(ToAgent frame) {
    switch (frame) {
      case ToAgent.OrderFrame order -> orders.take(order);
      case ToAgent.Leased leased -> {
        boolean counts = fence.told(leased);
        heartbeats.beatNow();
        if (counts) {
          health.told(leased);
          orders.expect(leased.exclusives());
        }
      }
      case ToAgent.TestWatchdog _ -> fence.test();
      case ToAgent.LookAtDisks question -> disks.look(question);
      case ToAgent.Welcome _, ToAgent.Voters _, ToAgent.NotLeader _, ToAgent.Rejected _ -> {}
    }
  }

  void start() {
    heartbeats.start();
    fence.start();
    reports.start();
    readiness.start();
  }

  /** Joins the cluster. */
  void join() {
    channel.start();
  }

  private static FromAgent.Hello hello(
      AgentIdentity identity,
      OrderBook book,
      SelfFence fence,
      Reports.Seen seen,
      Optional<GoingDown> goingDown,
      List<String> hazards,
      List<String> warnings) {
    return new FromAgent.Hello(
        FromAgent.VERSION,
        identity.host(),
        identity.boot(),
        identity.process(),
        Base64.getEncoder().encodeToString(identity.key()),
        identity.systemUuid(),
        seen.capacity(),
        Optional.ofNullable(Agent.class.getPackage().getImplementationVersion())
            .orElse("development"),
        book.term(),
        fence.watchdog(),
        seen.libvirtUp(),
        seen.domains(),
        goingDown,
        hazards,
        warnings);
  }

  /**
   * What could make a guest run here that nobody ordered, or for too long: as far as anybody has
   * looked.
   */
  static List<String> hazards(List<String> own, Hypervisor hypervisor) {
    return Stream.concat(own.stream(), hypervisor.hazards().orElse(NOT_LOOKED_FOR).stream())
        .toList();
  }

  /** The leases say so too: a book that was lost begins with no guest. */
  static boolean ordered(String guest, OrderBook book, LeaseTable leases) {
    return book.knows(guest)
        || leases.held().keySet().stream().anyMatch(id -> id.value().equals(guest));
  }

  /** Ends all threads and connections. Guests are not touched, nor is what libvirt is at. */
  @Override
  public void close() {
    shutdown.close();
    workers.shutdownNow(); // begins nothing more: what libvirt is at goes on
    urgent.shutdownNow();
    disks.close();
    health.close();
    readiness.close();
    fence.close();
    reports.close();
    channel.close();
    heartbeats.close();
    hypervisor.close();
  }

  /** To the leader. What is said before there is a channel is dropped: its hello says it again. */
  private static final class Way {
    final AtomicReference<LeaderChannel> to = new AtomicReference<>();

    void send(FromAgent frame) {
      Optional.ofNullable(to.get()).ifPresent(channel -> channel.send(frame));
    }

    void renew() {
      Optional.ofNullable(to.get()).ifPresent(LeaderChannel::renew);
    }
  }

  /** Passes libvirt's events on; they come on a thread that must not wait. */
  private static final class Ears implements Hypervisor.Listener {
    private final Changes changes;
    final AtomicReference<GuestKeeper> keeper = new AtomicReference<>();
    final AtomicReference<HealthChecks> health = new AtomicReference<>();

    Ears(Changes changes) {
      this.changes = changes;
    }

    @Override
    public void heard(DomainEvent event) {
      var to = keeper.get();
      if (to != null) {
        to.heard(event);
      }
      var checks = health.get();
      if (checks != null) {
        checks.heard(event);
      }
      changes.happened();
    }

    @Override
    public void link(Hypervisor.Link link) {
      changes.happened();
    }
  }

  public static void main(String[] args) {
    NoJavaObjects.areRead();
    LogLines.install();
    if (args.length == 2 && args[0].equals("--check")) {
      System.exit(new AgentCheck(System.err::println).run(Path.of(args[1])));
    }
    if (args.length != 1) {
      log.error("usage: Agent [--check] CONFIG.yaml");
      System.exit(EXIT_USAGE);
    }
    // a search in vain opens each jar: later a package may have removed those of this process
    ClassLoader.getSystemResource("dev/haven/no-such-resource");
    Thread.setDefaultUncaughtExceptionHandler(
        (thread, e) -> {
          // half an agent is worse than one that its supervisor restarts
          log.error("a fault of ours ends this process (thread {})", thread.getName(), e);
          Runtime.getRuntime().halt(EXIT_FAULT);
        });
    try {
      run(Path.of(args[0]));
    } catch (SettingsException | TlsException e) {
      log.error("{}", e.getMessage());
      System.exit(SettingsException.EXIT_CODE);
    } catch (IOException e) {
      log.error("cannot start: {}", e.toString());
      System.exit(EXIT_BUSY);
    }
  }

  static KnownVoters voters(AgentSettings settings) {
    return new KnownVoters(settings.voters(), settings.data().resolve("voters.json"));
  }

  /** Checked: it is this host's certificate, and its key. */
  static SSLContext tls(AgentSettings settings, KnownVoters voters) throws TlsException {
    TlsContext.checkIs(settings.tls().certificate(), new Peer(settings.host().value(), Role.HOST));
    return TlsContext.watched(
        settings.tls().ca(), settings.tls().certificate(), settings.tls().key(), voters::isMeant);
  }

  /**
   * Reads the settings, the certificate and the key as an agent does at its start.
   *
   * @throws IOException if it would not start; the message is for the operator
   */
  public static void checkSettings(Path file) throws IOException {
    var settings = Settings.read(file, AgentSettings.class);
    tls(settings, voters(settings));
  }

  private static void run(Path file) throws IOException {
    var settings = Settings.read(file, AgentSettings.class);
    var voters = voters(settings);
    var tls = tls(settings, voters);
    TwoCopies.folder(settings.data());
    onlyOne(settings.data());
    var identity =
        AgentIdentity.draw(
            settings.host(),
            settings.bootIdFile().orElse(AgentSettings.KERNELS_BOOT_ID),
            settings.standInUuid().or(() -> AgentIdentity.systemUuid(AgentIdentity.SMBIOS)));
    var book = OrderBook.open(settings.data());
    RealTime.memory();
    // several hosts that share one machine, as the lab's do, have no say in its services
    boolean owned = Systemd.here() && settings.standInUuid().isEmpty();
    var leases = new LeaseFile(settings.run().orElse(AgentSettings.RUN));
    var earlier = leases.read(identity.boot());
    var manager = ServiceManager.of(System.getenv());
    // armed last of all that can fail: from here on this host needs an agent
    @Nullable WatchdogDevice watchdog =
        settings.watchdog().isPresent()
            ? WatchdogDevice.open(
                settings.watchdog().get(),
                earlier.flatMap(Handover::watchdog),
                new UnitStore(manager, Systemd::program, Path.of("/proc/self/cgroup")))
            : null;
    @Nullable PoisonPillListener pillListener =
        watchdog == null ? null : pillListener(settings, watchdog, earlier);
    var hazards = owned ? HostHazards.of(watchdog) : HostHazards.NONE;
    var agent =
        new Agent(
            settings,
            identity,
            tls,
            voters,
            book,
            leases,
            watchdog,
            pillListener,
            hazards::now,
            changed -> owned ? new Systemd(Systemd::program, changed) : HostShutdown.NEVER,
            (listener, ordered) ->
                LibvirtHypervisor.connect(settings.libvirt(), listener, ordered));
    Runtime.getRuntime()
        .addShutdownHook(
            Thread.ofPlatform()
                .name("stop")
                .unstarted(
                    () -> {
                      LogLines.last("Agent", "stopping; guests go on");
                      manager.stopping();
                      agent.close();
                    }));
    agent.start(); // the watchdog is fed before anything else is asked
    hazards.look();
    agent.join();
    log.info(
        "agent of host {} began: boot {}, process {}, {} voters, term {}",
        identity.host(),
        identity.boot(),
        identity.process(),
        settings.voters().size(),
        book.term());
    agent.reports.firstSeen();
    manager.ready(agent.inWords(identity));
    Thread.ofPlatform().daemon().name("status").start(() -> agent.tell(manager, identity, hazards));
  }

  private void tell(ServiceManager manager, AgentIdentity identity, HostHazards hazards) {
    try {
      while (true) {
        Thread.sleep(TELL);
        if (hazards.look()) {
          channel.renew();
        }
        manager.status(inWords(identity));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** What it is at, for {@code systemctl status}. */
  private String inWords(AgentIdentity identity) {
    var seen = reports.seen();
    return "agent of host %s: %s"
        .formatted(
            identity.host(),
            seen.libvirtUp()
                ? "libvirt has %d guests".formatted(seen.domains().size())
                : "libvirt does not answer; guests go on");
  }

  /** Others may count on the disks that an earlier process of this boot listened to. */
  private static @Nullable PoisonPillListener pillListener(
      AgentSettings settings, WatchdogDevice watchdog, Optional<Handover> earlier) {
    var before =
        earlier
            .flatMap(Handover::listensTo)
            .map(
                d ->
                    new AgentSettings.SbdSettings(
                        d.disks().stream().map(Path::of).toList(), d.slot()));
    if (before.isPresent() && !before.equals(settings.sbd())) {
      log.warn("sbd has changed; until the next boot this host listens to {}", before.get());
    }
    return before
        .or(settings::sbd)
        .map(s -> new PoisonPillListener(s, watchdog, before.isPresent()))
        .orElse(null);
  }

  /** Two agents on one data directory would each forget what the other has promised. */
  private static void onlyOne(Path data) throws IOException {
    TwoCopies.ownersAlone(data.resolve("lock"));
    var channel =
        FileChannel.open(data.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      lock = null;
    }
    if (lock == null) {
      channel.close();
      throw new IOException(data + " is in use by another agent");
    }
    keptUntilTheEnd = lock;
  }

  @SuppressWarnings("unused") // a lock that is not referenced could be closed
  private static @org.jspecify.annotations.Nullable FileLock keptUntilTheEnd;
}
