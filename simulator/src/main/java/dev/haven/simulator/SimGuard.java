package dev.haven.simulator;

import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.lease.Lease;
import dev.haven.model.lease.LeaseTable;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.Watchdog;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;

/** One agent process's leases, and what it does for want of them. */
final class SimGuard {
  static final Duration WATCHDOG = Duration.ofSeconds(10);

  final LeaseTable table = new LeaseTable();
  private final SimHost host;
  private final SimAgent agent;
  private final World world;
  boolean enforcing;
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
    var earlier = Optional.ofNullable(host.run).filter(p -> p.boots() == host.boots);
    earlier.ifPresent(p -> table.takeOver(p.held()));
    enforcing = host.hasWatchdog && earlier.map(Page::enforcing).orElse(true);
  }

  Optional<Watchdog> watchdog() {
    return host.hasWatchdog
        ? Optional.of(
            new Watchdog(
                Watchdog.Kind.HARDWARE,
                "simulated",
                WATCHDOG,
                host.watchdogSeen,
                enforcing,
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
    if (enforce != enforcing) {
      enforcing = enforce;
      save();
      agent.say(new FromAgent.Guarded(FromAgent.VERSION, watchdog().orElseThrow()));
    }
    return true;
  }

  private void save() {
    host.run = new Page(host.boots, enforcing, table.held());
  }

  /** A step of the process, several times a second. */
  void step(long now) {
    if (!enforcing || settled(now)) {
      host.fedAt = now;
    }
    letGoOn(now);
    save();
  }

  private boolean settled(long now) {
    boolean all = true;
    long allowed = Long.MAX_VALUE;
    var held = table.held();
    for (var each : List.copyOf(host.domains.entrySet())) {
      var domain = each.getValue();
      if (!domain.state.active() || table.covers(each.getKey(), domain.epoch, now)) {
        continue;
      }
      var lease = held.get(each.getKey());
      allowed =
          Math.min(allowed, lease == null ? now : lease.until() + Lease.PAUSE_CHECK.toNanos());
      all &= paused(each.getKey(), domain);
    }
    return all || now < allowed;
  }

  private boolean paused(GuestId guest, Domain domain) {
    if (!host.libvirtUp || world.clock.happens(world.chaos ? 0.2 : 0)) {
      return false; // libvirt does not answer in time
    }
    if (domain.state == DomainState.INCOMING) {
      host.domains.remove(guest);
      host.changed();
      return true;
    }
    if (domain.leaving != null) {
      domain.leaving.cancel();
    }
    if (domain.executes() && domain.leaving == null) {
      host.book.pausing(guest, domain.epoch);
      domain.state = DomainState.PAUSED;
      world.log(
          "truth", "guest %s on host %s is paused for want of a lease".formatted(guest, host.id));
      host.changed();
    }
    return !domain.executes() && !domain.job();
  }

  private void letGoOn(long now) {
    for (Map.Entry<GuestId, Epoch> paused : host.book.paused().entrySet()) {
      var id = paused.getKey();
      var domain = host.domains.get(id);
      if (domain == null || !domain.state.active()) {
        host.book.pausing(id, Epoch.NONE);
      } else if (domain.epoch.equals(paused.getValue())
          && host.libvirtUp
          && !domain.job()
          && table.covers(id, domain.epoch, now)) {
        if (domain.state == DomainState.PAUSED) {
          domain.state = DomainState.RUNNING;
          world.executes(host, id, domain, "its lease is back");
          host.changed();
        }
        host.book.pausing(id, Epoch.NONE);
      }
    }
  }
}
