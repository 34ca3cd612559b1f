package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import java.util.Collection;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.pcollections.TreePMap;

/** The hosts of the hard state. */
final class HostTable {
  static final HostTable EMPTY = new HostTable(TreePMap.empty());

  private final TreePMap<HostId, Host> hosts;

  private HostTable(TreePMap<HostId, Host> hosts) {
    this.hosts = hosts;
  }

  Collection<Host> all() {
    return hosts.values();
  }

  @Nullable Host get(HostId id) {
    return hosts.get(id);
  }

  /**
   * @throws IllegalStateException if there is none
   */
  Host need(HostId id) {
    return Optional.ofNullable(hosts.get(id))
        .orElseThrow(() -> new IllegalStateException("host " + id + " does not exist"));
  }

  HostTable with(Host host) {
    return new HostTable(hosts.plus(host.id(), host));
  }

  HostTable apply(Change.OfHost change) {
    return switch (change) {
      case Change.HostDescribed c -> {
        var known = hosts.get(c.spec().id());
        yield with(known == null ? Host.of(c.spec()) : known.with(c.spec()));
      }
      case Change.HostRemoved c -> new HostTable(hosts.minus(c.host()));
      case Change.HostCordoned c -> with(need(c.host()).cordoned(c.cordoned()));
      case Change.AgentSeated c ->
          with(need(c.host()).seated(c.boot(), c.agent(), c.capacity(), c.systemUuid()));
      case Change.HostIdentified c -> with(need(c.host()).identified(c.systemUuid()));
      case Change.HostGoesDown c -> with(need(c.host()).goingDown(c.shutdown()));
      case Change.HostGuarded c -> guarded(need(c.host()), c.guard());
      case Change.FencingTested c -> {
        var host = need(c.host());
        yield with(host.seenToCut(host.spec().fencing().get(c.level() - 1)));
      }
      case Change.HostStateChanged c -> with(need(c.host()).with(c.state()));
    };
  }

  private HostTable guarded(Host host, Guard next) {
    Must.hold(
        next.follows(host.guard()),
        "the bound of host %s gets shorter at once, though long leases may be out",
        host.id());
    return with(host.with(next));
  }

  /** No bound counts on short leases until nothing can be left of longer ones. */
  HostTable lengthened() {
    var next = this;
    for (var host : hosts.values()) {
      next = host.guard().map(Guard::lengthened).map(host::with).map(next::with).orElse(next);
    }
    return next;
  }

  /** No agent is relied on until it says again, after this version, that it enforces its leases. */
  HostTable notEnforcing(long version) {
    var next = this;
    for (var host : hosts.values()) {
      next = next.with(host.with(host.guard().orElse(Guard.NONE).notEnforcing(version)));
    }
    return next;
  }

  /**
   * @throws IllegalStateException unless the host is online under this boot
   */
  void mustRun(HostId host, BootId boot) {
    var h = need(host);
    Must.hold(
        h.online() && h.boot().equals(Optional.of(boot)),
        "host %s is given a guest under boot %s but is %s under %s",
        host,
        boot,
        h.state(),
        h.boot());
  }
}
