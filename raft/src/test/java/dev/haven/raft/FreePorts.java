package dev.haven.raft;

import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Ports for servers whose address others must know before they listen. They lie below the range
 * from which Linux takes the ports of outgoing connections (32768 by default): one out of that
 * range may be some connection's by the time the server wants it.
 */
final class FreePorts {
  private static final int FIRST = 10_240;
  private static final int END = 32_000;
  private static final int TRIES = 100;

  private FreePorts() {}

  /**
   * @param ip an address of this machine
   * @return a port that nobody listens on, neither TCP nor UDP
   * @throws IOException if none was found
   */
  static int at(String ip) throws IOException {
    var address = InetAddress.getByName(ip);
    IOException last = new IOException("no port was tried");
    for (int i = 0; i < TRIES; i++) {
      int port = ThreadLocalRandom.current().nextInt(FIRST, END);
      try (var tcp = new ServerSocket(port, 1, address);
          var udp = new DatagramSocket(new InetSocketAddress(address, port))) {
        return tcp.getLocalPort();
      } catch (IOException e) {
        last = e;
      }
    }
    throw last;
  }
}
