package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.HostId;

/**
 * A host was given something {@linkplain dev.haven.model.Exclusive exclusive}, such as a guest, and
 * nothing yet proves that it cannot use it.
 *
 * @param boot of the host at that time: after another boot it uses nothing of this holding
 * @param epoch of that guest; no other holding of it has the same
 */
public record Holding(HostId host, BootId boot, Epoch epoch) {}
