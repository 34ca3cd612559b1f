package dev.haven.orchestrator.detect;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.HeartbeatAnswer;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes signed heartbeats by UDP on each of this voter's networks, and answers each with who leads.
 */
public final class HeartbeatListener implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(HeartbeatListener.class);

  private static final int RECEIVE_BUFFER = 4 << 20;
  private static final long TELL_NANOS = 10_000_000_000L;

  private final List<DatagramSocket> sockets = new ArrayList<>();
  private final World world;
  private final LongSupplier clock;
  private final Challenges challenges;
  private final AtomicLong heard = new AtomicLong();

  /** What the listener asks of the rest. Called on its own threads; must not block. */
  public interface World {
    /** The key of this agent process, if its hello is committed and it is the host's newest. */
    Optional<byte[]> key(HostId host, BootId boot, ProcessId process);

    /** A beat with a good signature that has answered a recent challenge of this process. */
    void heard(Heartbeat beat, long nanos);

    /**
     * @param fresh whether it was heard: to one that was not, nothing is granted
     */
    HeartbeatAnswer answer(Heartbeat beat, boolean fresh);
  }

  /**
   * @param addresses this voter's own address in each network, by the network's name
   * @throws IOException if an address cannot be bound; the message names it
   */
  public HeartbeatListener(Map<String, String> addresses, int port, World world)
      throws IOException {
    this(addresses, port, world, System::nanoTime);
  }

  HeartbeatListener(Map<String, String> addresses, int port, World world, LongSupplier clock)
      throws IOException {
    this.world = world;
    this.clock = clock;
    this.challenges = new Challenges(clock.getAsLong(), new SecureRandom().nextLong());
    for (var network : addresses.entrySet()) {
      DatagramSocket socket;
      try {
        socket = new DatagramSocket(new InetSocketAddress(network.getValue(), port));
      } catch (SocketException e) {
        close();
        throw new IOException(
            "heartbeats: cannot listen on %s:%d of network %s (%s); is the address this host's own, and the port free?"
                .formatted(network.getValue(), port, network.getKey(), e.getMessage()),
            e);
      }
      sockets.add(socket);
      room(socket, network.getKey());
      Thread.ofPlatform()
          .daemon()
          .name("heartbeats-" + network.getKey())
          .start(() -> listen(socket));
    }
  }

  /** How many good heartbeats this process has heard. */
  long heard() {
    return heard.get();
  }

  /** A burst of anything must not push the heartbeats out. */
  private static void room(DatagramSocket socket, String network) {
    try {
      socket.setReceiveBufferSize(RECEIVE_BUFFER);
      if (socket.getReceiveBufferSize() < RECEIVE_BUFFER) {
        log.info(
            "heartbeats of network {}: room for {} KiB; sysctl net.core.rmem_max={} gives more",
            network,
            socket.getReceiveBufferSize() >> 10,
            RECEIVE_BUFFER);
      }
    } catch (SocketException e) {
      log.warn("heartbeats of network {}: {}", network, e.getMessage());
    }
  }

  private void listen(DatagramSocket socket) {
    var buffer = new byte[Heartbeat.MAX_BYTES + 1];
    var packet = new DatagramPacket(buffer, buffer.length);
    long told = clock.getAsLong() - TELL_NANOS;
    while (!socket.isClosed()) {
      try {
        packet.setLength(buffer.length);
        socket.receive(packet);
        long now = clock.getAsLong();
        var claim = Heartbeat.claim(buffer, packet.getLength());
        if (claim.isEmpty()) {
          continue;
        }
        var beat = claim.get();
        var key = world.key(beat.host(), beat.boot(), beat.process());
        if (key.isEmpty() || !Heartbeat.signedWith(key.get(), buffer, packet.getLength())) {
          continue; // unknown until its hello is committed, or forged
        }
        boolean fresh = challenges.fresh(beat.challenge(), now);
        if (fresh) {
          heard.incrementAndGet();
          world.heard(beat, now);
        }
        // also to one that is not, or a host would never learn what to answer
        var answer = world.answer(beat, fresh).asking(challenges.at(now)).sign(key.get());
        socket.send(new DatagramPacket(answer, answer.length, packet.getSocketAddress()));
      } catch (IOException e) {
        if (!socket.isClosed()) {
          log.debug("heartbeat on {}: {}", socket.getLocalSocketAddress(), e.getMessage());
        }
      } catch (RuntimeException e) {
        long nanos = clock.getAsLong();
        if (nanos - told >= TELL_NANOS) { // whatever it is, it comes again and again
          told = nanos;
          log.error("a heartbeat could not be handled", e);
        }
      }
    }
  }

  @Override
  public void close() {
    sockets.forEach(DatagramSocket::close);
  }
}
