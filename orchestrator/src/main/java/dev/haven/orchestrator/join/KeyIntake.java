package dev.haven.orchestrator.join;

import dev.haven.core.ha.ClusterState;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.Reply;
import dev.haven.orchestrator.port.ClusterApi;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.TlsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings the key of the certificate authority from the file that {@code haven init} left into the
 * log, and removes the file once the log has it.
 */
public final class KeyIntake implements Runnable {
  private static final Logger log = LoggerFactory.getLogger(KeyIntake.class);
  private static final Duration COMMIT_WITHIN = Duration.ofSeconds(20);
  private static final Duration AGAIN = Duration.ofMinutes(1);

  /** With the voters' own key. */
  public interface Seal {
    String seal(byte[] authority);

    /** Empty if it was sealed with another key than this voter's. */
    Optional<byte[]> open(String sealed);
  }

  private final String self;
  private final Supplier<ClusterState> state;
  private final ClusterApi api;
  private final Path caFile;
  private final Path keyFile;
  private final Seal seal;
  private long notBefore = System.nanoTime();

  /**
   * @param self this voter's name: only the leader writes
   */
  public KeyIntake(
      String self,
      Supplier<ClusterState> state,
      ClusterApi api,
      Path caFile,
      Path keyFile,
      Seal seal) {
    this.self = self;
    this.state = state;
    this.api = api;
    this.caFile = caFile;
    this.keyFile = keyFile;
    this.seal = seal;
  }

  @Override
  public void run() {
    if (System.nanoTime() - notBefore < 0
        || !Files.exists(keyFile)
        || !api.leader().equals(Optional.of(self))) {
      return;
    }
    notBefore = System.nanoTime() + AGAIN.toNanos();
    try {
      var key = CertificateAuthority.of(caFile, keyFile).key();
      var known = state.get().authority();
      if (known.isEmpty()) {
        take(key);
        known = state.get().authority();
      }
      if (known.flatMap(seal::open).filter(k -> Arrays.equals(k, key)).isPresent()) {
        Files.delete(keyFile);
        log.info("the authority's key stands in the log, sealed; {} is removed", keyFile);
      } else if (known.isPresent()) {
        log.warn("{} is another key than the one in the log; move it away", keyFile);
      }
    } catch (TlsException e) {
      log.warn("the authority's key cannot be taken in: {}", e.getMessage());
    } catch (IOException e) {
      log.warn("the authority's key stands in the log, but {} cannot be removed: {}", keyFile, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void take(byte[] key) throws InterruptedException {
    try {
      var reply =
          api.command(
                  new CommandRequest(
                      new RequestId(UUID.randomUUID().toString()),
                      new Command.TakeAuthority(seal.seal(key)),
                      false),
                  "voter " + self)
              .get(COMMIT_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
      if (reply instanceof Reply.Refused refused) {
        log.warn("the authority's key was not taken into the log: {}", refused.message());
      }
    } catch (ExecutionException | TimeoutException e) {
      notBefore = System.nanoTime(); // the leader may have changed
      log.info("the authority's key is not in the log yet: {}", e.getMessage());
    }
  }
}
