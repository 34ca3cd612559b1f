package dev.haven.orchestrator.detect;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.lead.Standing;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.ProcessId;
import dev.haven.raft.port.ReplicatedLog;
import dev.haven.raft.port.VoterBus;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;

/** What the failure detector that ships makes of echoes, and when. */
class EchoesTest {
  private static final BootId BOOT = new BootId("boot-1");
  private static final HostId A = new HostId("a");
  private static final HostId B = new HostId("b");

  private final BlockingQueue<Event> posted = new LinkedBlockingQueue<>();
  private volatile List<String> members = List.of("v");
  private volatile BiConsumer<String, byte[]> voters = (_, _) -> {};

  private static ClusterState with(ClusterState state, HostId id, HostState is) {
    return state
        .apply(
            new Change.HostDescribed(
                new HostSpec(
                    id,
                    Optional.empty(),
                    "qemu+tcp://" + id + "/system",
                    List.of(new Network("control", "at-" + id, List.of(Network.Role.CONTROL))),
                    List.of(),
                    Map.of(),
                    Optional.empty(),
                    1024,
                    4)))
        .apply(
            new Change.AgentSeated(
                id, BOOT, new Host.Agent(new ProcessId("p"), "a2V5", "1"), Capacity.UNKNOWN))
        .apply(new Change.HostStateChanged(id, is));
  }

  private FailureDetector detector(ClusterState state, Questions.Kernels kernels) throws Exception {
    var bus =
        new VoterBus() {
          @Override
          public void broadcast(byte[] datagram) {}

          @Override
          public void onMessage(BiConsumer<String, byte[]> receiver) {
            voters = receiver;
          }
        };
    var looks = new AtomicInteger(); // the hosts join once the detector has begun
    return new FailureDetector(
        "v",
        Map.of(),
        0,
        () -> looks.incrementAndGet() > 20 ? state : ClusterState.EMPTY,
        () -> new ReplicatedLog.Leadership(1, Optional.of("v"), true, true),
        OptionalLong::empty,
        () -> members,
        bus,
        new DevicesThatSay(Event.Power.NO_DEVICE, "it has no power device"),
        posted::add,
        (_, agent) -> Optional.of(agent.heartbeatKey()),
        kernels);
  }

  private Event.HostSilent silent(HostId host) throws InterruptedException {
    while (true) {
      var event = posted.poll(30, TimeUnit.SECONDS);
      assertThat(event).isNotNull();
      if (event instanceof Event.HostSilent e && e.host().equals(host)) {
        return e;
      }
    }
  }

  @Test
  void anAnswerThatWaitedForTheVoterIsDatedByItsQuestion() throws Exception {
    var asked = new LinkedBlockingQueue<Boolean>();
    var answers = new LinkedBlockingQueue<Boolean>();
    var state =
        with(
            ClusterState.EMPTY,
            A,
            new HostState.Fencing(1, HostState.Cause.UNREACHABLE, Instant.EPOCH, ""));
    try (var detector =
        detector(
            state,
            (_, _) -> {
              asked.add(true);
              return answers.take();
            })) {
      long before = System.nanoTime();
      assertThat(asked.poll(30, TimeUnit.SECONDS)).isTrue();
      // the power is read off now; the echo from before is in the voter's buffer
      long reading = System.nanoTime();
      answers.add(true);
      assertThat(asked.poll(30, TimeUnit.SECONDS)).as("the first was looked at").isTrue();
      assertThat(detector.signOfLifeSince(A, reading)).isEmpty();
      assertThat(detector.signOfLifeSince(A, before - 60_000_000_000L)).isPresent();
      // one that was asked after the reading does contradict it
      answers.add(true);
      assertThat(asked.poll(30, TimeUnit.SECONDS)).isTrue();
      assertThat(detector.signOfLifeSince(A, reading)).isPresent();
      answers.add(false);
    }
  }

  @Test
  void aSilenceSaysWhetherTheKernelWasEverKnownToAnswer() throws Exception {
    var first = new AtomicBoolean(true);
    var state = with(ClusterState.EMPTY, A, new HostState.Online());
    try (var _ =
        detector(
            with(state, B, new HostState.Online()),
            (addresses, _) -> addresses.contains("at-a") && first.getAndSet(false))) {
      assertThat(silent(A).silence().kernelKnown()).isTrue();
      var b = silent(B).silence();
      assertThat(b.kernelKnown()).isFalse();
      assertThat(b.evidence()).contains("does not answer, nor did it before");
    }
  }

  @Test
  void whatAnotherVoterWasAnsweredCountsToo() throws Exception {
    try (var _ = detector(with(ClusterState.EMPTY, B, new HostState.Online()), (_, _) -> false)) {
      var digest = "{\"echoes\":{\"b\":5}}".getBytes(StandardCharsets.UTF_8);
      Event.HostSilent silent;
      do {
        voters.accept("w", digest); // voters tell it again and again
        silent = silent(B);
      } while (!silent.silence().kernelKnown()
          && silent.silence().lasted().compareTo(Duration.ofSeconds(20)) < 0);
      assertThat(silent.silence().kernelKnown()).isTrue();
    }
  }

  @Test
  void whatAVoterSaysOfItsSecretsKeyReachesTheLeader() throws Exception {
    members = List.of("v", "w");
    try (var detector = detector(ClusterState.EMPTY, (_, _) -> true)) {
      detector.tells(() -> new Standing("1111", Optional.empty()), () -> Optional.of("1111"));
      Event event;
      do {
        voters.accept("w", "{\"secretsKey\":\"2222\"}".getBytes(StandardCharsets.UTF_8));
        event = posted.poll(30, TimeUnit.SECONDS);
        assertThat(event).isNotNull();
      } while (!(event instanceof Event.VoterStands));
      assertThat(((Event.VoterStands) event).voter()).isEqualTo("w");
      assertThat(((Event.VoterStands) event).what()).contains("2222 and not 1111");
    }
  }
}
