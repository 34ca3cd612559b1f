package dev.haven.agent;

import dev.haven.agent.AgentSettings.SbdSettings;
import dev.haven.core.lease.Handover;
import dev.haven.core.lease.Opened;
import dev.haven.core.lease.SelfFencing;
import dev.haven.fencing.sbd.SbdMessage;
import dev.haven.fencing.sbd.SbdWatcher;
import dev.haven.model.wire.PillWatch;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens for poison pills on this host's SBD disks. One that comes ends the host at once; deaf for
 * too long, it lets the watchdog do it.
 *
 * <pre>
 *   cannot read enough disks --they are back--> listening --pill--> the host is reset
 *     (tried every 10 s)                          |
 *                                                 +--deaf for too long--> may not feed
 * </pre>
 */
final class PoisonPillListener implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(PoisonPillListener.class);
  private static final Duration AGAIN = Duration.ofSeconds(10);

  private final SbdSettings settings;
  private final WatchdogDevice watchdog;

  /** Others have been told under this boot that this host listens: they may have sent a pill. */
  private volatile boolean reliedOn;

  private volatile @Nullable SbdWatcher watcher;
  private volatile boolean doomed;
  private volatile boolean closed;
  private final Thread thread =
      Thread.ofPlatform().daemon().name("sbd-listen").unstarted(this::listen);

  /**
   * @param reliedOn whether an earlier process of this boot listened: then what is in the mailboxes
   *     is meant for this boot
   */
  PoisonPillListener(SbdSettings settings, WatchdogDevice watchdog, boolean reliedOn) {
    this.settings = settings;
    this.watchdog = watchdog;
    this.reliedOn = reliedOn;
  }

  void start() {
    thread.start();
  }

  /** From now on a message is meant for this boot, also after this process. */
  void reliedOn() {
    reliedOn = true;
  }

  /** What the voters are to know; empty while too few disks were ever read. */
  private Optional<PillWatch> listening() {
    return Optional.ofNullable(watcher)
        .map(w -> new PillWatch(settings.slot(), w.disks(), settings.disks().size(), w.blind()));
  }

  /** How well pills are heard now. */
  SelfFencing.Hearing hearing() {
    var now = watcher;
    return new SelfFencing.Hearing(
        new Handover.PillDisks(
            settings.disks().stream().map(Path::toString).toList(), settings.slot()),
        listening(),
        now == null || !now.mayFeed(),
        doomed,
        reliedOn);
  }

  private void listen() {
    var last = "";
    while (!closed && watcher == null) {
      try {
        watcher =
            SbdWatcher.start(
                settings.disks(), settings.slot(), atTheLatest(), !reliedOn, new Heard());
        log.info("listening for poison pills on {}", settings.disks());
      } catch (IOException e) {
        var why = String.valueOf(e.getMessage());
        if (!why.equals(last)) {
          log.error("this host obeys no poison pill: {}; tried again every 10 s", why);
        }
        last = why;
        try {
          Thread.sleep(AGAIN);
        } catch (InterruptedException closing) {
          return;
        }
      }
    }
  }

  /** The end of this process may feed it once more. */
  private Duration atTheLatest() {
    return watchdog.timeout().multipliedBy(watchdog.opened() == Opened.KEPT ? 1 : 2);
  }

  private final class Heard implements SbdWatcher.Listener {
    @Override
    public void killed(SbdMessage message, String from, Path disk) {
      doomed = true; // whatever comes of the next line, the watchdog ends it
      log.error("{} from {} on {}: this host ends", message, from, disk);
      watchdog.endHost(message == SbdMessage.OFF);
    }

    @Override
    public void told(String message, Path disk) {
      log.info("{} says: {}", disk, message);
    }

    @Override
    public void trouble(Path disk, String reason) {
      if (reason.isEmpty()) {
        log.info("{} can be read again", disk);
      } else {
        log.error("{}", reason);
      }
    }
  }

  @Override
  public void close() {
    closed = true;
    thread.interrupt();
    var now = watcher;
    if (now != null) {
      now.close();
    }
  }
}
