package dev.haven.simulator;

import dev.haven.core.lease.Handover;
import dev.haven.core.lease.LeaseTable;
import dev.haven.core.lease.SelfFencing;
import dev.haven.core.obey.Refusals;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Watchdog;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** The libvirt, the disks and the watchdog of one agent's process, around the shipped rules. */
final class SimGuard implements SelfFencing.Host {
  static final Duration WATCHDOG = Duration.ofSeconds(10);

  /** The longest that a call may take, in milliseconds: the agent's own limit and a little more. */
  private static final int PAUSE_TAKES = 2_500;

  final LeaseTable table = new LeaseTable();
  final SelfFencing rules;
  private final SimHost host;
  private final SimAgent agent;
  private final World world;
  private long beats;

  SimGuard(SimHost host, SimAgent agent) {
    this.host = host;
    this.agent = agent;
    this.world = host.world;
    var found = Optional.ofNullable(host.run);
    rules = new SelfFencing(host.boot(), table, found, this, world.clock.nanos());
    rules.keep();
  }

  /** A heartbeat is about to leave; its number. */
  long nextBeat(long now) {
    table.sent(++beats, now);
    return beats;
  }

  /** Whether its steps change nothing as long as its heartbeats are answered. */
  boolean calm() {
    return !rules.starving() && host.book.paused().isEmpty();
  }

  /** Its heartbeats were answered, and the watchdog fed, without being simulated; the last then. */
  void granted(long last, long term, long guests) {
    if (host.agent == agent) {
      table.granted(term, nextBeat(last), guests);
      host.fedAt = last;
      rules.keep();
    }
  }

  /** A step of the process, several times a second. */
  void step(long now) {
    if (rules.mayFeed(now)) {
      host.fedAt = now;
    }
    rules.afterFeeding(now);
  }

  /** libvirt's call that lets a guest run; false if it may not, or may still do so later. */
  boolean letsRun(GuestId guest, Domain domain, String how) {
    domain.caller = agent;
    domain.callPending = true;
    if (rules.missing(guest, domain.epoch, true, world.clock.nanos()).isPresent()) {
      domain.callPending = false;
      return false;
    }
    if (world.sometimes(world.chaos.startTimesOut())) {
      world.clock.afterMillis(
          world.clock.between(0, 4_000), () -> host.comesUp(guest, domain, how));
      return false;
    }
    host.comesUp(guest, domain, how);
    return true;
  }

  @Override
  public Optional<List<DomainReport>> seen() {
    var all = new ArrayList<DomainReport>();
    host.domains.forEach((guest, domain) -> all.add(domain.report(guest.value())));
    return host.libvirtUp ? Optional.of(all) : Optional.empty();
  }

  @Override
  public Optional<List<DomainReport>> look(Set<GuestId> guests) {
    return world.sometimes(world.chaos.pauseFails()) ? Optional.empty() : seen();
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
    boolean fails = host.drainsHang || world.sometimes(world.chaos.pauseFails());
    if (domain == null || !domain.epoch.equals(epoch) || fails) {
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
    return host.libvirtUp
        && domain != null
        && domain.epoch.equals(epoch)
        && letsRun(guest, domain, "its lease is back");
  }

  @Override
  public boolean bypassesCache(GuestId guest) {
    return !world.cached.contains(guest);
  }

  @Override
  public Map<GuestId, Epoch> sent() {
    var all = new TreeMap<GuestId, Epoch>();
    host.domains.forEach(
        (guest, domain) -> {
          if ((domain.creating || domain.callPending) && domain.caller == agent) {
            all.put(guest, domain.epoch);
          }
        });
    return all;
  }

  @Override
  public Refusals notes() {
    return host.book;
  }

  @Override
  public void keep(Handover page) throws IOException {
    if (world.sometimes(world.chaos.runIsFull())) {
      throw new IOException("No space left on device");
    }
    host.run = page;
  }

  @Override
  public Optional<Watchdog> watchdog() {
    return host.watchdog();
  }

  @Override
  public List<String> hazards() {
    return List.of();
  }

  @Override
  public Optional<SelfFencing.Hearing> hearing() {
    return Optional.empty();
  }

  @Override
  public void pillsAreReliedOn() {}

  @Override
  public void tell(Watchdog watchdog) {
    agent.say(new FromAgent.Guarded(FromAgent.VERSION, watchdog));
  }

  @Override
  public void failed(String doing, RuntimeException e) {
    throw new IllegalStateException(doing, e);
  }
}
