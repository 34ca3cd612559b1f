package dev.haven.agent;

import com.sun.jna.LastErrorException;
import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import dev.haven.model.wire.Watchdog;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A watchdog, armed from when it is opened. It is never closed by its magic letter: an agent that
 * ends must be followed by another one, or the host is reset.
 */
interface WatchdogDevice {
  Logger log = LoggerFactory.getLogger(WatchdogDevice.class);

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

  /**
   * Opens and so arms it.
   *
   * @param armed the timeout under which an earlier process of this boot armed it
   * @throws IOException if it cannot be used; the message names it and the way out
   */
  static WatchdogDevice open(AgentSettings.WatchdogSettings settings, Optional<Duration> armed)
      throws IOException {
    var timeout = timeout(settings, armed);
    return settings.kind() == Watchdog.Kind.LAB
        ? new Lab(settings.device(), timeout)
        : new Linux(settings.kind(), settings.device(), timeout);
  }

  /**
   * A longer timeout waits for the next boot: the leader counts on the shorter one until it is told
   * otherwise, and a host that is cut off cannot tell it.
   */
  static Duration timeout(AgentSettings.WatchdogSettings settings, Optional<Duration> armed) {
    var wanted = settings.timeout();
    var shorter = armed.filter(a -> a.compareTo(wanted) < 0);
    shorter.ifPresent(
        a ->
            log.warn(
                "watchdog: timeoutSeconds is {} now; until the next boot of this host it stays {},"
                    + " because the cluster counts on that",
                wanted.toSeconds(),
                a.toSeconds()));
    return shorter.orElse(wanted);
  }

  /** The kernel's interface (Documentation/watchdog/watchdog-api.rst). */
  final class Linux implements WatchdogDevice {
    private interface LibC extends Library {
      LibC C = Native.load("c", LibC.class);

      int open(String path, int flags) throws LastErrorException;

      int ioctl(int file, long request, Pointer argument) throws LastErrorException;
    }

    private static final int O_WRONLY_CLOEXEC = 1 | 02000000;
    private static final long GET_SUPPORT = 0x80285700L;
    private static final long GET_BOOT_STATUS = 0x80045702L;
    private static final long KEEP_ALIVE = 0x80045705L;
    private static final long SET_TIMEOUT = 0xC0045706L;
    private static final int CARD_RESET = 0x0020;

    /** The kernel's own keys: no file system is synced, which could hang. */
    private static final Path SYSRQ = Path.of("/proc/sysrq-trigger");

    private final Watchdog.Kind kind;
    private final String identity;
    private final Duration timeout;
    private final boolean reset;
    private final int file;
    private final Memory argument = new Memory(40);

    Linux(Watchdog.Kind asked, Path device, Duration wanted) throws IOException {
      try {
        file = LibC.C.open(device.toString(), O_WRONLY_CLOEXEC);
      } catch (LastErrorException e) {
        throw new IOException(
            "watchdog %s cannot be opened (error %d): is its driver loaded, and does no other program, such as systemd's RuntimeWatchdogSec, use it?"
                .formatted(device, e.getErrorCode()),
            e);
      }
      try {
        argument.clear();
        LibC.C.ioctl(file, GET_SUPPORT, argument);
        identity =
            new String(argument.getByteArray(8, 32), StandardCharsets.UTF_8).split("\0", 2)[0];
        argument.setInt(0, Math.toIntExact(wanted.toSeconds()));
        LibC.C.ioctl(file, SET_TIMEOUT, argument);
        timeout = Duration.ofSeconds(argument.getInt(0)); // the driver may have rounded it
        LibC.C.ioctl(file, GET_BOOT_STATUS, argument);
        reset = (argument.getInt(0) & CARD_RESET) != 0;
      } catch (LastErrorException e) {
        throw new IOException(
            "watchdog %s refuses a timeout of %d s or does not say what it is (error %d)"
                .formatted(device, wanted.toSeconds(), e.getErrorCode()),
            e);
      }
      kind = identity.startsWith("Software Watchdog") ? Watchdog.Kind.SOFTDOG : asked;
    }

    @Override
    public Watchdog.Kind kind() {
      return kind;
    }

    @Override
    public String identity() {
      return identity;
    }

    @Override
    public Duration timeout() {
      return timeout;
    }

    @Override
    public boolean resetThisHost() {
      return reset;
    }

    @Override
    public synchronized void feed() throws IOException {
      try {
        LibC.C.ioctl(file, KEEP_ALIVE, argument);
      } catch (LastErrorException e) {
        throw new IOException("the watchdog cannot be fed (error " + e.getErrorCode() + ")", e);
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

  /** A pipe to the lab, which resets a host from which nothing comes for too long. */
  final class Lab implements WatchdogDevice {
    private final java.io.RandomAccessFile pipe;
    private final Duration timeout;
    private final boolean reset;

    Lab(Path device, Duration timeout) throws IOException {
      this.pipe = new java.io.RandomAccessFile(device.toFile(), "rw");
      this.timeout = timeout;
      this.reset = Files.exists(device.resolveSibling(device.getFileName() + ".reset"));
      feed();
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
