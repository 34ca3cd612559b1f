package dev.haven.orchestrator.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import dev.haven.raft.port.ReplicatedLog;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class RoutesTest {
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

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          /v1/status             | 200 | "cluster":"lab"
          /v1/guests/web/explain | 200 | "summary":"runs on a"
          /v1/guests/web         | 404 | there is no guest web; see haven status (GET /v1/status)
          /v1/guests/no/explain  | 404 | there is no guest no
          /v1/guests/a%20b       | 404 | use 1 to 63 letters
          /v1/guests/a%2Fb       | 404 | no such
          /v1/hosts/a/devices    | 200 | "state":"ok"
          /v1/hosts/x/devices    | 404 | there is no host x
          /v1/operations         | 200 | "kind":"evacuate"
          /v1/operations/op-1    | 200 | "kind":"evacuate"
          /v1/operations/op-9    | 404 | see haven op list (GET /v1/operations)
          /v1/incidents          | 200 | "verdict":"POWER_LOSS"
          /v1/incidents/412      | 200 | "runsMillis":1600
          /v1/incidents/last     | 200 | "id":412
          /v1/incidents/413      | 404 | see haven incidents (GET /v1/incidents)
          /v1/incidents/first    | 400 | the number of an incident
          /v1/voters             | 200 | "name":"a"
          /v1/events             | 200 | []
          /v1/events?since=x     | 400 | since=x: must be a whole number, 0 or more
          /v1/events?limit=0     | 400 | limit=0: must be 1 to 10000
          /v1/events/stream?since=-1 | 400 | since=-1
          /v1/health             | 200 | {"name":"a","leader":"a","agents":{"oldest":5,"newest":5}}
          /v1/leader             | 200 | "leader":"a"
          /v1/agent              | 403 | agents connect with their host's (OU=host)
          /v1/commands           | 405 | /v1/commands takes POST, not GET
          /                      | 404 | no such path
          /v1                    | 404 | no such path: /v1
          /v1/status/            | 404 | no such path
          """)
  void everyPathAnswers(String path, int status, String says) throws Exception {
    var response = voters.get("a", path);
    assertThat(response.body()).contains(says);
    assertThat(response.statusCode()).isEqualTo(status);
    assertThat(response.headers().firstValue("Content-Type")).hasValue("application/json");
    if (status >= 400) {
      assertThat(Json.read(response.body(), Views.Problem.class).message()).isNotBlank();
    }
  }

  @Test
  void wrongMethodNamesTheRightOnes() throws Exception {
    var response =
        voters.send(
            "admin",
            HttpRequest.newBuilder(voters.uri("a", "/v1/voters"))
                .PUT(HttpRequest.BodyPublishers.noBody()));
    assertThat(response.statusCode()).isEqualTo(405);
    assertThat(response.headers().firstValue("Allow")).hasValue("GET, POST");
  }

  @Test
  void commandIsAnsweredWithItsReplyAndTheOperatorsName() throws Exception {
    var response = voters.post("a", "/v1/commands", cordon("x"));
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(Json.read(response.body(), Reply.class)).isInstanceOf(Reply.Accepted.class);
    assertThat(voters.committed.commands).containsExactly("admin: Cordon[host=x]");
  }

  @ParameterizedTest
  @EnumSource(Reply.Reason.class)
  void refusalHasItsStatusAndTheReplyAsBody(Reply.Reason reason) throws Exception {
    var refusal = new Reply.Refused(reason, "host x: because");
    voters.cluster("a").refusals.put("x", refusal);
    var response = voters.post("a", "/v1/commands", cordon("x"));
    assertThat(Json.read(response.body(), Reply.class)).isEqualTo(refusal);
    assertThat(response.statusCode())
        .isEqualTo(
            switch (reason) {
              case UNKNOWN_NAME -> 404;
              case NAME_TAKEN, WRONG_STATE, NOT_SAFE, TOO_EARLY, FITS_NOWHERE -> 409;
              case INVALID -> 400;
            });
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          ''                                | it is empty
          null                              | null
          {"request":"r",                   | line 1, column
          {"request":"r","command":{"type":"Explode"},"dryRun":false} | command: there is no type "Explode"; known type ids = [
          {"request":"r","command":{"type":"Cordon","host":"-"},"dryRun":false} | command.host: host name '-': use 1 to 63
          {"request":"r","command":{"type":"Cordon"},"dryRun":false}  | host
          {"request":"r","command":{"type":"Pause","reason":"x","within":"PT9223372036854775807S"},"dryRun":false} | between 1 s and 30 days
          {"request":"r","command":{"type":"Pause","reason":"x","within":"PT721H"},"dryRun":false} | between 1 s and 30 days
          {"request":"r","command":{"type":"Pause","reason":"x","within":"PT0S"},"dryRun":false} | between 1 s and 30 days
          {"request":"r","command":{"type":"Cordon","host":"a"},"dryRun":"maybe"} | dryRun
          {"request":"r","command":{"type":"Cordon","host":"a"},"dryRun":false} x | line 1
          """)
  void badJsonIsAnsweredWithWhatAndWhere(String json, String says) throws Exception {
    var response = voters.post("a", "/v1/commands", json);
    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(Json.read(response.body(), Views.Problem.class).message())
        .contains(says)
        .doesNotContain("dev.haven");
    assertThat(voters.committed.commands).isEmpty();
  }

  @Test
  void hugeBodyIsRefused() throws Exception {
    try (var socket = connect("admin")) {
      socket
          .getOutputStream()
          .write(ascii("POST /v1/commands HTTP/1.1\r\nHost: a\r\nContent-Length: 4194305\r\n\r\n"));
      assertThat(readAll(socket)).startsWith("HTTP/1.1 413").contains("larger than 4 MiB");
    }
  }

  @Test
  void hugeBodyInPiecesIsRefused() throws Exception {
    try (var socket = connect("admin")) {
      socket
          .getOutputStream()
          .write(
              ascii(
                  "POST /v1/commands HTTP/1.1\r\n"
                      + "Host: a\r\n"
                      + "Transfer-Encoding: chunked\r\n\r\n"
                      + "7fffffff\r\n"));
      socket.getOutputStream().write(new byte[Routes.BODY_MAX + 1]);
      assertThat(readAll(socket)).startsWith("HTTP/1.1 413").contains("larger than 4 MiB");
    }
  }

  @Test
  void longHeadersAreRefused() throws Exception {
    try (var socket = connect("admin")) {
      socket
          .getOutputStream()
          .write(
              ascii(
                  "GET /v1/health HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n"
                      .formatted("x".repeat(16 << 10))));
      assertThat(readAll(socket))
          .startsWith("HTTP/1.1 431")
          .contains("\"message\":\"the request cannot be read");
    }
    assertThat(voters.get("a", "/v1/health").statusCode()).isEqualTo(200);
  }

  @Test
  void votersAreAddedAndRemoved() throws Exception {
    var added =
        voters.post(
            "a",
            "/v1/voters",
            "{\"name\":\"d\",\"raft\":\"10.77.1.4:7702\",\"api\":\"10.77.1.4:7700\",\"networks\":{\"control\":\"10.77.1.4\"}}");
    assertThat(added.statusCode()).isEqualTo(200);
    var removed =
        voters.send("admin", HttpRequest.newBuilder(voters.uri("b", "/v1/voters/d")).DELETE());
    assertThat(removed.statusCode()).isEqualTo(200);
    assertThat(voters.committed.commands)
        .containsExactly(
            "add VoterAddress[name=d, raft=10.77.1.4:7702, api=Optional[10.77.1.4:7700],"
                + " networks={control=10.77.1.4}, witness=false]",
            "remove d");
    assertThat(voters.post("a", "/v1/voters", "{\"name\":\"d\",\"raft\":\"nowhere\"}").body())
        .contains("voter d: 'nowhere' must be address:port");
    assertThat(
            voters
                .post(
                    "a",
                    "/v1/voters",
                    "{\"name\":\"d\",\"raft\":\"10.77.1.4:7702\",\"api\":\"here\"}")
                .body())
        .contains("voter d: 'here' must be address:port");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/v1/status",
        "/v1/export",
        "/v1/guests/web/explain",
        "/v1/events",
        "/v1/events/stream",
        "/v1/voters"
      })
  void anAgentReadsNothingOfTheCluster(String path) throws Exception {
    for (var certificate : List.of("d", "voter-b")) {
      var response = voters.send(certificate, HttpRequest.newBuilder(voters.uri("a", path)));
      assertThat(response.statusCode()).isEqualTo(403);
      assertThat(response.body())
          .contains("anything but /v1/agent, /v1/health, /v1/leader needs an operator's");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"/v1/health", "/v1/leader"})
  void anAgentLearnsWhoLeads(String path) throws Exception {
    var response = voters.send("d", HttpRequest.newBuilder(voters.uri("a", path)));
    assertThat(response.statusCode()).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(strings = {"a", "d", "admin"})
  void nobodySpeaksInAnothersName(String certificate) throws Exception {
    var response =
        voters.send(
            certificate,
            HttpRequest.newBuilder(voters.uri("a", "/v1/commands"))
                .header("Haven-On-Behalf-Of", "chief")
                .header(Caller.LOCAL_USER, "root")
                .POST(HttpRequest.BodyPublishers.ofString(cordon("x"))));
    if (certificate.equals("admin")) {
      assertThat(voters.committed.commands).containsExactly("admin: Cordon[host=x]");
    } else {
      assertThat(response.statusCode()).isEqualTo(403);
      assertThat(voters.committed.commands).isEmpty();
    }
  }

  /** The first would give the cluster another authority; the second would use up a token. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'type':'TakeAuthority','key':'sealed:v1:x'}",
        "{'type':'UseToken','hash':'h','role':'VOTER','name':'x','key':'k'}"
      })
  void whatVotersAskOfTheLogByThemselvesNobodyElseMayAsk(String command) throws Exception {
    var json = "{'request':'r','dryRun':false,'command':%s}".formatted(command).replace('\'', '"');
    var response = voters.post("a", "/v1/commands", json);
    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(response.body()).contains("only voters");
    assertThat(voters.committed.commands).isEmpty();
  }

  @Test
  void aVoterSpeaksForTheRootOfItsOwnMachineOnly() throws Exception {
    var root = passedOn("root");
    assertThat(root.statusCode()).isEqualTo(200);
    assertThat(voters.committed.commands).containsExactly("root@b: Cordon[host=x]");
    for (var name : List.of("%zz", "a\tb", "chief%1b[2J", "x".repeat(40), "root@a")) {
      assertThat(passedOn(name).statusCode()).as(name).isEqualTo(400);
    }
  }

  /** By voter b, for a user of its own machine. */
  private HttpResponse<String> passedOn(String user) throws Exception {
    return voters.send(
        "voter-b",
        HttpRequest.newBuilder(voters.uri("a", "/v1/commands"))
            .header(Caller.LOCAL_USER, user)
            .POST(HttpRequest.BodyPublishers.ofString(cordon("x"))));
  }

  @Test
  void passwordsInAGuestsXmlAreShownToWhoAsksForThem() throws Exception {
    assertThat(voters.get("a", "/v1/guests/db").body())
        .contains("passwd='(hidden)'")
        .doesNotContain("VncPw123");
    assertThat(voters.get("a", "/v1/export").body()).doesNotContain("VncPw123");
    assertThat(voters.get("a", "/v1/guests/db?secrets=true").body()).contains("VncPw123");
    assertThat(voters.get("b", "/v1/guests/db?secrets=true").body()).contains("VncPw123");
    var written =
        voters.post(
            "a",
            "/v1/commands",
            Json.text(
                new CommandRequest(
                    new RequestId("r"),
                    new Command.EditGuest(
                        FakeCluster.db().spec().describedBy(Redaction.xml(FakeCluster.DB_XML))),
                    false)));
    assertThat(written.statusCode()).isEqualTo(400);
    assertThat(written.body()).contains("in place of a password");
  }

  /** An editor of XML writes its quotes as it likes; the password would be known to all. */
  @Test
  void whatStandsInPlaceOfAPasswordIsWrittenInNoQuotes() throws Exception {
    for (var attribute : List.of("passwd=\"(hidden)\"", "passwd = '(hidden)'")) {
      var xml = Redaction.xml(FakeCluster.DB_XML).replace("passwd='(hidden)'", attribute);
      assertThat(xml).contains(attribute);
      var written =
          voters.post(
              "a",
              "/v1/commands",
              Json.text(
                  new CommandRequest(
                      new RequestId("r"),
                      new Command.EditGuest(FakeCluster.db().spec().describedBy(xml)),
                      false)));
      assertThat(written.statusCode()).as(attribute).isEqualTo(400);
    }
    assertThat(voters.committed.commands).isEmpty();
  }

  @Test
  void clientWithoutCertificateIsRefused() throws Exception {
    var nobody = SSLContext.getInstance("TLSv1.3");
    nobody.init(null, new TrustManager[] {new TrustAll()}, null);
    try (var client = HttpClient.newBuilder().sslContext(nobody).build()) {
      var request = HttpRequest.newBuilder(voters.uri("a", "/v1/health")).build();
      assertThatThrownBy(() -> client.send(request, HttpResponse.BodyHandlers.ofString()))
          .isInstanceOf(IOException.class);
    }
  }

  @Test
  void voterThatDoesNotLeadSendsTheCallerToTheLeader() throws Exception {
    assertThat(voters.get("b", "/v1/status").body()).contains("\"leader\":\"a\"");
    assertThat(voters.get("b", "/v1/operations/op-9").statusCode()).isEqualTo(404);
    var response = voters.post("b", "/v1/commands", cordon("x"));
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(voters.committed.commands).containsExactly("admin: Cordon[host=x]");
    assertThat(voters.get("b", "/v1/health").body())
        .isEqualTo("{\"name\":\"b\",\"leader\":\"a\",\"agents\":{\"oldest\":5,\"newest\":5}}");
    try (var socket = connect("admin", "b")) {
      socket
          .getOutputStream()
          .write(ascii("GET /v1/events?since=3 HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"));
      socket.shutdownOutput();
      assertThat(readAll(socket))
          .startsWith("HTTP/1.1 307")
          .contains("Location: https://" + voters.apis.get("a") + "/v1/events?since=3")
          .contains("voter a leads; ask it at");
    }
  }

  @Test
  void requestIsPassedOnOnce() throws Exception {
    voters.cluster("a").leader = Optional.of("b");
    var response = passedOn("root");
    assertThat(response.statusCode()).isEqualTo(503);
    assertThat(response.body()).contains("the leadership is just passing from voter a to b");
    assertThat(response.headers().firstValue("Retry-After")).hasValue("1");
  }

  @Test
  void withoutLeaderItSaysSo() throws Exception {
    voters.cluster("b").leader = Optional.empty();
    for (var path : List.of("/v1/status", "/v1/leader", "/v1/events/stream?since=0")) {
      var response = voters.get("b", path);
      assertThat(response.statusCode()).as(path).isEqualTo(503);
      assertThat(response.body()).contains("no voter leads at the moment");
      assertThat(response.headers().firstValue("Retry-After")).hasValue("1");
    }
    assertThat(voters.get("b", "/v1/health").body())
        .isEqualTo("{\"name\":\"b\",\"agents\":{\"oldest\":5,\"newest\":5}}");
  }

  @ParameterizedTest
  @ValueSource(strings = {"a", "b"})
  void unknownOutcomeSaysHowToFindOut(String voter) throws Exception {
    voters.cluster("a").fails =
        Optional.of(new ReplicatedLog.OutcomeUnknown("the quorum did not answer within 5 s"));
    var response = voters.post(voter, "/v1/commands", cordon("x"));
    assertThat(response.statusCode()).isEqualTo(504);
    assertThat(response.body())
        .contains("the quorum did not answer within 5 s")
        .contains("send the same request again, with the same request id");
    assertThat(voters.get(voter, "/v1/status").statusCode()).isEqualTo(504);
  }

  @Test
  void fullLogIsARefusalToTryLater() throws Exception {
    voters.cluster("a").fails = Optional.of(new ReplicatedLog.Refused("no space: 12 MiB are left"));
    var response = voters.post("a", "/v1/commands", cordon("x"));
    assertThat(response.statusCode()).isEqualTo(503);
    assertThat(response.body()).contains("no space: 12 MiB are left");
  }

  @Test
  void brokenInvariantIsAnInternalError() throws Exception {
    voters.cluster("a").fails = Optional.of(new IllegalStateException("epoch went back"));
    var response = voters.get("a", "/v1/status");
    assertThat(response.statusCode()).isEqualTo(500);
    assertThat(response.body()).contains("see the log of voter a");
  }

  /** A client is not told that the request was wrong. */
  @Test
  void anErrorThatNobodyCatchesIsNoMistakeOfTheCaller() throws Exception {
    voters.cluster("a").bug = new AssertionError("nobody expects that");
    var response = voters.get("a", "/v1/status");
    assertThat(response.statusCode()).isEqualTo(500);
    assertThat(response.body()).contains("this voter failed to answer").contains("message");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "garbage\r\n\r\n",
        "GET /v1/status HTTP/1.0\r\n\r\n",
        "GET /v1/status\r\n\r\n",
        "GET /v1/status HTTP/9.9\r\nHost: a\r\n\r\n",
        "GET /v1/status HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        "GET /v1/../../etc HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET %zz%% HTTP/1.1\r\n\r\n",
        "GET %zz%% HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /v1/a|b HTTP/1.1\r\nHost: a\r\n\r\n",
        "n5\u00cfm}\u00c0 \u00bb\u00afXv\r\n\r\n",
        "n5\u00cfm}\u00c0\u00bb\u00afXv\r\n\r\n",
        "GET /v1/guests/%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /v1/%% HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /v1/events?since=%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /v1/commands HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
        "GET /v1/agent HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
      })
  void garbageEndsThatConnectionOnly(String bytes) throws Exception {
    try (var socket = connect("admin")) {
      socket.getOutputStream().write(bytes.getBytes(StandardCharsets.ISO_8859_1));
      socket.shutdownOutput();
      assertThat(readAll(socket)).doesNotContain("200 OK").doesNotContainPattern("HTTP/1.1 5");
    }
    assertThat(voters.get("a", "/v1/health").statusCode()).isEqualTo(200);
  }

  @Test
  void addressThatIsTakenIsAnError() {
    assertThatThrownBy(() -> voters.start("a"))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("cannot listen on 127.0.0.1:");
  }

  /** Else a key that may command nothing takes all memory of a small voter. */
  @Test
  void ofARefusedBodyNothingIsKept() throws Exception {
    int length = 4 << 20;
    long before = used();
    var clients = new ArrayList<Socket>();
    try {
      for (int i = 0; i < 8; i++) {
        var client = connect("d");
        clients.add(client);
        var head = "POST /v1/nothing HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n";
        client.getOutputStream().write(head.formatted(length).getBytes(StandardCharsets.US_ASCII));
        client.getOutputStream().write(new byte[length - 65_536]);
        client.getOutputStream().flush();
      }
      assertThat(used() - before).isLessThan(16 << 20);
    } finally {
      for (var client : clients) {
        client.close();
      }
    }
  }

  private static long used() {
    System.gc();
    var heap = Runtime.getRuntime();
    return heap.totalMemory() - heap.freeMemory();
  }

  private SSLSocket connect(String certificate) throws IOException {
    return connect(certificate, "a");
  }

  private SSLSocket connect(String certificate, String voter) throws IOException {
    var at = new InetSocketAddress("127.0.0.1", voters.server(voter).port());
    var socket =
        (SSLSocket)
            voters.tls(certificate).getSocketFactory().createSocket(at.getAddress(), at.getPort());
    socket.setSoTimeout(15_000);
    socket.startHandshake();
    return socket;
  }

  private static String readAll(Socket socket) throws IOException {
    var text = new StringBuilder();
    var buffer = new byte[4096];
    try {
      for (int n = socket.getInputStream().read(buffer);
          n >= 0;
          n = socket.getInputStream().read(buffer)) {
        text.append(new String(buffer, 0, n, StandardCharsets.UTF_8));
      }
    } catch (java.net.SocketException e) {
      // it closed with bytes of ours unread
    }
    return text.toString();
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  static String cordon(String host) {
    return Json.text(
        new CommandRequest(new RequestId("r-1"), new Command.Cordon(new HostId(host)), false));
  }

  private static final class TrustAll implements X509TrustManager {
    @Override
    public void checkClientTrusted(java.security.cert.X509Certificate[] chain, String type) {}

    @Override
    public void checkServerTrusted(java.security.cert.X509Certificate[] chain, String type) {}

    @Override
    public java.security.cert.X509Certificate[] getAcceptedIssuers() {
      return new java.security.cert.X509Certificate[0];
    }
  }
}
