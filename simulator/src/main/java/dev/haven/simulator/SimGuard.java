package dev.haven.simulator;

import dev.haven.core.lease.Enforcement;
import dev.haven.core.lease.Lease;
import dev.haven.core.lease.LeaseTable;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.Watchdog;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/** One agent process's leases, and what libvirt and the order book are to their enforcement. */
final class SimGuard implements Enforcement.Host {
  static final Duration WATCHDOG = Duration.ofSeconds(10);

  /** The longest that a call may take, in milliseconds: the agent's own limit and a little more. */
  private static final int PAUSE_TAKES = 2_500;

  /** As the agent has it. */
  private static final Duration EARLIER = Duration.ofSeconds(40);

  final LeaseTable table = new LeaseTable();
  private final Enforcement enforcement = new Enforcement(table, this);
  private final SimHost host;
  private final SimAgent agent;
  private final World world;
  boolean enforcing;
  private Optional<Long> toldAt = Optional.empty();

  /** Its watchdog is tried, and not fed any more. */
  boolean starving;

  private final long began;

  /** There was an earlier process on this boot. */
  private final boolean notFirst;

  private long beats;

  /**
   * What is in /run.
   *
   * @param boots of which boot
   */
  record Page(int boots, boolean enforcing, SortedMap<GuestId, LeaseTable.Held> held) {}

  SimGuard(SimHost host, SimAgent agent) {
    this.host = host;
    this.agent = agent;
    this.world = host.world;
    this.began = world.clock.nanos();
    var earlier = Optional.ofNullable(host.run).filter(p -> p.boots() == host.boots);
    notFirst = earlier.isPresent();
    earlier.ifPresent(p -> table.takeOver(p.held()));
    enforcing = host.hasWatchdog && earlier.map(Page::enforcing).orElse(true);
    save();
  }

  Optional<Watchdog> watchdog() {
    return host.hasWatchdog
        ? Optional.of(
            new Watchdog(
                host.watchdogIsSoft ? Watchdog.Kind.SOFTDOG : Watchdog.Kind.HARDWARE,
                "simulated",
                WATCHDOG,
                host.watchdogSeen,
                enforcing,
                toldAt,
                Optional.empty()))
        : Optional.empty();
  }

  /** A heartbeat is about to leave; its number. */
  long nextBeat(long now) {
    table.sent(++beats, now);
    return beats;
  }

  /**
   * @return whether it counts; false of a leader that leads no more
   */
  boolean told(ToAgent.Leased leased) {
    if (!table.told(leased.term(), leased.state(), leased.guests())) {
      return false;
    }
    boolean enforce = leased.enforce() && host.hasWatchdog;
    toldAt = Optional.of(leased.state());
    if (enforce != enforcing || enforce) {
      enforcing = enforce;
      save();
      agent.say(new FromAgent.Guarded(FromAgent.VERSION, watchdog().orElseThrow()));
    }
    return true;
  }

  /** Whether its steps change nothing as long as its heartbeats are answered. */
  boolean calm() {
    return !starving && host.book.paused().isEmpty();
  }

  /** Its heartbeats were answered, and the watchdog fed, without being simulated; the last then. */
  void granted(long last, long term, long guests) {
    if (host.agent == agent) {
      table.granted(term, nextBeat(last), guests);
      host.fedAt = last;
      save();
    }
  }

  /** Stops feeding the watchdog, if no guest is here. */
  void test() {
    starving |= enforcement.empty();
  }

  private void save() {
    host.run = new Page(host.boots, enforcing, table.held());
  }

  /** A step of the process, several times a second. */
  void step(long now) {
    if ((!enforcing || enforcement.settled(now)) && !starving) {
      host.fedAt = now;
    }
    enforcement.letGoOn(now);
    save();
  }

  /** Whether it holds a lease that the next process will know of, and may let the guest run. */
  boolean covers(GuestId guest, Epoch epoch, long now) {
    if (!table.covers(guest, epoch, now + Lease.TO_RUN.toNanos())) {
      return false;
    }
    save();
    return true;
  }

  /** Whether a guest may be sent here. */
  boolean mayReceive(long now) {
    return !enforcing || table.current(now + Lease.TO_RUN.toNanos());
  }

  @Override
  public Optional<Map<GuestId, Epoch>> active() {
    if (!host.libvirtUp) {
      return Optional.empty();
    }
    var all = new TreeMap<GuestId, Epoch>();
    host.domains.forEach(
        (guest, domain) -> {
          if (domain.state.active()) {
            all.put(guest, domain.epoch);
          }
        });
    return Optional.of(all);
  }

  /** As slow as the host's libvirt is: usually at once. */
  @Override
  public void begin(Runnable job) {
    if (world.sometimes(world.chaos.pauseIsSlow())) {
      agent.later(world.clock.between(10, PAUSE_TAKES), job);
    } else {
      job.run();
    }
  }

  @Override
  public Map<GuestId, Enforcement.Look> look(Set<GuestId> guests) {
    var looks = new TreeMap<GuestId, Enforcement.Look>();
    guests.stream().sorted().forEach(guest -> looks.put(guest, look(guest)));
    return looks;
  }

  private Enforcement.Look look(GuestId guest) {
    if (!host.libvirtUp || world.sometimes(world.chaos.pauseFails())) {
      return new Enforcement.Look.Unknown(); // libvirt does not answer in time
    }
    var domain = host.domains.get(guest);
    return domain == null
        ? new Enforcement.Look.Gone()
        : new Enforcement.Look.Here(domain.state, domain.job());
  }

  @Override
  public boolean destroy(GuestId guest, Epoch epoch) {
    host.domains.remove(guest);
    host.changed();
    return true;
  }

  @Override
  public void cancelMigration(GuestId guest, Epoch epoch) {
    var domain = host.domains.get(guest);
    if (domain != null && domain.leaving != null) {
      domain.leaving.cancel();
    }
  }

  @Override
  public boolean suspend(GuestId guest, Epoch epoch) {
    var domain = host.domains.get(guest);
    if (domain == null
        || !domain.epoch.equals(epoch)
        || host.drainsHang
        || world.sometimes(world.chaos.pauseFails())) {
      return false;
    }
    if (domain.executes()) {
      domain.state = DomainState.PAUSED;
      world.log(
          "truth", "guest %s on host %s is paused for want of a lease".formatted(guest, host.id));
      host.changed();
      world.moment(Moment.LEASE_ENDED, host.id.value());
    }
    domain.drained = true;
    return true;
  }

  @Override
  public boolean resume(GuestId guest, Epoch epoch) {
    var domain = host.domains.get(guest);
    if (!host.libvirtUp || domain == null || !domain.epoch.equals(epoch)) {
      return false;
    }
    if (!covers(guest, epoch, world.clock.nanos())) {
      return false;
    }
    domain.state = DomainState.RUNNING;
    world.executes(host, guest, domain, "its lease is back");
    host.changed();
    return true;
  }

  @Override
  public boolean bypassesCache(GuestId guest) {
    return !world.cached.contains(guest);
  }

  @Override
  public boolean mayRun(GuestId guest, Epoch epoch) {
    return host.book.mayRun(guest, epoch);
  }

  @Override
  public Map<GuestId, Epoch> letRun() {
    var all = new TreeMap<GuestId, Epoch>();
    if (notFirst && world.clock.nanos() - began < EARLIER.toNanos()) {
      all.putAll(host.book.created());
    }
    host.domains.forEach(
        (guest, domain) -> {
          if (domain.creating || domain.callPending) {
            all.put(guest, domain.epoch);
          }
        });
    return all;
  }

  @Override
  public void pausing(Map<GuestId, Epoch> guests) throws IOException {
    host.book.pausing(guests);
  }

  @Override
  public void goesOn(Set<GuestId> guests) throws IOException {
    host.book.goesOn(guests);
  }

  @Override
  public Map<GuestId, Epoch> paused() {
    return host.book.paused();
  }
}
