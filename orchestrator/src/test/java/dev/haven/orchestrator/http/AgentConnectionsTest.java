package dev.haven.orchestrator.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.BootId;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.Watchdog;
import dev.haven.model.wire.WireVersions;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLSocket;
import org.eclipse.jetty.websocket.core.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
class AgentConnectionsTest {
  private static final HostId D = new HostId("d");
  private static final BootId BOOT = new BootId("boot-1");
  private static final Order ORDER = new Order.ResumeGuest(new GuestId("web"), new Epoch(3), true);

  @TempDir static Path dir = Path.of("");
  private Servers voters;

  @BeforeAll
  static void issue() throws IOException {
    Servers.issue(dir);
  }

  @BeforeEach
  void start() throws IOException {
    voters = new Servers(dir, "a", "a");
  }

  @AfterEach
  void stop() {
    voters.close();
  }

  private TestAgent agent(String certificate) throws Exception {
    return new TestAgent(voters.client(certificate), voters.uri("a", AgentUpgrade.PATH));
  }

  private TestAgent joined(String boot) throws Exception {
    var agent = agent("d").say(TestAgent.hello("d", boot));
    assertThat(voters.listener.next()).isEqualTo("hello d " + boot);
    return agent;
  }

  @Test
  void agentJoinsTakesAnOrderAnswersAndLeaves() throws Exception {
    var agent = joined("boot-1");
    assertThat(voters.agents("a").connected(D)).isFalse();
    voters.agents("a").welcome(D, 5, 1);
    assertThat(agent.next()).isEqualTo(new ToAgent.Welcome(ToAgent.VERSION, 5, 1));
    assertThat(voters.agents("a").connected(D)).isTrue();

    assertThat(voters.agents("a").send(D, BOOT, 17, 5, 1, ORDER)).isTrue();
    assertThat(agent.next()).isEqualTo(new ToAgent.OrderFrame(ToAgent.VERSION, 17, 5, 1, ORDER));
    var answer = new FromAgent.AnswerFrame(FromAgent.VERSION, 17, new Answer.Done("resumed"));
    agent.say(answer);
    assertThat(voters.listener.next()).isEqualTo("said d boot-1 " + answer);

    agent.socket.sendClose(1000, "bye").get(5, TimeUnit.SECONDS);
    assertThat(voters.listener.next()).isEqualTo("left d boot-1");
    assertThat(agent.closed.get(5, TimeUnit.SECONDS)).isEqualTo("closed 1000");
    assertThat(voters.agents("a").connected(D)).isFalse();
    assertThat(voters.agents("a").send(D, BOOT, 18, 5, 1, ORDER)).isFalse();
  }

  @Test
  void ordersForAnotherBootAreNotSent() throws Exception {
    joined("boot-1");
    assertThat(voters.agents("a").send(D, new BootId("boot-0"), 17, 5, 1, ORDER)).isFalse();
    assertThat(voters.agents("a").send(new HostId("b"), BOOT, 17, 5, 1, ORDER)).isFalse();
  }

  @Test
  void largeOrdersAndMessagesInPiecesArriveWhole() throws Exception {
    var agent = joined("boot-1");
    var start = new Order.StartGuest(new GuestId("web"), new Epoch(3), "<domain/>".repeat(100_000));
    assertThat(voters.agents("a").send(D, BOOT, 17, 5, 1, start)).isTrue();
    assertThat(agent.next()).isEqualTo(new ToAgent.OrderFrame(ToAgent.VERSION, 17, 5, 1, start));

    var domains = new ArrayList<DomainReport>();
    for (int i = 0; i < 1_000; i++) {
      domains.add(new DomainReport("g" + i, DomainState.RUNNING, new Epoch(1), false, "läuft"));
    }
    var report = new FromAgent.Domains(FromAgent.VERSION, true, domains);
    var json = Json.text(report);
    for (int at = 0; at < json.length(); at += 1_001) {
      int end = Math.min(json.length(), at + 1_001);
      agent.socket.sendText(json.substring(at, end), end == json.length()).get(5, TimeUnit.SECONDS);
    }
    assertThat(voters.listener.next()).isEqualTo("said d boot-1 " + report);
  }

  @Test
  void newestConnectionOfAHostWins() throws Exception {
    var older = joined("boot-1");
    var newer = agent("d").say(TestAgent.hello("d", "boot-2"));
    assertThat(voters.listener.next()).isEqualTo("left d boot-1");
    assertThat(voters.listener.next()).isEqualTo("hello d boot-2");
    assertThat(older.closed.get(5, TimeUnit.SECONDS)).isEqualTo("broken");
    assertThat(voters.agents("a").send(D, BOOT, 17, 5, 1, ORDER)).isFalse();
    assertThat(voters.agents("a").send(D, new BootId("boot-2"), 17, 5, 1, ORDER)).isTrue();
    assertThat(newer.next()).isInstanceOf(ToAgent.OrderFrame.class);
  }

  @Test
  void olderConnectionsWordsEndBeforeTheNewerOnesBegin() throws Exception {
    var older = joined("boot-1");
    var listening = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    voters.listener.first =
        () -> {
          listening.countDown();
          try {
            goOn.await();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        };
    var domains = new FromAgent.Domains(FromAgent.VERSION, true, List.of());
    older.say(domains).say(domains);
    listening.await();
    var newer = agent("d").say(TestAgent.hello("d", "boot-2"));
    assertThat(older.closed.get(5, TimeUnit.SECONDS)).isEqualTo("broken");
    goOn.countDown();
    assertThat(voters.listener.next()).isEqualTo("said d boot-1 " + domains);
    assertThat(voters.listener.next()).isEqualTo("left d boot-1");
    assertThat(voters.listener.next()).isEqualTo("hello d boot-2");
    newer.socket.abort();
    assertThat(voters.listener.next()).isEqualTo("left d boot-2");
  }

  @Test
  void manyConnectionsOfOneHostLeaveOnceEach() throws Exception {
    var agents = new ArrayList<TestAgent>();
    var here = "";
    for (int i = 0; i < 8; i++) {
      agents.add(agent("d").say(TestAgent.hello("d", "boot-" + i)));
      if (i > 0) {
        assertThat(voters.listener.next()).isEqualTo("left d " + here);
      }
      here = "boot-" + i;
      assertThat(voters.listener.next()).isEqualTo("hello d " + here);
    }
    agents.forEach(agent -> agent.socket.abort());
    assertThat(voters.listener.next()).isEqualTo("left d " + here);
    assertThat(voters.listener.heard).isEmpty();
  }

  /** Each may hold several messages of 4 MiB while they come, and a witness has 32 MiB. */
  @Test
  void aThirdWebSocketOfOneCertificateEndsTheOldestThatHasNotJoined() throws Exception {
    voters.close();
    voters = Servers.patient(dir, "a", "a");
    var joined = joined("boot-1");
    var second = agent("d");
    var third = agent("d");
    assertThat(second.closed.get(10, TimeUnit.SECONDS)).isEqualTo("broken");
    assertThat(joined.closed).isNotDone();
    third.say(TestAgent.hello("d", "boot-2"));
    assertThat(voters.listener.next()).isEqualTo("left d boot-1");
    assertThat(voters.listener.next()).isEqualTo("hello d boot-2");
  }

  @Test
  void voterThatDoesNotLeadSendsTheAgentOn() throws Exception {
    voters.leads("b");
    var agent = agent("d").say(TestAgent.hello("d", "boot-1"));
    assertThat(agent.next()).isEqualTo(new ToAgent.NotLeader(ToAgent.VERSION, Optional.of("b")));
    assertThat(agent.closed.get(5, TimeUnit.SECONDS)).isEqualTo("closed 1000");
    assertThat(voters.listener.heard).isEmpty();
  }

  @Test
  void leaderThatStepsDownDismissesAll() throws Exception {
    var agent = joined("boot-1");
    voters.leads("c");
    voters.agents("a").dismissAll();
    assertThat(agent.next()).isEqualTo(new ToAgent.NotLeader(ToAgent.VERSION, Optional.of("c")));
    assertThat(agent.closed.get(5, TimeUnit.SECONDS)).isEqualTo("closed 1000");
    assertThat(voters.listener.next()).isEqualTo("left d boot-1");
  }

  @Test
  void unknownHostIsTurnedAwayWithTheReason() throws Exception {
    var agent = joined("boot-1");
    voters.agents("a").reject(D, "host d is not part of this cluster; haven host add d");
    assertThat(agent.next())
        .isEqualTo(
            new ToAgent.Rejected(
                ToAgent.VERSION, "host d is not part of this cluster; haven host add d"));
    assertThat(agent.closed.get(5, TimeUnit.SECONDS)).isEqualTo("closed 1000");
    assertThat(voters.listener.next()).isEqualTo("left d boot-1");
  }

  @Test
  void agentSpeaksOnlyForTheHostInItsCertificate() throws Exception {
    var agent = agent("b").say(TestAgent.hello("d", "boot-1"));
    assertThat(agent.next())
        .isEqualTo(
            new ToAgent.Rejected(
                ToAgent.VERSION, "your certificate is host b's, but you say that you are host d"));
    assertThat(voters.listener.heard).isEmpty();
  }

  @ParameterizedTest(name = "voter {0} leads")
  @CsvSource({"a", "b"})
  void anAgentOfANewerVersionIsToldWhatToUpgradeAndIsKnownToLive(String leader) throws Exception {
    voters.leads(leader);
    // whatever else has become of a hello by then
    var agent =
        agent("d")
            .say(
                "{\"type\":\"Greeting\",\"version\":6,\"host\":\"d\",\"boot\":\"boot-1\",\"key\":[1]}");
    assertThat(agent.next())
        .isInstanceOfSatisfying(
            ToAgent.Rejected.class,
            no ->
                assertThat(no.reason())
                    .contains("this agent speaks version 6, and voter a understands version 5")
                    .contains("Upgrade the voters", "install the old haven-agent on host d again"));
    assertThat(agent.closed.get(5, TimeUnit.SECONDS)).isEqualTo("closed 1000");
    assertThat(voters.listener.next()).isEqualTo("spoke version 6: d boot-1");
  }

  @Test
  void anAgentOfAnOlderVersionIsTheOneToUpgrade() throws Exception {
    var agent =
        agent("d").say("{\"type\":\"Hello\",\"version\":1,\"host\":\"d\",\"boot\":\"boot-1\"}");
    assertThat(String.valueOf(agent.next())).contains("Upgrade haven-agent on host d");
    assertThat(voters.listener.next()).isEqualTo("spoke version 1: d boot-1");
  }

  @Test
  void anotherHostsCertificateMakesNoAgentOfANewerVersion() throws Exception {
    var agent =
        agent("b").say("{\"type\":\"Hello\",\"version\":6,\"host\":\"d\",\"boot\":\"boot-1\"}");
    assertThat(String.valueOf(agent.next())).contains("cannot be read");
    assertThat(voters.listener.heard).isEmpty();
  }

  @Test
  void anAgentThatDoesNotUnderstandThisVoterIsKnownToLive() throws Exception {
    var agent = joined("boot-1");
    agent.socket.sendClose(WireVersions.CLOSED_FOR_IT, "").get(5, TimeUnit.SECONDS);
    assertThat(voters.listener.next()).isEqualTo("spoke version 5: d boot-1");
    assertThat(voters.listener.next()).isEqualTo("left d boot-1");
  }

  @Test
  void operatorIsNoAgent() {
    assertThatThrownBy(() -> agent("admin")).hasMessageContaining("WebSocketHandshakeException");
  }

  @Test
  void whatIsNoHelloIsTurnedAway() throws Exception {
    var early = agent("d").say(new FromAgent.Domains(FromAgent.VERSION, true, List.of()));
    assertThat(early.next())
        .isEqualTo(new ToAgent.Rejected(ToAgent.VERSION, "the first frame must be a hello"));
    var noise = agent("d").say("{\"type\":\"Howdy\"}");
    assertThat(String.valueOf(noise.next())).contains("your message cannot be read");
    var twice = joined("boot-1").say(TestAgent.hello("d", "boot-2"));
    assertThat(String.valueOf(twice.next())).contains("a second hello");
    assertThat(voters.listener.next()).isEqualTo("left d boot-1");
  }

  @Test
  void agentThatOnlyListensIsKeptAndPinged() throws Exception {
    voters.close();
    voters = Servers.hurried(dir, "a", "a");
    var agent = joined("boot-1");
    voters.agents("a").welcome(D, 5, 1);
    assertThat(agent.next()).isInstanceOf(ToAgent.Welcome.class);
    // The JDK's client answers pings by itself; without them the server would close after 1.2 s.
    assertThat(voters.listener.heard.poll(3, TimeUnit.SECONDS)).isNull();
    voters.agents("a").send(D, BOOT, 17, 5, 1, ORDER);
    assertThat(agent.next()).isInstanceOf(ToAgent.OrderFrame.class);
  }

  @Test
  void agentWhoseHelloNobodyDecidesBeginsAnew() throws Exception {
    voters.close();
    voters = Servers.hurried(dir, "a", "a");
    var agent = joined("boot-1");
    assertThat(voters.listener.next()).isEqualTo("left d boot-1");
    assertThat(agent.closed.get(5, TimeUnit.SECONDS)).isEqualTo("broken");
  }

  @Test
  void silentConnectionsAreClosed() throws Exception {
    voters.close();
    voters = Servers.hurried(dir, "a", "a");
    try (var mute = new RawAgent(voters, "d");
        var silent = new RawAgent(voters, "d")) {
      long began = System.nanoTime();
      silent.hello();
      assertThat(voters.listener.next()).isEqualTo("hello d boot-1");
      assertThat(voters.listener.next()).isEqualTo("left d boot-1");
      assertThat(Duration.ofNanos(System.nanoTime() - began))
          .isGreaterThan(Duration.ofMillis(1_100));
      assertThat(mute.readToEnd()).isLessThan(100); // some pings
    }
  }

  @Test
  void agentThatDoesNotReadIsClosedAndNobodyWaitsForIt() throws Exception {
    try (var deaf = new RawAgent(voters, "d")) {
      deaf.hello();
      assertThat(voters.listener.next()).isEqualTo("hello d boot-1");
      var large =
          new Order.StartGuest(new GuestId("web"), new Epoch(3), "<domain/>".repeat(10_000));
      int sent = 0;
      while (voters.agents("a").send(D, BOOT, sent, 5, 1, large)) {
        sent++;
        assertThat(sent).isLessThan(100_000);
      }
      assertThat(sent).isGreaterThanOrEqualTo(AgentConnection.QUEUE_MAX);
      assertThat(voters.listener.next()).isEqualTo("left d boot-1");
    }
  }

  @Test
  void brokenFramesEndTheConnectionAndLeaveOnce() throws Exception {
    for (int opcode : List.of(0, 2, 3, 0x71)) {
      try (var broken = new RawAgent(voters, "d")) {
        broken.hello();
        assertThat(voters.listener.next()).isEqualTo("hello d boot-1");
        broken.send(opcode, new byte[] {1, 2, 3});
        assertThat(voters.listener.next()).isEqualTo("left d boot-1");
      }
    }
    assertThat(voters.listener.heard).isEmpty();
  }

  /** Else a few headers of frames that never come would take all memory. */
  @Test
  void memoryIsTakenAsAFramesBytesCome() {
    var session = new Configuration.ConfigurationCustomizer();
    AgentUpgrade.configure(session);
    assertThat(session.getMaxFrameSize()).isBetween(1L, 256L << 10);
    assertThat(session.isAutoFragment()).isTrue();
  }

  @Test
  void aMessageAboveFourMebibytesEndsTheConnection() throws Exception {
    try (var huge = new RawAgent(voters, "d")) {
      huge.hello();
      assertThat(voters.listener.next()).isEqualTo("hello d boot-1");
      huge.out.write(
          ByteBuffer.allocate(14)
              .put((byte) 0x81)
              .put((byte) 0xff)
              .putLong(5 << 20)
              .putInt(0)
              .array());
      try {
        huge.out.write(new byte[5 << 20]);
        huge.out.flush();
      } catch (IOException e) {
        // it was not read to its end
      }
      assertThat(voters.listener.next()).isEqualTo("left d boot-1");
    }
  }

  @Test
  void noMessageIsCompressed() throws Exception {
    try (var offers = new RawAgent(voters, "d")) {
      assertThat(offers.head).doesNotContainIgnoringCase("permessage-deflate");
    }
  }

  @Test
  void serverThatStopsLetsEveryAgentLeave() throws Exception {
    var agent = joined("boot-1");
    voters.server("a").close();
    assertThat(voters.listener.next()).isEqualTo("left d boot-1");
    assertThat(agent.closed.get(5, TimeUnit.SECONDS)).isEqualTo("broken");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          "domains":[]         | "domains":[null]       | cannot be read
          "domains":[]         | "domains":null         | cannot be read
          "heartbeatKey":"     | "heartbeatKey":"!!     | heartbeatKey must be 32 bytes
          "heartbeatKey":"MDEy | "heartbeatKey":"       | heartbeatKey must be 32 bytes
          """)
  void aHelloWithNullsOrWithoutAKeyIsTurnedAwayBeforeItIsAnEvent(
      String right, String wrong, String says) throws Exception {
    var agent = agent("d").say(Json.text(TestAgent.hello("d", "boot-1")).replace(right, wrong));
    assertThat(agent.next())
        .isInstanceOfSatisfying(
            ToAgent.Rejected.class, no -> assertThat(no.reason()).contains(says));
    assertThat(voters.listener.heard).isEmpty();
  }

  @Test
  void onlyReportsMayBeLong() throws Exception {
    var agent = joined("boot-1");
    var answer = new FromAgent.AnswerFrame(FromAgent.VERSION, 17, new Answer.Done("why"));
    agent.say(Json.text(answer).replace("why", "x".repeat(AgentConnection.SHORT_MAX)));
    assertThat(agent.next())
        .isInstanceOfSatisfying(
            ToAgent.Rejected.class, no -> assertThat(no.reason()).contains("above 256 KiB"));
  }

  /** They became entries of the log and lines of the audit log, as long as they were. */
  @Test
  void longTextsAreShortenedAndTheAgentIsHeardAllTheSame() throws Exception {
    var agent = agent("d");
    var hello = Json.text(TestAgent.hello("d", "boot-1"));
    var version = hello.replaceFirst("(\"agentVersion\":\")", "$1" + "v".repeat(3 << 20));
    assertThat(version).hasSizeGreaterThan(3 << 20);
    agent.socket.sendText(version, true).get(5, TimeUnit.SECONDS);
    assertThat(voters.listener.next()).isEqualTo("hello d boot-1");
    assertThat(voters.listener.version).hasSize(100).endsWith("…");

    var answer = new FromAgent.AnswerFrame(FromAgent.VERSION, 17, new Answer.Failed("why"));
    var reason = Json.text(answer).replace("why", "w".repeat(200_000));
    agent.socket.sendText(reason, true).get(5, TimeUnit.SECONDS);
    assertThat(voters.listener.next())
        .contains("Failed")
        .hasSizeLessThan(Answer.LONGEST + 200)
        .contains("w…");
    var watchdog =
        new Watchdog(
            Watchdog.Kind.LAB,
            "driver",
            Duration.ofSeconds(10),
            false,
            true,
            Optional.empty(),
            Optional.empty());
    var guarded = Json.text(new FromAgent.Guarded(FromAgent.VERSION, watchdog));
    agent
        .socket
        .sendText(guarded.replace("driver", "i".repeat(100_000)), true)
        .get(5, TimeUnit.SECONDS);
    assertThat(voters.listener.next()).contains("Guarded").contains("i…").hasSizeLessThan(500);
    assertThat(agent.closed).isNotDone();
  }

  @Test
  void anAgentThatSaysHelloAgainAndAgainHasToWait() throws Exception {
    ToAgent said = null;
    for (int i = 0; i < 20 && !(said instanceof ToAgent.Rejected); i++) {
      var agent = agent("d").say(TestAgent.hello("d", "boot-" + i));
      said = agent.heard.poll(200, TimeUnit.MILLISECONDS);
    }
    assertThat(said)
        .isInstanceOfSatisfying(
            ToAgent.Rejected.class, no -> assertThat(no.reason()).contains("too many hellos"));
  }

  @Test
  void hellosOfAnotherVersionAreCountedTooAndTakeNoneOfThoseOfTheBootOnRecord() throws Exception {
    var hello = "{\"type\":\"Hello\",\"version\":6,\"host\":\"d\",\"boot\":\"%s\"}";
    String said = "";
    for (int i = 0; i < 20 && !said.contains("too many hellos"); i++) {
      said = String.valueOf(agent("d").say(hello.formatted("boot-" + i)).next());
    }
    assertThat(said).contains("too many hellos");
    said = String.valueOf(agent("d").say(hello.formatted("on-record")).next());
    assertThat(said).contains("this agent speaks version 6");
  }

  /** Its host would have been silent for as long as somebody with its key liked. */
  @Test
  void somebodyElseWithItsKeyUsesUpNoHelloOfTheTrueAgent() throws Exception {
    ToAgent said = null;
    for (int i = 0; i < 20 && !(said instanceof ToAgent.Rejected); i++) {
      var stranger = agent("d").say(TestAgent.hello("d", "boot-" + i));
      said = stranger.heard.poll(200, TimeUnit.MILLISECONDS);
    }
    assertThat(said).isInstanceOf(ToAgent.Rejected.class);
    voters.listener.heard.clear();
    var hello = Json.text(TestAgent.hello("d", "boot-1")).replace("\"systemUuid\":null,", "");
    agent("d").say(hello.replaceFirst("\\{", "{\"systemUuid\":\"on-record\","));
    String next;
    do {
      next = voters.listener.next(); // what the stranger's connections leave behind
    } while (next.startsWith("left"));
    assertThat(next).isEqualTo("hello d boot-1");
  }

  @Test
  void aHelloCountsOnlyOnceItsAgentHasAnsweredWhatWasAskedAfterIt() throws Exception {
    try (var late = new RawAgent(voters, "d")) {
      late.send(1, Json.bytes(TestAgent.hello("d", "boot-1"))); // and its host is gone
      var question = late.question();
      late.send(10, new byte[16]); // no answer to it
      assertThat(voters.listener.heard.poll(300, TimeUnit.MILLISECONDS)).isNull();
      late.send(1, Json.bytes(new FromAgent.Domains(1, true, List.of())));
      late.send(10, question);
      assertThat(voters.listener.next()).isEqualTo("hello d boot-1");
      assertThat(voters.listener.next()).as("what came meanwhile is not lost").startsWith("said");
    }
  }

  /** A WebSocket by hand, which answers no ping and reads only when told to. */
  private static final class RawAgent implements AutoCloseable {
    private final SSLSocket socket;
    private final InputStream in;
    private final OutputStream out;
    private final String head;

    RawAgent(Servers voters, String certificate) throws IOException {
      socket =
          (SSLSocket)
              voters
                  .tls(certificate)
                  .getSocketFactory()
                  .createSocket(InetAddress.getLoopbackAddress(), voters.server("a").port());
      socket.setSoTimeout(15_000);
      in = socket.getInputStream();
      out = socket.getOutputStream();
      out.write(
          """
          GET /v1/agent HTTP/1.1\r
          Host: a\r
          Upgrade: websocket\r
          Connection: Upgrade\r
          Sec-WebSocket-Version: 13\r
          Sec-WebSocket-Extensions: permessage-deflate\r
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
          \r
          """
              .getBytes(StandardCharsets.US_ASCII));
      var said = new StringBuilder();
      while (!said.toString().endsWith("\r\n\r\n")) {
        said.append((char) in.read());
      }
      head = said.toString();
      assertThat(head)
          .startsWith("HTTP/1.1 101")
          .contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); // RFC 6455, 1.3
    }

    /** Says hello and answers the question whether it is there. */
    void hello() throws IOException {
      send(1, Json.bytes(TestAgent.hello("d", "boot-1")));
      send(10, question());
    }

    /** How many pings still came until the voter ended the connection. */
    int pingsUntilTheEnd() throws IOException {
      int pings = 0;
      for (int first = in.read(); first == 0x89; first = in.read()) {
        in.skipNBytes(in.read());
        pings++;
      }
      return pings;
    }

    /** The payload of the first ping that has one. */
    byte[] question() throws IOException {
      while (true) {
        assertThat(in.read()).as("a ping").isEqualTo(0x89);
        var payload = in.readNBytes(in.read());
        if (payload.length > 0) {
          return payload;
        }
      }
    }

    /** A frame masked with zeros. */
    void send(int opcode, byte[] payload) throws IOException {
      var frame = ByteBuffer.allocate(8 + payload.length).put((byte) (0x80 | opcode));
      frame.put((byte) (0x80 | 126)).putShort((short) payload.length).putInt(0).put(payload);
      out.write(frame.array());
    }

    int readToEnd() throws IOException {
      int count = 0;
      try {
        while (in.read() >= 0) {
          count++;
        }
      } catch (java.net.SocketException | javax.net.ssl.SSLException e) {
        // ended without a word
      }
      return count;
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }
}
