package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.ProcessId;
import dev.haven.model.api.Fact;
import dev.haven.model.wire.GoingDown;
import java.time.Instant;
import java.util.ArrayList;
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
 * @param shutdown that its agent said it goes through under this boot; empty if it stays up
 * @param formerBoots that it has left, the last of them at the end: none of them can come back
 * @param systemUuid that its machine told when it last joined, or that an operator accepted; empty
 *     before the first
 */
public record Host(
    HostSpec spec,
    HostState state,
    Optional<BootId> boot,
    Optional<Agent> agent,
    Capacity capacity,
    boolean cordoned,
    Optional<Guard> guard,
    Optional<SortedSet<String>> seenToCut,
    Optional<List<BootId>> formerBoots,
    Optional<String> systemUuid,
    Optional<Shutdown> shutdown) {
  private static final int FORMER_BOOTS = 16;

  public Host {
    formerBoots = formerBoots.map(List::copyOf);
  }

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
        Optional.empty(),
        Optional.empty(),
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
    var copy = new Copy();
    copy.seenToCut = Optional.of(marks);
    return copy.made();
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

  /**
   * It goes down because somebody wants it to, as its agent said: no proof of anything.
   *
   * @param since by the leader's wall clock, for people
   */
  public record Shutdown(GoingDown how, Instant since) {
    /** For people. */
    public String words() {
      return fact().words();
    }

    /** The same for the audit log. */
    Fact.Shutdown fact() {
      return switch (how) {
        case REBOOT -> Fact.Shutdown.REBOOT;
        case POWER_OFF -> Fact.Shutdown.POWER_OFF;
      };
    }
  }

  public HostId id() {
    return spec.id();
  }

  /** Whether it has booted again since. */
  boolean left(BootId earlier) {
    return formerBoots.filter(f -> f.contains(earlier)).isPresent();
  }

  public boolean online() {
    return state instanceof HostState.Online;
  }

  Host with(HostState next) {
    var copy = new Copy();
    copy.state = next;
    return copy.made();
  }

  Host with(HostSpec next) {
    var copy = new Copy();
    copy.spec = next;
    return copy.made();
  }

  Host goingDown(Optional<Shutdown> next) {
    var copy = new Copy();
    copy.shutdown = next;
    return copy.made();
  }

  Host with(Guard next) {
    var copy = new Copy();
    copy.guard = Optional.of(next);
    return copy.made();
  }

  Host cordoned(boolean on) {
    var copy = new Copy();
    copy.cordoned = on;
    return copy.made();
  }

  /** An operator says which machine it is. */
  Host identified(Optional<String> uuid) {
    var copy = new Copy();
    copy.systemUuid = uuid;
    return copy.made();
  }

  Host seated(BootId under, Agent process, Capacity has, Optional<String> uuid) {
    var former = new ArrayList<>(formerBoots.orElse(List.of()));
    boot.filter(b -> !b.equals(under)).ifPresent(former::add);
    var last = former.subList(Math.max(0, former.size() - FORMER_BOOTS), former.size());
    var copy = new Copy();
    copy.boot = Optional.of(under);
    copy.agent = Optional.of(process);
    copy.capacity = has;
    copy.formerBoots = last.isEmpty() ? Optional.empty() : Optional.of(last);
    copy.systemUuid = uuid.or(() -> systemUuid);
    copy.shutdown = boot.equals(Optional.of(under)) ? shutdown : Optional.empty();
    return copy.made();
  }

  /** The next one, which differs only in what is set here. */
  private final class Copy {
    HostSpec spec = Host.this.spec;
    HostState state = Host.this.state;
    Optional<BootId> boot = Host.this.boot;
    Optional<Agent> agent = Host.this.agent;
    Capacity capacity = Host.this.capacity;
    boolean cordoned = Host.this.cordoned;
    Optional<Guard> guard = Host.this.guard;
    Optional<SortedSet<String>> seenToCut = Host.this.seenToCut;
    Optional<List<BootId>> formerBoots = Host.this.formerBoots;
    Optional<String> systemUuid = Host.this.systemUuid;
    Optional<Shutdown> shutdown = Host.this.shutdown;

    Host made() {
      return new Host(
          spec,
          state,
          boot,
          agent,
          capacity,
          cordoned,
          guard,
          seenToCut,
          formerBoots,
          systemUuid,
          shutdown);
    }
  }
}
