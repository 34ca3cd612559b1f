package dev.haven.orchestrator.placement;

import dev.haven.model.Capacity;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import java.util.List;

/**
 * A host as placement sees it.
 *
 * @param unable why it can take no guest at all; empty if it can
 * @param reservedMib by the guests that could run there
 * @param vcpus of those guests
 * @param guests those guests, for the rules; without the one that is placed
 */
public record Candidate(
    HostSpec spec,
    Capacity capacity,
    String unable,
    long reservedMib,
    int vcpus,
    List<GuestSpec> guests) {
  public HostId id() {
    return spec.id();
  }
}
