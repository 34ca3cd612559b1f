package dev.haven.agent;

import dev.haven.core.lease.Opened;
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
 * is judged as any other is. Then only its loss has fed it without a judgement, once.
 */
final class LinuxWatchdog implements WatchdogDevice {
  private static final Logger log = LoggerFactory.getLogger(LinuxWatchdog.class);

  /** The kernel's own keys: no file system is synced, which could hang. */
  private static final Path SYSRQ = Path.of("/proc/sysrq-trigger");

  private static final Duration AGAIN = Duration.ofSeconds(10);

  /** A unit that was changed, or an administrator, may empty the store under a running agent. */
  private static final Duration LOOK = Duration.ofMinutes(1);

  /**
   * What the kernel knows of it.
   *
   * @param timeout that is set; the driver may have rounded it
   * @param reset whether the driver says that the host's last reset was its doing; some never do
   * @param goesOn whether it counts on when it is closed; some drivers switch it off then
   */
  record Facts(String identity, Duration timeout, boolean reset, boolean goesOn) {}

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
  }

  /** Keeps the descriptor open while no agent runs. */
  interface Keeper {
    /** What an earlier process has left with it. */
    OptionalInt left();

    /**
     * Leaves it there, if it is not there yet or no more. May take seconds.
     *
     * @return whether it stays open, whatever ends the agent; empty if that cannot be found out now
     */
    Optional<Boolean> keeps(int file);
  }

  private final Calls calls;
  private final Keeper keeper;
  private final Path device;
  private final Watchdog.Kind asked;
  private final boolean armedBefore;
  private final Duration look;
  private volatile Facts facts;
  private volatile Opened opened = Opened.NOT;
  private OptionalInt file;
  private String trouble = "";

  /**
   * @param wanted the timeout, unless this boot has armed the watchdog with another one: the
   *     cluster counts on that, and a host that is cut off cannot tell it
   * @param page what an earlier process of this boot has left of it: for a kernel that does not say
   */
  LinuxWatchdog(
      Watchdog.Kind asked,
      Path device,
      Duration wanted,
      Optional<Watchdog> page,
      Calls calls,
      Keeper keeper)
      throws IOException {
    this(asked, device, wanted, page, calls, keeper, LOOK);
  }

  /**
   * @param look how often the keeper is asked again
   */
  LinuxWatchdog(
      Watchdog.Kind asked,
      Path device,
      Duration wanted,
      Optional<Watchdog> page,
      Calls calls,
      Keeper keeper,
      Duration look)
      throws IOException {
    this.look = look;
    this.calls = calls;
    this.keeper = keeper;
    this.device = device;
    this.asked = asked;
    this.file = keeper.left();
    var armed =
        file.isPresent()
            ? Optional.of(calls.facts(file.getAsInt()))
            : calls.armed(device).orElseGet(() -> page.map(LinuxWatchdog::facts));
    armedBefore = armed.isPresent();
    if (armed.isPresent()) {
      facts = armed.get();
      if (!facts.timeout().equals(wanted)) {
        log.warn(
            "watchdog: timeoutSeconds is {}; until the next boot of this host it stays {}, because"
                + " the cluster counts on that",
            wanted.toSeconds(),
            facts.timeout().toSeconds());
      }
    } else {
      int first = calls.open(device);
      file = OptionalInt.of(first);
      calls.set(first, wanted);
      facts = calls.facts(first);
    }
    if (file.isPresent()) {
      begin(file.getAsInt());
    } else {
      log.warn(
          "the watchdog {} is armed, and its descriptor was lost: it is opened once it may be fed",
          device);
    }
  }

  private static Facts facts(Watchdog page) {
    return new Facts(page.identity(), page.timeout(), page.resetThisHost(), false);
  }

  @Override
  public Watchdog.Kind kind() {
    return facts.identity().startsWith("Software Watchdog") ? Watchdog.Kind.SOFTDOG : asked;
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
  public Opened opened() {
    return opened;
  }

  @Override
  public boolean armedBefore() {
    return armedBefore;
  }

  @Override
  public synchronized void feed() throws IOException {
    if (file.isPresent()) {
      calls.feed(file.getAsInt());
    } else {
      openAgain();
    }
  }

  /** Another program may hold it for as long as this host runs: that is told once. */
  private void openAgain() {
    try {
      int again = calls.open(device);
      file = OptionalInt.of(again);
      facts = calls.facts(again); // another program that had it open may have set another timeout
      begin(again);
      log.info("the watchdog {} is open again", device);
    } catch (IOException e) {
      if (!e.toString().equals(trouble)) {
        trouble = e.toString();
        log.error("nobody relies on the watchdog: {}", e.getMessage());
      }
    }
  }

  /** Whether it is kept is found out on a thread of its own: a feeding must not wait for it. */
  private void begin(int here) {
    if (!facts.goesOn()) {
      log.warn("nobody relies on the watchdog: its driver switches it off when it is closed");
      return;
    }
    opened = Opened.BY_US_ALONE;
    Thread.ofPlatform().daemon().name("watchdog-keeper").start(() -> findKeeper(here));
  }

  private void findKeeper(int here) {
    try {
      var told = Optional.<Boolean>empty();
      while (true) {
        var kept = keeper.keeps(here);
        if (kept.isPresent() && !kept.equals(told)) {
          told = kept;
          opened = kept.get() ? Opened.KEPT : Opened.BY_US_ALONE;
          log.info(
              kept.get()
                  ? "the watchdog stays open without an agent"
                  : "nothing keeps the watchdog open without an agent: its timeout counts twice");
        }
        Thread.sleep(kept.isPresent() ? look : AGAIN);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
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
