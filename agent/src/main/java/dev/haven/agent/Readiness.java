package dev.haven.agent;

import dev.haven.agent.guest.GuestPauses;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.Hypervisor.Domain;
import dev.haven.core.lease.PauseRoom;
import dev.haven.model.Epoch;
import dev.haven.model.wire.LeaseLength;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds beforehand what would go wrong on this host in a failure: more guests than can be paused in
 * time, a guest that cannot be proven paused, no room for the disks of another guest. Looks once a
 * minute, and touches no guest.
 */
final class Readiness implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Readiness.class);
  private static final Duration EVERY = Duration.ofSeconds(60);

  /** The agent has joined by then. */
  private static final Duration FIRST = Duration.ofSeconds(10);

  private static final Duration ASK = Duration.ofSeconds(2);

  /** A guess for the call that pauses a guest, until one was paused here. */
  private static final Duration PAUSE = Duration.ofMillis(100);

  /** QEMU takes so many of the kernel's requests for each disk with native I/O. */
  private static final long OF_A_DISK = 1_024;

  /** Room for so many more disks is enough for what a host takes over. */
  private static final long DISKS = 32;

  private static final int NAMED = 5;

  /**
   * What this host's watchdog rests on.
   *
   * @param timeout of the watchdog
   * @param pauses what pausing a guest took of late; empty if none was paused yet
   */
  record Guard(Duration timeout, Optional<Duration> pauses) {}

  /** How others rely on this host. */
  interface Guarded {
    /** Empty while the leader does not rely on the leases of this host. */
    Optional<Guard> now();

    /** This host asks for leases of this length, for want of time to pause its guests or not. */
    void asks(LeaseLength length);

    /** Its runtime directory was emptied while guests ran: a sentence for the operator. */
    Optional<String> forgotten();
  }

  private final Hypervisor hypervisor;
  private final Guarded guarded;
  private final Path kernel;
  private final OwnFaults faults;
  private final Runnable changed;
  private final LongSupplier clock;
  private final Thread thread;
  private volatile List<String> warnings = List.of();
  private volatile boolean closed;

  /** Without so much room, a warning of too many guests stays: it would come and go. */
  private static final int ROOM_PERCENT = 20;

  private Optional<String> tooMany = Optional.empty();
  private LeaseLength asked = LeaseLength.LONG;

  /** The number that was told last, so that a slightly different one is no news. */
  private int told;

  /** What was told last was only that there is no room for more guests. */
  private boolean justEnough;

  /** The guests that could not be proven paused when they were last told of. */
  private Set<String> cached = Set.of();

  /**
   * @param kernel the kernel's settings of file systems, such as {@code /proc/sys/fs}
   * @param faults of this agent, told among the warnings
   * @param changed called whenever the warnings have changed
   * @param clock nanoseconds
   */
  Readiness(
      Hypervisor hypervisor,
      Guarded guarded,
      Path kernel,
      OwnFaults faults,
      Runnable changed,
      LongSupplier clock) {
    this.faults = faults;
    this.hypervisor = hypervisor;
    this.guarded = guarded;
    this.kernel = kernel;
    this.changed = changed;
    this.clock = clock;
    this.thread = Thread.ofPlatform().daemon().name("readiness").unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  /** One sentence each; empty if all is well, and before the first look. */
  List<String> warnings() {
    return warnings;
  }

  private void run() {
    try {
      Thread.sleep(FIRST);
      while (!closed) {
        try {
          look();
        } catch (RuntimeException e) {
          faults.met("looking at what would go wrong in a failure", e);
        }
        Thread.sleep(EVERY);
      }
    } catch (InterruptedException e) {
      log.debug("readiness ends");
    }
  }

  /** Looks once. While libvirt does not answer, what was known of guests stays. */
  void look() {
    var found = new ArrayList<String>();
    guarded.forgotten().ifPresent(found::add);
    roomForDisks().ifPresent(found::add);
    found.addAll(faults.warnings());
    var guard = guarded.now();
    if (guard.isPresent()) {
      var guests = guests(guard.get());
      if (guests.isEmpty()) {
        return;
      }
      found.addAll(guests.get());
    }
    var now = List.copyOf(found);
    if (!now.equals(warnings)) {
      warnings = now;
      now.forEach(w -> log.warn("{}", w));
      changed.run();
    }
  }

  /** Empty while libvirt does not answer. */
  private Optional<List<String>> guests(Guard guard) {
    long began = clock.getAsLong();
    if (!(hypervisor.domains(ASK) instanceof Hypervisor.Answer.Known<List<Domain>> all)) {
      return Optional.empty();
    }
    long lookAtAll = clock.getAsLong() - began;
    var ours =
        all.value().stream()
            .filter(d -> d.report().state().active() && !d.report().epoch().equals(Epoch.NONE))
            .map(Domain::name)
            .toList();
    var looks = new ArrayList<Long>();
    var cachedNow = new TreeSet<>(cached);
    cachedNow.retainAll(ours); // what was not told in time stays as it was
    for (var guest : ours) {
      if (closed) {
        return Optional.empty();
      }
      long from = clock.getAsLong();
      var state = hypervisor.domain(guest, ASK);
      var definition = hypervisor.definition(guest, ASK);
      if (state instanceof Hypervisor.Answer.Known<List<Domain>>
          && definition instanceof Hypervisor.Answer.Known<String>(var xml)) {
        looks.add(clock.getAsLong() - from);
        if (GuestPauses.allDirect(xml)) {
          cachedNow.remove(guest);
        } else {
          cachedNow.add(guest);
        }
      }
    }
    cached = cachedNow;
    var found = new ArrayList<String>();
    if (looks.isEmpty() && !ours.isEmpty()) {
      tooMany.ifPresent(found::add); // nothing was told in time
    } else {
      looks.sort(null);
      var room =
          new PauseRoom(
              Duration.ofNanos(lookAtAll),
              // one that was slow says nothing
              Duration.ofNanos(looks.isEmpty() ? 0 : looks.get(looks.size() / 2)),
              guard.pauses().orElse(PAUSE));
      tooMany = tooMany(ours.size(), room, guard.timeout());
      asked = lease(ours.size(), room, guard.timeout());
      guarded.asks(asked);
      tooMany.ifPresent(found::add);
    }
    if (!cached.isEmpty()) {
      found.add(
          "guests %s cannot be proven paused, because a writable disk of each goes through the host's page cache: a lost lease would reset this host. Give these disks cache='none'"
              .formatted(some(List.copyOf(cached))));
    }
    return Optional.of(found);
  }

  /**
   * What cannot be paused in time gets the longer lease: it may outlast what keeps it from coming.
   */
  private LeaseLength lease(int guests, PauseRoom room, Duration timeout) {
    int needed = asked == LeaseLength.LONG ? withRoom(guests) : guests;
    return cached.isEmpty() && room.holds(needed, LeaseLength.SHORT, timeout)
        ? LeaseLength.SHORT
        : LeaseLength.LONG;
  }

  private Optional<String> tooMany(int guests, PauseRoom room, Duration timeout) {
    boolean first = tooMany.isEmpty();
    int needed = first ? guests : withRoom(guests);
    if (guests == 0 || room.holds(needed, LeaseLength.LONG, timeout)) {
      justEnough = false;
      return Optional.empty();
    }
    int most = room.most(needed, LeaseLength.LONG, timeout);
    boolean untrue = (justEnough || told >= guests) && Math.min(told, most) < guests;
    if (first || untrue || Math.abs(Math.min(most, guests) - told) > told / 5) {
      told = most;
    }
    justEnough = told >= guests;
    long seconds = PauseRoom.untilReset(LeaseLength.LONG, timeout).toSeconds();
    return Optional.of(
        justEnough
            ? "about %d guests can be paused in the %d s from the end of their leases to the watchdog's reset. %d run here: there is no room for more. This warning ends with %d guests, or with a longer timeout of its watchdog"
                .formatted(told, seconds, guests, told * 100 / (100 + ROOM_PERCENT))
            : "about %d of its %d guests can be paused in the %d s from the end of their leases to the watchdog's reset: a lost lease would reset this host. Keep fewer guests here, or give its watchdog a longer timeout"
                .formatted(told, guests, seconds));
  }

  private static int withRoom(int guests) {
    return guests + (guests * ROOM_PERCENT + 99) / 100;
  }

  private static String some(List<String> names) {
    return String.join(", ", names.stream().limit(NAMED).toList())
        + (names.size() > NAMED ? " and %d more".formatted(names.size() - NAMED) : "");
  }

  /** Guests with native I/O fail to start once the kernel's room for it is used up. */
  private Optional<String> roomForDisks() {
    var used = number("aio-nr");
    var most = number("aio-max-nr");
    if (used.isEmpty() || most.isEmpty()) {
      return Optional.empty();
    }
    long left = most.get() - used.get();
    return left >= Math.min(most.get() / 4, DISKS * OF_A_DISK)
        ? Optional.empty()
        : Optional.of(
            "the kernel's room for native I/O is nearly used up (fs.aio-max-nr = %d): guests that start or arrive here would fail. Set fs.aio-max-nr = 1048576 in a file in /etc/sysctl.d, then: sysctl --system"
                .formatted(most.get()));
  }

  /**
   * A number of the kernel's, in one read: to a second one it answers with the end, and {@link
   * Files#readString} begins with a single byte where a file says that it is empty.
   */
  static long number(Path file) throws IOException {
    try (var in = Files.newInputStream(file)) {
      return Long.parseLong(new String(in.readNBytes(64), StandardCharsets.US_ASCII).strip());
    }
  }

  private Optional<Long> number(String setting) {
    try {
      return Optional.of(number(kernel.resolve(setting)));
    } catch (IOException | NumberFormatException e) {
      log.debug("{} says nothing: {}", kernel.resolve(setting), e.toString());
      return Optional.empty();
    }
  }

  @Override
  public void close() {
    closed = true;
    thread.interrupt();
  }
}
