package dev.haven.raft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A voter that was left behind comes back, with a log that cannot follow. */
class ReturnedVoterTest {
  private static final Duration SOON = Duration.ofSeconds(20);

  @TempDir private Path directory;

  private SSLContext key(String voter) {
    var file = "voter-" + voter;
    try {
      return TlsContext.load(
          directory.resolve("ca.pem"),
          directory.resolve(file + ".pem"),
          directory.resolve(file + ".key"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static final class Lines extends Handler implements AutoCloseable {
    /** Held here: the registry of loggers forgets those that nobody holds. */
    private final Logger logger = Logger.getLogger(Leading.class.getName());

    private final ConcurrentLinkedQueue<LogRecord> all = new ConcurrentLinkedQueue<>();

    Lines() {
      logger.setLevel(Level.INFO);
      logger.addHandler(this);
    }

    @Override
    public void publish(LogRecord line) {
      all.add(line);
    }

    List<String> with(String part) {
      return all.stream().map(Lines::text).filter(line -> line.contains(part)).toList();
    }

    /** When it was said for the n-th time, from 0. */
    Instant at(int n, String part) {
      return all.stream()
          .filter(line -> text(line).contains(part))
          .skip(n)
          .findFirst()
          .orElseThrow()
          .getInstant();
    }

    private static String text(LogRecord line) {
      return new SimpleFormatter().formatMessage(line);
    }

    @Override
    public void flush() {}

    @Override
    public void close() {
      logger.removeHandler(this);
      logger.setLevel(null);
    }
  }

  private Cluster newCluster() throws Exception {
    var ca = CertificateAuthority.create(directory);
    for (var name : List.of("a", "b", "c")) {
      ca.issue(name, Role.VOTER, List.of("127.0.0.10", "127.0.0.11", "127.0.0.12"), directory);
    }
    return new Cluster(directory, name -> Optional.of(key(name)), "a", "b");
  }

  /** Voter a goes on without b. */
  private static void leaveBehind(Cluster cluster) throws Exception {
    cluster.startAll();
    cluster.say("both");
    Cluster.await(SOON, () -> cluster.voter("a").alone().other().isPresent());
    cluster.voter("a").alone().intend("b").get(10, TimeUnit.SECONDS);
    cluster.stop("b");
    Cluster.await(SOON, () -> !cluster.leadership("a").self());
    cluster.voter("a").alone().goOnAlone("b", System.nanoTime()).get(10, TimeUnit.SECONDS);
    cluster.say("alone");
    assertThat(cluster.voter("a").alone().absent()).containsExactly("b");
  }

  /** As one does whose disk is full: it is heard, and never catches up. */
  private Intruder back(Cluster cluster) throws IOException {
    var back = new Intruder(key("b"), Peers.parse(cluster.addressOf("a").raft()));
    assertThat(back.greet("b", Intruder.LOG, "a")).isEmpty();
    return back;
  }

  private static void awaitWhileHeard(Intruder back, BooleanSupplier condition) {
    Cluster.await(
        SOON,
        () -> {
          try {
            back.say(new Wire.AppendAnswer(1, 1, false, 0, false)); // of an old term
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
          return condition.getAsBoolean();
        });
  }

  @Test
  void oneThatDoesNotCatchUpIsTriedAgainAfterAPause() throws Exception {
    try (var cluster = newCluster();
        var lines = new Lines()) {
      cluster.newcomerPatience = Duration.ofSeconds(1);
      leaveBehind(cluster);
      try (var back = back(cluster)) {
        awaitWhileHeard(back, () -> lines.with("admitted again").size() == 2);
      }
      assertThat(lines.with("is back and is not admitted").getFirst())
          .contains("has not caught up");
      assertThat(lines.at(1, "admitted again"))
          .isAfter(lines.at(0, "is back and is not admitted").plusMillis(500));
    }
  }

  @Test
  void anOperatorRemovesOneThatDoesNotCatchUp() throws Exception {
    try (var cluster = newCluster();
        var lines = new Lines()) {
      leaveBehind(cluster);
      try (var back = back(cluster)) {
        awaitWhileHeard(back, () -> !lines.with("admitted again").isEmpty());
        cluster.voter("a").removeVoter("b").get(10, TimeUnit.SECONDS);
      }
      Cluster.await(SOON, () -> cluster.voter("a").alone().absent().isEmpty());
      assertThat(lines.with("is back and is not admitted").getFirst()).contains("an operator");
    }
  }

  @Test
  void anOperatorAddsAnotherVoterMeanwhile() throws Exception {
    try (var cluster = newCluster();
        var lines = new Lines()) {
      leaveBehind(cluster);
      try (var back = back(cluster)) {
        awaitWhileHeard(back, () -> !lines.with("admitted again").isEmpty());
        cluster.newAddress("c");
        cluster.start("c");
        cluster.voter("a").addVoter(cluster.addressOf("c")).get(10, TimeUnit.SECONDS);
      }
      Cluster.await(SOON, () -> cluster.said("c").equals(cluster.said("a")));
    }
  }

  @Test
  void oneWhoseLogIsOfALaterTermIsTriedSeldomAndTheLogSaysWhy() throws Exception {
    try (var cluster = newCluster();
        var lines = new Lines()) {
      leaveBehind(cluster);
      long term = cluster.leadership("a").term();
      var place = Peers.parse(cluster.addressOf("a").raft());
      try (var back = new Intruder(key("b"), place)) {
        assertThat(back.greet("b", Intruder.LOG, "a")).isEmpty();
        Cluster.await(
            SOON,
            () -> {
              answerOfLaterTerm(cluster, back, term);
              return !lines.with("is back and is not admitted").isEmpty();
            });
        for (int i = 0; i < 50; i++) {
          answerOfLaterTerm(cluster, back, term);
        }
      }
      assertThat(lines.with("admitted again")).hasSizeLessThan(4); // one for each 30 s
      assertThat(lines.with("is back and is not admitted").getFirst())
          .contains("voter b says that it is in term " + (term + 1000));
      assertThat(cluster.leadership("a").term()).isEqualTo(term);
    }
  }

  /** Returns when the leader has had a turn after it. */
  private static void answerOfLaterTerm(Cluster cluster, Intruder back, long term) {
    try {
      back.say(new Wire.AppendAnswer(term + 1000, 1, true, 1, false));
      cluster.voter("a").barrier().get(10, TimeUnit.SECONDS);
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }
}
