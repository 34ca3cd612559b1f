package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Heartbeat;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** What a leader is told of a host that falls silent, and when. */
class WatchTest {
  private static final HostId A = new HostId("a");
  private static final BootId BOOT = new BootId("boot-1");
  private static final ProcessId PROCESS = new ProcessId("p");

  private ClusterState state = host(new HostState.Online());
  private long quorumRound;
  private long beats;

  /** A new leader is patient with agents; this one leads for long. */
  private static final long BEGIN = Duration.ofMinutes(1).toNanos();

  private final Watch watch =
      new Watch(
          "v",
          new Watch.Voter() {
            @Override
            public ClusterState state() {
              return state;
            }

            @Override
            public List<String> voters() {
              return List.of("v");
            }

            @Override
            public boolean leads() {
              return true;
            }

            @Override
            public OptionalLong quorumRound() {
              return OptionalLong.of(quorumRound);
            }
          },
          0);

  private static ClusterState host(HostState is) {
    return ClusterState.EMPTY
        .apply(
            new Change.HostDescribed(
                new HostSpec(
                    A,
                    Optional.empty(),
                    "qemu+tcp://a/system",
                    List.of(new Network("control", "at-a", List.of(Network.Role.CONTROL))),
                    List.of(),
                    Map.of(),
                    Optional.empty(),
                    1024,
                    4)))
        .apply(
            new Change.AgentSeated(A, BOOT, new Host.Agent(PROCESS, "a2V5", "1"), Capacity.UNKNOWN))
        .apply(new Change.HostStateChanged(A, is));
  }

  private static long at(double seconds) {
    return BEGIN + (long) (seconds * 1e9);
  }

  private Heartbeat beat(double seconds) {
    var beat = new Heartbeat(A, BOOT, PROCESS, ++beats, at(seconds), "control", 0, 0);
    watch.heard(beat, at(seconds), Instant.EPOCH);
    return beat;
  }

  private Watch.Findings look(double seconds) {
    watch.step(state.hosts(), at(seconds));
    return watch.look(state.hosts(), at(seconds), Instant.EPOCH);
  }

  /** The host was heard, its kernel answered, and from then on it is silent. */
  private Inquiry fallsSilent() {
    watch.step(state.hosts(), 0);
    watch.elected(0);
    beat(0);
    watch.echo(A, at(0), true, at(0), Instant.EPOCH);
    assertThat(look(0.249).begun()).isEmpty();
    var inquiry = look(0.25).begun().getFirst();
    assertThat(look(1).devices()).containsExactly(inquiry);
    return inquiry;
  }

  private Optional<Event.Silence> told(double seconds) {
    return look(seconds).events().stream().map(e -> ((Event.HostSilent) e).silence()).findFirst();
  }

  @Test
  void aHostThatLosesPowerIsNotTakenForOneWhoseDeviceLies() {
    var inquiry = fallsSilent();
    // its agent has died, and its kernel answers
    inquiry.echo(at(0.7), true);
    inquiry.power(at(0.7), Event.Power.ON, "bmc says on", List.of());
    assertThat(told(1).orElseThrow().kernel()).isEqualTo(Event.Echo.ANSWERS);
    // now its power fails: the device says so before the next echo is given up
    inquiry.echo(at(4.9), true);
    inquiry.power(at(5), Event.Power.ALL_OFF, "bmc says off", List.of("bmc"));
    assertThat(told(5.1)).isEmpty();
    inquiry.echo(at(4.95), false);
    assertThat(told(5.2).orElseThrow().kernel()).isEqualTo(Event.Echo.SILENT);
    // a kernel that answers what was asked after the device said off does contradict it
    inquiry.echo(at(5.3), true);
    assertThat(told(5.4).orElseThrow().kernel()).isEqualTo(Event.Echo.ANSWERS);
    inquiry.power(at(5.5), Event.Power.ALL_OFF, "bmc says off", List.of("bmc"));
    assertThat(told(5.7).orElseThrow().kernel()).isEqualTo(Event.Echo.ANSWERS);
  }

  @Test
  void anAnswerFromBeforeTheReadingIsNotWaitedOutForEver() {
    var inquiry = fallsSilent();
    inquiry.echo(at(0.7), true);
    inquiry.power(at(0.8), Event.Power.ALL_OFF, "bmc says off", List.of("bmc"));
    assertThat(told(1)).isEmpty();
    assertThat(told(4)).isPresent();
  }

  @Test
  void aKernelThatAnsweredBeforeItsHostFellSilentIsKnownForAsLongAsTheSilenceLasts() {
    var inquiry = fallsSilent();
    inquiry.echo(at(0.7), false);
    inquiry.power(at(0.7), Event.Power.UNREACHABLE, "bmc does not answer", List.of());
    assertThat(told(1).orElseThrow().kernelKnown()).isTrue();
    // a site is without power for ten minutes, and its devices come back before its hosts
    inquiry.power(at(600), Event.Power.ALL_OFF, "bmc says off", List.of("bmc"));
    var silence = told(600.1).orElseThrow();
    assertThat(silence.kernelKnown()).isTrue();
    assertThat(silence.evidence()).isEqualTo("its kernel does not answer; bmc says off");
  }

  @Test
  void aSignOfLifeIsToldInTheSameWordsSoThatItsAlarmIsRaisedOnce() {
    fallsSilent();
    beat(10);
    var sooner = watch.signOfLifeSince(A, at(9), at(10.1));
    assertThat(sooner).isPresent();
    assertThat(watch.signOfLifeSince(A, at(9), at(10.3))).isEqualTo(sooner);
  }

  @Test
  void nothingIsGrantedToAHostThatIsBeingFenced() {
    fallsSilent();
    var beat = beat(1);
    quorumRound = at(1.1);
    assertThat(watch.grant(beat, at(1.2))).isPresent();
    state = host(new HostState.Fencing(1, HostState.Cause.UNREACHABLE, Instant.EPOCH, ""));
    assertThat(watch.grant(beat, at(1.2))).isEmpty();
  }
}
