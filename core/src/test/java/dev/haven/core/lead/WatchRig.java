package dev.haven.core.lead;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Guard;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.Watchdog;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** The watch of voter v, and a cluster whose hosts and other voters a test plays. */
final class WatchRig {
  static final HostId A = new HostId("a");
  static final HostId B = new HostId("b");
  static final HostId C = new HostId("c");
  static final BootId BOOT = new BootId("boot-1");
  static final BootId OTHER_BOOT = new BootId("boot-2");
  static final ProcessId PROCESS = new ProcessId("p");

  /** System.nanoTime may have any value, and overflows here while the tests go on. */
  private static final long START = Long.MAX_VALUE - 70_000_000_000L;

  /** A new leader is patient with agents; this one leads for long. */
  private static final long BEGIN = START + 60_000_000_000L;

  ClusterState state = ClusterState.EMPTY;
  List<String> voters = List.of("v");
  boolean leads = true;
  OptionalLong quorumRound = OptionalLong.empty();
  final Watch watch =
      new Watch(
          "v",
          new Watch.Voter() {
            @Override
            public ClusterState state() {
              return state;
            }

            @Override
            public List<String> voters() {
              return voters;
            }

            @Override
            public boolean leads() {
              return leads;
            }

            @Override
            public OptionalLong quorumRound() {
              return quorumRound;
            }
          },
          START);
  private long beats;

  /** With host a online, and this voter leading for a minute. */
  WatchRig() {
    add(A);
    watch.step(state.hosts(), START);
    watch.elected(START);
  }

  /** Seconds since this voter has led for a minute. */
  static long at(double seconds) {
    return BEGIN + Math.round(seconds * 1e9);
  }

  void add(HostId host) {
    add(host, List.of());
  }

  void add(HostId host, List<List<FencingDevice>> fencing) {
    state =
        state
            .apply(
                new Change.HostDescribed(
                    new HostSpec(
                        host,
                        Optional.empty(),
                        "qemu+tcp://host/system",
                        List.of(
                            new Network("control", "control", List.of(Network.Role.CONTROL)),
                            new Network("migration", "migration", List.of(Network.Role.MIGRATION))),
                        fencing,
                        Map.of(),
                        Optional.empty(),
                        1024,
                        4)))
            .apply(
                new Change.AgentSeated(
                    host, BOOT, new Host.Agent(PROCESS, "a2V5", "1"), Capacity.UNKNOWN));
    is(host, new HostState.Online());
  }

  void is(HostId host, HostState now) {
    state = state.apply(new Change.HostStateChanged(host, now));
  }

  void isSuspect(HostId host) {
    is(host, new HostState.Suspect(Instant.EPOCH, ""));
  }

  void isFencing(HostId host) {
    is(host, new HostState.Fencing(1, HostState.Cause.UNREACHABLE, Instant.EPOCH, ""));
  }

  Host host(HostId id) {
    return state.host(id).orElseThrow();
  }

  /** Its watchdog was seen to reset it, and its agent enforces leases. */
  void guarded(HostId host) {
    var watchdog =
        new Watchdog(
            Watchdog.Kind.HARDWARE,
            "dog",
            Duration.ofSeconds(10),
            true,
            true,
            Optional.empty(),
            Optional.empty());
    state =
        state.apply(
            new Change.HostGuarded(
                host,
                new Guard(
                    Optional.of(BOOT),
                    Optional.of(watchdog),
                    Optional.of("dog"),
                    false,
                    Optional.empty(),
                    Guard.Leasing.LONG)));
  }

  Heartbeat heartbeat(HostId host, BootId boot, String network, double seconds) {
    return new Heartbeat(host, boot, PROCESS, ++beats, at(seconds), network, 0, 0);
  }

  Optional<Event> hears(HostId host, double seconds) {
    return watch.heard(heartbeat(host, BOOT, "control", seconds), at(seconds), Instant.EPOCH);
  }

  /** Another voter hears a quorum; how long ago it heard host a, in seconds. */
  void says(String other, double age, double seconds) {
    watch.noted(
        other,
        new Watch.Notes(
            true,
            Map.of(A, Math.round(age * 1e9)),
            Map.of(A, Math.round(age * 1e9)),
            Optional.empty(),
            60_000_000_000L),
        at(seconds));
  }

  Watch.Findings look(double seconds) {
    watch.step(state.hosts(), at(seconds));
    return watch.look(state.hosts(), at(seconds), Instant.EPOCH);
  }

  Optional<Event.Silence> told(double seconds) {
    return look(seconds).events().stream()
        .filter(Event.HostSilent.class::isInstance)
        .map(e -> ((Event.HostSilent) e).silence())
        .findFirst();
  }

  Optional<Event.BoundRanOut> boundRanOut(double seconds) {
    return look(seconds).events().stream()
        .filter(Event.BoundRanOut.class::isInstance)
        .map(e -> (Event.BoundRanOut) e)
        .findFirst();
  }

  /** Host a was heard at 0, and its kernel answered. It is silent from then on. */
  Inquiry fallsSilent() {
    hears(A, 0);
    watch.echo(A, at(0), true, at(0), Instant.EPOCH);
    look(0.2);
    return look(0.7).begun().getFirst();
  }

  /** The same, and another voter does not hear it either. */
  Inquiry fallsSilentAlsoAt(String other) {
    hears(A, 0);
    watch.echo(A, at(0), true, at(0), Instant.EPOCH);
    says(other, 0, 0.1);
    look(0.2);
    says(other, 0.6, 0.6);
    return look(0.7).begun().getFirst();
  }
}
