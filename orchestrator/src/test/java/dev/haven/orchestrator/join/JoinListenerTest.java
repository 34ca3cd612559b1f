package dev.haven.orchestrator.join;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.Json;
import dev.haven.model.wire.Join;
import dev.haven.orchestrator.http.Allowance;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.JoinTls;
import dev.haven.tls.Role;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What strangers can make of the one port that asks for no certificate. */
class JoinListenerTest {
  private static final byte[] REQUEST =
      """
      {"secret": "s", "role": "HOST", "name": "b", "signingRequest": "", "address": "127.0.0.2",
       "networks": [], "apiPort": 1, "raftPort": 2, "clock": "2026-11-30T12:00:00Z", "ready": false}
      """
          .getBytes(StandardCharsets.UTF_8);

  @TempDir Path directory;
  private CertificateAuthority ca;
  private final AtomicInteger judged = new AtomicInteger();
  private final List<Socket> strangers = new ArrayList<>();

  @BeforeEach
  void authority() throws IOException {
    ca = CertificateAuthority.create(directory);
    ca.issue("v", Role.VOTER, List.of("127.0.0.1"), directory);
  }

  @AfterEach
  void close() throws IOException {
    for (var stranger : strangers) {
      stranger.close();
    }
  }

  private JoinListener listener(Duration messageWithin) throws IOException {
    return listener(messageWithin, 1_000);
  }

  /** Only so many connections, ever. */
  private JoinListener listener(Duration messageWithin, int atMost) throws IOException {
    return JoinListener.start(
        new InetSocketAddress("127.0.0.1", 0),
        JoinTls.voter(
            directory.resolve("ca.pem"),
            directory.resolve("voter-v.pem"),
            directory.resolve("voter-v.key")),
        request -> {
          judged.incrementAndGet();
          return new Join.Answer.Refused(request.toString());
        },
        messageWithin,
        new Allowance(0, atMost, System.nanoTime()));
  }

  /** Keeps its connection, and says no more than that. */
  private Socket stranger(JoinListener listener, String from) throws IOException {
    var socket =
        new Socket(
            InetAddress.getByName("127.0.0.1"), listener.port(), InetAddress.getByName(from), 0);
    socket.setSoTimeout(60_000);
    strangers.add(socket);
    return socket;
  }

  private static boolean ended(Socket socket) {
    try {
      return socket.getInputStream().read() < 0;
    } catch (IOException e) {
      return true; // reset
    }
  }

  private Join.Answer ask(JoinListener listener, String from) throws IOException {
    try (var raw = stranger(listener, from);
        var socket =
            (SSLSocket)
                JoinTls.newcomer(ca.fingerprint(), Clock.systemUTC())
                    .getSocketFactory()
                    .createSocket(raw, "127.0.0.1", listener.port(), true)) {
      var out = new DataOutputStream(socket.getOutputStream());
      out.writeInt(REQUEST.length);
      out.write(REQUEST);
      var in = new DataInputStream(socket.getInputStream());
      return Json.read(in.readNBytes(in.readInt()), Join.Answer.class);
    }
  }

  @Test
  void whoSaysNothingIsClosed() throws Exception {
    try (var listener = listener(Duration.ofMillis(100))) {
      assertThat(ended(stranger(listener, "127.0.0.1"))).isTrue();
    }
  }

  @Test
  void oneAddressKeepsNoOtherOut() throws Exception {
    try (var listener = listener(Duration.ofMinutes(1))) {
      for (int i = 0; i < JoinListener.OF_ONE; i++) {
        stranger(listener, "127.0.0.1");
      }
      assertThat(ended(stranger(listener, "127.0.0.1"))).isTrue();
      assertThat(ask(listener, "127.0.0.2"))
          .isEqualTo(new Join.Answer.Refused("host b at 127.0.0.2 asks to join"));
    }
  }

  /** Ten at once and two a second of it are let in. */
  @Test
  void oneAddressUsesUpNobodyElsesConnections() throws Exception {
    try (var listener = listener(Duration.ofMinutes(1), 30)) {
      for (int i = 0; i < 100; i++) {
        try (var stranger = stranger(listener, "127.0.0.1")) {
          stranger.shutdownOutput();
          stranger.getInputStream().readAllBytes();
        } catch (IOException e) {
          // was closed at once
        }
      }
      assertThat(ask(listener, "127.0.0.2")).isInstanceOf(Join.Answer.Refused.class);
    }
  }

  @Test
  void whoHeardItsAnswerIsClosed() throws Exception {
    try (var listener = listener(Duration.ofMinutes(1));
        var raw = stranger(listener, "127.0.0.1");
        var socket =
            (SSLSocket)
                JoinTls.newcomer(ca.fingerprint(), Clock.systemUTC())
                    .getSocketFactory()
                    .createSocket(raw, "127.0.0.1", listener.port(), false)) {
      var out = new DataOutputStream(socket.getOutputStream());
      out.writeInt(REQUEST.length);
      out.write(REQUEST);
      var in = new DataInputStream(socket.getInputStream());
      in.readNBytes(in.readInt());
      raw.getInputStream().readAllBytes(); // ends when it is closed there
    }
  }

  @Test
  void allAddressesTogetherGetSoManyConnectionsAndNoMore() throws Exception {
    try (var listener = listener(Duration.ofMinutes(1))) {
      for (int i = 0; i < JoinListener.AT_ONCE; i++) {
        stranger(listener, "127.0.0." + (10 + i));
      }
      assertThat(ended(stranger(listener, "127.0.0.9"))).isTrue();
      assertThat(judged).hasValue(0);
    }
  }

  @Test
  void aFloodIsTurnedAwayBeforeItsHandshakes() throws Exception {
    try (var listener = listener(Duration.ofMinutes(1), 2)) {
      ask(listener, "127.0.0.1");
      ask(listener, "127.0.0.2");
      assertThat(ended(stranger(listener, "127.0.0.3"))).isTrue();
      assertThat(judged).hasValue(2);
    }
  }

  @Test
  void noSecretIsWrittenIntoALogByAccident() {
    assertThat(Json.read(REQUEST, Join.Request.class).toString()).doesNotContain("\"s\"", "secret");
  }
}
