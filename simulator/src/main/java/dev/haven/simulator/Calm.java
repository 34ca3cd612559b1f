package dev.haven.simulator;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Entry;
import dev.haven.core.ha.Failbacks;
import dev.haven.core.ha.Guard;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.model.BootId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Which hosts are so well that their heartbeats need not be simulated one by one. Such a host is
 * powered, connected on all its networks, online, and its agent talks to the one leader: each of
 * its heartbeats would be heard by every voter and change nothing. As soon as anything of that is
 * different, or somebody asks when it was last heard, what its heartbeats would have told is
 * entered in every voter's table, and from then on every one of them is simulated.
 *
 * <p>A host that turns calm has been so for some seconds. Nobody is calm unless {@link #spare} was
 * called: random faults and stories simulate all.
 */
final class Calm {
  private static final long RESTLESS_NANOS = 3_000_000_000L;

  /** Three regular reports: by then one of them has met a leader that had nothing else to do. */
  private static final long REPORTED_NANOS = 16_000_000_000L;

  private final World world;
  private final List<SimHost> restless = new ArrayList<>();
  private boolean sparing;
  private long lastBeat;

  /** What is known of one host. */
  static final class Pulse {
    boolean calm;
    long restlessUntil;
    @Nullable BootId boot;
    @Nullable SimAgent agent;
    @Nullable SimLeader leader;
  }

  Calm(World world) {
    this.world = world;
  }

  void spare() {
    sparing = true;
  }

  boolean sparing() {
    return sparing;
  }

  /** Looks at every host: to be called once in each step. */
  void survey(long now) {
    if (!sparing) {
      return;
    }
    var leader = theOnlyLeader();
    restless.clear();
    for (var host : world.hosts.values()) {
      var pulse = host.pulse;
      if (leader == null || !well(host, leader)) {
        wake(host, now);
      } else if (!pulse.calm && now >= pulse.restlessUntil) {
        if (seated(host, leader)) {
          pulse.calm = true;
          pulse.boot = host.boot();
          pulse.agent = host.agent;
          pulse.leader = leader;
        } else {
          pulse.restlessUntil = now + RESTLESS_NANOS;
        }
      }
      if (!pulse.calm) {
        restless.add(host);
      }
    }
  }

  /** All heartbeats of this step have been sent. */
  void beaten(long now) {
    lastBeat = now;
  }

  private @Nullable SimLeader theOnlyLeader() {
    if (world.chaos.any() || world.loss > 0 || world.noise != null) {
      return null;
    }
    @Nullable SimLeader only = null;
    for (var voter : world.voters) {
      if (voter.leading != null) {
        if (only != null || voter.leading.term != world.term) {
          return null;
        }
        only = voter.leading;
      }
      if (voter.runs() && !voter.machine.connected()) {
        return null;
      }
    }
    return only;
  }

  private static boolean well(SimHost host, SimLeader leader) {
    var agent = host.agent;
    return agent != null
        && !agent.stopped
        && (!host.hasWatchdog || (host.libvirtUp && agent.calm() && leased(host)))
        && host.machine.alive()
        && host.machine.connected()
        && agent.leader == leader
        && agent.lostSince < 0;
  }

  /** Whether its leader has no need to look whether long leases of it are over. */
  private static boolean leased(SimHost host) {
    return host.world
        .committed
        .host(host.id)
        .flatMap(Host::guard)
        .filter(g -> g.leasing() == Guard.Leasing.SHORTENING)
        .isEmpty();
  }

  private static boolean seated(SimHost host, SimLeader leader) {
    var agent = host.agent;
    var known = leader.voter.state.host(host.id);
    return agent != null
        && leader.connected(agent)
        && known.filter(Host::online).isPresent()
        && known.get().boot().equals(Optional.of(host.boot()))
        && known.get().agent().filter(a -> a.process().equals(agent.process)).isPresent();
  }

  void wake(SimHost host, long now) {
    bringUpToDate(host);
    host.pulse.calm = false;
    host.pulse.restlessUntil = now + RESTLESS_NANOS;
  }

  /** Enters the heartbeats that a calm host sent, and the leases that answered them. */
  void bringUpToDate(SimHost host) {
    var boot = host.pulse.boot;
    var agent = host.pulse.agent;
    if (!host.pulse.calm || boot == null || agent == null) {
      return;
    }
    long beat = agent.nextBeat(lastBeat);
    for (var voter : world.voters) {
      if (voter.runs()) {
        long own = voter.own(lastBeat);
        voter.state.host(host.id).ifPresent(h -> voter.watch.step(List.of(h), own));
        voter.hears(agent.heartbeat(boot, beat, Machine.CONTROL, lastBeat), own);
        if (!host.machine.oneNetwork) {
          voter.hears(agent.heartbeat(boot, beat, Machine.MIGRATION, lastBeat), own);
        }
        voter.watch.echo(host.id, own, true, own, voter.instant());
      }
    }
    var leader = host.pulse.leader;
    if (host.hasWatchdog && leader != null) {
      leader.granted(agent, lastBeat);
    }
  }

  /** Hosts of which the state says something else now are looked at closely for a while. */
  void stirred(Entry entry) {
    if (!sparing) {
      return;
    }
    for (var change : entry.changes()) {
      var id =
          switch (change) {
            case Change.HostStateChanged c -> c.host();
            case Change.AgentSeated c -> c.host();
            case Change.HostRemoved c -> c.host();
            case Change.HostDescribed _,
                Change.HostCordoned _,
                Change.HostIdentified _,
                Change.HostGuarded _,
                Change.FencingTested _,
                Change.HostGoesDown _,
                Change.OfGuest _,
                Change.OfOperation _,
                Change.OfTrust _,
                Change.OfCluster _ ->
                null;
          };
      var host = id == null ? null : world.hosts.get(id);
      if (host != null) {
        wake(host, world.clock.nanos());
      }
    }
  }

  /** Nothing is granted to a host from here on: what was granted until now counts. */
  void judged(List<Change> changes) {
    for (var change : changes) {
      if (change instanceof Change.HostStateChanged c && world.hosts.get(c.host()) != null) {
        bringUpToDate(world.host(c.host()));
      }
    }
  }

  /** The hosts whose heartbeats are simulated, as they really are. */
  Collection<SimHost> restless() {
    return sparing ? restless : world.hosts.values();
  }

  /** The same hosts as a voter knows them. */
  Collection<Host> watched(ClusterState state) {
    if (!sparing) {
      return state.hosts();
    }
    var hosts = new ArrayList<Host>(restless.size());
    for (var host : restless) {
      state.host(host.id).ifPresent(hosts::add);
    }
    return hosts;
  }

  /** Whether its regular report would tell the leader what it has heard several times. */
  boolean saysNothingNew(SimHost host) {
    return host.pulse.calm && world.clock.nanos() - host.changedAt > REPORTED_NANOS;
  }

  /** Whether its agent would find the leader. */
  boolean canJoin(SimHost host) {
    return host.agentRuns()
        && world.voters.stream()
            .anyMatch(v -> v.runs() && host.machine.reaches(v.machine, Machine.CONTROL));
  }

  /**
   * Whether nothing will happen before somebody does something: every host is calm, or off, or has
   * been given up and cannot come back, and the leader finds nothing to do.
   */
  boolean quiet() {
    var leader = theOnlyLeader();
    if (!sparing
        || leader == null
        || !leader.idle()
        || world.clock.busy()
        || world.person.waits()
        || !Failbacks.of(world.committed).isEmpty()) {
      return false;
    }
    for (var host : restless) {
      var state = world.committed.host(host.id).map(Host::state).orElse(new HostState.Expected());
      boolean forgotten =
          (state instanceof HostState.Fenced || state instanceof HostState.Expected)
              && !canJoin(host);
      if (!forgotten) {
        return false;
      }
    }
    long now = world.clock.nanos();
    for (var host : world.hosts.values()) {
      if (host.agentRuns() && now - host.changedAt <= REPORTED_NANOS) {
        return false;
      }
    }
    return true;
  }
}
