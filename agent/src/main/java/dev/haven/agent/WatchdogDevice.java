package dev.haven.agent;

import dev.haven.core.lease.Opened;
import dev.haven.model.wire.Watchdog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A watchdog, armed from when it is first fed in a boot. It is never closed by its magic letter: an
 * agent that ends must be followed by another one, or the host is reset.
 */
interface WatchdogDevice {
  Logger log = LoggerFactory.getLogger(WatchdogDevice.class);

  /** Where the kernel shows its watchdogs. */
  Path SHOWN = Path.of("/sys/class/watchdog");

  Watchdog.Kind kind();

  String identity();

  Duration timeout();

  /** Whether the host's last reset was its doing. */
  boolean resetThisHost();

  void feed() throws IOException;

  /**
   * Ends this host at once, as well as it can; where it cannot, it is left to be not fed.
   *
   * @param off rather than booted again
   */
  void endHost(boolean off);

  /** What becomes of it when this process ends. */
  Opened opened();

  /** Whether another process has armed it in this boot. */
  boolean armedBefore();

  /**
   * That of these settings. One that this boot has not armed yet is opened and so armed.
   *
   * @param page what an earlier process of this boot has left of it
   * @throws IOException if it cannot be used; the message names it and the way out
   */
  static WatchdogDevice open(
      AgentSettings.WatchdogSettings settings, Optional<Watchdog> page, LinuxWatchdog.Keeper keeper)
      throws IOException {
    return settings.kind() == Watchdog.Kind.LAB
        ? new Lab(settings.device(), settings.timeout())
        : new LinuxWatchdog(
            settings.kind(),
            settings.device(),
            settings.timeout(),
            page,
            new WatchdogCalls(SHOWN),
            keeper);
  }

  /** A pipe to the lab, which resets a host from which nothing comes for too long. */
  final class Lab implements WatchdogDevice {
    private final java.io.RandomAccessFile pipe;
    private final Duration timeout;
    private final boolean reset;

    Lab(Path device, Duration timeout) throws IOException {
      this.pipe = new java.io.RandomAccessFile(device.toFile(), "rw");
      this.timeout = timeout;
      this.reset = Files.exists(device.resolveSibling(device.getFileName() + ".reset"));
    }

    @Override
    public Watchdog.Kind kind() {
      return Watchdog.Kind.LAB;
    }

    @Override
    public String identity() {
      return "lab";
    }

    @Override
    public Duration timeout() {
      return timeout;
    }

    @Override
    public boolean resetThisHost() {
      return reset;
    }

    /** To open and to close a pipe feeds nothing. */
    @Override
    public Opened opened() {
      return Opened.KEPT;
    }

    /** The lab does not say; it never loses what processes hand on to each other. */
    @Override
    public boolean armedBefore() {
      return false;
    }

    @Override
    public void feed() throws IOException {
      pipe.write('.');
    }

    /** The lab's host always boots again. */
    @Override
    public void endHost(boolean off) {
      try {
        pipe.write('R');
      } catch (IOException e) {
        log.error("the lab does not take the order to end: {}", e.toString());
      }
    }
  }
}
