package dev.haven.agent;

import dev.haven.model.wire.Watchdog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A watchdog of the kernel (Documentation/watchdog/watchdog-api.rst). The kernel feeds it by itself
 * when it is opened, when its timeout is set, and when it is closed. So it is opened once in a
 * boot, and its descriptor goes from one process of the agent to the next one: neither the end nor
 * the start of an agent gives a host more time than its leases do.
 *
 * <p>Where the descriptor was lost, the watchdog is opened again by the first {@link #feed}, which
 * is judged as any other is.
 */
final class LinuxWatchdog implements WatchdogDevice {
  private static final Logger log = LoggerFactory.getLogger(LinuxWatchdog.class);

  /** The kernel's own keys: no file system is synced, which could hang. */
  private static final Path SYSRQ = Path.of("/proc/sysrq-trigger");

  private static final Duration AGAIN = Duration.ofSeconds(10);

  /**
   * What the kernel knows of it.
   *
   * @param timeout that is set; the driver may have rounded it
   * @param reset whether the host's last reset was its doing
   */
  record Facts(String identity, Duration timeout, boolean reset) {}

  /** The calls of the kernel. Those that feed the watchdog by the way say so. */
  interface Calls {
    /**
     * What it says of the watchdog without its being opened.
     *
     * @return empty if it does not say, as a kernel without CONFIG_WATCHDOG_SYSFS; else empty facts
     *     if it is not armed
     */
    Optional<Optional<Facts>> armed(Path device);

    /** Opens it, which arms and feeds it. */
    int open(Path device) throws IOException;

    /** Sets this timeout, which feeds it. */
    void set(int file, Duration timeout) throws IOException;

    Facts facts(int file) throws IOException;

    void feed(int file) throws IOException;

    /**
     * Closes it, which feeds it and leaves it armed, unless another process has it open as well.
     */
    void close(int file);
  }

  /** Keeps the descriptor open while no agent runs. */
  interface Keeper {
    /** What an earlier process has left with it. */
    OptionalInt left();

    /**
     * Leaves it there, if it is not there yet. May take seconds.
     *
     * @return why it is not kept; empty if it is
     */
    Optional<String> leave(int file);

    /** Whether it is kept as well when somebody stops the agent. */
    boolean overStops();

    /** Keeps it no longer. */
    void giveBack();
  }

  private final Calls calls;
  private final Keeper keeper;
  private final Path device;
  private final Watchdog.Kind kind;
  private final Facts facts;
  private OptionalInt file;
  private volatile Optional<String> unkept;

  /**
   * @param page what an earlier process of this boot has left of it: for a kernel that does not say
   * @param wanted the timeout, unless this boot has armed the watchdog with another one: the
   *     cluster counts on that, and a host that is cut off cannot tell it
   */
  LinuxWatchdog(
      Watchdog.Kind asked,
      Path device,
      Duration wanted,
      Optional<Watchdog> page,
      Calls calls,
      Keeper keeper)
      throws IOException {
    this.calls = calls;
    this.keeper = keeper;
    this.device = device;
    this.file = keeper.left();
    var armed =
        calls
            .armed(device)
            .orElseGet(
                () -> page.map(w -> new Facts(w.identity(), w.timeout(), w.resetThisHost())));
    if (file.isPresent()) {
      facts = calls.facts(file.getAsInt());
      unkept = keeper.leave(file.getAsInt());
    } else if (armed.isPresent()) {
      log.warn(
          "the watchdog {} is armed, and its descriptor was lost: it is opened once it may be fed",
          device);
      facts = armed.get();
      unkept = Optional.of("the watchdog was armed by another process, and is not open yet");
    } else {
      int opened = calls.open(device);
      file = OptionalInt.of(opened);
      calls.set(opened, wanted);
      facts = calls.facts(opened);
      unkept = keeper.leave(opened);
    }
    if (!facts.timeout().equals(wanted)) {
      log.warn(
          "watchdog: timeoutSeconds is {}; until the next boot of this host it stays {}, because"
              + " the cluster counts on that",
          wanted.toSeconds(),
          facts.timeout().toSeconds());
    }
    kind = facts.identity().startsWith("Software Watchdog") ? Watchdog.Kind.SOFTDOG : asked;
    if (file.isPresent() && unkept.isPresent()) {
      leaveLater(file.getAsInt());
    }
  }

  @Override
  public Watchdog.Kind kind() {
    return kind;
  }

  @Override
  public String identity() {
    return facts.identity();
  }

  @Override
  public Duration timeout() {
    return facts.timeout();
  }

  @Override
  public boolean resetThisHost() {
    return facts.reset();
  }

  @Override
  public Optional<String> unkept() {
    return unkept;
  }

  @Override
  public synchronized void feed() throws IOException {
    if (file.isPresent()) {
      calls.feed(file.getAsInt());
    } else {
      open();
    }
  }

  private void open() {
    try {
      int opened = calls.open(device);
      file = OptionalInt.of(opened);
      log.info("the watchdog {} is open again", device);
      leaveLater(opened);
    } catch (IOException e) {
      var why = Optional.of(String.valueOf(e.getMessage()));
      if (!why.equals(unkept)) {
        unkept = why;
        log.error("{}", e.getMessage());
      }
    }
  }

  /** On a thread of its own: a feeding must not wait for it. */
  private void leaveLater(int opened) {
    Thread.ofPlatform()
        .daemon()
        .name("watchdog-keeper")
        .start(
            () -> {
              try {
                for (unkept = keeper.leave(opened);
                    unkept.isPresent();
                    unkept = keeper.leave(opened)) {
                  Thread.sleep(AGAIN);
                }
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
  }

  /**
   * systemd before 254 closes it when the agent is stopped, and that feeds it: so it is closed here
   * and now, while that may be, and the host ends where it may not be.
   */
  @Override
  public synchronized void stopping(boolean mayFeed) {
    if (file.isEmpty() || unkept.isPresent() || keeper.overStops()) {
      return;
    }
    if (mayFeed) {
      keeper.giveBack();
      calls.close(file.getAsInt());
      file = OptionalInt.empty();
    } else {
      log.error("this agent is stopped while a guest may run without a lease: the host ends");
      endHost(false);
    }
  }

  @Override
  public void endHost(boolean off) {
    try {
      Files.writeString(SYSRQ, off ? "o" : "b");
    } catch (IOException e) {
      log.error("the kernel does not take the order to end: {}", e.toString());
    }
  }
}
