package dev.haven.orchestrator.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whoever does not do the next step in time loses the connection, and only that one. */
class DeadlinesTest {
  /**
   * The longest deadline tried here is a body's, 20 units of 200 ms; a loaded machine may be late.
   */
  private static final Duration LONGEST = Duration.ofSeconds(20);

  @TempDir Path dir = Path.of("");
  private Servers voters;

  @BeforeEach
  void start() throws IOException {
    Servers.issue(dir);
    voters = Servers.hurried(dir, "a", "a");
  }

  @AfterEach
  void stop() {
    voters.close();
  }

  private Socket plain() throws IOException {
    return new Socket(InetAddress.getLoopbackAddress(), voters.server("a").port());
  }

  private Socket tls(String says) throws IOException {
    var socket =
        voters
            .tls("admin")
            .getSocketFactory()
            .createSocket(InetAddress.getLoopbackAddress(), voters.server("a").port());
    socket.getOutputStream().write(says.getBytes(StandardCharsets.US_ASCII));
    return socket;
  }

  private Socket plain(byte... says) throws IOException {
    var socket = plain();
    socket.getOutputStream().write(says);
    return socket;
  }

  @Test
  void everyStepHasAnEnd() throws Exception {
    Map<String, Socket> waiting = new LinkedHashMap<>();
    waiting.put("says nothing", plain());
    waiting.put("begins a handshake", plain((byte) 22, (byte) 3, (byte) 1));
    waiting.put("asks nothing", tls(""));
    waiting.put("begins a request", tls("GET /v1/sta"));
    waiting.put("begins headers", tls("GET /v1/status HTTP/1.1\r\nHost: "));
    waiting.put(
        "begins a body",
        tls("POST /v1/commands HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{"));
    long end = System.nanoTime() + LONGEST.toNanos();
    while (!waiting.isEmpty()) {
      assertThat(System.nanoTime()).as("still connected: %s", waiting.keySet()).isLessThan(end);
      for (var entry : new ArrayList<>(waiting.entrySet())) {
        if (ended(entry.getValue())) {
          entry.getValue().close();
          waiting.remove(entry.getKey());
        }
      }
      // A deadline is for the whole step: a byte now and then does not help.
      for (var socket : waiting.values()) {
        trickle(socket);
      }
    }
  }

  /** It waited for the voter to end the connection, and that did so after its idle time only. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET /v1/status HTTP/1.1",
        "GET /v1/nothing HTTP/1.1",
        "PUT /v1/status HTTP/1.1",
        "GET /v1/hosts/%zz HTTP/1.1",
        "GET /v1/status HTTP/9.9",
        "GET /v1/status HTTP/1.1\r\nAccept: image/png",
        "GET /v1/events?since=-1 HTTP/1.1"
      })
  void whoAsksForTheEndOfAConnectionGetsItWithTheAnswer(String request) throws Exception {
    try (var unhurried = new Servers(dir, "a", "a");
        var socket =
            unhurried
                .tls("admin")
                .getSocketFactory()
                .createSocket(InetAddress.getLoopbackAddress(), unhurried.server("a").port())) {
      socket.setSoTimeout(15_000); // half of the idle time
      socket
          .getOutputStream()
          .write(
              (request + "\r\nHost: a\r\nConnection: close\r\n\r\n")
                  .getBytes(StandardCharsets.US_ASCII));
      var answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(answer).startsWith("HTTP/1.1 ");
    }
  }

  @Test
  void crowdOfHalfOpenConnectionsKeepsNobodyOut() throws Exception {
    var crowd = new ArrayList<Socket>();
    try {
      for (int i = 0; i < 200; i++) {
        crowd.add(i % 2 == 0 ? plain() : plain((byte) 22, (byte) 3, (byte) 1));
      }
      assertThat(voters.get("a", "/v1/status").statusCode()).isEqualTo(200);
      long end = System.nanoTime() + LONGEST.toNanos();
      while (!crowd.stream().allMatch(DeadlinesTest::ended)) {
        assertThat(System.nanoTime()).isLessThan(end);
      }
    } finally {
      for (var socket : crowd) {
        socket.close();
      }
    }
    assertThat(voters.get("a", "/v1/status").statusCode()).isEqualTo(200);
  }

  private static void trickle(Socket socket) {
    try {
      socket.getOutputStream().write('x');
    } catch (IOException e) {
      // it has ended; that is seen when reading
    }
  }

  private static boolean ended(Socket socket) {
    try {
      socket.setSoTimeout(10);
      InputStream in = socket.getInputStream();
      while (in.read() >= 0) {
        // an answer, such as 400, before the end
      }
      return true;
    } catch (java.net.SocketTimeoutException e) {
      return false;
    } catch (IOException e) {
      return true;
    }
  }
}
