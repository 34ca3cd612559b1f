package dev.haven.model;

import java.util.Map;
import java.util.Set;

/**
 * Where a guest may or would rather run, and when it starts. A strict rule is never broken; a
 * preferred one counts in the choice.
 */
public sealed interface Rule {
  boolean strict();

  /**
   * On (or, if {@code avoid}, off) the named hosts or those with all the labels; an empty set or
   * map names none.
   */
  record OnHosts(Set<HostId> hosts, Map<String, String> labels, boolean avoid, boolean strict)
      implements Rule {
    public OnHosts {
      hosts = Set.copyOf(hosts);
      labels = Map.copyOf(labels);
    }
  }

  /**
   * Rather on the named hosts or those with all the labels, as a preferred {@link OnHosts}; and
   * back to them, by a live migration, once one has been well for a while.
   */
  record Failback(Set<HostId> hosts, Map<String, String> labels) implements Rule {
    public Failback {
      hosts = Set.copyOf(hosts);
      labels = Map.copyOf(labels);
    }

    @Override
    public boolean strict() {
      return false;
    }

    /** The same without the way back. */
    public OnHosts preference() {
      return new OnHosts(hosts, labels, false, false);
    }
  }

  /**
   * Starts only while these guests run: a web server after its database. Where it runs already it
   * runs on without them.
   */
  record After(Set<GuestId> guests) implements Rule {
    public After {
      guests = Set.copyOf(guests);
    }

    @Override
    public boolean strict() {
      return true;
    }
  }

  /**
   * On the same host as every other guest that carries this label, or (if {@code apart}) as none of
   * them.
   */
  record WithGuests(String label, String value, boolean apart, boolean strict) implements Rule {
    /** Whether it makes a group, which has one host for all. */
    public boolean binds() {
      return strict && !apart;
    }
  }

  /**
   * On the host where that guest runs, and after it by a live migration once it has moved. Binds
   * only this guest: the other one goes where it would go without it. While the other one is off,
   * it says nothing.
   */
  record Follows(GuestId guest, boolean strict) implements Rule {}

  /**
   * If no host fits all of its group, the most important that fit on one host start and the others
   * wait. One member that says so speaks for its group.
   */
  record Partial() implements Rule {
    @Override
    public boolean strict() {
      return false;
    }
  }
}
