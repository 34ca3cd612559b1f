package dev.haven.orchestrator.ha;

import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.ProcessId;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * A host in the hard state.
 *
 * @param boot under which its agent last joined
 * @param agent the process that last joined, with the key of its heartbeats
 * @param cordoned takes no new guests
 * @param guard what its watchdog is worth; empty before its agent first spoke of one
 * @param seenToCut the marks of those of its fencing devices that were seen to cut this very host's
 *     power
 */
public record Host(
    HostSpec spec,
    HostState state,
    Optional<BootId> boot,
    Optional<Agent> agent,
    Capacity capacity,
    boolean cordoned,
    Optional<Guard> guard,
    Optional<SortedSet<String>> seenToCut) {

  /** A new host. */
  static Host of(HostSpec spec) {
    return new Host(
        spec,
        new HostState.Expected(),
        Optional.empty(),
        Optional.empty(),
        Capacity.UNKNOWN,
        false,
        Optional.empty(),
        Optional.empty());
  }

  /** Whether a test on record shows that this device is this host's. */
  public boolean seenToCut(FencingDevice device) {
    return seenToCut.filter(marks -> marks.contains(device.mark())).isPresent();
  }

  /** The same for the device of this name. */
  public boolean seenToCut(String device) {
    return spec.fencing().stream()
        .flatMap(List::stream)
        .anyMatch(known -> known.name().equals(device) && seenToCut(known));
  }

  Host seenToCut(List<FencingDevice> level) {
    var marks = new TreeSet<String>(seenToCut.orElseGet(TreeSet::new));
    var present = spec.fencing().stream().flatMap(List::stream).map(FencingDevice::mark).toList();
    marks.retainAll(present); // what is not described any more is forgotten
    level.forEach(device -> marks.add(device.mark()));
    return new Host(spec, state, boot, agent, capacity, cordoned, guard, Optional.of(marks));
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
    return new Host(spec, next, boot, agent, capacity, cordoned, guard, seenToCut);
  }

  Host with(HostSpec next) {
    return new Host(next, state, boot, agent, capacity, cordoned, guard, seenToCut);
  }

  Host with(Guard next) {
    return new Host(spec, state, boot, agent, capacity, cordoned, Optional.of(next), seenToCut);
  }

  Host cordoned(boolean on) {
    return new Host(spec, state, boot, agent, capacity, on, guard, seenToCut);
  }

  Host seated(BootId under, Agent process, Capacity has) {
    return new Host(
        spec, state, Optional.of(under), Optional.of(process), has, cordoned, guard, seenToCut);
  }
}
