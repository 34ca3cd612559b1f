package dev.haven.raft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import org.jgroups.protocols.raft.LogEntry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a stolen key can do at the port of the voters, over real TLS: an agent's, that of a voter
 * that is none here, and that of a member. c is away, so that its key is free.
 */
class IntrudersTest {
  private static final Duration SOON = Duration.ofSeconds(20);

  @TempDir static Path keys;
  @TempDir private Path directory;
  private Cluster cluster;
  private long term;

  @BeforeAll
  static void issue() throws Exception {
    var ca = CertificateAuthority.create(keys);
    ca.issue("agent", Role.HOST, List.of(), keys);
    for (var name : List.of("a", "b", "c", "0", "x")) {
      var all = new ArrayList<String>();
      for (int i = 10; i < 20; i++) {
        all.add("127.0.0." + i);
      }
      ca.issue(name, Role.VOTER, all, keys);
    }
  }

  private static SSLContext key(String file) {
    try {
      return TlsContext.load(
          keys.resolve("ca.pem"), keys.resolve(file + ".pem"), keys.resolve(file + ".key"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Optional<String> voterOf(java.security.cert.X509Certificate certificate) {
    try {
      var peer = Peer.of(certificate);
      return peer.role() == Role.VOTER ? Optional.of(peer.name()) : Optional.empty();
    } catch (javax.net.ssl.SSLPeerUnverifiedException e) {
      return Optional.empty();
    }
  }

  @BeforeEach
  void threeOfWhichOneIsAway() throws Exception {
    cluster = new Cluster(directory, name -> Optional.of(key("voter-" + name)), "a", "b", "c");
    cluster.startAll();
    cluster.say("before");
    cluster.stop("c");
    cluster.say("without c");
    term = cluster.leadership(cluster.leader()).term();
  }

  @AfterEach
  void close() {
    cluster.close();
  }

  private Intruder at(String voter, String keyFile) throws IOException {
    return new Intruder(key(keyFile), Peers.parse(cluster.addressOf(voter).raft()));
  }

  /** Nobody has ended, nobody has forgotten, no term has jumped, and commands are taken. */
  private void nothingHappened() throws Exception {
    cluster.say("after");
    assertThat(cluster.halted).isEmpty();
    for (var name : List.of("a", "b")) {
      Cluster.await(SOON, () -> cluster.said(name).equals(List.of("before", "without c", "after")));
      assertThat(cluster.leadership(name).term()).isBetween(term, term + 20);
      assertThat(cluster.voter(name).alone().generation()).isEqualTo(1);
      assertThat(cluster.voter(name).members().voters()).hasSize(3);
    }
  }

  private static Wire.Append append(long term, long generation, LogEntry... entries) {
    return new Wire.Append(term, 1, 0, 0, 0, List.of(entries), generation, 0);
  }

  @Test
  void anAgentsKeyIsNoVotersKey() throws Exception {
    try (var agent = at("a", "agent")) {
      agent.say(append(term + 1, 1, new LogEntry(term + 1, "forged".getBytes())));
      assertThat(agent.isTurnedOut()).isTrue();
    }
    assertThatThrownBy(
            () -> {
              try (var agent = at("b", "agent")) {
                agent.greet("c", Intruder.LOG, "b");
              }
            })
        .isInstanceOf(IOException.class);
    nothingHappened();
  }

  @Test
  void aVotersKeyOfNoMemberIsTurnedAway() throws Exception {
    try (var stranger = at("a", "voter-x")) {
      assertThat(stranger.greet("x", Intruder.LOG, "a")).contains("x is no voter of this cluster");
      assertThat(stranger.isTurnedOut()).isTrue();
    }
    nothingHappened();
  }

  @Test
  void nobodySpeaksUnderAnotherNameThanThatOfItsCertificate() throws Exception {
    for (var name : List.of("b", "c")) {
      try (var stranger = at("a", "voter-x")) {
        assertThat(stranger.greet(name, Intruder.LOG, "a"))
            .contains("its certificate is voter x's, and it says that it is " + name);
      }
    }
    nothingHappened();
  }

  @Test
  void whoHasTheAddressOfAVoterButNotItsKeyHearsNothing() throws Exception {
    var place = Peers.parse(cluster.addressOf("c").raft());
    for (var keyFile : List.of("voter-x", "agent")) {
      try (var server =
          (SSLServerSocket)
              key(keyFile)
                  .getServerSocketFactory()
                  .createServerSocket(place.getPort(), 9, place.getAddress())) {
        server.setSoTimeout(10_000);
        server.setNeedClientAuth(true);
        for (int i = 0; i < 2; i++) {
          try (var socket = (SSLSocket) server.accept()) {
            socket.setSoTimeout(10_000);
            int heard;
            try {
              heard = socket.getInputStream().read();
            } catch (IOException e) {
              heard = -1;
            }
            assertThat(heard).as("what %s was told as voter c", keyFile).isEqualTo(-1);
          }
        }
      }
    }
    nothingHappened();
  }

  /** Each of these ended a voter, or took its memory, when a stolen key sent it. */
  @Test
  void nothingThatAMemberSaysEndsAVoterOrMovesItsTermFar() throws Exception {
    var state = new byte[0];
    var voters = Voters.first(List.of(voter("x"))).bytes();
    var lies = new ArrayList<Wire>();
    lies.add(append(Long.MAX_VALUE, 1));
    lies.add(append(term + (1L << 21), 1));
    lies.add(append(-1, 1));
    lies.add(new Wire.Append(term + 1, 1, Long.MAX_VALUE, -1, 0, entries(term + 1), 1, 0));
    lies.add(append(term + 1, 1, new LogEntry(term + 9, new byte[1])));
    lies.add(append(term + 1, 1, new LogEntry(term + 1, new byte[] {1, 2, 3}).internal(true)));
    lies.add(append(term + 1, 1, new LogEntry(term + 1, new byte[] {99}).internal(true)));
    lies.add(append(term + 1, 1, new LogEntry(term + 1, new byte[0]).internal(true)));
    lies.add(append(term + 1, 1, Internal.VOTERS.entry(term + 1, Voters.NONE.bytes())));
    for (int total : new int[] {-5, Integer.MIN_VALUE, 2_000_000_000, 3}) {
      lies.add(
          new Wire.SnapshotPart(
              term + 1, 1, 1L << 40, term, voters, total > 0 ? 5 : 0, total, state, 1));
    }
    lies.add(new Wire.SnapshotPart(term + 1, 1, 1L << 40, term, state, 0, 0, state, 1));
    // looking a name up takes as long as whoever answers for names likes
    lies.add(new Wire.Hello("voter.example:7701", false, List.of(), 1, 1, Voters.NONE));
    lies.add(new Wire.Hello("127.0.0.9:99999", false, List.of(), 1, 1, Voters.NONE));
    lies.add(new Wire.Vote(Long.MAX_VALUE, 1, 1, Intruder.LOG, new Wire.Pace(0, 0)));
    lies.add(new Wire.PreVoteAnswer(Long.MAX_VALUE, 1, true, 0));
    lies.add(new Wire.AppendAnswer(Long.MAX_VALUE, 1, true, 1, false));
    for (var voter : List.of("a", "b")) {
      for (var lie : lies) {
        try (var member = at(voter, "voter-c")) {
          assertThat(member.greet("c", log("c"), voter)).isEmpty();
          member.say(lie);
          assertThat(member.isTurnedOut()).as("after %s", lie).isTrue();
        }
        cluster.leader(); // dropped, and whoever leads still does
      }
    }
    nothingHappened();
  }

  @Test
  void framesOfAnySizeAndNonsenseEndNothingButTheirConnection() throws Exception {
    var random = new Random(7);
    for (int length : new int[] {0, -1, Integer.MAX_VALUE, Integer.MIN_VALUE, (2 << 20) + 1}) {
      try (var member = at("a", "voter-c")) {
        assertThat(member.greet("c", log("c"), "a")).isEmpty();
        member.length(length);
        assertThat(member.isTurnedOut()).as("a frame of %d bytes", length).isTrue();
      }
    }
    for (int i = 0; i < 100; i++) {
      try (var member = at("b", "voter-c")) {
        assertThat(member.greet("c", log("c"), "b")).isEmpty();
        var noise = new byte[1 + random.nextInt(300)];
        random.nextBytes(noise);
        noise[0] = (byte) (1 + random.nextInt(9));
        member.frame(noise);
        if (i % 10 == 0) {
          member.socket().setSoTimeout(200);
          member.isTurnedOut();
        }
      }
    }
    cluster.say("after");
    assertThat(cluster.halted).isEmpty();
  }

  /** One message of a member's, and a log was forgotten: on each voter in turn. */
  @Test
  void aNewerGenerationIsNotFollowedWithoutItsProof() throws Exception {
    for (var voter : List.of("a", "b")) {
      try (var member = at(voter, "voter-c")) {
        assertThat(member.greet("c", log("c"), voter)).isEmpty();
        member.say(append(term, 999));
        member.say(append(term + 1, 1000));
        // that another log than ours began it is no proof either
        var alone = Voters.first(List.of(voter("c"))).alone(new Voters.Peer("c", Intruder.LOG));
        member.say(new Wire.Hello("127.0.0.9:1", false, List.of(), 2, 1, alone));
        member.say(append(term + 1, 2));
        Thread.sleep(300); // nothing happens, so there is nothing to wait for
      }
    }
    nothingHappened();
    for (var voter : List.of("a", "b")) {
      try (var files = Files.list(directory.resolve(voter))) {
        assertThat(files.map(f -> f.getFileName().toString()))
            .noneMatch(name -> name.startsWith("old-") || name.startsWith("aside"));
      }
    }
  }

  /** Two leaders in a term ended the voter that heard of it. */
  @Test
  void aSecondLeaderInATermIsNotFollowedAndEndsNobody() throws Exception {
    var follower = cluster.leader().equals("a") ? "b" : "a";
    for (var voter : List.of(cluster.leader(), follower)) {
      try (var member = at(voter, "voter-c")) {
        assertThat(member.greet("c", log("c"), voter)).isEmpty();
        member.say(append(term, 1));
        Thread.sleep(200); // nothing happens, so there is nothing to wait for
      }
    }
    for (var voter : List.of("a", "b")) {
      assertThat(cluster.leadership(voter).leader()).isNotEqualTo(Optional.of("c"));
      assertThat(cluster.leadership(voter).term()).isEqualTo(term);
    }
    nothingHappened();
  }

  @Test
  void aLogThatWasNotAdmittedUnderItsNameMovesNothing() throws Exception {
    for (var voter : List.of("a", "b")) {
      try (var wiped = at(voter, "voter-c")) {
        assertThat(wiped.greet("c", Intruder.LOG, voter)).isEmpty(); // it may be told what is new
        wiped.say(append(term + 1, 1, new LogEntry(term + 1, "forged".getBytes())));
        wiped.say(new Wire.Vote(term + 5, 99, term + 4, logOf(voter), new Wire.Pace(0, 0)));
        wiped.say(new Wire.PreVoteAnswer(term + 9, term + 9, true, 0));
        wiped.say(new Wire.AppendAnswer(term + 9, 1, true, 1, false));
        Thread.sleep(200); // nothing happens, so there is nothing to wait for
      }
    }
    nothingHappened();
    assertThat(cluster.leadership(cluster.leader()).term()).isEqualTo(term);
  }

  /** a goes on alone on an operator's word; c, left behind, vouches for itself. */
  @Test
  void aVoterThatWasLeftBehindMovesNothing() throws Exception {
    var left = new Voters.Voter(voter("c").address(), log("c"));
    goesOnAlone();
    term = cluster.leadership("a").term();
    long generation = cluster.voter("a").alone().generation();
    var forged = new ArrayList<LogEntry>();
    for (int i = 0; i < 50; i++) {
      forged.addAll(entries(term + 5));
    }
    try (var member = at("a", "voter-c")) {
      assertThat(member.greet("c", log("c"), "a")).isEmpty(); // it may come back as a newcomer
      member.say(
          new Wire.Hello(
              "127.0.0.9:1", false, List.of(), generation, 1L << 40, Voters.first(List.of(left))));
      member.say(new Wire.Append(term + 5, 1, 0, 0, 50, forged, generation, 0));
      Thread.sleep(300); // nothing happens, so there is nothing to wait for
    }
    assertThat(cluster.leadership("a").term()).isEqualTo(term);
    cluster.say("after");
    assertThat(cluster.said("a")).containsExactly("before", "without c", "alone", "after");
    assertThat(cluster.halted).isEmpty();
  }

  /** b has set its log aside once, for a's sake, and is not admitted again yet. */
  @Test
  void aNewerGenerationIsFollowedOnceAndASecondTimeAnOperatorIsAsked() throws Exception {
    goesOnAlone();
    cluster.start("b");
    Cluster.await(SOON, () -> cluster.halted.get("b") instanceof Halted.Restart);
    cluster.stop("b");
    cluster.halted.clear();
    cluster.stop("a");
    cluster.start("b");
    var a = new Voters.Peer("a", log("a"));
    var once = alone(a, 1000);
    try (var member = at("b", "voter-a")) {
      assertThat(member.greet("a", a.log(), "b")).isEmpty();
      member.say(new Wire.Hello("127.0.0.9:1", false, List.of(), 1000, 1, once));
      var entry = Internal.VOTERS.entry(term + 1, once.bytes());
      member.say(new Wire.Append(term + 1, 1, 0, 0, 1, List.of(entry), 1000, 0));
      Cluster.await(SOON, () -> cluster.voter("b").alone().generation() == 1000);
      member.say(new Wire.Hello("127.0.0.9:1", false, List.of(), 2000, 1, alone(a, 2000)));
      assertThat(cluster.voter("b").alone().waitsForPerson()).isEmpty();
      member.say(append(term + 1, 2000));
      Cluster.await(SOON, () -> cluster.voter("b").alone().waitsForPerson().isPresent());
      assertThat(cluster.voter("b").alone().waitsForPerson().orElseThrow())
          .contains("it is not followed a second time")
          .contains("move what is in");
    }
    assertThat(cluster.halted).isEmpty();
    try (var files = Files.list(directory.resolve("b"))) {
      assertThat(files.map(f -> f.getFileName().toString()))
          .noneMatch(name -> name.startsWith("old-2") || name.startsWith("aside"));
    }
  }

  /** a, on an operator's word. */
  private void goesOnAlone() throws Exception {
    cluster.stop("b");
    Cluster.await(
        SOON,
        () -> {
          try {
            cluster.voter("a").alone().force().get(10, java.util.concurrent.TimeUnit.SECONDS);
            return true;
          } catch (Exception e) {
            return false; // b and c were heard just now
          }
        });
    cluster.say("alone");
  }

  private static Voters alone(Voters.Peer peer, long generation) {
    var itself = List.of(new Voters.Voter(voter(peer.name()).address(), peer.log()));
    return new Voters(itself, List.of(), generation, List.of(), Optional.of(peer));
  }

  /** It was written to the disk before it was read, and ended the voter at each start. */
  @Test
  void aStateThatCannotBeReadIsNotWritten() throws Exception {
    var follower = cluster.leader().equals("a") ? "b" : "a";
    var all = new ArrayList<Voters.Voter>();
    for (var name : List.of("a", "b", "c")) {
      all.add(new Voters.Voter(cluster.addressOf(name), log(name)));
    }
    var state = new byte[] {0x7f, -1, -1, -1, 0};
    try (var member = at(follower, "voter-c")) {
      assertThat(member.greet("c", log("c"), follower)).isEmpty();
      member.say(
          new Wire.SnapshotPart(
              term + 1, 1, 1000, term, Voters.first(all).bytes(), 0, state.length, state, 1));
      Cluster.await(
          SOON,
          () -> cluster.leadership(follower).term() > term || cluster.halted.containsKey(follower));
      Thread.sleep(200); // nothing happens, so there is nothing to wait for
    }
    assertThat(cluster.halted).isEmpty();
    cluster.stop(follower);
    cluster.start(follower);
    nothingHappened();
  }

  /** It was believed for as long as it was being added: a million terms a message. */
  @Test
  void whoIsBeingAddedMovesNoTerm() throws Exception {
    var leader = cluster.leader();
    var adding = cluster.voter(leader).addVoter(cluster.newAddress("x"));
    try (var newcomer = at(leader, "voter-x")) {
      Cluster.await(
          SOON,
          () -> {
            try (var tries = at(leader, "voter-x")) {
              return tries.greet("x", Intruder.LOG, leader).isEmpty();
            } catch (IOException e) {
              return false;
            }
          });
      assertThat(newcomer.greet("x", Intruder.LOG, leader)).isEmpty();
      for (int i = 1; i < 20; i++) {
        newcomer.say(new Wire.AppendAnswer(term + i * 1000L, 1, true, 1, false));
        newcomer.say(new Wire.SnapshotAnswer(term + i * 1000L, 1, 1, 0));
      }
      assertThat(adding)
          .failsWithin(SOON)
          .withThrowableOfType(java.util.concurrent.ExecutionException.class)
          .withMessageContaining("voter x says that it is in term " + (term + 1000))
          .withMessageContaining("move what is in its data directory away");
    }
    assertThat(cluster.leader()).isEqualTo(leader);
    assertThat(cluster.leadership(leader).term()).isEqualTo(term);
    nothingHappened();
  }

  @Test
  void aCopyOfAVoterIsTurnedAwayWhileTheOriginalSpeaks() throws Exception {
    cluster.start("c");
    Cluster.await(SOON, () -> cluster.said("c").contains("without c"));
    for (var voter : List.of("a", "b")) {
      try (var copy = at(voter, "voter-c")) {
        assertThat(copy.greet("c", log("c"), voter))
            .contains("another process speaks as voter c already");
      }
    }
    cluster.say("after");
    Cluster.await(SOON, () -> cluster.said("c").contains("after"));
  }

  /** As it was when it came to be: c's log is on the disk, for whoever copied it. */
  private UUID log(String name) throws Exception {
    return logOf(name);
  }

  private UUID logOf(String name) throws Exception {
    var identity =
        java.nio.ByteBuffer.wrap(Files.readAllBytes(directory.resolve(name + "/identity")));
    return new UUID(identity.getLong(16), identity.getLong(24));
  }

  private static Voters.Voter voter(String name) {
    return new Voters.Voter(
        new dev.haven.raft.port.ReplicatedLog.VoterAddress(name, "127.0.0.9:1"), Intruder.LOG);
  }

  private static List<LogEntry> entries(long term) {
    return List.of(new LogEntry(term, "forged".getBytes()));
  }

  @Test
  void silentConnectionsKeepNoVoterOut() throws Exception {
    var target = Peers.parse(cluster.addressOf("a").raft());
    var silent = new ArrayList<Socket>();
    try {
      for (int i = 0; i < 200; i++) {
        var socket = new Socket();
        socket.bind(
            new java.net.InetSocketAddress(InetAddress.getByName("127.0.0." + (100 + i % 50)), 0));
        socket.connect(target, 2000);
        silent.add(socket);
      }
      // the one that has said nothing for the longest time is given up, not the one that comes
      assertThat(silent.getFirst().getInputStream().read()).isEqualTo(-1);
      silent.getLast().setSoTimeout(200);
      assertThatThrownBy(() -> silent.getLast().getInputStream().read())
          .isInstanceOf(java.net.SocketTimeoutException.class);
      cluster.start("c");
      Cluster.await(SOON, () -> cluster.said("c").contains("without c"));
    } finally {
      for (var socket : silent) {
        socket.close();
      }
    }
  }

  /** A voter that was away while another came: the newcomer leads, and its log has never heard. */
  @Test
  void aVoterThatWasAwayFollowsALeaderThatCameMeanwhile() throws Exception {
    var address = cluster.newAddress("0");
    cluster.start("0");
    var adding = cluster.voter(cluster.leader());
    adding.addVoter(address).get(20, java.util.concurrent.TimeUnit.SECONDS);
    // of two that ask at once the first by name goes first
    for (int i = 0; i < 20 && !cluster.leader().equals("0"); i++) {
      var other = cluster.leader();
      cluster.stop(other);
      Cluster.await(
          SOON,
          () -> cluster.voters.values().stream().allMatch(v -> v.leadership().leader().isEmpty()));
      cluster.start(other);
    }
    assertThat(cluster.leader()).isEqualTo("0");
    cluster.start("c");
    cluster.say("to all");
    Cluster.await(SOON, () -> cluster.said("c").contains("to all"));
  }
}
