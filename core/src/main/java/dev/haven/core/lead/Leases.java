package dev.haven.core.lead;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Guard;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Proof;
import dev.haven.core.lease.Lease;
import dev.haven.model.HostId;
import dev.haven.model.wire.LeaseLength;
import dev.haven.model.wire.ToAgent;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Supplier;

/**
 * On the leader: to which hosts it may grant leases, and until when those that were granted last at
 * most. All times are {@link System#nanoTime} of this voter.
 *
 * <p>Nothing is granted to a host from the moment a verdict about it is proposed until that verdict
 * is refused or the host is online again: what is counted as ended must not be given meanwhile.
 */
public final class Leases {
  private final Map<HostId, Long> granted = new HashMap<>();
  private final Map<HostId, Long> grantedLong = new HashMap<>();
  private final Set<HostId> withheld = new HashSet<>();
  private long floor;
  private boolean leading;

  /**
   * This voter leads from now on. An earlier leader may have granted leases until a second from
   * now: its last round that a majority answered was sent before this one was elected.
   */
  public synchronized void elected(long now) {
    granted.clear();
    grantedLong.clear();
    withheld.clear();
    floor = now + Lease.GRANTED_WITHIN.toNanos();
    leading = true;
  }

  /**
   * The list that leases of this host name, as its agent is told.
   *
   * @param boundCounts whether anybody may ever rely on the host's bound
   */
  public static ToAgent.Leased list(
      ClusterState state, HostId host, long term, boolean boundCounts) {
    return new ToAgent.Leased(
        ToAgent.VERSION,
        term,
        state.version(),
        state.leased(host),
        boundCounts
            && state.pause().isEmpty()
            && state.host(host).flatMap(Host::guard).filter(g -> g.dependable(host)).isPresent(),
        Optional.of(state.pings(host)));
  }

  /** This voter leads no more, and grants nothing. */
  public synchronized void deposed() {
    leading = false;
  }

  /**
   * Whether a lease may be granted to the host now; it counts as granted if so.
   *
   * @param arrived when the heartbeat that it answers had come
   * @param quorumRound when this leader sent the last round that a majority answered by number
   * @param state asked for the committed length at the last moment: once the leader looks for long
   *     leases, each is either counted here or not granted
   * @return how long it lasts; empty: none is granted
   */
  public synchronized Optional<LeaseLength> grant(
      HostId host, long arrived, OptionalLong quorumRound, long now, Supplier<ClusterState> state) {
    if (!leading
        || withheld.contains(host)
        || quorumRound.isEmpty()
        || quorumRound.getAsLong() - arrived <= 0
        || now - quorumRound.getAsLong() >= Lease.GRANTED_WITHIN.toNanos()) {
      return Optional.empty();
    }
    granted.put(host, now);
    var length = guard(state.get(), host).leasing().granted();
    if (length == LeaseLength.LONG) {
      grantedLong.put(host, now);
    }
    return Optional.of(length);
  }

  /**
   * These changes are about to be proposed: the hosts that they judge get no lease until they are
   * refused, or the host is online again.
   *
   * @param state on which they were decided
   * @return why they must not be proposed; empty if they may
   */
  public synchronized Optional<String> proposing(
      List<Change> changes, ClusterState state, long now) {
    for (var change : changes) {
      if (change instanceof Change.HostStateChanged c && judges(c.state())) {
        withheld.add(c.host());
        if (c.state() instanceof HostState.Fenced f
            && f.proof() instanceof Proof.BoundRunOut proof
            && sinceGrant(c.host(), now) < proof.bound().toNanos()) {
          return Optional.of("host %s was granted a lease meanwhile".formatted(c.host()));
        }
        if (c.state() instanceof HostState.Fenced f
            && f.proof() instanceof Proof.OperatorsWord
            && sinceGrant(c.host(), now) < Lease.LONGEST.toNanos()) { // since the leader looked
          return Optional.of(
              "host %s was granted a lease within the last 20 s, or may have been by an earlier leader: wait and look again"
                  .formatted(c.host()));
        }
      } else if (change instanceof Change.HostGuarded c
          && c.guard().leasing() == Guard.Leasing.SHORT
          && guard(state, c.host()).leasing() != Guard.Leasing.SHORT
          && !longOnesAreOver(c.host(), c.guard(), now)) {
        return Optional.of("host %s may still act by a long lease".formatted(c.host()));
      }
    }
    return Optional.empty();
  }

  private static Guard guard(ClusterState state, HostId host) {
    return state.host(host).flatMap(Host::guard).orElse(Guard.NONE);
  }

  /**
   * Whether nothing is left of the long leases of a host that is granted short ones: those have
   * ended, and so has all that a host does after such an end.
   */
  public boolean longOnesAreOver(Host host, long now) {
    return host.guard()
        .filter(g -> g.leasing() == Guard.Leasing.SHORTENING)
        .filter(g -> longOnesAreOver(host.id(), g, now))
        .isPresent();
  }

  private synchronized boolean longOnesAreOver(HostId host, Guard guard, long now) {
    long since = since(grantedLong.getOrDefault(host, floor), now);
    return guard.longBound().filter(bound -> since >= bound.toNanos()).isPresent();
  }

  /** They were not applied, and certainly will not be. */
  public synchronized void refused(List<Change> changes) {
    for (var change : changes) {
      if (change instanceof Change.HostStateChanged c && judges(c.state())) {
        withheld.remove(c.host());
      }
    }
  }

  /** An entry was applied. */
  public synchronized void applied(ClusterState before, ClusterState after) {
    withheld.removeIf(
        host ->
            after.host(host).filter(Host::online).isPresent()
                && before.host(host).filter(Host::online).isEmpty());
  }

  private static boolean judges(HostState state) {
    return state instanceof HostState.Fencing || state instanceof HostState.Fenced;
  }

  /**
   * What is left of a silent host's bound, counted from the last lease or sign of life, whichever
   * is later; empty where the bound is no proof.
   *
   * @param lastSign when any voter last heard the host; empty if none ever did
   */
  public Optional<Duration> boundLeft(Host host, OptionalLong lastSign, long now) {
    long unheard = lastSign.isPresent() ? now - lastSign.getAsLong() : Long.MAX_VALUE;
    return host.boot()
        .flatMap(boot -> host.guard().flatMap(g -> g.bound(host.id(), boot)))
        .map(bound -> bound.minusNanos(Math.max(0, Math.min(sinceGrant(host.id(), now), unheard))));
  }

  /** So long the host may still hold the last lease that any leader can have granted it. */
  public Duration leaseLeft(HostId host, long now) {
    var left = Lease.LONGEST.minusNanos(sinceGrant(host, now));
    return left.isPositive() ? left : Duration.ZERO;
  }

  /** How long ago, in nanoseconds, any leader may last have granted a lease to the host. */
  public synchronized long sinceGrant(HostId host, long now) {
    return since(granted.getOrDefault(host, floor), now);
  }

  private long since(long last, long now) {
    return now - (last - floor > 0 ? last : floor);
  }
}
