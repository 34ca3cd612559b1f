package dev.haven.orchestrator.detect;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.lead.HeardTable;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.HeartbeatAnswer;
import dev.haven.model.wire.LeaseLength;
import dev.haven.orchestrator.FreePorts;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What somebody without a key can do with the datagrams of a host that is dead by now. */
class RecordedBeatsTest {
  private static final byte[] KEY = new byte[32];
  private static final HostId X = new HostId("x");

  @TempDir Path dir = Path.of("");
  private final AtomicLong clock = new AtomicLong(1);
  private final List<Long> heard = new ArrayList<>();
  private DatagramSocket agent;
  private Voter voter;

  /** One process of a voter, on loopback. */
  private final class Voter implements AutoCloseable, HeartbeatListener.World {
    final int port;
    final HeartbeatListener listener;

    Voter() throws Exception {
      port = FreePorts.at("127.0.0.1");
      listener =
          new HeartbeatListener(Map.of("control", "127.0.0.1"), port, this, clock::incrementAndGet);
    }

    @Override
    public Optional<byte[]> key(HostId host, BootId boot, ProcessId process) {
      return Optional.of(KEY);
    }

    @Override
    public synchronized void heard(Heartbeat beat, long nanos) {
      heard.add(beat.sequence());
    }

    @Override
    public HeartbeatAnswer answer(Heartbeat beat, boolean fresh) {
      return new HeartbeatAnswer(
          "a",
          3,
          Optional.of("a"),
          beat.sequence(),
          beat.sentNanos(),
          fresh ? Optional.of(new HeartbeatAnswer.Lease(7, LeaseLength.LONG)) : Optional.empty());
    }

    @Override
    public void close() {
      listener.close();
    }
  }

  @BeforeEach
  void start() throws Exception {
    agent = new DatagramSocket(0, InetAddress.getLoopbackAddress());
    agent.setSoTimeout(10_000);
    voter = new Voter();
  }

  @AfterEach
  void stop() {
    agent.close();
    voter.close();
  }

  private static byte[] beat(long sequence, long challenge) {
    return new Heartbeat(
            X, new BootId("b1"), new ProcessId("p1"), sequence, 0, "control", 0, challenge)
        .sign(KEY);
  }

  private HeartbeatAnswer answer(byte[] beat) throws Exception {
    agent.send(
        new DatagramPacket(
            beat,
            beat.length,
            new InetSocketAddress(InetAddress.getLoopbackAddress(), voter.port)));
    var packet = new DatagramPacket(new byte[Heartbeat.MAX_BYTES], Heartbeat.MAX_BYTES);
    agent.receive(packet);
    return HeartbeatAnswer.open(KEY, packet.getData(), packet.getLength()).orElseThrow();
  }

  @Test
  void aHostIsHeardFromItsSecondBeatOn() throws Exception {
    var first = answer(beat(1, 0));
    assertThat(heard).isEmpty();
    assertThat(first.lease()).as("nothing is granted to what may be a recording").isEmpty();
    var second = answer(beat(2, first.challenge()));
    assertThat(heard).containsExactly(2L);
    assertThat(second.lease()).isPresent();
  }

  @Test
  void recordedBeatsDoNotCountAtAVoterThatRestarted() throws Exception {
    long challenge = answer(beat(1, 0)).challenge();
    var recorded = new ArrayList<byte[]>();
    for (int i = 2; i < 50; i++) {
      recorded.add(beat(i, challenge));
      challenge = answer(recorded.getLast()).challenge();
    }
    assertThat(heard).hasSize(48);
    heard.clear();
    voter.close();
    voter = new Voter();
    for (var old : recorded) {
      assertThat(answer(old).lease()).isEmpty();
    }
    assertThat(heard).as("the host is dead").isEmpty();

    var lives = answer(beat(50, challenge));
    answer(beat(51, lives.challenge()));
    assertThat(heard).as("one exchange later a host that lives is heard").containsExactly(51L);
  }

  @Test
  void aBeatThatWasHeldBackIsNoSignOfLife() throws Exception {
    long challenge = answer(beat(1, 0)).challenge();
    clock.addAndGet(Challenges.VALID.toNanos() - Duration.ofMillis(10).toNanos());
    answer(beat(2, challenge));
    assertThat(heard).containsExactly(2L);
    clock.addAndGet(Duration.ofMillis(20).toNanos());
    answer(beat(3, challenge));
    assertThat(heard).containsExactly(2L);
  }

  @Test
  void whileThisMachineDropsHeartbeatsNobodyIsSilent() throws Exception {
    var table = Files.writeString(dir.resolve("udp"), udp(0));
    var errors = new ReceiveErrors(List.of(table, dir.resolve("none")), 7701);
    assertThat(errors.grow(100)).isFalse();
    Files.writeString(table, udp(3));
    assertThat(errors.grow(200)).as("3 of 103").isFalse();
    Files.writeString(table, udp(40));
    assertThat(errors.grow(220)).as("37 of 57").isTrue();
    assertThat(errors.grow(230)).isFalse();

    var heardTable = new HeardTable("a", 0);
    heardTable.watchQuorum(List.of("a"), 1);
    long second = 1_000_000_000L;
    heardTable.heard(X, new BootId("b1"), new ProcessId("p1"), "control", 1, 40 * second);
    assertThat(heardTable.silence(X, List.of("a"), 43 * second)).isEqualTo(3 * second);
    heardTable.deaf(43 * second);
    assertThat(heardTable.silence(X, List.of("a"), 43 * second + 1)).isZero();
    assertThat(heardTable.silence(X, List.of("a"), 45 * second))
        .as("only what came after the loss")
        .isEqualTo(2 * second);
  }

  private static String udp(int drops) {
    return """
      sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
     12: 0100007F:1E15 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 %d
     13: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 999999
    """
        .formatted(drops);
  }
}
