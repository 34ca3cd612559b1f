package dev.haven.raft;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** The connection to another voter. */
class LinkTest {
  private static final Duration SOON = Duration.ofSeconds(20);

  private static final class Nobody implements Transport.Hall {
    @Override
    public boolean admits(String name) {
      return false;
    }

    @Override
    public Set<InetAddress> addresses() {
      return Set.of();
    }

    @Override
    public boolean hasRoom(Transport.Inbound from, int length) {
      return false;
    }

    @Override
    public void hear(Transport.Inbound from, byte[] frame) {}
  }

  /** The first handshake lasts until it is let go on. */
  private static final class SlowHandshake implements VoterFaults {
    private final AtomicInteger begun = new AtomicInteger();
    private final CountDownLatch mayGoOn = new CountDownLatch(1);

    @Override
    public void beforeHandshake() {
      begun.incrementAndGet();
      try {
        mayGoOn.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static VoterSettings settings(VoterFaults faults) {
    return new VoterSettings(
        "test",
        "a",
        "127.0.0.10:0",
        List.of(),
        Optional.empty(),
        IntrudersTest::voterOf,
        Timing.DEFAULT,
        4 << 20,
        64 << 10,
        (reason, cause) -> {},
        Optional.empty(),
        faults);
  }

  private static void welcomeAll(ServerSocket other) {
    try {
      while (true) {
        var socket = other.accept();
        var in = new DataInputStream(socket.getInputStream());
        in.readFully(new byte[in.readInt()]);
        socket.getOutputStream().write(new byte[] {0, 0, 0, 3, 0, 0, 0});
      }
    } catch (IOException e) {
      // closed
    }
  }

  @Test
  void aDoubtDuringADialIsNoDoubtInTheConnectionThatItMakes() throws Exception {
    var faults = new SlowHandshake();
    var transport = new Transport(settings(faults), UUID.randomUUID(), new Nobody());
    try (var other = new ServerSocket(0, 5, InetAddress.getByName("127.0.0.11"))) {
      Thread.ofPlatform().daemon().start(() -> welcomeAll(other));
      var address = (InetSocketAddress) other.getLocalSocketAddress();
      var link = new Link("link-test", address, transport, System.nanoTime()).start();
      try {
        Cluster.await(SOON, () -> faults.begun.get() == 1);
        link.doubt();
        faults.mayGoOn.countDown();
        Cluster.await(SOON, () -> faults.begun.get() > 1 || isContent());
        assertThat(faults.begun).hasValue(1);
      } finally {
        link.close();
      }
    } finally {
      transport.close();
    }
  }

  /** The one that dials has a connection and waits for news, not for the next try. */
  private static boolean isContent() {
    return Thread.getAllStackTraces().entrySet().stream()
        .filter(thread -> thread.getKey().getName().equals("haven-raft-dial-link-test"))
        .anyMatch(
            thread ->
                List.of(thread.getValue()).stream()
                    .anyMatch(frame -> frame.getMethodName().equals("wait")));
  }
}
