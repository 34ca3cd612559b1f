package dev.haven.model.wire;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class HeartbeatTest {
  private static final HeartbeatAnswer.Lease SHORT =
      new HeartbeatAnswer.Lease(77, LeaseLength.SHORT);

  private static final byte[] KEY =
      "0123456789abcdef0123456789abcdef".getBytes(java.nio.charset.StandardCharsets.UTF_8);
  private static final Heartbeat BEAT =
      new Heartbeat(
          new HostId("a"),
          new BootId("b1"),
          new ProcessId("p1"),
          42,
          123_456_789L,
          "control",
          -5,
          99);

  @Test
  void aSignedBeatIsReadBackAndATamperedOneIsNot() {
    var datagram = BEAT.sign(KEY);
    assertThat(Heartbeat.claim(datagram, datagram.length)).contains(BEAT);
    assertThat(Heartbeat.signedWith(KEY, datagram, datagram.length)).isTrue();
    for (int i = 0; i < datagram.length; i++) {
      var bad = datagram.clone();
      bad[i] ^= 1;
      assertThat(Heartbeat.signedWith(KEY, bad, bad.length)).isFalse();
    }
    assertThat(Heartbeat.signedWith(new byte[32], datagram, datagram.length)).isFalse();
  }

  /** Or an agent whose hello is understood drops every answer, and so every lease. */
  @Test
  void framesHeartbeatsAndAnswersHaveOneNumberThatNoneOfThemHadBefore() {
    var answer = new HeartbeatAnswer("c", 9, Optional.of("b"), 42, 5, Optional.of(SHORT));
    assertThat(WireVersions.OURS)
        .isEqualTo(new WireVersions(FromAgent.VERSION, ToAgent.VERSION))
        .matches(ours -> ours.understands(BEAT.sign(KEY)[4]))
        .matches(ours -> ours.understands(answer.sign(KEY)[4]))
        .matches(ours -> !ours.understands(2) && !ours.understands(4));
  }

  @Test
  void noiseIsNoHeartbeat() {
    long seed = Long.getLong("seed", System.nanoTime());
    var random = new Random(seed);
    for (int i = 0; i < 10_000; i++) {
      var noise = new byte[random.nextInt(Heartbeat.MAX_BYTES)];
      random.nextBytes(noise);
      assertThat(Heartbeat.claim(noise, noise.length)).as("seed %d", seed).isEmpty();
      var cut = Arrays.copyOf(BEAT.sign(KEY), random.nextInt(60));
      assertThat(Heartbeat.signedWith(KEY, cut, cut.length)).isFalse();
    }
  }

  @Test
  void anAnswerNamesTheLeader() {
    var answer =
        new HeartbeatAnswer("c", 9, Optional.of("b"), 42, 5, Optional.of(SHORT)).asking(99);
    var datagram = answer.sign(KEY);
    assertThat(HeartbeatAnswer.open(KEY, datagram, datagram.length)).contains(answer);
    assertThat(HeartbeatAnswer.open(new byte[32], datagram, datagram.length)).isEmpty();
    var none = new HeartbeatAnswer("c", 0, Optional.empty(), 1, 1, Optional.empty()).sign(KEY);
    assertThat(HeartbeatAnswer.open(KEY, none, none.length).orElseThrow().leader()).isEmpty();
    assertThat(HeartbeatAnswer.open(KEY, none, none.length).orElseThrow().lease()).isEmpty();
  }

  @Test
  void theKeyThatAThreadUsedLastLeavesNoTraceInTheNextSignature() {
    var other = new byte[32];
    Arrays.fill(other, (byte) 9);
    var first = BEAT.sign(KEY);
    var between = BEAT.sign(other);
    assertThat(Heartbeat.signedWith(KEY, between, between.length)).isFalse();
    assertThat(Heartbeat.signedWith(other, between, between.length)).isTrue();
    assertThat(BEAT.sign(KEY)).isEqualTo(first);
  }
}
