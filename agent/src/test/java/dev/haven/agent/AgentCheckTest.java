package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import dev.haven.model.config.SettingsException;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Before haven-agent is restarted by its package, the new program asks whether that goes well. */
@Timeout(60)
class AgentCheckTest {
  private static final String UNDERSTANDS =
      "{\"name\":\"v\",\"agents\":{\"oldest\":5,\"newest\":5}}";
  private static final String OLDER = "{\"name\":\"v\",\"agents\":{\"oldest\":1,\"newest\":1}}";

  @TempDir static Path certificates;
  @TempDir Path folder;

  private final List<HttpsServer> voters = new ArrayList<>();
  private final List<String> said = new ArrayList<>();

  @BeforeAll
  static void issue() throws IOException {
    var ca = CertificateAuthority.create(certificates);
    ca.issue("a", Role.HOST, List.of("127.0.0.1"), certificates);
    ca.issue("b", Role.HOST, List.of("127.0.0.1"), certificates);
    for (var name : List.of("v0", "v1", "v2")) {
      ca.issue(name, Role.VOTER, List.of("127.0.0.1"), certificates);
    }
  }

  @AfterEach
  void close() {
    voters.forEach(v -> v.stop(0));
  }

  /** The next voter says this of itself, to who has a certificate. */
  private String voter(String health) throws IOException {
    var name = "voter-v" + voters.size();
    var tls =
        TlsContext.load(
            certificates.resolve("ca.pem"),
            certificates.resolve(name + ".pem"),
            certificates.resolve(name + ".key"));
    var server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setHttpsConfigurator(
        new HttpsConfigurator(tls) {
          @Override
          public void configure(HttpsParameters parameters) {
            parameters.setSSLParameters(TlsContext.parameters());
          }
        });
    server.createContext(
        "/v1/health",
        exchange -> {
          var body = health.getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(200, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    server.start();
    voters.add(server);
    return "127.0.0.1:" + server.getAddress().getPort();
  }

  private static String nobody() throws IOException {
    try (var free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return "127.0.0.1:" + free.getLocalPort();
    }
  }

  private int check(String certificate, String... apis) throws IOException {
    var listed = new ArrayList<String>();
    for (int i = 0; i < apis.length; i++) {
      listed.add(
          "  - {name: v%d, raft: \"127.0.0.1:1\", api: \"%s\", networks: {control: 127.0.0.1}}"
              .formatted(i, apis[i]));
    }
    var file = folder.resolve("agent.yaml");
    Files.writeString(
        file,
        """
        host: a
        data: %s
        libvirt: test:///no-such-thing
        heartbeatPort: 7701
        networks: [{name: control, address: 127.0.0.1, roles: [control]}]
        voters:
        %s
        tls: {ca: %s, certificate: %s, key: %s}
        """
            .formatted(
                folder.resolve("data"),
                String.join("\n", listed),
                certificates.resolve("ca.pem"),
                certificates.resolve(certificate + ".pem"),
                certificates.resolve(certificate + ".key")));
    return new AgentCheck(said::add).run(file);
  }

  @Test
  void votersThatUnderstandThisAgentAreNoReasonToWaitAndNothingIsOpened() throws IOException {
    assertThat(check("a", voter(UNDERSTANDS), voter(UNDERSTANDS))).isZero();
    assertThat(said).hasSize(1).first().asString().startsWith("host a: the settings");
    try (var made = Files.list(folder)) {
      assertThat(made.map(f -> f.getFileName().toString()).collect(Collectors.toSet()))
          .containsExactly("agent.yaml");
    }
  }

  @Test
  void aVoterThatDoesNotUnderstandThisAgentIsNamedWithTheWayOut() throws IOException {
    assertThat(check("a", voter(UNDERSTANDS), voter(OLDER))).isEqualTo(75);
    assertThat(said)
        .singleElement()
        .asString()
        .contains("voter v1 understands version 1, and this haven-agent speaks version 5")
        .contains("Upgrade the voters", "install the old haven-agent on host a again");
  }

  @Test
  void aVoterThatSaysNothingOfVersionsIsTooOld() throws IOException {
    assertThat(check("a", voter("{\"name\":\"v\",\"leader\":\"v\"}"))).isEqualTo(75);
    assertThat(said).singleElement().asString().contains("voter v0", "Upgrade the voters");
  }

  @Test
  void aVoterThatCannotBeAskedIsNoReasonToWait() throws IOException {
    assertThat(check("a", voter(UNDERSTANDS), nobody())).isZero();
    assertThat(said).first().asString().contains("voter v1", "could not be asked");
    assertThat(check("a", nobody())).as("all of them").isZero();
  }

  @Test
  void whatAStartWouldRefuseIsWrong() throws IOException {
    assertThat(check("b", nobody())).isEqualTo(SettingsException.EXIT_CODE);
    assertThat(said).singleElement().asString().contains("b.pem", "expected that of", "haven ca");
    said.clear();
    assertThat(check("no-such", nobody())).isEqualTo(SettingsException.EXIT_CODE);
    said.clear();
    assertThat(new AgentCheck(said::add).run(folder.resolve("missing.yaml")))
        .isEqualTo(SettingsException.EXIT_CODE);
    assertThat(said).singleElement().asString().contains("missing.yaml");
  }
}
