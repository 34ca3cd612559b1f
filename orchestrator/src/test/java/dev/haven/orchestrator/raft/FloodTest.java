package dev.haven.orchestrator.raft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import javax.net.ssl.SSLContext;
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
  void aMemberThatFloodsAVoterWithASlowDiskIsReadNoFurtherThanMemoryAllows() throws Exception {
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
    int frames = (int) ((160L << 20) / frame.length);
    var sent = new AtomicInteger();
    var place = HavenRaft.parse(cluster.addressOf(follower).raft());
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
    int before = -1;
    while (flood.isAlive() && sent.get() != before) {
      before = sent.get();
      flood.join(1_000); // whoever is slow here only looks later
    }
    assertThat(cluster.voter(follower).backlogBytes())
        .as("what waits for the Raft thread, after %d frames", sent.get())
        .isBetween(1L << 20, Backlog.BYTES_MAX + (1 << 20));
    assertThat(flood.isAlive()).as("the rest waits where it comes from").isTrue();

    disk.goOn();
    cluster.say("after"); // the word that waited may be lost with a leader that heard nobody
    Cluster.await(Duration.ofSeconds(60), () -> !flood.isAlive());
    for (var voter : List.of("a", "b")) {
      Cluster.await(SOON, () -> cluster.said(voter).contains("after"));
      Cluster.await(SOON, () -> cluster.voter(voter).backlogBytes() < 1 << 16);
    }
    assertThat(cluster.said(leader)).doesNotContain("forged");
    assertThat(cluster.halted).isEmpty();
    assertThat(waits).isDone();
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
    for (int i = 0; i < 10; i++) {
      entries.add(new LogEntry(term, new byte[100_000]));
    }
    return entries;
  }
}
