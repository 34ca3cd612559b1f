package dev.haven.orchestrator.join;

import dev.haven.core.ha.ClusterState;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.function.Supplier;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens the port for newcomers while a token is out that has not ended, and closes it then. */
public final class Door implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Door.class);
  private static final Duration LOOK = Duration.ofMillis(300);

  /** After the port could not be opened. */
  private static final Duration AGAIN = Duration.ofSeconds(30);

  /** Reads the files when it opens: they may be newer than the process. */
  public interface Certificate {
    SSLContext load() throws IOException;
  }

  private final Supplier<ClusterState> state;
  private final InetSocketAddress at;
  private final Certificate certificate;
  private final JoinDesk desk;
  private final Clock clock;
  private final Runnable each;
  private final Thread thread;
  private volatile boolean closed;
  private @Nullable JoinListener listener;
  private long notBefore = System.nanoTime();

  private Door(
      Supplier<ClusterState> state,
      InetSocketAddress at,
      Certificate certificate,
      JoinDesk desk,
      Clock clock,
      Runnable each) {
    this.state = state;
    this.at = at;
    this.certificate = certificate;
    this.desk = desk;
    this.clock = clock;
    this.each = each;
    this.thread = Thread.ofPlatform().daemon().name("door").unstarted(this::run);
  }

  /**
   * @param at where it opens
   * @param each done about three times a second, also while it is closed
   */
  public static Door start(
      Supplier<ClusterState> state,
      InetSocketAddress at,
      Certificate certificate,
      JoinDesk desk,
      Clock clock,
      Runnable each) {
    var door = new Door(state, at, certificate, desk, clock, each);
    door.thread.start();
    return door;
  }

  private void run() {
    while (!closed) {
      try {
        look();
        each.run();
        Thread.sleep(LOOK);
      } catch (InterruptedException e) {
        break;
      } catch (RuntimeException e) {
        log.error("the door for newcomers", e);
      }
    }
    shut();
  }

  private void look() {
    var now = clock.instant();
    boolean wanted = state.get().tokens().stream().anyMatch(t -> now.isBefore(t.until()));
    if (wanted && listener == null && System.nanoTime() - notBefore >= 0) {
      try {
        listener = JoinListener.start(at, certificate.load(), desk::answer);
        log.info("newcomers with a token are let in at {}", at);
      } catch (IOException e) {
        notBefore = System.nanoTime() + AGAIN.toNanos();
        log.warn("nobody can join at {}: {}", at, e.getMessage());
      }
    } else if (!wanted) {
      shut();
    }
  }

  private void shut() {
    var open = listener;
    if (open != null) {
      open.close();
      listener = null;
      log.info("no token is out: nobody is let in at {}", at);
    }
  }

  @Override
  public void close() {
    closed = true;
    thread.interrupt();
  }
}
