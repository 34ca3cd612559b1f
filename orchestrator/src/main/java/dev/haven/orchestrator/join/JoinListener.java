package dev.haven.orchestrator.join;

import dev.haven.model.Json;
import dev.haven.model.wire.Join;
import dev.haven.orchestrator.http.Allowance;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one port that asks for no certificate. It takes one message from each connection and gives
 * one answer. Strangers cost at most {@link #AT_ONCE} connections, {@link #OF_ONE} from one
 * address, and ten handshakes a second, two of one address.
 */
final class JoinListener implements AutoCloseable {
  static final int AT_ONCE = 16;
  static final int OF_ONE = 3;

  /** From the connection to the end of its message. */
  private static final Duration MESSAGE_WITHIN = Duration.ofSeconds(10);

  /** Connections that may come at once after a quiet time; then ten a second. */
  private static final int BURST = 30;

  private static final double A_SECOND = 10;

  private static final int BURST_OF_ONE = 10;
  private static final double A_SECOND_OF_ONE = 2;

  /** Addresses whose connections are counted; the one that came first is forgotten first. */
  private static final int KNOWN = 1_000;

  private static final Logger log = LoggerFactory.getLogger(JoinListener.class);

  private final ServerSocket socket;
  private final SSLContext tls;
  private final Function<Join.Request, Join.Answer> desk;
  private final Duration messageWithin;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private final Map<InetAddress, Integer> of = new HashMap<>();
  private final Allowance allowance;

  private final Map<InetAddress, Allowance> ofOne =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<InetAddress, Allowance> eldest) {
          return size() > KNOWN;
        }
      };

  private volatile boolean closed;

  private JoinListener(
      ServerSocket socket,
      SSLContext tls,
      Function<Join.Request, Join.Answer> desk,
      Duration messageWithin,
      Allowance allowance) {
    this.socket = socket;
    this.tls = tls;
    this.desk = desk;
    this.messageWithin = messageWithin;
    this.allowance = allowance;
  }

  /**
   * @param tls shows a voter's certificate, and its authority's
   * @param desk judges; may wait
   * @throws IOException if the address is taken, or none of this machine
   */
  static JoinListener start(
      InetSocketAddress at, SSLContext tls, Function<Join.Request, Join.Answer> desk)
      throws IOException {
    return start(at, tls, desk, MESSAGE_WITHIN, new Allowance(A_SECOND, BURST, System.nanoTime()));
  }

  static JoinListener start(
      InetSocketAddress at,
      SSLContext tls,
      Function<Join.Request, Join.Answer> desk,
      Duration messageWithin,
      Allowance allowance)
      throws IOException {
    var socket = new ServerSocket();
    try {
      socket.setReuseAddress(true);
      socket.bind(at, AT_ONCE);
    } catch (IOException e) {
      socket.close();
      throw e;
    }
    var listener = new JoinListener(socket, tls, desk, messageWithin, allowance);
    Thread.ofPlatform().daemon().name("join").start(listener::accept);
    return listener;
  }

  int port() {
    return socket.getLocalPort();
  }

  private void accept() {
    while (!closed) {
      try {
        var from = socket.accept();
        if (admitted(from)) {
          Thread.ofVirtual().name("join-" + from.getInetAddress()).start(() -> serve(from));
        } else {
          from.close();
        }
      } catch (IOException e) {
        if (!closed) {
          log.debug("a newcomer got lost: {}", e.getMessage());
        }
      }
    }
  }

  private synchronized boolean admitted(Socket from) {
    var address = from.getInetAddress();
    long now = System.nanoTime();
    if (closed
        || open.size() >= AT_ONCE
        || of.getOrDefault(address, 0) >= OF_ONE
        || !ofOne
            .computeIfAbsent(address, _ -> new Allowance(A_SECOND_OF_ONE, BURST_OF_ONE, now))
            .tryTake(1, now)
        || !allowance.tryTake(1, now)) {
      return false;
    }
    open.add(from);
    of.merge(address, 1, Integer::sum);
    return true;
  }

  private synchronized void left(Socket from) {
    open.remove(from);
    of.computeIfPresent(from.getInetAddress(), (_, count) -> count == 1 ? null : count - 1);
  }

  private void serve(Socket raw) {
    var deadline = Thread.ofVirtual().start(() -> closeLater(raw));
    try (raw;
        var connection = (SSLSocket) tls.getSocketFactory().createSocket(raw, null, true)) {
      connection.setSSLParameters(new SSLParameters(null, new String[] {"TLSv1.3"}));
      var in = new DataInputStream(connection.getInputStream());
      int length = in.readInt();
      if (length < 2 || length > Join.REQUEST_MAX) {
        log.debug("{}: a message of {} bytes", raw.getRemoteSocketAddress(), length);
        return;
      }
      var message = in.readNBytes(length);
      if (message.length < length) {
        return;
      }
      deadline.interrupt();
      var answer = Json.bytes(answer(message));
      var out = new DataOutputStream(connection.getOutputStream());
      connection.setSoTimeout((int) messageWithin.toMillis());
      out.writeInt(answer.length);
      out.write(answer);
      out.flush();
    } catch (IOException e) {
      log.debug("{}: {}", raw.getRemoteSocketAddress(), e.getMessage());
    } finally {
      deadline.interrupt();
      left(raw);
    }
  }

  private Join.Answer answer(byte[] message) {
    Join.Request request;
    try {
      request = Json.read(message, Join.Request.class);
    } catch (RuntimeException e) { // whatever a field makes of what it should not have
      return new Join.Answer.Refused("the request cannot be read; is haven of another version?");
    }
    try {
      return desk.apply(request);
    } catch (RuntimeException e) {
      log.error("{} could not be judged", request, e);
      return new Join.Answer.NotNow("this voter failed, which is a fault of Haven's: see its log");
    }
  }

  private void closeLater(Socket raw) {
    try {
      Thread.sleep(messageWithin);
      raw.close();
    } catch (InterruptedException e) {
      // its message came
    } catch (IOException e) {
      log.debug("{}: {}", raw.getRemoteSocketAddress(), e.getMessage());
    }
  }

  @Override
  public void close() {
    closed = true;
    try {
      socket.close();
    } catch (IOException e) {
      log.debug("join: {}", e.getMessage());
    }
    for (var one : open) {
      try {
        one.close();
      } catch (IOException e) {
        log.debug("join: {}", e.getMessage());
      }
    }
  }
}
