package dev.haven.agent;

import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.LibvirtState;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** A libvirt made of a map, which does at once what it is asked unless it is told otherwise. */
final class FakeHypervisor implements Hypervisor {
  final Map<String, Domain> domains = new ConcurrentHashMap<>();
  final List<String> calls = new CopyOnWriteArrayList<>();
  volatile Link link = new Link.Up(Instant.EPOCH);

  /** What a call answers instead of doing anything, by the call's name. */
  final Map<String, Supplier<Outcome>> instead = new ConcurrentHashMap<>();

  /** Run before a call does its work, by the call's name. */
  final Map<String, Consumer<String>> before = new ConcurrentHashMap<>();

  volatile List<String> hazards = List.of();
  volatile boolean hazardsLookedFor = true;
  volatile boolean mute;
  volatile MigrationResult migration =
      new MigrationResult.Left(Duration.ofMillis(1_400), Duration.ofMillis(10), 1 << 20);
  volatile boolean endsEarly;
  volatile Listener listener = new Deaf();
  volatile List<String> obstacles = List.of();
  volatile boolean heedsShutdown = true;
  volatile String definition = "<domain/>";

  /** Their processes run on though libvirt does not know of it. */
  volatile java.util.Set<String> strays = java.util.Set.of();

  /** Their definitions are not told in time. */
  volatile java.util.Set<String> slow = java.util.Set.of();

  static final class Deaf implements Listener {
    @Override
    public void heard(DomainEvent event) {}

    @Override
    public void link(Link link) {}
  }

  void put(String name, Run run, Why why, long epoch) {
    put(name, run, why, epoch, false);
  }

  void put(String name, Run run, Why why, long epoch, boolean job) {
    domains.put(
        name,
        new Domain(
            name,
            new UUID(1, name.hashCode()),
            run == Run.SHUT_OFF ? -1 : Math.toIntExact(1 + epoch),
            new LibvirtState(run, why),
            epoch == 0 ? OptionalLong.empty() : OptionalLong.of(epoch),
            job,
            true,
            false,
            128,
            1,
            List.of()));
    tell(name, DomainEvent.Change.DEFINED);
  }

  boolean runs(String name) {
    var domain = domains.get(name);
    return domain != null && domain.state().run() == Run.RUNNING;
  }

  /** Its process dies. */
  void crash(String name) {
    var old = domains.get(name);
    put(name, Run.SHUT_OFF, Why.CRASHED, old == null ? 0 : old.epoch().orElse(0));
  }

  private void tell(String name, DomainEvent.Change change) {
    listener.heard(new DomainEvent.Changed(Instant.EPOCH, name, change, Why.UNKNOWN));
  }

  private Outcome act(String call, String name, long epoch, Supplier<Outcome> act) {
    calls.add(call + " " + name + " " + epoch);
    before.getOrDefault(call, _ -> {}).accept(name);
    var other = instead.get(call);
    return other != null ? other.get() : act.get();
  }

  private Outcome onOurs(String name, long epoch, Supplier<Outcome> act) {
    var domain = domains.get(name);
    if (domain == null) {
      return new Outcome.Absent();
    }
    return domain.epoch().equals(OptionalLong.of(epoch))
        ? act.get()
        : new Outcome.Conflict(domain.epoch(), name + " has epoch " + domain.epoch());
  }

  @Override
  public Link link() {
    return link;
  }

  @Override
  public Answer<HostReport> host(Duration within) {
    return mute
        ? new Answer.Unknown<>("mute")
        : new Answer.Known<>(
            new HostReport(
                new UUID(7, 7),
                16_384,
                8_192,
                8,
                "x86_64",
                "",
                "",
                "9.0.0",
                "QEMU",
                "7.2.0",
                List.of(),
                new Features(true, true, true, true, true, true, true),
                List.of("pc-q35-7.2")));
  }

  @Override
  public Optional<List<String>> hazards() {
    return hazardsLookedFor ? Optional.of(hazards) : Optional.empty();
  }

  @Override
  public Answer<List<Domain>> domains(Duration within) {
    return mute
        ? new Answer.Unknown<>("mute")
        : new Answer.Known<>(List.copyOf(new TreeMap<>(domains).values()));
  }

  @Override
  public Answer<List<Domain>> domain(String name, Duration within) {
    if (mute) {
      return new Answer.Unknown<>("mute");
    }
    var domain = domains.get(name);
    return new Answer.Known<>(domain == null ? List.of() : List.of(domain));
  }

  @Override
  public Answer<String> definition(String name, Duration within) {
    return mute || slow.contains(name)
        ? new Answer.Unknown<>("mute")
        : new Answer.Known<>(definition);
  }

  @Override
  public Answer<List<String>> obstacles(String domainXml, Duration within) {
    return mute ? new Answer.Unknown<>("mute") : new Answer.Known<>(obstacles);
  }

  @Override
  public Optional<String> stray(String name) {
    return strays.contains(name)
        ? Optional.of("process 4711 runs it all the same")
        : Optional.empty();
  }

  @Override
  public Gone confirmGone(String name, Duration within) {
    calls.add("confirmGone " + name);
    before.getOrDefault("confirmGone", _ -> {}).accept(name);
    if (mute) {
      return new Gone.Unknown("mute");
    }
    var domain = domains.get(name);
    if (domain == null) {
      return new Gone.Confirmed("no domain of this name");
    }
    return domain.state().shutOff() && !domain.job()
        ? new Gone.Confirmed(domain.state().toString())
        : new Gone.StillThere(domain.state(), domain.epoch(), domain.state().toString());
  }

  @Override
  public Outcome start(GuestStart order, Permit permit, Duration within) {
    return act(
        "start",
        order.name(),
        order.epoch(),
        () -> {
          var here = domains.get(order.name());
          if (here != null && !here.state().shutOff()) {
            return onOurs(
                order.name(),
                order.epoch(),
                () ->
                    order.created() && here.state().run() == Run.PAUSED
                        ? letRun(order.name(), order.epoch(), Why.BOOTED, permit)
                        : new Outcome.Already());
          }
          var no = permit.toCreate();
          if (no.isPresent()) {
            return new Outcome.Unavailable(no.get());
          }
          put(order.name(), Run.PAUSED, Why.USER, order.epoch());
          before.getOrDefault("created", _ -> {}).accept(order.name());
          return letRun(order.name(), order.epoch(), Why.BOOTED, permit);
        });
  }

  /** The call counts as sent before the permit is asked, as the real one does it. */
  private Outcome letRun(String name, long epoch, Why why, Permit permit) {
    letRun.put(name, epoch);
    try {
      var no = permit.toRun();
      if (no.isPresent()) {
        return new Outcome.Unavailable(no.get());
      }
      before.getOrDefault("resumed", _ -> {}).accept(name);
      put(name, Run.RUNNING, why, epoch);
      return new Outcome.Done();
    } finally {
      letRun.remove(name);
    }
  }

  /** Calls that were sent and have not returned. */
  final Map<String, Long> letRun = new ConcurrentHashMap<>();

  volatile Runnable beforeLetRun = () -> {};

  @Override
  public Map<String, Long> letRun() {
    beforeLetRun.run();
    return letRun;
  }

  @Override
  public Outcome shutdown(String name, long epoch, Duration within) {
    return act(
        "shutdown",
        name,
        epoch,
        () ->
            onOurs(
                name,
                epoch,
                () -> {
                  if (heedsShutdown) {
                    put(name, Run.SHUT_OFF, Why.SHUTDOWN, epoch);
                  }
                  return new Outcome.Done();
                }));
  }

  @Override
  public Outcome destroy(String name, long epoch, Duration within) {
    return act(
        "destroy",
        name,
        epoch,
        () ->
            onOurs(
                name,
                epoch,
                () -> {
                  put(name, Run.SHUT_OFF, Why.DESTROYED, epoch);
                  return new Outcome.Done();
                }));
  }

  @Override
  public Outcome endArrival(String name, long epoch, Duration within) {
    return destroy(name, epoch, within);
  }

  @Override
  public Outcome undefine(String name, long epoch, Duration within) {
    return act(
        "undefine",
        name,
        epoch,
        () ->
            onOurs(
                name,
                epoch,
                () -> {
                  domains.remove(name);
                  return new Outcome.Done();
                }));
  }

  @Override
  public Outcome suspend(String name, long epoch, Duration within) {
    return act(
        "suspend",
        name,
        epoch,
        () ->
            onOurs(
                name,
                epoch,
                () -> {
                  put(name, Run.PAUSED, Why.USER, epoch);
                  return new Outcome.Done();
                }));
  }

  @Override
  public Outcome resume(String name, long epoch, boolean arrived, Permit permit, Duration within) {
    return act(
        "resume",
        name,
        epoch,
        () ->
            onOurs(
                name,
                epoch,
                () -> {
                  var here = domains.get(name);
                  if (!arrived && here != null && here.state().why() == Why.USER) {
                    return new Outcome.Already();
                  }
                  if (arrived && here != null && here.state().why() == Why.MIGRATION) {
                    return new Outcome.Failed(55, "its migration goes on");
                  }
                  return letRun(name, epoch, Why.UNPAUSED, permit);
                }));
  }

  @Override
  public Outcome release(String name, long epoch, Duration within) {
    throw new UnsupportedOperationException("no order releases");
  }

  @Override
  public MigrationResult migrate(MigrateOut order, MigrationWatcher watcher) {
    calls.add("migrate " + order.name() + " " + order.epoch() + "->" + order.targetEpoch());
    watcher.progress(
        new MigrationProgress(Duration.ZERO, 100, 50, 50, 10, 0, Duration.ZERO, Duration.ZERO));
    if (migration instanceof MigrationResult.Left) {
      domains.remove(order.name());
      if (endsEarly) {
        watcher.gone("its process 42 has ended after the switchover");
      }
    }
    before.getOrDefault("migrate", _ -> {}).accept(order.name());
    return migration;
  }

  @Override
  public Outcome cancelMigration(String name, long epoch, Duration within) {
    return act("cancel", name, epoch, Outcome.Done::new);
  }

  /** What a ping answers, by the guest's name. */
  final Map<String, Supplier<Ping>> pings = new ConcurrentHashMap<>();

  @Override
  public Ping ping(String name, long epoch, Duration within) {
    calls.add("ping " + name + " " + epoch);
    return pings.getOrDefault(name, () -> new Ping.NotAsked("it has no agent")).get();
  }

  @Override
  public void close() {
    calls.add("close");
  }
}
