package dev.haven.model.config;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Map;

/**
 * Tells systemd how a daemon of ours does, as a unit with {@code Type=notify} wants it. Says
 * nothing where no service manager started this process, and where it cannot be told: a daemon that
 * works must not end because of that.
 *
 * <p>See sd_notify(3).
 */
public final class ServiceManager {
  private static final String LIBRARY = "libsystemd.so.0";

  /** Passes on one message, lines of {@code NAME=value}. */
  public interface Notify {
    void send(String message);
  }

  private final Notify notify;

  public ServiceManager(Notify notify) {
    this.notify = notify;
  }

  /**
   * That of this process.
   *
   * @param environment of this process
   */
  public static ServiceManager of(Map<String, String> environment) {
    return new ServiceManager(
        environment.getOrDefault("NOTIFY_SOCKET", "").isEmpty() ? m -> {} : libsystemd());
  }

  private static Notify libsystemd() {
    try {
      var call =
          Linker.nativeLinker()
              .downcallHandle(
                  SymbolLookup.libraryLookup(LIBRARY, Arena.global()).findOrThrow("sd_notify"),
                  FunctionDescriptor.of(
                      ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.ADDRESS));
      return message -> {
        try (var arena = Arena.ofConfined()) {
          int _ = (int) call.invokeExact(0, arena.allocateFrom(message));
        } catch (Error e) {
          throw e;
        } catch (Throwable e) {
          throw new IllegalStateException("sd_notify", e); // it throws nothing itself
        }
      };
    } catch (RuntimeException e) {
      System.err.println("systemd is not told how this process does: " + e.getMessage());
      return message -> {};
    }
  }

  /** The daemon does its work from now on. */
  public void ready(String status) {
    notify.send("READY=1\n" + inWords(status));
  }

  /** What {@code systemctl status} shows. */
  public void status(String status) {
    notify.send(inWords(status));
  }

  /** Its start takes longer: it is given up only after this long without another word. */
  public void startTakes(Duration more, String status) {
    notify.send("EXTEND_TIMEOUT_USEC=" + more.toNanos() / 1_000 + "\n" + inWords(status));
  }

  /** It lives. A unit with {@code WatchdogSec=} is restarted where this is not heard in time. */
  public void alive() {
    notify.send("WATCHDOG=1");
  }

  public void stopping() {
    notify.send("STOPPING=1\n" + inWords("stopping"));
  }

  /** One line, whatever it holds. */
  private static String inWords(String status) {
    return "STATUS=" + status.replaceAll("\\p{Cntrl}+", " ");
  }
}
