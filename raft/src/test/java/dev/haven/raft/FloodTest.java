package dev.haven.raft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongFunction;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import org.jgroups.protocols.raft.LogEntry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What is said to a voter while its disk stands still, over real TLS: by somebody with a member's
 * key, more than its memory holds; by its leader, what a leader says.
 */
class FloodTest {
  private static final Duration SOON = Duration.ofSeconds(20);

  /** More than one large frame, and less than a leader has on its way. */
  private static final long BACKLOG = 3 << 18;

  @TempDir static Path keys;
  @TempDir private Path directory;
  private Cluster cluster;
  private final ConcurrentHashMap<String, PausedDisk> disks = new ConcurrentHashMap<>();

  @BeforeAll
  static void issue() throws Exception {
    var ca = CertificateAuthority.create(keys);
    for (var name : List.of("a", "b", "c")) {
      ca.issue(name, Role.VOTER, List.of("127.0.0.10", "127.0.0.11", "127.0.0.12"), keys);
    }
  }

  private static SSLContext key(String voter) {
    var file = "voter-" + voter;
    try {
      return TlsContext.load(
          keys.resolve("ca.pem"), keys.resolve(file + ".pem"), keys.resolve(file + ".key"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @BeforeEach
  void threeWhoseDisksCanStandStill() throws Exception {
    cluster = new Cluster(directory, name -> Optional.of(key(name)), "a", "b", "c");
    cluster.socketBytes = 16 << 10;
    cluster.backlogBytes = BACKLOG;
    for (var name : List.of("a", "b", "c")) {
      UnaryOperator<Disk> paused = real -> disks.computeIfAbsent(name, n -> new PausedDisk(real));
      cluster.disks.put(name, paused);
    }
    cluster.startAll();
    cluster.say("before");
  }

  @AfterEach
  void close() {
    disks.values().forEach(PausedDisk::goOn);
    cluster.close();
  }

  @Test
  void ofAMemberThatFloodsAVoterWithASlowDiskNoMoreIsKeptThanMemoryAllows() throws Exception {
    cluster.stop("c");
    cluster.say("without c");
    var leader = cluster.leader();
    var follower = leader.equals("a") ? "b" : "a";
    long term = cluster.leadership(leader).term();
    var disk = standStill(follower);
    var waits = word(leader, "while the disk stands still");
    Cluster.await(SOON, disk::isWaitedFor);

    var large = new Wire.Append(term, 1, 0, 0, 0, largeEntries(term), 1, 0);
    var frame = Wire.encode(large);
    int frames = (int) ((40L << 20) / frame.length);
    var sent = new AtomicInteger();
    var place = Peers.parse(cluster.addressOf(follower).raft());
    var flood =
        Thread.ofPlatform()
            .daemon()
            .start(
                () -> {
                  while (sent.get() < frames) {
                    // dialling again must make no room either
                    try (var member = new Intruder(key("c"), place)) {
                      member.greet("c", log("c"), THIEF, follower);
                      for (int i = 0; i < 40 && sent.get() < frames; i++) {
                        member.frame(frame);
                        sent.incrementAndGet();
                      }
                    } catch (IOException e) {
                      // given up by the other side: once more
                    }
                  }
                });
    Cluster.await(Duration.ofSeconds(60), () -> !flood.isAlive());
    assertThat(cluster.voter(follower).backlogBytes())
        .as("what waits for the Raft thread, after %d frames", sent.get())
        .isBetween(BACKLOG / 2, 2 * BACKLOG); // of two that speak to it

    disk.goOn();
    cluster.say("after"); // the word that waited may be lost with a leader that heard nobody
    for (var voter : List.of("a", "b")) {
      Cluster.await(SOON, () -> cluster.said(voter).contains("after"));
      Cluster.await(SOON, () -> cluster.voter(voter).backlogBytes() < 1 << 16);
    }
    assertThat(cluster.said(leader)).doesNotContain("forged");
    assertThat(cluster.halted).isEmpty();
    assertThat(waits).isDone();
  }

  @Test
  void aVoterWhoseDiskHangsWhileItsDigestsGoOnStopsNobody() throws Exception {
    var leader = cluster.leader();
    var slow = leader.equals("c") ? "b" : "c";
    long term = cluster.leadership(leader).term();
    var digests = new AtomicInteger();
    cluster.voter(slow).bus().onMessage((from, digest) -> digests.incrementAndGet());
    var disk = standStill(slow);
    var first = word(leader, "its disk hangs");
    Cluster.await(SOON, disk::isWaitedFor);
    try (var talk = every50Millis(() -> cluster.voter(slow).bus().broadcast(new byte[100]))) {
      assertThat(talk).isNotNull();
      for (var word : burst(leader)) {
        word.get(20, TimeUnit.SECONDS); // the other two are a majority
      }
      assertThat(first).isDone();
      int heard = digests.get();
      Cluster.await(
          SOON,
          () -> {
            cluster.voter(leader).bus().broadcast(new byte[100]);
            return digests.get() > heard + 3;
          });
    }
    assertThat(cluster.voter(slow).backlogBytes()).isLessThan(2 * BACKLOG);
    assertThat(cluster.leader()).isEqualTo(leader);
    assertThat(cluster.leadership(leader).term()).isEqualTo(term);

    disk.goOn();
    Cluster.await(SOON, () -> cluster.said(slow).equals(cluster.said(leader)));
    assertThat(cluster.leadership(leader).term()).isEqualTo(term);
    assertThat(cluster.halted).isEmpty();
  }

  private String leaderThatIsNotC() throws Exception {
    if (cluster.leader().equals("c")) {
      cluster.stop("c");
      cluster.say("another one leads");
      cluster.start("c");
      Cluster.await(SOON, () -> cluster.said("c").contains("another one leads"));
    }
    return cluster.leader();
  }

  @Test
  void aMemberThatSpeaksAndReadsNothingStopsNobody() throws Exception {
    var leader = leaderThatIsNotC();
    long term = cluster.leadership(leader).term();
    var itsLog = log("c");
    cluster.stop("c");
    var place = Peers.parse(cluster.addressOf(leader).raft());
    var datagram = new Wire.Datagram(new byte[100]);
    try (var deaf = new Deaf(key("c"), Peers.parse(cluster.addressOf("c").raft()), false);
        var member = new Intruder(key("c"), place)) {
      assertThat(member.greet("c", itsLog, THIEF, leader)).isEmpty();
      Cluster.await(SOON, () -> deaf.greeted.size() >= 2);
      try (var talk = every50Millis(() -> member.say(datagram))) {
        assertThat(talk).isNotNull();
        for (var word : burst(leader)) {
          word.get(20, TimeUnit.SECONDS);
        }
      }
    }
    assertThat(cluster.leader()).isEqualTo(leader);
    assertThat(cluster.leadership(leader).term()).isEqualTo(term);
    assertThat(cluster.halted).isEmpty();
  }

  /** One that hung answers all that its leader has said meanwhile, each word with the same. */
  @Test
  void aVoterThatSaysManyTimesWhatItLacksIsSentItOnce() throws Exception {
    var leader = leaderThatIsNotC();
    long term = cluster.leadership(leader).term();
    var itsLog = log("c");
    cluster.stop("c");
    for (int i = 0; i < 5; i++) {
      cluster.say("x".repeat(60_000));
    }
    long last = matchOf(leader, leader);
    var place = Peers.parse(cluster.addressOf(leader).raft());
    try (var member = new Intruder(key("c"), place)) {
      assertThat(member.greet("c", itsLog, THIEF, leader)).isEmpty();
      int before = cluster.carried.getOrDefault(leader + ">c", 0);
      for (int i = 0; i < 300; i++) {
        member.say(new Wire.AppendAnswer(term, 1, false, 0, false));
      }
      member.say(new Wire.AppendAnswer(term, 1, true, last, false));
      Cluster.await(SOON, () -> matchOf(leader, "c") >= last);
      int sent = cluster.carried.getOrDefault(leader + ">c", 0) - before;
      assertThat(sent).as("with heartbeats and greetings").isLessThan(200);
    }
    assertThat(cluster.leadership(leader).term()).isEqualTo(term);
  }

  /** Its disk is slow, or the link to it is narrow: a part takes longer than a heartbeat. */
  @Test
  void aPartOfTheStateIsSentAgainOnlyWhenItWasLost() throws Exception {
    leaderThatIsNotC();
    var itsLog = log("c");
    cluster.stop("c");
    var leader = sayUntilOnlyTheStateHelps();
    long term = cluster.leadership(leader).term();
    var place = Peers.parse(cluster.addressOf(leader).raft());
    try (var heard = new Deaf(key("c"), Peers.parse(cluster.addressOf("c").raft()), true);
        var member = new Intruder(key("c"), place)) {
      assertThat(member.greet("c", itsLog, THIEF, leader)).isEmpty();
      // the leader makes a new connection to one that is silent
      try (var talk = every50Millis(() -> member.say(new Wire.Datagram(new byte[100])))) {
        assertThat(talk).isNotNull();
        partsAreSentOnce(heard, member, term);
      }
    }
    // it comes back without what it had of the state
    cluster.start("c");
    Cluster.await(SOON, () -> cluster.said("c").equals(cluster.said(leader)));
    assertThat(cluster.halted).isEmpty();
  }

  private static void partsAreSentOnce(Deaf heard, Intruder member, long term) {
    awaitPart(heard, member, 1, round -> new Wire.AppendAnswer(term, round, false, 0, false));
    awaitRounds(heard, 20);
    assertThat(heard.parts()).as("while it answers nothing").hasSize(1);

    var first = heard.parts().getFirst();
    answer(member, new Wire.AppendAnswer(term, first.round(), true, 0, false));
    awaitRounds(heard, 5);
    assertThat(heard.parts()).as("after an answer to an earlier word").hasSize(1);

    awaitPart(heard, member, 2, round -> new Wire.AppendAnswer(term, round, true, 0, false));
    var again = heard.parts().get(1);
    assertThat(again.offset()).as("after an answer to a later word").isEqualTo(first.offset());

    int next = again.bytes().length;
    for (int i = 0; i < 10; i++) {
      answer(member, new Wire.SnapshotAnswer(term, again.round(), again.index(), next));
    }
    awaitPart(heard, member, 3, round -> new Wire.AppendAnswer(term, round, true, 0, false));
    awaitRounds(heard, 5);
    assertThat(heard.parts()).as("after ten equal answers").hasSize(3);
    assertThat(heard.parts().get(2).offset()).isEqualTo(next);
  }

  /** Answers the last word until the part comes; one may be lost with a connection. */
  private static void awaitPart(Deaf heard, Intruder member, int n, LongFunction<Wire> word) {
    Cluster.await(
        SOON,
        () -> {
          var rounds = heard.rounds();
          if (heard.parts().size() >= n) {
            return true;
          }
          if (!rounds.isEmpty()) { // as they were before the look: no later word than the part
            answer(member, word.apply(rounds.getLast()));
          }
          return false;
        });
  }

  private static void answer(Intruder member, Wire answer) {
    try {
      member.say(answer);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * The entries that c lacks are gone, and the state is several parts long. A slow machine may lose
   * a word, or its leader.
   */
  private String sayUntilOnlyTheStateHelps() throws Exception {
    while (true) {
      var leader = cluster.leader();
      if (cluster.voter(leader).status().snapshotIndex() > 2200) {
        return leader;
      }
      for (var word :
          IntStream.range(0, 250).mapToObj(i -> word(leader, "x".repeat(150))).toList()) {
        word.handle((answer, failure) -> failure == null).get(20, TimeUnit.SECONDS);
      }
    }
  }

  private static void awaitRounds(Deaf heard, int more) {
    int before = heard.rounds().size();
    Cluster.await(SOON, () -> heard.rounds().size() >= before + more);
  }

  private long matchOf(String leader, String voter) {
    return cluster.voter(leader).members().voters().stream()
        .filter(member -> member.name().equals(voter))
        .mapToLong(member -> member.matchIndex().orElse(0))
        .sum();
  }

  /** Takes every connection and reads the greeting; what comes after it only if asked to. */
  private static final class Deaf implements AutoCloseable {
    private final SSLServerSocket server;
    private final boolean reads;
    private final Set<Socket> taken = ConcurrentHashMap.newKeySet();
    private final Set<Socket> greeted = ConcurrentHashMap.newKeySet();
    private final List<Wire> read = new CopyOnWriteArrayList<>();

    Deaf(SSLContext key, InetSocketAddress place, boolean reads) throws IOException {
      this.reads = reads;
      server = (SSLServerSocket) key.getServerSocketFactory().createServerSocket();
      server.setReuseAddress(true);
      server.setReceiveBufferSize(16 << 10);
      server.setNeedClientAuth(true);
      server.bind(place);
      Thread.ofPlatform().daemon().start(this::takeAll);
    }

    private void takeAll() {
      while (!server.isClosed()) {
        try {
          var socket = server.accept();
          taken.add(socket);
          if (server.isClosed()) {
            socket.close(); // nobody is to take it for the voter that comes after
          }
          var in = new DataInputStream(socket.getInputStream());
          in.readFully(new byte[in.readInt()]);
          var welcome = new byte[] {0, 0, 0, 3, 0, 0, 0}; // three bytes: 0 and an empty reason
          socket.getOutputStream().write(welcome);
          greeted.add(socket);
          if (reads) {
            Thread.ofPlatform().daemon().start(() -> readAll(in));
          }
        } catch (IOException e) {
          // closed, or one that went away while it greeted
        }
      }
    }

    private void readAll(DataInputStream in) {
      try {
        while (true) {
          var frame = new byte[in.readInt()];
          in.readFully(frame);
          if (Wire.decode(frame) instanceof Wire wire) {
            read.add(wire);
          }
        }
      } catch (IOException e) {
        // the other side has ended it, or this one
      }
    }

    List<Wire.SnapshotPart> parts() {
      return read.stream()
          .filter(Wire.SnapshotPart.class::isInstance)
          .map(Wire.SnapshotPart.class::cast)
          .toList();
    }

    /** Of the leader's words, whatever they carry. */
    List<Long> rounds() {
      return read.stream()
          .flatMap(
              wire ->
                  wire instanceof Wire.Append append
                      ? Stream.of(append.round())
                      : wire instanceof Wire.SnapshotPart part
                          ? Stream.of(part.round())
                          : Stream.empty())
          .toList();
    }

    @Override
    public void close() throws IOException {
      server.close();
      for (var socket : taken) {
        socket.setSoLinger(true, 0);
        socket.close();
      }
    }
  }

  private interface Talk {
    void once() throws IOException;
  }

  private static AutoCloseable every50Millis(Talk talk) {
    var thread =
        Thread.ofPlatform()
            .daemon()
            .start(
                () -> {
                  try {
                    while (true) {
                      talk.once();
                      Thread.sleep(50);
                    }
                  } catch (IOException | InterruptedException e) {
                    // it is over
                  }
                });
    return thread::interrupt;
  }

  /** More than a voter keeps and a connection holds. */
  private List<CompletableFuture<byte[]>> burst(String leader) {
    var large = "x".repeat(60_000);
    return IntStream.range(0, 60).mapToObj(i -> word(leader, large)).toList();
  }

  /** Its heartbeats come behind all that it has said before, and are read. */
  @Test
  void aVoterWithASlowDiskMakesNoOtherOneLead() throws Exception {
    var leader = cluster.leader();
    var slow = leader.equals("c") ? "b" : "c";
    long term = cluster.leadership(leader).term();
    var disk = standStill(slow);
    var words = new ArrayList<CompletableFuture<byte[]>>();
    var large = "x".repeat(60_000);
    for (int i = 0; i < 100; i++) {
      words.add(word(leader, large));
    }
    for (var word : words) {
      word.get(20, TimeUnit.SECONDS); // the other two are a majority
    }
    Cluster.await(SOON, disk::isWaitedFor);
    Cluster.await(SOON, () -> cluster.voter(slow).backlogBytes() > 512 << 10);
    disk.goOn();
    Cluster.await(SOON, () -> cluster.said(slow).size() == cluster.said(leader).size());
    assertThat(cluster.leader()).isEqualTo(leader);
    assertThat(cluster.leadership(leader).term()).isEqualTo(term);
    assertThat(cluster.halted).isEmpty();
  }

  private static final UUID THIEF = UUID.randomUUID();

  private PausedDisk standStill(String voter) {
    var disk = Objects.requireNonNull(disks.get(voter));
    disk.standStill();
    return disk;
  }

  private CompletableFuture<byte[]> word(String leader, String word) {
    return cluster
        .voter(leader)
        .propose(word.getBytes(StandardCharsets.UTF_8), cluster.leadership(leader).term());
  }

  private UUID log(String name) throws IOException {
    var identity = ByteBuffer.wrap(Files.readAllBytes(directory.resolve(name + "/identity")));
    return new UUID(identity.getLong(16), identity.getLong(24));
  }

  private static List<LogEntry> largeEntries(long term) {
    var entries = new ArrayList<LogEntry>();
    for (int i = 0; i < 5; i++) {
      entries.add(new LogEntry(term, new byte[100_000]));
    }
    return entries;
  }
}
