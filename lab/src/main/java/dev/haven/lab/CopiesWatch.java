package dev.haven.lab;

import com.fasterxml.jackson.databind.JsonNode;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Whether two copies of one guest ever run at the same time, as their QEMU processes tell it
 * themselves, each over a monitor of its own beside libvirt's ({@link LabGuests#describeWatched}).
 * QEMU says with its own time stamp when it lets a guest run and when it stops it, so nothing is
 * missed between two looks; and neither a file lock nor libvirt's word is leaned on.
 */
public final class CopiesWatch implements AutoCloseable {
  private static final Duration LOOK_EVERY = Duration.ofMillis(1);

  /**
   * A copy began to run or was stopped; the first one of each copy says how it was found.
   *
   * @param at by QEMU's clock, which is this machine's
   * @param pid of the copy, as seen from outside the hosts
   * @param othersAlive hosts on which another copy's process still lived when this was heard, thus
   *     certainly at {@code at}
   */
  public record Turn(Instant at, HostId host, long pid, boolean runs, List<HostId> othersAlive) {}

  private final QemuWatch processes;
  private final String guest;
  private final Thread thread;
  private final Map<Long, QemuWatch.Sighting> copies = new LinkedHashMap<>();
  private final List<Turn> turns = new ArrayList<>();
  private final Map<Long, Instant> ended = new LinkedHashMap<>();
  private final List<SocketChannel> channels = new ArrayList<>();
  private volatile boolean closed;

  private CopiesWatch(QemuWatch processes, String guest) {
    this.processes = processes;
    this.guest = guest;
    this.thread = new Thread(this::follow, "copies-of-" + guest);
    this.thread.setDaemon(true);
  }

  /**
   * @return once the guest's present copy, if there is one, has said whether it runs
   */
  public static CopiesWatch start(QemuWatch processes, String guest, Duration within) {
    var watch = new CopiesWatch(processes, guest);
    watch.thread.start();
    for (var copy : processes.running()) {
      if (copy.guest().equals(guest)) {
        var answer = watch.await(turn -> turn.pid() == copy.pid(), within);
        if (answer.isEmpty()) {
          throw new LabException(
              "guest %s on host %s: its monitor does not answer".formatted(guest, copy.host()));
        }
      }
    }
    return watch;
  }

  /** Inside its host. A copy that is being started has not made it yet. */
  static String socket(String guest) {
    return "/run/haven-lab-" + guest + ".qmp";
  }

  private void follow() {
    while (!closed) {
      for (var copy : processes.running()) {
        if (copy.guest().equals(guest) && isNew(copy)) {
          var listener = new Thread(() -> listen(copy), "copy-" + copy.pid());
          listener.setDaemon(true);
          listener.start();
        }
      }
      try {
        Thread.sleep(LOOK_EVERY);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private synchronized boolean isNew(QemuWatch.Sighting copy) {
    return copies.putIfAbsent(copy.pid(), copy) == null;
  }

  private void listen(QemuWatch.Sighting copy) {
    var path = Path.of("/proc", Long.toString(copy.pid()), "root" + socket(guest));
    while (!closed && alive(copy.pid())) {
      try (var channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
        channel.connect(UnixDomainSocketAddress.of(path));
        if (holds(channel)) {
          converse(copy, channel);
        }
        break;
      } catch (IOException e) {
        try {
          Thread.sleep(LOOK_EVERY); // it listens a moment after it begins
        } catch (InterruptedException interrupted) {
          return;
        }
      }
    }
    synchronized (this) {
      ended.put(copy.pid(), Instant.now());
      notifyAll();
    }
  }

  /** QEMU talks to one at a time: the next one waits until this one has hung up. */
  private synchronized boolean holds(SocketChannel channel) {
    channels.add(channel);
    return !closed;
  }

  private void converse(QemuWatch.Sighting copy, SocketChannel channel) throws IOException {
    var lines = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
    say(channel, "{\"execute\": \"qmp_capabilities\"}");
    say(channel, "{\"execute\": \"query-status\"}");
    for (var line = lines.readLine(); line != null && !closed; line = lines.readLine()) {
      var message = Json.mapper().readTree(line);
      var event = message.path("event").asText();
      if (message.path("return").has("running")) {
        turn(copy, Instant.now(), message.path("return").path("running").asBoolean());
      } else if (event.equals("STOP") || event.equals("RESUME")) {
        turn(copy, time(message.path("timestamp")), event.equals("RESUME"));
      }
    }
  }

  private static void say(SocketChannel channel, String command) throws IOException {
    channel.write(ByteBuffer.wrap((command + "\n").getBytes(StandardCharsets.UTF_8)));
  }

  private static Instant time(JsonNode stamp) {
    return Instant.ofEpochSecond(
        stamp.path("seconds").asLong(), stamp.path("microseconds").asLong() * 1_000);
  }

  private synchronized void turn(QemuWatch.Sighting copy, Instant at, boolean runs) {
    var others =
        copies.values().stream()
            .filter(other -> other.pid() != copy.pid() && alive(other.pid()))
            .map(QemuWatch.Sighting::host)
            .toList();
    turns.add(new Turn(at, copy.host(), copy.pid(), runs, others));
    notifyAll();
  }

  /** A process that has ended and is only not reaped yet still may be writing: it lives. */
  private static boolean alive(long pid) {
    return QemuWatch.exists(pid);
  }

  /** All turns so far, in the order of their times. */
  public synchronized List<Turn> turns() {
    return turns.stream().sorted(Comparator.comparing(Turn::at)).toList();
  }

  /** The first turn of this kind, if it comes in time. */
  public synchronized Optional<Turn> await(Predicate<Turn> kind, Duration within) {
    var deadline = System.nanoTime() + within.toNanos();
    while (true) {
      var found = turns.stream().filter(kind).findFirst();
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

  /**
   * Every time at which a second copy began to run while another did, in a sentence; and every copy
   * that may have run before it was first asked while there was another.
   */
  public List<String> doubleRuns() {
    List<Turn> course;
    Map<Long, Instant> ends;
    synchronized (this) {
      course = turns();
      ends = Map.copyOf(ended);
    }
    return doubleRuns(course, ends);
  }

  /** Pure. @param ends when the copies' processes were seen to have ended */
  static List<String> doubleRuns(List<Turn> course, Map<Long, Instant> ends) {
    var found = new ArrayList<String>();
    var running = new LinkedHashMap<Long, Turn>();
    for (var turn : course) {
      running
          .values()
          .removeIf(
              other -> ends.containsKey(other.pid()) && ends.get(other.pid()).isBefore(turn.at()));
      if (!turn.runs()) {
        running.remove(turn.pid());
        continue;
      }
      running.put(turn.pid(), turn);
      if (running.size() > 1) {
        found.add(
            "at %s it runs on hosts %s"
                .formatted(turn.at(), running.values().stream().map(Turn::host).toList()));
      }
    }
    return found;
  }

  @Override
  public synchronized void close() {
    closed = true;
    thread.interrupt();
    for (var channel : channels) {
      try {
        channel.close();
      } catch (IOException e) {
        // it is gone
      }
    }
  }
}
