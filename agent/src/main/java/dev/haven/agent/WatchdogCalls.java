package dev.haven.agent;

import com.sun.jna.LastErrorException;
import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/** The real kernel. */
final class WatchdogCalls implements LinuxWatchdog.Calls {
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
  private static final long GET_TIMEOUT = 0x80045707L;

  /** What the kernel answers to a question that a driver does not know. */
  private static final int ENOTTY = 25;

  private static final int EOPNOTSUPP = 95;

  /** A bit of why the host booted. */
  private static final int CARD_RESET = 0x0020;

  /** A bit of what the driver can: it stops at a close after the letter V only. */
  private static final int MAGIC_CLOSE = 0x0100;

  private final Path shown;

  /**
   * @param shown where the kernel shows its watchdogs: {@code /sys/class/watchdog}
   */
  WatchdogCalls(Path shown) {
    this.shown = shown;
  }

  @Override
  public Optional<Optional<LinuxWatchdog.Facts>> armed(Path device) {
    try {
      var name = device.toRealPath().getFileName().toString();
      // the old name of the first one
      var folder = shown.resolve(name.equals("watchdog") ? "watchdog0" : name);
      if (!Files.isReadable(folder.resolve("state"))) {
        return Optional.empty();
      }
      if (!read(folder, "state").equals("active")) {
        return Optional.of(Optional.empty());
      }
      return Optional.of(
          Optional.of(
              new LinuxWatchdog.Facts(
                  read(folder, "identity"),
                  Duration.ofSeconds(Long.parseLong(read(folder, "timeout"))),
                  (Integer.decode(read(folder, "bootstatus")) & CARD_RESET) != 0,
                  false))); // known once it is open; only newer kernels show it here
    } catch (IOException | NumberFormatException e) {
      return Optional.empty();
    }
  }

  private static String read(Path folder, String name) throws IOException {
    return Files.readString(folder.resolve(name)).strip();
  }

  @Override
  public int open(Path device) throws IOException {
    try {
      return LibC.C.open(device.toString(), O_WRONLY_CLOEXEC);
    } catch (LastErrorException e) {
      throw new IOException(
          "watchdog %s cannot be opened (error %d): is its driver loaded, and does no other program, such as systemd's RuntimeWatchdogSec, use it?"
              .formatted(device, e.getErrorCode()),
          e);
    }
  }

  @Override
  public void set(int file, Duration timeout) throws IOException {
    var seconds = Math.toIntExact(timeout.toSeconds());
    ask(file, SET_TIMEOUT, seconds, "refuses a timeout of " + seconds + " s");
  }

  @Override
  public LinuxWatchdog.Facts facts(int file) throws IOException {
    var what = "does not say what it is";
    var support = ask(file, GET_SUPPORT, 0, what);
    return new LinuxWatchdog.Facts(
        new String(support.getByteArray(8, 32), StandardCharsets.UTF_8).split("\0", 2)[0],
        Duration.ofSeconds(ask(file, GET_TIMEOUT, 0, what).getInt(0)),
        (bootStatus(file) & CARD_RESET) != 0,
        (support.getInt(0) & MAGIC_CLOSE) != 0);
  }

  /** Some drivers, such as ipmi_watchdog, do not know why the host booted. */
  private static int bootStatus(int file) throws IOException {
    try {
      return ask(file, GET_BOOT_STATUS, 0, "does not say why the host booted").getInt(0);
    } catch (IOException e) {
      if (e.getCause() instanceof LastErrorException cause
          && (cause.getErrorCode() == ENOTTY || cause.getErrorCode() == EOPNOTSUPP)) {
        return 0;
      }
      throw e;
    }
  }

  @Override
  public void feed(int file) throws IOException {
    ask(file, KEEP_ALIVE, 0, "cannot be fed");
  }

  private static Memory ask(int file, long request, int value, String failing) throws IOException {
    var argument = new Memory(40);
    argument.clear();
    argument.setInt(0, value);
    try {
      LibC.C.ioctl(file, request, argument);
    } catch (LastErrorException e) {
      throw new IOException("the watchdog %s (error %d)".formatted(failing, e.getErrorCode()), e);
    }
    return argument;
  }
}
