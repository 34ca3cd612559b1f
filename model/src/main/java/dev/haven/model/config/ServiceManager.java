package dev.haven.model.config;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.OptionalInt;

/**
 * Tells systemd how a daemon of ours does, as a unit with {@code Type=notify} wants it. Says
 * nothing where no service manager started this process, and where it cannot be told: a daemon that
 * works must not end because of that.
 *
 * <p>See sd_notify(3).
 */
public final class ServiceManager {
  private static final String LIBRARY = "libsystemd.so.0";

  /** The first descriptor that a service manager passes on: sd_listen_fds(3). */
  private static final int FIRST = 3;

  /** So long it may take until a descriptor that it was sent is in its store. */
  private static final Duration STORES = Duration.ofSeconds(2);

  /** Passes on messages, lines of {@code NAME=value}. */
  public interface Notify {
    void send(String message);

    /**
     * With a descriptor, of which the service manager gets a copy.
     *
     * @return whether it was heard; false where nobody listens
     */
    default boolean send(String message, int descriptor) {
      return false;
    }
  }

  private final Notify notify;
  private final Map<String, String> environment;

  public ServiceManager(Notify notify) {
    this(notify, Map.of());
  }

  /**
   * @param environment as a service manager has set it for this process
   */
  public ServiceManager(Notify notify, Map<String, String> environment) {
    this.notify = notify;
    this.environment = Map.copyOf(environment);
  }

  /**
   * That of this process.
   *
   * @param environment of this process
   */
  public static ServiceManager of(Map<String, String> environment) {
    return new ServiceManager(
        environment.getOrDefault("NOTIFY_SOCKET", "").isEmpty() ? m -> {} : libsystemd(),
        environment);
  }

  private static Notify libsystemd() {
    try {
      return new Libsystemd();
    } catch (RuntimeException e) {
      System.err.println("systemd is not told how this process does: " + e.getMessage());
      return message -> {};
    }
  }

  /** The library's own calls. */
  private static final class Libsystemd implements Notify {
    private final MethodHandle send =
        call(
            "sd_pid_notify_with_fds",
            ValueLayout.JAVA_INT, // of which process: this one
            ValueLayout.JAVA_INT,
            ValueLayout.ADDRESS,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_INT);

    private static MethodHandle call(String name, MemoryLayout... arguments) {
      return Linker.nativeLinker()
          .downcallHandle(
              SymbolLookup.libraryLookup(LIBRARY, Arena.global()).findOrThrow(name),
              FunctionDescriptor.of(ValueLayout.JAVA_INT, arguments));
    }

    @Override
    public void send(String message) {
      send(message, new int[0]);
    }

    @Override
    public boolean send(String message, int descriptor) {
      if (send(message, new int[] {descriptor}) <= 0) {
        return false;
      }
      try {
        var barrier = call("sd_notify_barrier", ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG);
        return (int) barrier.invokeExact(0, STORES.toNanos() / 1_000) >= 0;
      } catch (NoSuchElementException e) {
        return false; // before version 246
      } catch (Error e) {
        throw e;
      } catch (Throwable e) {
        throw new IllegalStateException("sd_notify_barrier", e); // it throws nothing itself
      }
    }

    private int send(String message, int[] descriptors) {
      try (var arena = Arena.ofConfined()) {
        return (int)
            send.invokeExact(
                0,
                0,
                arena.allocateFrom(message),
                arena.allocateFrom(ValueLayout.JAVA_INT, descriptors),
                descriptors.length);
      } catch (Error e) {
        throw e;
      } catch (Throwable e) {
        throw new IllegalStateException("sd_pid_notify_with_fds", e); // it throws nothing itself
      }
    }
  }

  /** The descriptor of this name that an earlier process of this unit has left with it. */
  public OptionalInt left(String name) {
    var own = Long.toString(ProcessHandle.current().pid());
    if (!own.equals(environment.get("LISTEN_PID"))) {
      return OptionalInt.empty();
    }
    int index = List.of(environment.getOrDefault("LISTEN_FDNAMES", "").split(":")).indexOf(name);
    return index < 0 ? OptionalInt.empty() : OptionalInt.of(FIRST + index);
  }

  /** Whether a service manager started this process. */
  public boolean isThere() {
    return !environment.getOrDefault("NOTIFY_SOCKET", "").isEmpty();
  }

  /**
   * Leaves a copy of this descriptor for the next process of this unit. A unit without {@code
   * FileDescriptorStoreMax=} drops it in silence.
   *
   * @return whether it was heard; false where none started this process, or it was too busy
   */
  public boolean leave(String name, int descriptor) {
    return notify.send("FDSTORE=1\nFDPOLL=0\nFDNAME=" + name, descriptor);
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
