package dev.haven.orchestrator.raft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
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

    private final ConcurrentLinkedQueue<String> all = new ConcurrentLinkedQueue<>();

    Lines() {
      logger.addHandler(this);
    }

    @Override
    public void publish(LogRecord line) {
      all.add(new SimpleFormatter().formatMessage(line));
    }

    List<String> with(String part) {
      return all.stream().filter(line -> line.contains(part)).toList();
    }

    @Override
    public void flush() {}

    @Override
    public void close() {
      logger.removeHandler(this);
    }
  }

  @Test
  void oneWhoseLogIsOfALaterTermIsTriedSeldomAndTheLogSaysWhy() throws Exception {
    var ca = CertificateAuthority.create(directory);
    for (var name : List.of("a", "b")) {
      ca.issue(name, Role.VOTER, List.of("127.0.0.10", "127.0.0.11"), directory);
    }
    try (var cluster = new Cluster(directory, name -> Optional.of(key(name)), "a", "b");
        var lines = new Lines()) {
      cluster.startAll();
      cluster.say("both");
      Cluster.await(SOON, () -> cluster.voter("a").alone().other().isPresent());
      cluster.voter("a").alone().intend("b").get(10, TimeUnit.SECONDS);
      cluster.stop("b");
      Cluster.await(SOON, () -> !cluster.leadership("a").self());
      cluster.voter("a").alone().goOnAlone("b", System.nanoTime()).get(10, TimeUnit.SECONDS);
      cluster.say("alone");
      assertThat(cluster.voter("a").alone().absent()).containsExactly("b");

      long term = cluster.leadership("a").term();
      var place = HavenRaft.parse(cluster.addressOf("a").raft());
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
