package dev.haven.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real handshakes over loopback. */
class MutualTlsTest {
  @TempDir Path dir = Path.of("");

  @BeforeEach
  void issueCertificates() throws IOException {
    var ca = CertificateAuthority.create(dir.resolve("ca"));
    ca.issue("a", Role.VOTER, List.of("127.0.0.1", "::1"), dir);
    ca.issue("b", Role.VOTER, List.of("10.77.1.2"), dir);
    ca.issue("a", Role.HOST, List.of("127.0.0.1"), dir);
    ca.issue("admin", Role.OPERATOR, List.of(), dir);
    CertificateAuthority.create(dir.resolve("other"))
        .issue("a", Role.VOTER, List.of("127.0.0.1"), dir.resolve("other"));
  }

  @Test
  void bothSidesLearnWhoTheOtherIs() throws Exception {
    var met = handshake(context("voter-a"), context("admin"));
    assertThat(met.client()).isEqualTo(new Peer("admin", Role.OPERATOR));
    assertThat(met.server()).isEqualTo(new Peer("a", Role.VOTER));
    assertThat(met.protocol()).isEqualTo("TLSv1.3");
  }

  @Test
  void votersCallEachOther() throws Exception {
    assertThat(handshake(context("voter-a"), context("voter-b")).client())
        .isEqualTo(new Peer("b", Role.VOTER));
  }

  @Test
  void clientRefusesVoterUnderAnotherAddress() {
    assertThatThrownBy(() -> handshake(context("voter-b"), context("admin")))
        .isInstanceOf(SSLException.class)
        .hasMessageContaining("127.0.0.1");
  }

  @Test
  void neitherAnOperatorsNorAnAgentsCertificateCanServe() {
    for (var name : List.of("admin", "a")) {
      assertThatThrownBy(() -> handshake(context(name), context("voter-a")))
          .as(name)
          .isInstanceOf(SSLException.class);
    }
  }

  @Test
  void aDaemonDoesNotStartWithTheKeyOfSomebodyElse() throws IOException {
    TlsContext.checkIs(dir.resolve("voter-a.pem"), new Peer("a", Role.VOTER));
    assertThatThrownBy(() -> TlsContext.checkIs(dir.resolve("a.pem"), new Peer("a", Role.VOTER)))
        .isInstanceOf(TlsException.class)
        .hasMessageContaining("a.pem: is the certificate of host a, expected that of voter a")
        .hasMessageContaining("haven ca issue a --role voter");
    assertThatThrownBy(
            () -> TlsContext.checkIs(dir.resolve("voter-b.pem"), new Peer("a", Role.VOTER)))
        .isInstanceOf(TlsException.class);
  }

  @Test
  void anotherClustersClientIsRefused() throws IOException {
    // It trusts our server, so that only the server's check can stop it.
    var other =
        TlsContext.load(
            dir.resolve("other/ca.pem"),
            dir.resolve("other/voter-a.pem"),
            dir.resolve("other/voter-a.key"));
    assertThatThrownBy(() -> handshake(context("voter-a"), other)).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> handshake(other, context("voter-a"))).isInstanceOf(IOException.class);
  }

  @Test
  void aNewCertificateIsUsedWithoutARestart() throws Exception {
    var ca = CertificateAuthority.open(dir.resolve("ca"));
    ca.issue("a", Role.VOTER, List.of("127.0.0.1"), dir.resolve("next"));
    ca.issue("c", Role.VOTER, List.of("127.0.0.1"), dir.resolve("next"));
    var server =
        TlsContext.watched(
            dir.resolve("ca/ca.pem"),
            dir.resolve("voter-a.pem"),
            dir.resolve("voter-a.key"),
            TlsContext.ServerCheck.ANY,
            Clock.systemUTC(),
            Duration.ZERO);
    var old = AuthorityFile.keys(dir.resolve("voter-a.pem")).getFirst();
    var next = AuthorityFile.keys(dir.resolve("next/voter-a.pem")).getFirst();
    assertThat(handshake(server, context("admin")).serverKey()).isEqualTo(old);
    put("next/voter-a.key", "voter-a.key"); // its certificate has not come yet
    assertThat(handshake(server, context("admin")).serverKey()).isEqualTo(old);
    put("next/voter-a.pem", "voter-a.pem");
    assertThat(handshake(server, context("admin")).serverKey()).isEqualTo(next);
    // neither another cluster's nor somebody else's
    for (var wrong : List.of("other/voter-a", "next/voter-c")) {
      put(wrong + ".key", "voter-a.key");
      put(wrong + ".pem", "voter-a.pem");
      assertThat(handshake(server, context("admin")).serverKey()).as(wrong).isEqualTo(next);
    }
  }

  private void put(String from, String to) throws IOException {
    Files.copy(
        dir.resolve(from),
        dir.resolve(to),
        StandardCopyOption.REPLACE_EXISTING,
        StandardCopyOption.COPY_ATTRIBUTES);
  }

  @Test
  void clientWithoutCertificateIsRefused() throws Exception {
    var nobody = SSLContext.getInstance("TLSv1.3");
    var trustAll = new TrustManager[] {new TrustAll()};
    nobody.init(null, trustAll, null);
    assertThatThrownBy(() -> handshake(context("voter-a"), nobody)).isInstanceOf(IOException.class);
  }

  @Test
  void runtimeNeedsNoBouncyCastle() throws Exception {
    var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    var classPath =
        List.of(System.getProperty("java.class.path").split(":")).stream()
            .filter(
                entry ->
                    !entry.contains("bouncycastle")
                        && !entry.contains("bcp")
                        && !entry.contains("bcutil"))
            .reduce((a, b) -> a + ":" + b)
            .orElseThrow();
    var process =
        new ProcessBuilder(java, "-cp", classPath, LoadsContext.class.getName(), dir.toString())
            .redirectErrorStream(true)
            .start();
    assertThat(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
        .isEqualTo("TLSv1.3\n");
    assertThat(process.waitFor()).isZero();
  }

  private SSLContext context(String name) throws IOException {
    return TlsContext.load(
        dir.resolve("ca/ca.pem"), dir.resolve(name + ".pem"), dir.resolve(name + ".key"));
  }

  private record Met(Peer client, Peer server, String protocol, String serverKey) {}

  private static Met handshake(SSLContext serverContext, SSLContext clientContext)
      throws Exception {
    var loopback = InetAddress.ofLiteral("127.0.0.1");
    try (var listener =
        (SSLServerSocket)
            serverContext.getServerSocketFactory().createServerSocket(0, 1, loopback)) {
      listener.setSSLParameters(TlsContext.parameters());
      listener.setSoTimeout(10_000);
      var seenByServer =
          CompletableFuture.supplyAsync(
              () -> {
                try (var socket = (SSLSocket) listener.accept()) {
                  socket.setSoTimeout(10_000);
                  socket.startHandshake();
                  var peer = Peer.of(socket.getSession());
                  socket.getOutputStream().write(1);
                  return peer;
                } catch (IOException e) {
                  throw new CompletionException(e);
                }
              });
      Peer server;
      String protocol;
      String serverKey;
      try (var socket =
          (SSLSocket)
              clientContext.getSocketFactory().createSocket(loopback, listener.getLocalPort())) {
        var parameters = TlsContext.parameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        socket.setSSLParameters(parameters);
        socket.setSoTimeout(10_000);
        socket.startHandshake();
        // In TLS 1.3 the client hears of its refusal only with the first byte it reads.
        if (socket.getInputStream().read() != 1) {
          throw new IOException("refused");
        }
        server = Peer.of(socket.getSession());
        protocol = socket.getSession().getProtocol();
        serverKey = Fingerprint.of(socket.getSession().getPeerCertificates()[0].getPublicKey());
      }
      // Only now: the server's close waits for ours.
      return new Met(seenByServer.join(), server, protocol, serverKey);
    }
  }
}
