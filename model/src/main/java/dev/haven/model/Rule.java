package dev.haven.model;

import java.util.Map;
import java.util.Set;

/**
 * Where a guest may or would rather run. A strict rule is never broken; a preferred one counts in
 * the choice.
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
   * On the same host as every other guest that carries this label, or (if {@code apart}) as none of
   * them.
   */
  record WithGuests(String label, String value, boolean apart, boolean strict) implements Rule {}
}
