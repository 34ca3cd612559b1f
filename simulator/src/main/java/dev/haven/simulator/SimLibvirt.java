package dev.haven.simulator;

import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.Letting;
import dev.haven.agent.guest.LibvirtState;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;

/**
 * The libvirt of a host, as one process of its agent reaches it. What it was asked it does when its
 * turn comes, whether or not that process still waits or lives.
 */
final class SimLibvirt implements Hypervisor {
  /** A start takes that long at most, in milliseconds: a minute, the agent's own limit. */
  private static final double SLOWEST_START = 60_000;

  private static final int REFUSED = 55;
  private static final String DIRECT =
      "<domain><disk device='disk'><driver cache='none'/></disk></domain>";
  private static final String CACHED =
      "<domain><disk device='disk'><driver cache='writeback'/></disk></domain>";

  private final SimHost host;
  private final World world;
  private final Clock clock;
  private final SimCalls calls;
  private final Letting letting;

  /** Where guests are to go. */
  private final Map<GuestId, HostId> targets = new HashMap<>();

  SimLibvirt(SimHost host, LivedTime time) {
    this.host = host;
    this.world = host.world;
    this.clock = world.clock;
    this.calls = new SimCalls(host, time);
    this.letting = new Letting(time);
  }

  /** The host behind the URI of this guest's next migration. */
  void leadsTo(GuestId guest, HostId target) {
    targets.put(guest, target);
  }

  // what every call has in common

  private interface OnOurs {
    Outcome does(GuestId guest, SimDomain here);
  }

  private Outcome onOurs(String name, long epoch, Duration within, OnOurs act) {
    var guest = new GuestId(name);
    return calls.order(
        name,
        within,
        () ->
            calls.change(
                guest,
                within,
                () -> {
                  var here = host.domains.get(guest);
                  return here == null
                      ? new Outcome.Absent()
                      : conflict(name, here, epoch).orElseGet(() -> act.does(guest, here));
                }));
  }

  private static Optional<Outcome> conflict(String name, SimDomain here, long epoch) {
    return here.epoch.value() == epoch
        ? Optional.empty()
        : Optional.of(
            new Outcome.Conflict(
                here.as(name).epoch(), "%s has epoch %s here".formatted(name, here.epoch)));
  }

  private static Outcome refused(String name, SimDomain here) {
    return new Outcome.Failed(REFUSED, name + " is " + here.libvirtState());
  }

  // questions

  @Override
  public Link link() {
    return host.libvirtUp
        ? new Link.Up(Instant.EPOCH)
        : new Link.Away(Instant.EPOCH, "it does not run");
  }

  @Override
  public Answer<HostReport> host(Duration within) {
    return calls.answerOf(
        clock.between(1, 20),
        () ->
            new HostReport(
                UUID.nameUUIDFromBytes(new byte[0]),
                host.capacity.memoryMib(),
                host.capacity.memoryMib(),
                8,
                "x86_64",
                "",
                "",
                "",
                "QEMU",
                "",
                List.of(),
                new Features(true, true, true, true, true, true, true),
                List.of()));
  }

  @Override
  public Optional<List<String>> hazards() {
    return Optional.of(List.of());
  }

  @Override
  public Answer<List<Hypervisor.Domain>> domains(Duration within) {
    if (world.sometimes(world.chaos.pauseFails())) {
      return new Answer.Unknown<>("libvirt did not answer in time");
    }
    return calls.answerOf(
        clock.between(0.3, 5),
        () ->
            host.domains.entrySet().stream()
                .map(d -> d.getValue().as(d.getKey().value()))
                .toList());
  }

  @Override
  public Answer<List<Hypervisor.Domain>> domain(String name, Duration within) {
    return calls.answerOf(
        clock.between(0.3, 3),
        () -> {
          var here = host.domains.get(new GuestId(name));
          return here == null ? List.of() : List.of(here.as(name));
        });
  }

  @Override
  public Answer<String> definition(String name, Duration within) {
    return calls.answerOf(
        clock.between(0.3, 3), () -> world.cached.contains(new GuestId(name)) ? CACHED : DIRECT);
  }

  @Override
  public Answer<List<String>> obstacles(String domainXml, Duration within) {
    return calls.answerOf(clock.between(1, 20), List::of);
  }

  @Override
  public Gone confirmGone(String name, Duration within) {
    try {
      return calls.ask(
          clock.between(1, 10),
          () -> {
            var stray = stray(name);
            if (stray.isPresent()) {
              return new Gone.Unknown(stray.get());
            }
            var here = host.domains.get(new GuestId(name));
            if (here == null) {
              return new Gone.Confirmed("not defined");
            }
            var now = here.libvirtState();
            return now.shutOff() && !here.job()
                ? new Gone.Confirmed("shut off")
                : new Gone.StillThere(now, here.as(name).epoch(), "libvirt says " + now);
          });
    } catch (SimCalls.Away e) {
      return new Gone.Unknown(String.valueOf(e.getMessage()));
    }
  }

  @Override
  public Optional<String> stray(String name) {
    return host.strays.contains(new GuestId(name))
        ? Optional.of("a process runs it all the same")
        : Optional.empty();
  }

  @Override
  public Ping ping(String name, long epoch, Duration within) {
    return new Ping.NotAsked("it has no agent");
  }

  // what lets a guest run

  @Override
  public Map<String, Long> letRun() {
    return letting.now();
  }

  @Override
  public Outcome start(GuestStart order, Permit permit, Duration within) {
    return calls.order(order.name(), within, () -> started(order, permit, within));
  }

  private Outcome started(GuestStart order, Permit permit, Duration within) throws SimCalls.Away {
    var guest = new GuestId(order.name());
    var verdict = calls.ask(clock.between(0.5, 5), () -> verdict(order, guest));
    if (verdict.isPresent()) {
      return verdict.get() instanceof Outcome.Already
              && order.created()
              && Optional.ofNullable(host.domains.get(guest))
                  .filter(d -> d.state == DomainState.PAUSED && !d.pausedByMigration)
                  .isPresent()
          ? letRun(guest, new Epoch(order.epoch()), permit, "started")
          : verdict.get();
    }
    var domain = new SimDomain(new Epoch(order.epoch()), DomainState.OFF);
    domain.neverRan = true;
    var defined =
        calls.ask(
            clock.between(0.5, 5),
            () -> {
              host.domains.put(guest, domain);
              return domain;
            });
    var created =
        letting.run(
            () -> false,
            order.name(),
            order.epoch(),
            () -> {
              var no = permit.toCreate();
              return no.isPresent()
                  ? new Outcome.Unavailable(no.get())
                  : created(guest, defined, within);
            });
    return created instanceof Outcome.Done
        ? letRun(guest, domain.epoch, permit, "started")
        : created;
  }

  private Optional<Outcome> verdict(GuestStart order, GuestId guest) {
    var here = host.domains.get(guest);
    if (here == null) {
      return Optional.empty();
    }
    if (here.creating) {
      return Optional.of(new Outcome.Unavailable("libvirt is still starting it up"));
    }
    var conflict = conflict(order.name(), here, order.epoch());
    if (here.state.active()) {
      return Optional.of(conflict.orElseGet(Outcome.Already::new));
    }
    return here.epoch.value() > order.epoch() ? conflict : Optional.empty();
  }

  private Outcome created(GuestId guest, SimDomain domain, Duration within) throws SimCalls.Away {
    if (!host.libvirtUp) {
      throw new SimCalls.Away(false);
    }
    BlockingQueue<Optional<Outcome>> answer = SimCalls.answer();
    int boots = host.boots;
    domain.creating = true;
    boolean unclear = clock.happens(world.chaos.startTimesOut()) || host.startsUnclear;
    double takes =
        unclear
            ? clock.between(0, SLOWEST_START)
            : host.startsSlow ? clock.between(5_000, 80_000) : clock.between(50, 400);
    clock.afterMillis(takes, () -> isCreated(guest, domain, boots, answer));
    if (unclear) {
      clock.afterMillis(clock.between(100, 1_000), () -> answer.offer(Optional.empty()));
    } else if (takes > within.toMillis()) {
      clock.after(within, () -> answer.offer(Optional.empty()));
    }
    return calls.await(answer);
  }

  /** libvirt's call that creates it, paused, has come to its end. */
  private void isCreated(
      GuestId guest, SimDomain domain, int boots, BlockingQueue<Optional<Outcome>> answer) {
    if (!calls.isBoot(boots) || host.domains.get(guest) != domain) {
      answer.offer(Optional.empty());
    } else if (!host.libvirtUp) {
      answer.offer(Optional.empty());
      host.whenLibvirtIsBack(() -> isCreated(guest, domain, boots, answer));
    } else {
      domain.creating = false;
      boolean fails = host.failsToStart(guest);
      if (!fails) {
        domain.state = DomainState.PAUSED;
      }
      answer.offer(Optional.of(fails ? new Outcome.Failed(1, "no such disk") : new Outcome.Done()));
    }
  }

  @Override
  public Outcome resume(String name, long epoch, boolean arrived, Permit permit, Duration within) {
    var guest = new GuestId(name);
    return calls.order(
        name,
        within,
        () -> {
          var verdict =
              calls.ask(
                  clock.between(0.3, 3),
                  () -> {
                    var here = host.domains.get(guest);
                    return here == null
                        ? Optional.<Outcome>of(new Outcome.Absent())
                        : conflict(name, here, epoch).or(() -> resumes(name, here, arrived));
                  });
          return verdict.isPresent()
              ? verdict.get()
              : letRun(guest, new Epoch(epoch), permit, "resumed");
        });
  }

  private static Optional<Outcome> resumes(String name, SimDomain here, boolean arrived) {
    var state = here.libvirtState();
    if (state.run() == Run.RUNNING
        || (!arrived && state.run() == Run.PAUSED && state.why() == Why.USER)) {
      return Optional.of(new Outcome.Already());
    }
    boolean migrates = state.run() == Run.PAUSED && state.why() == Why.MIGRATION;
    return migrates && (arrived || here.leaving != null)
        ? Optional.of(refused(name, here))
        : Optional.empty();
  }

  /** libvirt's call that lets a guest run, sent under the permit that is asked now. */
  private Outcome letRun(GuestId guest, Epoch epoch, Permit permit, String how)
      throws SimCalls.Away {
    return letting.run(
        () -> false,
        guest.value(),
        epoch.value(),
        () -> {
          var no = permit.toRun();
          return no.isPresent() ? new Outcome.Unavailable(no.get()) : runs(guest, epoch, how);
        });
  }

  private Outcome runs(GuestId guest, Epoch epoch, String how) throws SimCalls.Away {
    if (!host.libvirtUp) {
      throw new SimCalls.Away(false);
    }
    var domain = host.domains.get(guest);
    if (domain == null || !domain.epoch.equals(epoch)) {
      return new Outcome.Failed(REFUSED, "it is not here any more");
    }
    BlockingQueue<Optional<Outcome>> answer = SimCalls.answer();
    domain.callsPending++;
    boolean unclear = world.sometimes(world.chaos.startTimesOut());
    double takes = unclear ? clock.between(0, 4_000) : clock.between(1, 10);
    clock.afterMillis(
        takes,
        () -> {
          host.comesUp(guest, domain, how);
          answer.offer(
              Optional.of(domain.executes() ? new Outcome.Done() : refused(guest.value(), domain)));
        });
    if (unclear) {
      clock.afterMillis(clock.between(1, 1_000), () -> answer.offer(Optional.empty()));
    }
    return calls.await(answer);
  }

  // what ends a guest or pauses it

  @Override
  public Outcome shutdown(String name, long epoch, Duration within) {
    return onOurs(
        name,
        epoch,
        within,
        (guest, here) -> {
          if (!here.state.active()) {
            return new Outcome.Already();
          }
          if (here.state == DomainState.RUNNING && here.leaving == null && clock.happens(0.8)) {
            here.state = DomainState.SHUTTING_DOWN;
            int boots = host.boots;
            clock.afterMillis(
                clock.between(200, 3_000),
                () -> {
                  if (here.state == DomainState.SHUTTING_DOWN && calls.isBoot(boots)) {
                    host.ends(guest, DomainState.OFF_SHUTDOWN);
                  }
                });
          }
          return new Outcome.Done();
        });
  }

  @Override
  public Outcome destroy(String name, long epoch, Duration within) {
    return end(name, epoch, within, false);
  }

  @Override
  public Outcome endArrival(String name, long epoch, Duration within) {
    return end(name, epoch, within, true);
  }

  private Outcome end(String name, long epoch, Duration within, boolean onlyAnArrival) {
    var outcome =
        onOurs(
            name,
            epoch,
            within,
            (guest, here) -> {
              if (!here.state.active()) {
                return new Outcome.Already();
              }
              if (onlyAnArrival && here.state != DomainState.INCOMING) {
                return new Outcome.Failed(55, name + " arrives no more");
              }
              if (here.state == DomainState.INCOMING) {
                host.domains.remove(guest);
                host.changed();
              } else if (host.destroysHang) {
                return new Outcome.Failed(38, "its process does not end");
              } else {
                host.ends(guest, DomainState.OFF_DESTROYED);
              }
              return new Outcome.Done();
            });
    try {
      calls.rest(
          outcome instanceof Outcome.Failed ? clock.between(500, 5_000) : clock.between(20, 200));
      return outcome;
    } catch (SimCalls.Away e) {
      return new Outcome.Unknown(String.valueOf(e.getMessage()));
    }
  }

  @Override
  public Outcome undefine(String name, long epoch, Duration within) {
    var outcome =
        onOurs(
            name,
            epoch,
            within,
            (guest, here) -> {
              if (here.state.active()) {
                return refused(name, here);
              }
              host.domains.remove(guest);
              return new Outcome.Done();
            });
    return outcome instanceof Outcome.Absent ? new Outcome.Already() : outcome;
  }

  @Override
  public Outcome suspend(String name, long epoch, Duration within) {
    return calls.order(
        name,
        within,
        () -> {
          if (world.sometimes(world.chaos.pauseIsSlow())) {
            calls.rest(clock.between(10, within.toMillis()));
          }
          return calls.change(new GuestId(name), within, () -> suspended(new GuestId(name), epoch));
        });
  }

  private Outcome suspended(GuestId guest, long epoch) {
    var here = host.domains.get(guest);
    if (here == null) {
      return new Outcome.Absent();
    }
    var conflict = conflict(guest.value(), here, epoch);
    if (conflict.isPresent()) {
      return conflict.get();
    }
    if (!here.state.active() || host.drainsHang || world.sometimes(world.chaos.pauseFails())) {
      return refused(guest.value(), here);
    }
    here.drained = true;
    if (!here.executes()) {
      return new Outcome.Already();
    }
    here.state = DomainState.PAUSED;
    boolean noLease = new Epoch(epoch).equals(host.book.paused().get(guest));
    world.log(
        "truth",
        "guest %s on host %s is paused%s"
            .formatted(guest, host.id, noLease ? " for want of a lease" : ""));
    host.changed();
    world.moment(Moment.LEASE_ENDED, host.id.value());
    return new Outcome.Done();
  }

  @Override
  public Outcome release(String name, long epoch, Duration within) {
    throw new UnsupportedOperationException("no order releases");
  }

  // migrations

  @Override
  public MigrationResult migrate(MigrateOut order, MigrationWatcher watcher) {
    var guest = new GuestId(order.name());
    var here = host.domains.get(guest);
    var target = targets.get(guest);
    if (!host.libvirtUp || target == null) {
      return new MigrationResult.Refused("libvirt is away");
    }
    if (here == null || !here.executes() || here.epoch.value() != order.epoch()) {
      return new MigrationResult.Refused(order.name() + " does not run here");
    }
    var migration =
        new SimMigration(world, guest, host, world.host(target), new Epoch(order.targetEpoch()));
    here.leaving = migration;
    BlockingQueue<Optional<SimMigration.End>> answer = SimCalls.answer();
    migration.begin(end -> answer.offer(Optional.of(end)));
    try {
      return switch (calls.await(answer)) {
        case LEFT -> {
          watcher.gone("its process has ended after the switchover");
          calls.rest(clock.between(1, 200));
          yield new MigrationResult.Left(Duration.ofSeconds(1), Duration.ofMillis(10), 1 << 20);
        }
        case UNKNOWN -> new MigrationResult.Unknown("libvirt went away");
        case FAILED -> failed(guest);
      };
    } catch (SimCalls.Away e) {
      return new MigrationResult.Unknown(String.valueOf(e.getMessage()));
    }
  }

  private MigrationResult failed(GuestId guest) {
    var after = host.domains.get(guest);
    return new MigrationResult.Failed(
        9,
        "the migration failed",
        !host.libvirtUp
            ? Optional.empty()
            : Optional.of(
                after == null
                    ? new LibvirtState(Run.SHUT_OFF, Why.UNKNOWN)
                    : after.libvirtState()));
  }

  @Override
  public Outcome cancelMigration(String name, long epoch, Duration within) {
    try {
      return calls.ask(
          clock.between(0.5, 5),
          () -> {
            var here = host.domains.get(new GuestId(name));
            if (here == null) {
              return new Outcome.Absent();
            }
            var leaving = here.leaving;
            return conflict(name, here, epoch)
                .orElseGet(
                    () -> {
                      if (leaving == null) {
                        return new Outcome.Failed(REFUSED, "no job is active");
                      }
                      leaving.cancel();
                      return new Outcome.Done();
                    });
          });
    } catch (SimCalls.Away e) {
      return new Outcome.Unavailable(String.valueOf(e.getMessage()));
    }
  }

  @Override
  public void close() {}
}
