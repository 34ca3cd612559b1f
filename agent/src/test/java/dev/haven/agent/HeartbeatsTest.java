package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.agent.guest.HostLeases;
import dev.haven.core.lease.Lease;
import dev.haven.core.lease.LeaseTable;
import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Network;
import dev.haven.model.ProcessId;
import dev.haven.model.Time;
import dev.haven.model.config.VoterAddress;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.HeartbeatAnswer;
import dev.haven.model.wire.LeaseLength;
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
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Over real UDP, between addresses of the loopback. */
@Timeout(30)
class HeartbeatsTest {
  @TempDir Path directory;

  private static final AgentIdentity ME =
      new AgentIdentity(
          new HostId("a"),
          new BootId("boot"),
          new ProcessId("p"),
          new byte[32],
          java.util.Optional.empty());

  @Test
  void everyVoterHearsTheHostOnEveryNetworkAndTheAnswersTellWhoLeads() throws Exception {
    try (var first = socket("127.0.0.2", 0);
        var second = socket("127.0.0.3", first.getLocalPort())) {
      var leaders = new Leaders();
      var news = new CountDownLatch(1);
      leaders.onChange(news::countDown);
      var networks =
          List.of(
              new Network("control", "127.0.0.11", List.of()),
              new Network("migration", "127.0.0.12", List.of()),
              new Network("unplugged", "192.0.2.1", List.of()));
      var voters =
          List.of(
              new VoterAddress(
                  "b",
                  "127.0.0.2:1",
                  "127.0.0.2:1",
                  Map.of(
                      "control", "127.0.0.2", "migration", "127.0.0.3", "unplugged", "192.0.2.2")));
      var leases = new HostLeases(new LeaseTable(), new BootClock()::nanos, Time.SYSTEM);
      var web = new GuestId("web");
      leases.table().told(4, 1, Map.of(web, new Epoch(3)));
      try (var beats =
          new Heartbeats(
              ME,
              networks,
              known(voters),
              first.getLocalPort(),
              leaders,
              leases,
              () -> 77,
              new OwnFaults(System::nanoTime))) {
        beats.start();
        var times = new ArrayList<Long>();
        var before = receive(first);
        var last = Heartbeat.claim(before.getData(), before.getLength()).orElseThrow();
        times.add(System.nanoTime());
        for (int i = 0; i < 5; i++) {
          var packet = receive(first);
          times.add(System.nanoTime());
          assertThat(packet.getAddress().getHostAddress()).isEqualTo("127.0.0.11");
          assertThat(Heartbeat.signedWith(ME.key(), packet.getData(), packet.getLength())).isTrue();
          var beat = Heartbeat.claim(packet.getData(), packet.getLength()).orElseThrow();
          assertThat(beat.network()).isEqualTo("control");
          assertThat(beat.digest()).isEqualTo(77);
          assertThat(beat.sequence()).isEqualTo(last.sequence() + 1);
          assertThat(beat.sentNanos()).isGreaterThan(last.sentNanos());
          last = beat;
        }
        assertThat(times.getLast() - times.getFirst())
            .isBetween(Duration.ofMillis(900).toNanos(), Duration.ofMillis(1_500).toNanos());
        var other = receive(second);
        assertThat(other.getAddress().getHostAddress()).isEqualTo("127.0.0.12");
        assertThat(Heartbeat.claim(other.getData(), other.getLength()).orElseThrow().network())
            .isEqualTo("migration");

        // with another key, or to a beat that was not sent yet: no news
        answer(first, last.sequence(), new byte[] {1, 2, 3}, 9);
        answer(first, last.sequence() + 1_000_000, ME.key(), 9);
        answer(first, last.sequence(), ME.key(), 4);
        assertThat(news.await(5, TimeUnit.SECONDS)).isTrue();
        assertThat(leaders.leader()).isEqualTo(new Leaders.Leader(4, Optional.of("b")));

        // the answer was a lease for what the leader had told, from when the beat was sent
        assertThat(leases.await(now -> leases.table().forbidsToRun(web, new Epoch(3), now)))
            .isEmpty();
        long end = last.sentNanos() + Lease.LONGEST.toNanos();
        assertThat(leases.table().covers(web, new Epoch(3), end - 1)).isTrue();
        assertThat(leases.table().covers(web, new Epoch(3), end)).isFalse();
        assertThat(leases.table().covers(web, new Epoch(4), end - 1)).isFalse();
      }
    }
  }

  @Test
  void aHostWhoseGuestsCannotBeReadBeatsOnAndItIsTold() throws Exception {
    var faults = new OwnFaults(System::nanoTime);
    try (var b = socket("127.0.0.2", 0);
        var beats =
            new Heartbeats(
                ME,
                List.of(new Network("control", "127.0.0.11", List.of())),
                known(List.of(voter("b", "127.0.0.2"))),
                b.getLocalPort(),
                new Leaders(),
                new HostLeases(new LeaseTable(), new BootClock()::nanos, Time.SYSTEM),
                () -> {
                  throw new IllegalStateException("poison");
                },
                faults)) {
      beats.start();
      for (int i = 0; i < 3; i++) {
        var packet = receive(b);
        assertThat(Heartbeat.signedWith(ME.key(), packet.getData(), packet.getLength())).isTrue();
      }
      assertThat(faults.warnings()).singleElement().asString().contains("poison");
    }
  }

  @Test
  void aVoterThatWasAddedLaterIsTold() throws Exception {
    try (var founding = socket("127.0.0.2", 0);
        var added = socket("127.0.0.4", founding.getLocalPort())) {
      var voters = known(List.of(voter("b", "127.0.0.2")));
      var networks = List.of(new Network("control", "127.0.0.11", List.of()));
      try (var beats =
          new Heartbeats(
              ME,
              networks,
              voters,
              founding.getLocalPort(),
              new Leaders(),
              new HostLeases(new LeaseTable(), new BootClock()::nanos, Time.SYSTEM),
              () -> 77,
              new OwnFaults(System::nanoTime))) {
        beats.start();
        receive(founding);
        voters.named(List.of(voter("b", "127.0.0.2"), voter("d", "127.0.0.4")));
        assertThat(
                Heartbeat.signedWith(
                    ME.key(), receive(added).getData(), receive(added).getLength()))
            .isTrue();
      }
    }
  }

  @Test
  void whatALeaderNamedIsKnownToTheNextProcessAndWhatIsConfiguredStays() {
    var b = voter("b", "127.0.0.2");
    var elsewhere = voter("b", "127.0.0.3");
    var d = voter("d", "127.0.0.4");
    known(List.of(b)).named(List.of(elsewhere, d));
    assertThat(known(List.of(b)).all()).containsExactly(elsewhere, d);
    known(List.of(b)).named(List.of(d));
    assertThat(known(List.of(b)).all()).containsExactly(b, d);
  }

  @Test
  void anUnreadableListIsNone() throws Exception {
    Files.writeString(directory.resolve("voters.json"), "[{\"na");
    assertThat(known(List.of(voter("b", "127.0.0.2"))).all())
        .containsExactly(voter("b", "127.0.0.2"));
  }

  @Test
  void eachVoterSeesItsOwnChallengeInTheNextBeat() throws Exception {
    try (var b = socket("127.0.0.2", 0);
        var d = socket("127.0.0.4", b.getLocalPort());
        var beats =
            new Heartbeats(
                ME,
                List.of(new Network("control", "127.0.0.11", List.of())),
                known(List.of(voter("b", "127.0.0.2"), voter("d", "127.0.0.4"))),
                b.getLocalPort(),
                new Leaders(),
                new HostLeases(new LeaseTable(), new BootClock()::nanos, Time.SYSTEM),
                () -> 77,
                new OwnFaults(System::nanoTime))) {
      beats.start();
      var packet = receive(b);
      var beat = Heartbeat.claim(packet.getData(), packet.getLength()).orElseThrow();
      assertThat(beat.challenge()).isZero();
      var bytes =
          new HeartbeatAnswer("b", 9, Optional.of("b"), beat.sequence(), 0, Optional.empty())
              .asking(123)
              .sign(ME.key());
      b.send(new DatagramPacket(bytes, bytes.length, packet.getSocketAddress()));
      while (beat.challenge() == 0) {
        packet = receive(b);
        beat = Heartbeat.claim(packet.getData(), packet.getLength()).orElseThrow();
      }
      assertThat(beat.challenge()).isEqualTo(123);
      var other = receive(d);
      assertThat(Heartbeat.claim(other.getData(), other.getLength()).orElseThrow().challenge())
          .isZero();
    }
  }

  private KnownVoters known(List<VoterAddress> configured) {
    return new KnownVoters(configured, directory.resolve("voters.json"));
  }

  private static VoterAddress voter(String name, String address) {
    return new VoterAddress(name, address + ":1", address + ":1", Map.of("control", address));
  }

  private static DatagramSocket socket(String address, int port) throws Exception {
    var socket = new DatagramSocket(new InetSocketAddress(InetAddress.getByName(address), port));
    socket.setSoTimeout(5_000);
    return socket;
  }

  private static DatagramPacket receive(DatagramSocket socket) throws Exception {
    var packet = new DatagramPacket(new byte[Heartbeat.MAX_BYTES], Heartbeat.MAX_BYTES);
    socket.receive(packet);
    return packet;
  }

  private static void answer(DatagramSocket from, long sequence, byte[] key, long term)
      throws Exception {
    var to = receive(from).getSocketAddress();
    var bytes =
        new HeartbeatAnswer(
                "b",
                term,
                Optional.of("b"),
                sequence,
                0,
                Optional.of(
                    new HeartbeatAnswer.Lease(
                        Lease.digest(new TreeMap<>(Map.of(new GuestId("web"), new Epoch(3)))),
                        LeaseLength.LONG)))
            .sign(key);
    from.send(new DatagramPacket(bytes, bytes.length, to));
  }
}
