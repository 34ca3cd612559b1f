package dev.haven.lab;

import dev.haven.model.HostId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Sees every QEMU process of a lab that comes or goes, within some 2 ms. It asks the kernel for the
 * processes of each host's control group; that costs less than looking through all of /proc, and it
 * says which host.
 */
public final class QemuWatch implements AutoCloseable {
  private static final Pattern GUEST = Pattern.compile("(?:^|,)guest=([^,]+)");
  private static final Duration LOOK_EVERY = Duration.ofMillis(2);

  /**
   * A process that has not become a QEMU after this long will not: libvirt forks and execs at once.
   */
  private static final Duration MAY_BECOME_QEMU = Duration.ofSeconds(2);

  /**
   * A QEMU process.
   *
   * @param pid as seen from outside the hosts
   * @param seen when it first ran as QEMU; for those that ran before the watch, when that began
   * @param gone when it was first missed; empty while it runs
   */
  public record Sighting(
      HostId host, String guest, long pid, ClockReading seen, Optional<ClockReading> gone) {}

  private final Lab lab;
  private final Thread thread;
  private final Map<Long, Sighting> running = new HashMap<>();
  private final List<Sighting> ended = new ArrayList<>();

  /** Processes that are not QEMU, with the time at which they were first seen. */
  private final Map<Long, Long> others = new HashMap<>();

  private volatile boolean closed;

  private QemuWatch(Lab lab) {
    this.lab = lab;
    this.thread = new Thread(this::follow, "qemu-watch");
    this.thread.setDaemon(true);
  }

  /** Those that run already are seen before this returns. */
  public static QemuWatch start(Lab lab) {
    var watch = new QemuWatch(lab);
    watch.look();
    watch.thread.start();
    return watch;
  }

  private void follow() {
    while (!closed) {
      look();
      try {
        Thread.sleep(LOOK_EVERY);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private synchronized void look() {
    Set<Long> present = new HashSet<>();
    for (var host : lab.hosts()) {
      for (var pid : lab.processes(host.id())) {
        present.add(pid);
        if (!running.containsKey(pid) && mayBeQemu(pid)) {
          guestOf(pid)
              .ifPresent(
                  guest -> {
                    others.remove(pid);
                    running.put(
                        pid,
                        new Sighting(host.id(), guest, pid, ClockReading.now(), Optional.empty()));
                    notifyAll();
                  });
        }
      }
    }
    others.keySet().retainAll(present);
    var gone = running.values().stream().filter(s -> !present.contains(s.pid())).toList();
    for (var sighting : gone) {
      running.remove(sighting.pid());
      ended.add(
          new Sighting(
              sighting.host(),
              sighting.guest(),
              sighting.pid(),
              sighting.seen(),
              Optional.of(ClockReading.now())));
      notifyAll();
    }
  }

  private boolean mayBeQemu(long pid) {
    var first = others.computeIfAbsent(pid, _ -> System.nanoTime());
    return System.nanoTime() - first < MAY_BECOME_QEMU.toNanos();
  }

  /** Every QEMU process seen so far, those that have ended too. */
  public synchronized List<Sighting> sightings() {
    var all = new ArrayList<>(ended);
    all.addAll(running.values());
    return List.copyOf(all);
  }

  /** Those that run now. */
  public synchronized List<Sighting> running() {
    return List.copyOf(running.values());
  }

  /**
   * The first QEMU process of this guest that was first seen after {@code since}, if it comes in
   * time.
   */
  public synchronized Optional<Sighting> awaitStart(
      String guest, ClockReading since, Duration within) {
    var deadline = System.nanoTime() + within.toNanos();
    while (true) {
      var found =
          sightings().stream()
              .filter(s -> s.guest().equals(guest))
              .filter(s -> s.seen().nanoTime() - since.nanoTime() > 0)
              .min((a, b) -> Long.compare(a.seen().nanoTime() - b.seen().nanoTime(), 0));
      var left = deadline - System.nanoTime();
      if (found.isPresent() || left <= 0) {
        return found;
      }
      try {
        wait(Math.max(1, left / 1_000_000));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return Optional.empty();
      }
    }
  }

  @Override
  public void close() {
    closed = true;
    thread.interrupt();
  }

  /** Whether there is such a process, if only as an entry that waits for its parent. */
  static boolean exists(long pid) {
    return Files.exists(Path.of("/proc", Long.toString(pid)));
  }

  /** The guest that this process is, if it is a QEMU that libvirt started. */
  static Optional<String> guestOf(long pid) {
    try {
      var line =
          new String(
              Files.readAllBytes(Path.of("/proc", Long.toString(pid), "cmdline")),
              StandardCharsets.UTF_8);
      return guestOf(line);
    } catch (IOException e) {
      return Optional.empty(); // it is gone
    }
  }

  /** Pure: the arguments are separated by NUL, and the guest's name is in that of {@code -name}. */
  static Optional<String> guestOf(String commandLine) {
    var arguments = commandLine.split("\0", -1);
    if (!arguments[0].contains("qemu")) {
      return Optional.empty();
    }
    for (int i = 1; i + 1 < arguments.length; i++) {
      if (arguments[i].equals("-name")) {
        var found = GUEST.matcher(arguments[i + 1]);
        return found.find() ? Optional.of(found.group(1)) : Optional.empty();
      }
    }
    return Optional.empty();
  }
}
