package dev.haven.orchestrator.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class EventStreamsTest {
  @TempDir static Path dir = Path.of("");
  private Servers voters;

  @BeforeAll
  static void issue() throws IOException {
    Servers.issue(dir);
  }

  @BeforeEach
  void start() throws IOException {
    voters = new Servers(dir, "a", "a", "b");
  }

  @AfterEach
  void stop() {
    voters.close();
  }

  private BufferedReader open(String voter, String query, Optional<String> lastEventId)
      throws Exception {
    var request = HttpRequest.newBuilder(voters.uri(voter, "/v1/events/stream" + query));
    lastEventId.ifPresent(id -> request.header("Last-Event-ID", id));
    var response =
        voters.client("admin").send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type")).hasValue("text/event-stream");
    return new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8));
  }

  private static List<String> ids(BufferedReader stream, int count) throws IOException {
    var ids = new ArrayList<String>();
    while (ids.size() < count) {
      var line = stream.readLine();
      assertThat(line).isNotNull();
      if (line.startsWith("id: ")) {
        ids.add(line.substring(4));
        assertThat(stream.readLine()).startsWith("data: {\"index\":" + ids.getLast());
        assertThat(stream.readLine()).isEmpty();
      }
    }
    return ids;
  }

  @ParameterizedTest
  @ValueSource(strings = {"a", "b"})
  void streamBeginsWithWhatWasMissedAndGoesOn(String voter) throws Exception {
    for (int i = 0; i < 1_200; i++) {
      voters.committed.happened("web", "before");
    }
    try (var stream = open(voter, "?since=100", Optional.empty())) {
      assertThat(ids(stream, 1_100)).startsWith("101").endsWith("1200").doesNotHaveDuplicates();
      voters.committed.happened("web", "after");
      assertThat(ids(stream, 1)).containsExactly("1201");
    }
  }

  @Test
  void clientResumesAfterTheLastEventItHas() throws Exception {
    for (int i = 0; i < 5; i++) {
      voters.committed.happened("web", "something");
    }
    try (var stream = open("a", "?since=0", Optional.of("3"))) {
      assertThat(ids(stream, 2)).containsExactly("4", "5");
    }
  }

  @Test
  void withoutSinceOnlyNewLinesCome() throws Exception {
    voters.committed.happened("web", "old");
    try (var stream = open("a", "", Optional.empty())) {
      voters.committed.happened("web", "new");
      assertThat(ids(stream, 1)).containsExactly("2");
    }
  }

  @Test
  void streamLivesOnWhenTheLeaderChanges() throws Exception {
    try (var stream = open("b", "?since=0", Optional.empty())) {
      assertThat(stream.readLine()).isEqualTo(": the audit log");
      voters.leads("c");
      voters.committed.happened("web", "restarted");
      assertThat(ids(stream, 1)).containsExactly("1");
    }
  }

  @Test
  void quietStreamBeats() throws Exception {
    voters.close();
    voters = Servers.hurried(dir, "a", "a");
    try (var stream = open("a", "", Optional.empty())) {
      assertThat(stream.readLine()).isEqualTo(": the audit log");
      assertThat(stream.readLine()).isEmpty();
      assertThat(stream.readLine()).isEqualTo(": still here");
    }
  }

  @Test
  void slowClientIsDroppedAndTold() throws Exception {
    try (var stream = open("a", "", Optional.empty())) {
      var text = "x".repeat(10_000);
      // More than the socket's buffers and the queue hold; nobody reads meanwhile.
      for (int i = 0; i < 3_000; i++) {
        voters.committed.happened("web", text);
      }
      var last = "";
      for (var line = stream.readLine(); line != null; line = stream.readLine()) {
        last = line.isEmpty() ? last : line;
      }
      assertThat(last).startsWith(": too slow: 1024 lines were waiting; resume after ");
      assertThat(voters.cluster("a").followers).isEmpty();
    }
  }

  @Test
  void clientThatNeverReadsAgainAndOneThatIsGoneAreForgotten() throws Exception {
    voters.close();
    voters = Servers.hurried(dir, "a", "a");
    try (var socket =
        voters
            .tls("admin")
            .getSocketFactory()
            .createSocket(InetAddress.getLoopbackAddress(), voters.server("a").port())) {
      socket
          .getOutputStream()
          .write(
              "GET /v1/events/stream HTTP/1.1\r\nHost: a\r\n\r\n"
                  .getBytes(StandardCharsets.US_ASCII));
      assertThat(socket.getInputStream().read()).isPositive();
      var gone = open("a", "", Optional.empty());
      gone.close();
      awaitFollowers(2, Duration.ofSeconds(5));
      var text = "x".repeat(10_000);
      for (int i = 0; i < 1_500; i++) {
        voters.committed.happened("web", text);
      }
      awaitFollowers(0, Duration.ofSeconds(20));
    }
  }

  private void awaitFollowers(int count, Duration within) throws InterruptedException {
    long end = System.nanoTime() + within.toNanos();
    while (voters.cluster("a").followers.size() > count) {
      assertThat(System.nanoTime()).as("streams are still open").isLessThan(end);
      Thread.sleep(20);
    }
  }

  @Test
  void stoppingServerEndsStreams() throws Exception {
    try (var stream = open("a", "", Optional.empty())) {
      voters.server("a").close();
      try {
        while (stream.readLine() != null) {
          // what was on its way
        }
      } catch (IOException e) {
        // ended as it should
      }
      awaitFollowers(0, Duration.ofSeconds(5));
    }
  }
}
