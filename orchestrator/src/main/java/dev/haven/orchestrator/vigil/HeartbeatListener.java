package dev.haven.orchestrator.vigil;

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
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes signed heartbeats by UDP on each of this voter's networks, and answers each with who leads.
 */
public final class HeartbeatListener implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(HeartbeatListener.class);

  private final List<DatagramSocket> sockets = new ArrayList<>();
  private final World world;

  /** What the listener asks of the rest. Called on its own threads; must not block. */
  public interface World {
    /** The key of this agent process, if its hello is committed and it is the host's newest. */
    Optional<byte[]> key(HostId host, BootId boot, ProcessId process);

    /** A fresh beat with a good signature. */
    void heard(Heartbeat beat, long nanos);

    HeartbeatAnswer answer(Heartbeat beat);
  }

  /**
   * @param addresses this voter's own address in each network, by the network's name
   * @throws IOException if an address cannot be bound; the message names it
   */
  public HeartbeatListener(Map<String, String> addresses, int port, World world)
      throws IOException {
    this.world = world;
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
      Thread.ofPlatform()
          .daemon()
          .name("heartbeats-" + network.getKey())
          .start(() -> listen(socket));
    }
  }

  private void listen(DatagramSocket socket) {
    var buffer = new byte[Heartbeat.MAX_BYTES + 1];
    var packet = new DatagramPacket(buffer, buffer.length);
    while (!socket.isClosed()) {
      try {
        packet.setLength(buffer.length);
        socket.receive(packet);
        long now = System.nanoTime();
        var claim = Heartbeat.claim(buffer, packet.getLength());
        if (claim.isEmpty()) {
          continue;
        }
        var beat = claim.get();
        var key = world.key(beat.host(), beat.boot(), beat.process());
        if (key.isEmpty() || !Heartbeat.signedWith(key.get(), buffer, packet.getLength())) {
          continue; // unknown until its hello is committed, or forged
        }
        world.heard(beat, now);
        var answer = world.answer(beat).sign(key.get());
        socket.send(new DatagramPacket(answer, answer.length, packet.getSocketAddress()));
      } catch (IOException e) {
        if (!socket.isClosed()) {
          log.debug("heartbeat on {}: {}", socket.getLocalSocketAddress(), e.getMessage());
        }
      } catch (RuntimeException e) {
        log.error("a heartbeat could not be handled", e);
      }
    }
  }

  @Override
  public void close() {
    sockets.forEach(DatagramSocket::close);
  }
}
