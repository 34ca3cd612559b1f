package dev.haven.orchestrator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Entry;
import dev.haven.model.HostId;
import dev.haven.model.JoinToken;
import dev.haven.model.Json;
import dev.haven.model.KnownKey;
import dev.haven.model.Network;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.Reply;
import dev.haven.model.wire.Join;
import dev.haven.model.wire.ToAgent;
import dev.haven.orchestrator.join.Authority;
import dev.haven.orchestrator.join.Door;
import dev.haven.orchestrator.join.JoinDesk;
import dev.haven.orchestrator.join.KeyIntake;
import dev.haven.orchestrator.join.TokenViews;
import dev.haven.raft.port.ReplicatedLog;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Fingerprint;
import dev.haven.tls.JoinTls;
import dev.haven.tls.KeyFile;
import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import dev.haven.tls.SecretsKey;
import dev.haven.tls.SigningRequest;
import dev.haven.tls.TokenText;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Machines without a certificate at the door of a leader as it ships, over real TLS. */
class JoinTest {
  @TempDir Path directory;

  private OneLeader leader;
  private Cluster cluster;
  private CertificateAuthority ca;
  private SealedSecrets secrets;
  private Door door;
  private int port;
  private volatile List<ToAgent.Voter> voters =
      List.of(new ToAgent.Voter("v", "127.0.0.1:7702", "127.0.0.1:7700", Map.of()));

  @BeforeEach
  void aClusterWithItsAuthority() throws Exception {
    ca = CertificateAuthority.create(directory.resolve("ca"));
    ca.issue("v", Role.VOTER, List.of("127.0.0.1"), directory);
    ca.issue("thief", Role.HOST, List.of("127.0.0.1"), directory);
    SecretsKey.create(directory.resolve("secrets.key"));
    secrets = SealedSecrets.with(Optional.of(directory.resolve("secrets.key")));
    leader = new OneLeader();
    leader.loop.start();
    var caFile = directory.resolve("ca/ca.pem");
    var authority = new Authority(leader.keeper::state, caFile, secrets::open);
    port = FreePorts.at("127.0.0.1");
    cluster =
        new Cluster(
            "v",
            "cluster",
            leader.log,
            leader.keeper,
            leader.loop,
            leader.effects,
            leader.detector,
            Optional.empty(),
            secrets,
            new TokenViews(authority, Optional.of(port), () -> voters));
    var desk =
        new JoinDesk(
            new JoinDesk.House(
                "v", "cluster", caFile, Optional.of(directory.resolve("secrets.key")), 7701, port),
            leader.keeper::state,
            cluster,
            authority,
            () -> voters,
            Clock.systemUTC());
    door =
        Door.start(
            leader.keeper::state,
            new InetSocketAddress("127.0.0.1", port),
            () ->
                JoinTls.voter(
                    caFile, directory.resolve("voter-v.pem"), directory.resolve("voter-v.key")),
            desk,
            Clock.systemUTC(),
            new KeyIntake(
                "v",
                leader.keeper::state,
                cluster,
                caFile,
                directory.resolve("ca/ca.key"),
                secrets));
    until(() -> !Files.exists(directory.resolve("ca/ca.key")));
  }

  @AfterEach
  void close() {
    door.close();
    leader.close();
  }

  private interface Condition {
    boolean holds() throws Exception;
  }

  private static void until(Condition condition) throws Exception {
    var end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!condition.holds()) {
      assertThat(System.nanoTime()).isLessThan(end);
      Thread.sleep(10);
    }
  }

  private Reply says(Command command) throws Exception {
    return cluster
        .command(
            new CommandRequest(new RequestId("r" + System.nanoTime()), command, false), "admin")
        .get(30, TimeUnit.SECONDS);
  }

  private TokenText token(JoinToken.Role role) throws Exception {
    return token(role, Optional.empty());
  }

  private TokenText token(JoinToken.Role role, Optional<String> name) throws Exception {
    var text = TokenText.create(role.word(), ca.fingerprint());
    assertThat(says(new Command.CreateToken(text.hash(), role, name, Duration.ofMinutes(15))))
        .isInstanceOf(Reply.Accepted.class);
    until(this::isOpen);
    return text;
  }

  private boolean isOpen() throws IOException {
    try (var _ = new Socket("127.0.0.1", port)) {
      return true;
    } catch (ConnectException e) {
      return false;
    }
  }

  private static Join.Request request(
      TokenText token, JoinToken.Role role, String name, KeyPair key) {
    return new Join.Request(
        token.secret(),
        role,
        name,
        Base64.getEncoder().encodeToString(SigningRequest.make(key)),
        "127.0.0.2",
        List.of(new Network("control", "127.0.0.2", List.of(Network.Role.CONTROL))),
        7700,
        7702,
        Instant.now(),
        false);
  }

  private Join.Answer ask(TokenText token, Join.Request request) throws IOException {
    return ask(port, token, Json.bytes(request));
  }

  private static Join.Answer ask(int port, TokenText token, byte[] message) throws IOException {
    try (var socket =
        (SSLSocket)
            JoinTls.newcomer(token.authority(), Clock.systemUTC())
                .getSocketFactory()
                .createSocket("127.0.0.1", port)) {
      socket.setSoTimeout(60_000);
      var out = new DataOutputStream(socket.getOutputStream());
      out.writeInt(message.length);
      out.write(message);
      out.flush();
      var in = new DataInputStream(socket.getInputStream());
      return Json.read(in.readNBytes(in.readInt()), Join.Answer.class);
    }
  }

  private static Join.Answer.Welcome welcomed(Join.Answer answer) {
    assertThat(answer).isInstanceOf(Join.Answer.Welcome.class);
    return (Join.Answer.Welcome) answer;
  }

  private static String refusal(Join.Answer answer) {
    assertThat(answer).isInstanceOf(Join.Answer.Refused.class);
    return ((Join.Answer.Refused) answer).message();
  }

  private static X509Certificate certificate(Join.Answer.Welcome welcome) throws Exception {
    return (X509Certificate)
        CertificateFactory.getInstance("X.509")
            .generateCertificate(
                new ByteArrayInputStream(
                    welcome.certificate().getBytes(StandardCharsets.US_ASCII)));
  }

  @Test
  void aHostJoinsWithAKeyThatNeverLeavesItAndIsPartOfTheCluster() throws Exception {
    var token = token(JoinToken.Role.HOST);
    var key = KeyFile.make();
    var welcome = welcomed(ask(token, request(token, JoinToken.Role.HOST, "b", key)));
    var certificate = certificate(welcome);
    assertThat(Peer.of(certificate)).isEqualTo(new Peer("b", Role.HOST));
    assertThat(certificate.getPublicKey()).isEqualTo(key.getPublic());
    assertThat(welcome.secretsKey()).isEmpty();
    var host = leader.state().host(new HostId("b")).orElseThrow();
    assertThat(host.spec().networks().getFirst().address()).isEqualTo("127.0.0.2");
    assertThat(host.spec().fencing()).isEmpty();
  }

  @Test
  void aVoterGetsTheSecretsKeyAndIsAddedOnceItRuns() throws Exception {
    var token = token(JoinToken.Role.VOTER);
    var key = KeyFile.make();
    var request = request(token, JoinToken.Role.VOTER, "b", key);
    var welcome = welcomed(ask(token, request));
    assertThat(Peer.of(certificate(welcome))).isEqualTo(new Peer("b", Role.VOTER));
    assertThat(certificate(welcome).getSubjectAlternativeNames().toString()).contains("127.0.0.2");
    assertThat(welcome.secretsKey()).contains(Files.readString(directory.resolve("secrets.key")));
    assertThat(leader.log.added).isEmpty();
    assertThat(ask(token, ready(request))).isInstanceOf(Join.Answer.Member.class);
    assertThat(leader.log.added).extracting(v -> v.raft()).containsExactly("127.0.0.2:7702");
  }

  @Test
  void aVoterThatWasRemovedDoesNotMakeItselfAMemberAgain() throws Exception {
    var token = token(JoinToken.Role.VOTER);
    var request = request(token, JoinToken.Role.VOTER, "w", KeyFile.make());
    welcomed(ask(token, request));
    assertThat(ask(token, ready(request))).isInstanceOf(Join.Answer.Member.class);
    leader.log.voters = List.of(member("w"));
    cluster.removeVoter("w").get(30, TimeUnit.SECONDS);
    assertThat(refusal(ask(token(JoinToken.Role.HOST), ready(request))))
        .contains("knows no such token");
    assertThat(leader.log.added).hasSize(1);
  }

  private static ReplicatedLog.Member member(String name) {
    return new ReplicatedLog.Member(
        name, "x:1", Optional.empty(), false, true, true, Map.of(), false, OptionalLong.empty());
  }

  private static Join.Request ready(Join.Request r) {
    return new Join.Request(
        r.secret(),
        r.role(),
        r.name(),
        r.signingRequest(),
        r.address(),
        r.networks(),
        r.apiPort(),
        r.raftPort(),
        r.clock(),
        true);
  }

  @Test
  void aLostAnswerIsGivenAgainToTheSameKeyAndToNoOther() throws Exception {
    var token = token(JoinToken.Role.HOST);
    var key = KeyFile.make();
    welcomed(ask(token, request(token, JoinToken.Role.HOST, "b", key)));
    welcomed(ask(token, request(token, JoinToken.Role.HOST, "b", key)));
    assertThat(refusal(ask(token, request(token, JoinToken.Role.HOST, "b", KeyFile.make()))))
        .contains("the token was used at")
        .contains("by host b, with another key");
    assertThat(refusal(ask(token, request(token, JoinToken.Role.HOST, "c", key))))
        .contains("was used");
  }

  @Test
  void anUnknownARevokedAndAnEndedTokenLetNobodyIn() throws Exception {
    var open = token(JoinToken.Role.HOST);
    var guessed = TokenText.create("host", ca.fingerprint());
    var request = request(guessed, JoinToken.Role.HOST, "b", KeyFile.make());
    assertThat(refusal(ask(open, request))).contains("knows no such token");

    var ended =
        new JoinToken(
            guessed.hash(),
            JoinToken.Role.HOST,
            Optional.empty(),
            Instant.now().minusSeconds(1),
            Optional.empty());
    commit(new Change.TokenCreated(ended));
    assertThat(refusal(ask(open, request))).contains("the token ended at");

    says(new Command.RevokeToken(ended.id()));
    assertThat(refusal(ask(open, request))).contains("knows no such token");
    assertThat(leader.state().hosts()).isEmpty();
  }

  private void commit(Change change) {
    leader.log.propose(
        Json.bytes(
            new Entry(
                Entry.FORMAT, leader.state().version(), Instant.now(), List.of(change), List.of())),
        1);
  }

  @Test
  void theLogItselfTakesAUseOnceOnly() throws Exception {
    var token = token(JoinToken.Role.HOST);
    var id = token.hash().substring(0, 8);
    var use = new JoinToken.Use("b", "0".repeat(64), Instant.EPOCH);
    var state = leader.state().apply(new Change.TokenUsed(id, use));
    assertThatThrownBy(() -> state.apply(new Change.TokenUsed(id, use)))
        .hasMessageContaining("is used twice");
    assertThat(List.copyOf(ClusterState.of(state.snapshot()).tokens()))
        .isEqualTo(List.copyOf(state.tokens()));
  }

  @Test
  void aHostsTokenMakesNoVoterWhateverTheNewcomerSays() throws Exception {
    var token = token(JoinToken.Role.HOST);
    assertThat(refusal(ask(token, request(token, JoinToken.Role.VOTER, "b", KeyFile.make()))))
        .contains("the token is that of a host, not of a voter");
    assertThat(refusal(ask(token, request(token, JoinToken.Role.WITNESS, "b", KeyFile.make()))))
        .contains("not of a witness");
    assertThat(leader.log.added).isEmpty();
  }

  @Test
  void aTokenForOneNameLetsNoOtherIn() throws Exception {
    var token = token(JoinToken.Role.HOST, Optional.of("b"));
    assertThat(refusal(ask(token, request(token, JoinToken.Role.HOST, "c", KeyFile.make()))))
        .contains("--name b");
    welcomed(ask(token, request(token, JoinToken.Role.HOST, "b", KeyFile.make())));
  }

  @Test
  void aNameThatIsTakenIsRefused() throws Exception {
    var voter = token(JoinToken.Role.VOTER);
    assertThat(refusal(ask(voter, request(voter, JoinToken.Role.VOTER, "v", KeyFile.make()))))
        .contains("voter v: there is one of this name");
    leader.command(new Command.AddHost(OneLeader.spec(OneLeader.A)));
    leader.joins(OneLeader.A, OneLeader.BOOT);
    var host = token(JoinToken.Role.HOST);
    assertThat(refusal(ask(host, request(host, JoinToken.Role.HOST, "a", KeyFile.make()))))
        .contains("host a: a machine of this name is part of the cluster");
    var first = token(JoinToken.Role.HOST);
    welcomed(ask(first, request(first, JoinToken.Role.HOST, "b", KeyFile.make())));
    assertThat(refusal(ask(host, request(host, JoinToken.Role.HOST, "b", KeyFile.make()))))
        .contains("another machine is joining under this name");
  }

  /** Else the wrong machine's power is cut, and that counts as the proof that this one is off. */
  @Test
  void aNameThatIsDescribedIsTakenOnlyByATokenForIt() throws Exception {
    leader.command(new Command.AddHost(OneLeader.spec(OneLeader.A)));
    var any = token(JoinToken.Role.HOST);
    assertThat(refusal(ask(any, request(any, JoinToken.Role.HOST, "a", KeyFile.make()))))
        .contains("haven token create --role host --name a");
    var named = token(JoinToken.Role.HOST, Optional.of("a"));
    welcomed(ask(named, request(named, JoinToken.Role.HOST, "a", KeyFile.make())));
  }

  /**
   * Of two machines with one host name, such as clones, one votes and the other would be fenced.
   */
  @Test
  void aVotersNameIsNoHostsElsewhere() throws Exception {
    var any = token(JoinToken.Role.HOST);
    assertThat(refusal(ask(any, request(any, JoinToken.Role.HOST, "v", KeyFile.make()))))
        .contains("voter v has this name")
        .contains("--name");
    var named = token(JoinToken.Role.HOST, Optional.of("v"));
    welcomed(ask(named, request(named, JoinToken.Role.HOST, "v", KeyFile.make())));
  }

  @Test
  void aNewcomersAddressIsNothingButAnAddress() throws Exception {
    var token = token(JoinToken.Role.HOST);
    for (var address : List.of("127.0.0.2/system?no_verify=1&x=", "root@127.0.0.2", "[", "[:")) {
      var r = request(token, JoinToken.Role.HOST, "b", KeyFile.make());
      var sly =
          new Join.Request(
              r.secret(),
              r.role(),
              r.name(),
              r.signingRequest(),
              address,
              r.networks(),
              r.apiPort(),
              r.raftPort(),
              r.clock(),
              false);
      assertThat(refusal(ask(token, sly))).contains("is no address");
    }
    assertThat(leader.state().tokens()).allSatisfy(t -> assertThat(t.use()).isEmpty());
  }

  @Test
  void aTokenThatCannotBeToldFromAnotherIsRefused() throws Exception {
    var first = token(JoinToken.Role.HOST).hash();
    var alike = first.substring(0, 8) + "0".repeat(56);
    assertThat(
            says(
                new Command.CreateToken(
                    alike, JoinToken.Role.HOST, Optional.empty(), Duration.ofMinutes(15))))
        .isInstanceOf(Reply.Refused.class);
  }

  @Test
  void withoutATokenNobodyLearnsWhoVotes() throws Exception {
    var open = token(JoinToken.Role.VOTER);
    var guessed = TokenText.create("voter", ca.fingerprint());
    for (var name : List.of("v", "b")) {
      assertThat(refusal(ask(open, request(guessed, JoinToken.Role.VOTER, name, KeyFile.make()))))
          .contains("knows no such token");
    }
  }

  @Test
  void aClockThatIsFarOffIsNamed() throws Exception {
    var token = token(JoinToken.Role.HOST);
    var r = request(token, JoinToken.Role.HOST, "b", KeyFile.make());
    var late =
        new Join.Request(
            r.secret(),
            r.role(),
            r.name(),
            r.signingRequest(),
            r.address(),
            r.networks(),
            r.apiPort(),
            r.raftPort(),
            r.clock().minus(Duration.ofDays(365)),
            false);
    assertThat(refusal(ask(token, late))).contains("timedatectl");
    var years = Clock.fixed(Instant.now().minus(Duration.ofDays(3650)), ZoneOffset.UTC);
    try (var socket =
        (SSLSocket)
            JoinTls.newcomer(token.authority(), years)
                .getSocketFactory()
                .createSocket("127.0.0.1", port)) {
      assertThatThrownBy(socket::startHandshake)
          .hasStackTraceContaining("this machine's clock says")
          .hasStackTraceContaining("set the clock");
    }
  }

  @Test
  void somebodyInBetweenIsToldNothing() throws Exception {
    var token = token(JoinToken.Role.HOST);
    var other = CertificateAuthority.create(directory.resolve("other"));
    other.issue("v", Role.VOTER, List.of("127.0.0.1"), directory.resolve("other"));
    stoppedBy(
        token,
        directory.resolve("other/ca.pem"),
        directory.resolve("other/voter-v"),
        "the token belongs to another cluster, or somebody stands in between");
    // a thief of a host's key is no voter
    stoppedBy(token, directory.resolve("ca/ca.pem"), directory.resolve("thief"), "");
    assertThat(leader.state().hosts()).isEmpty();
  }

  private void stoppedBy(TokenText token, Path caFile, Path pair, String why) throws Exception {
    var context = JoinTls.voter(caFile, Path.of(pair + ".pem"), Path.of(pair + ".key"));
    try (var server = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0)) {
      var heard =
          CompletableFuture.supplyAsync(
              () -> {
                try (var socket = server.accept()) {
                  return socket.getInputStream().read();
                } catch (IOException e) {
                  return -1;
                }
              });
      var request = request(token, JoinToken.Role.HOST, "b", KeyFile.make());
      assertThatThrownBy(() -> ask(server.getLocalPort(), token, Json.bytes(request)))
          .isInstanceOf(SSLException.class)
          .hasStackTraceContaining(why);
      assertThat(heard.get(60, TimeUnit.SECONDS)).isEqualTo(-1);
    }
  }

  @Test
  void aRequestThatIsNotSignedByItsOwnKeyIsRefused() throws Exception {
    var token = token(JoinToken.Role.HOST);
    var signed = SigningRequest.make(KeyFile.make());
    signed[signed.length - 1] ^= 1;
    for (var bytes : List.of(signed, new byte[] {1, 2, 3}, new byte[8 << 10])) {
      var r = request(token, JoinToken.Role.HOST, "b", KeyFile.make());
      var forged =
          new Join.Request(
              r.secret(),
              r.role(),
              r.name(),
              Base64.getEncoder().encodeToString(bytes),
              r.address(),
              r.networks(),
              r.apiPort(),
              r.raftPort(),
              r.clock(),
              false);
      assertThat(refusal(ask(token, forged))).contains("certificate request");
    }
    assertThat(leader.state().tokens()).allSatisfy(t -> assertThat(t.use()).isEmpty());
  }

  @Test
  void whatIsNoRequestOrTooLongEndsTheConnection() throws Exception {
    var token = token(JoinToken.Role.HOST);
    assertThat(refusal(ask(port, token, "{}".getBytes(StandardCharsets.UTF_8))))
        .contains("cannot be read");
    assertThatThrownBy(() -> ask(port, token, new byte[Join.REQUEST_MAX + 1]))
        .isInstanceOf(IOException.class);
    try (var plain = new Socket("127.0.0.1", port)) {
      plain.getOutputStream().write("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.UTF_8));
      plain.setSoTimeout(60_000);
      assertThat(plain.getInputStream().readAllBytes().length).isLessThan(100);
    }
    welcomed(ask(token, request(token, JoinToken.Role.HOST, "b", KeyFile.make())));
  }

  @Test
  void thePortIsOpenWhileATokenIsOutAndNoLonger() throws Exception {
    assertThat(isOpen()).isFalse();
    var token = token(JoinToken.Role.HOST);
    says(new Command.RevokeToken(token.hash().substring(0, 8)));
    until(() -> !isOpen());
    try (var taken = new ServerSocket()) {
      taken.bind(new InetSocketAddress("127.0.0.1", port));
    }
  }

  @Test
  void neitherTheSecretNorTheAuthoritysKeyIsInTheLog() throws Exception {
    var token = token(JoinToken.Role.VOTER);
    ask(token, request(token, JoinToken.Role.VOTER, "b", KeyFile.make()));
    var snapshot = Json.text(leader.state().snapshot());
    assertThat(snapshot)
        .contains(token.hash())
        .doesNotContain(token.secret())
        .doesNotContain(
            Base64.getEncoder()
                .encodeToString(
                    secrets.open(leader.state().authority().orElseThrow()).orElseThrow()))
        .contains("\"authority\":\"sealed:");
    assertThat(Fingerprint.of(token.secret().getBytes(StandardCharsets.US_ASCII)))
        .isEqualTo(token.hash());
  }

  @Test
  void aVoterThatDoesNotLeadSaysWhereToAsk() throws Exception {
    var token = token(JoinToken.Role.HOST);
    leader.log.leader = "w";
    voters =
        List.of(
            new ToAgent.Voter("v", "127.0.0.1:7702", "127.0.0.1:7700", Map.of()),
            new ToAgent.Voter("w", "127.0.0.9:7702", "127.0.0.9:7700", Map.of()));
    assertThat(ask(token, request(token, JoinToken.Role.HOST, "b", KeyFile.make())))
        .isEqualTo(new Join.Answer.Elsewhere("127.0.0.9:" + port));
  }

  private Reply revokes(String name, String role, String key) throws Exception {
    return says(
        new Command.RevokeKey(
            new KnownKey(key, role, name, Instant.now(), Optional.empty()), false));
  }

  @Test
  void aRemovedHostsKeyIsRevokedAndDoesNotJoinAgain() throws Exception {
    var token = token(JoinToken.Role.HOST);
    var key = KeyFile.make();
    var id = Fingerprint.of(key.getPublic());
    welcomed(ask(token, request(token, JoinToken.Role.HOST, "b", key)));
    assertThat(leader.state().revoked(id)).isFalse();
    says(new Command.RemoveHost(new HostId("b")));
    assertThat(leader.state().revoked(id)).isTrue();
    assertThat(refusal(ask(token, request(token, JoinToken.Role.HOST, "b", key))))
        .contains("was revoked");
    var fresh = token(JoinToken.Role.HOST);
    assertThat(refusal(ask(fresh, request(fresh, JoinToken.Role.HOST, "c", key))))
        .contains("was revoked");
    welcomed(ask(fresh, request(fresh, JoinToken.Role.HOST, "b", KeyFile.make())));
    assertThat(ClusterState.of(leader.state().snapshot()).revoked(id)).isTrue();
  }

  @Test
  void theKeyOfAHostWithGuestsIsRevokedOnlyIfItWorksWithAnotherOne() throws Exception {
    for (var host : List.of(OneLeader.A, OneLeader.B, OneLeader.C)) {
      leader.command(new Command.AddHost(OneLeader.spec(host)));
      leader.joins(host, OneLeader.BOOT);
    }
    leader.guestsOnA(1);
    var key = Fingerprint.of(KeyFile.make().getPublic());
    assertThat(revokes("a", "host", key))
        .isInstanceOfSatisfying(
            Reply.Refused.class,
            r -> assertThat(r.message()).contains("host a: holds 1 guests").contains("evacuate"));
    assertThat(leader.state().revoked(key)).isFalse();
    leader.agents.keys.put(OneLeader.A, key);
    assertThat(revokes("a", "host", key)).isInstanceOf(Reply.Refused.class);
    leader.agents.keys.put(OneLeader.A, Fingerprint.of(KeyFile.make().getPublic()));
    assertThat(revokes("a", "host", key)).isInstanceOf(Reply.Accepted.class);
    assertThat(leader.state().revoked(key)).isTrue();
    assertThat(revokes("b", "host", Fingerprint.of(KeyFile.make().getPublic())))
        .isInstanceOf(Reply.Accepted.class); // it holds none
  }

  @Test
  void aRevokedKeyIsNoVotersAtTheVotersPort() throws Exception {
    var token = token(JoinToken.Role.VOTER);
    var key = KeyFile.make();
    var certificate =
        certificate(welcomed(ask(token, request(token, JoinToken.Role.VOTER, "b", key))));
    assertThat(Orchestrator.voterOf(certificate, leader.keeper)).contains("b");
    revokes("b", "voter", Fingerprint.of(key.getPublic()));
    assertThat(Orchestrator.voterOf(certificate, leader.keeper)).isEmpty();
  }

  @Test
  void theKeyOfAVoterThatIsAMemberIsNotRevoked() throws Exception {
    var key = Fingerprint.of(KeyFile.make().getPublic());
    leader.log.voters = List.of(member("w"));
    assertThat(revokes("w", "voter", key))
        .isInstanceOfSatisfying(
            Reply.Refused.class, r -> assertThat(r.message()).contains("haven voter remove w"));
    leader.log.voters = List.of();
    assertThat(revokes("w", "voter", key)).isInstanceOf(Reply.Accepted.class);
    assertThat(revokes("admin", "operator", Fingerprint.of(KeyFile.make().getPublic())))
        .isInstanceOf(Reply.Accepted.class);
  }
}
