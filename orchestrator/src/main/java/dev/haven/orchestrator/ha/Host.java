package dev.haven.orchestrator.ha;

import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.ProcessId;
import java.util.Optional;

/**
 * A host in the hard state.
 *
 * @param boot under which its agent last joined
 * @param agent the process that last joined, with the key of its heartbeats
 * @param cordoned takes no new guests
 * @param guard what its watchdog is worth; empty before its agent first spoke of one
 */
public record Host(
    HostSpec spec,
    HostState state,
    Optional<BootId> boot,
    Optional<Agent> agent,
    Capacity capacity,
    boolean cordoned,
    Optional<Guard> guard) {

  /** A new host. */
  static Host of(HostSpec spec) {
    return new Host(
        spec,
        new HostState.Expected(),
        Optional.empty(),
        Optional.empty(),
        Capacity.UNKNOWN,
        false,
        Optional.empty());
  }

  /**
   * @param heartbeatKey Base64
   */
  public record Agent(ProcessId process, String heartbeatKey, String version) {
    /** Never shows the key. */
    @Override
    public String toString() {
      return "agent " + version + " " + process;
    }
  }

  public HostId id() {
    return spec.id();
  }

  public boolean online() {
    return state instanceof HostState.Online;
  }

  Host with(HostState next) {
    return new Host(spec, next, boot, agent, capacity, cordoned, guard);
  }

  Host with(HostSpec next) {
    return new Host(next, state, boot, agent, capacity, cordoned, guard);
  }

  Host with(Guard next) {
    return new Host(spec, state, boot, agent, capacity, cordoned, Optional.of(next));
  }

  Host cordoned(boolean on) {
    return new Host(spec, state, boot, agent, capacity, on, guard);
  }

  Host seated(BootId under, Agent process, Capacity has) {
    return new Host(spec, state, Optional.of(under), Optional.of(process), has, cordoned, guard);
  }
}
