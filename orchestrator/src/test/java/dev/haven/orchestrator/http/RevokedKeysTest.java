package dev.haven.orchestrator.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.HostId;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A key that was revoked, at the API and at the agents' WebSocket of a voter as it ships. */
class RevokedKeysTest {
  @TempDir Path directory;
  private Servers voters;

  @BeforeEach
  void start() throws IOException {
    Servers.issue(directory);
    voters = Servers.patient(directory, "a", "a");
  }

  @AfterEach
  void stop() {
    voters.close();
  }

  private void revoke(String certificate) throws IOException {
    voters.revoked.add(voters.key(certificate));
  }

  private HttpRequest.Builder status() {
    return HttpRequest.newBuilder(voters.uri("a", "/v1/status"));
  }

  @Test
  void itsLiveConnectionsEndAndNoOtherBegins() throws Exception {
    var agent =
        new TestAgent(voters.client("d"), voters.uri("a", AgentUpgrade.PATH))
            .say(TestAgent.hello("d", "boot-1"));
    assertThat(voters.listener.next()).isEqualTo("hello d boot-1");
    voters.agents("a").welcome(new HostId("d"), 5, 1);
    agent.next();
    assertThat(voters.agents("a").keyOf(new HostId("d"))).contains(voters.key("d"));

    revoke("d");
    assertThat(voters.listener.next()).isEqualTo("left d boot-1");
    agent.closed.get(60, TimeUnit.SECONDS);
    assertThatThrownBy(() -> new TestAgent(voters.client("d"), voters.uri("a", AgentUpgrade.PATH)))
        .isInstanceOf(Exception.class);
    assertThat(voters.agents("a").connected(new HostId("d"))).isFalse();
    assertThat(voters.get("a", "/v1/status").statusCode()).isEqualTo(200); // others go on
  }

  /** TLS 1.3 resumes a session without looking at the certificate again. */
  @Test
  void anOperatorsResumedSessionDoesNotHelp() throws Exception {
    assertThat(voters.send("admin", status()).statusCode()).isEqualTo(200);
    revoke("admin");
    for (int i = 0; i < 3; i++) {
      assertThatThrownBy(() -> voters.send("admin", status()))
          .isInstanceOf(ExecutionException.class);
    }
  }
}
