package dev.haven.core.ha;

import dev.haven.model.GuestId;
import org.pcollections.TreePSet;

/**
 * What one host holds. {@code reservedMib} counts every guest that could run there, {@code ruled}
 * those with placement rules.
 */
public record HostLoad(
    TreePSet<GuestId> guests, long reservedMib, int vcpus, int starting, int ruled) {
  static final HostLoad NONE = new HostLoad(TreePSet.empty(), 0, 0, 0, 0);
}
