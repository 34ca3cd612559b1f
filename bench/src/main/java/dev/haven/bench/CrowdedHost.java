package dev.haven.bench;

import dev.haven.lab.BootSector;
import dev.haven.lab.ClockReading;
import dev.haven.lab.Impairments;
import dev.haven.lab.Lab;
import dev.haven.lab.LabClient;
import dev.haven.lab.LabException;
import dev.haven.lab.LabGuests;
import dev.haven.lab.LabHost;
import dev.haven.lab.QemuWatch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Views;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * One host with a hundred guests of 32 MiB without a system, when the control network of all hosts
 * is gone for a while. Its agent's own disk is full, and so is the storage of one guest, which QEMU
 * has paused for that. All are to pause before the watchdog's time is over, and all others are to
 * go on afterwards; the host takes orders while its disk is full.
 */
final class CrowdedHost {
  private static final int GUESTS = 100;

  /** A hundred processors of guests on the two that a small machine has. */
  private static final double OVERCOMMIT = 64;

  /** Patience for steps that are not measured: QEMU a hundred times on a busy machine. */
  private static final Duration UP = Duration.ofMinutes(15);

  private static final Duration SETTLED = Duration.ofSeconds(5);
  private static final Duration LOOK = Duration.ofMillis(250);
  private static final Duration ANSWER = Duration.ofSeconds(60);

  /** The writing guest's disk: hours of writes, and all of it a hole at first. */
  private static final String DISK_SIZE = "64M";

  private static final Path KERNEL = Path.of("/proc/sys/fs");
  private static final long REQUESTS = 1024;

  private final Lab lab;
  private final LabClient client;
  private final LabGuests scene;
  private final Impairments impairments;
  private final PrintStream out;
  private final HostId host;

  private final List<GuestId> halted =
      IntStream.range(1, GUESTS).mapToObj(i -> new GuestId("h" + i)).toList();
  private final GuestId writing = new GuestId("h" + GUESTS);
  private final List<String> wrong = new ArrayList<>();

  CrowdedHost(
      Lab lab, LabClient client, LabGuests scene, Impairments impairments, PrintStream out) {
    this.lab = lab;
    this.client = client;
    this.scene = scene;
    this.impairments = impairments;
    this.out = out;
    this.host = lab.hosts().getLast().id();
  }

  /** Makes the cluster and its guests. */
  void prepare() {
    requireRoomForDiskRequests();
    impairments.giveDiskAndClock(host);
    scene.await("the voters to be back", UP, _ -> true);
    scene.addHosts(OVERCOMMIT, UP);
    lab.hosts().forEach(h -> scene.relyOnWatchdog(h.id(), UP));
    var began = ClockReading.now();
    halted.forEach(g -> create(g, image(g)));
    create(writing, imageOnTheHostsOwnDisk());
    scene.awaitRunning(UP);
    out.printf(
        Locale.ROOT,
        "%d guests run on host %s, started within %.0f s%n",
        running().size(),
        host,
        seconds(began.until(ClockReading.now())));
  }

  /** QEMU asks the kernel for room for so many requests to each disk that it opens. */
  private static void requireRoomForDiskRequests() {
    try {
      long used = kernels("aio-nr");
      long most = kernels("aio-max-nr");
      if (most - used < GUESTS * REQUESTS) {
        throw new LabException(
            "fs.aio-max-nr is %d and %d of that are in use, which is too little for %d guests' disks: sysctl -w fs.aio-max-nr=1048576"
                .formatted(most, used, GUESTS));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** In one read: the kernel answers a second one with the end. */
  private static long kernels(String number) throws IOException {
    try (var in = Files.newInputStream(KERNEL.resolve(number))) {
      return Long.parseLong(new String(in.readNBytes(64), StandardCharsets.US_ASCII).strip());
    }
  }

  private void create(GuestId id, Path image) {
    client.command(new Command.CreateGuest(scene.describeBare(id, image, host), true));
  }

  private Path image(GuestId id) {
    var disk = lab.disk(id.value());
    try (var file = FileChannel.open(disk, StandardOpenOption.WRITE)) {
      file.write(ByteBuffer.wrap(BootSector.HALTED.bytes()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return disk;
  }

  /** Beside what its daemons keep: one file system that is full for both. */
  private Path imageOnTheHostsOwnDisk() {
    var disk = lab.host(host).directory().resolve("data").resolve(writing + ".raw");
    var bytes = Base64.getEncoder().encodeToString(BootSector.WRITING.bytes());
    inHost(
        "bash",
        "-c",
        "echo %1$s | base64 -d > %2$s && truncate -s %3$s %2$s".formatted(bytes, disk, DISK_SIZE));
    return disk;
  }

  OutageBench.Run once(Duration length) throws InterruptedException {
    scene.settle(SETTLED, UP);
    wrong.clear();
    impairments.fillDisk(host);
    Lab.await(
        "guest " + writing + " to be paused for want of room",
        UP,
        () -> virsh("domstate", "--reason", writing.value()).contains("I/O error"));
    var boots = boots();
    var processes = processes();

    var hosts = lab.hosts().stream().map(LabHost::id).toList();
    var began = ClockReading.now();
    hosts.forEach(h -> lab.cut(h, Optional.of("control")));
    var paused = during(began, length);
    lab.heal();
    var ended = ClockReading.now();
    out.printf(
        Locale.ROOT,
        "the control network is gone: %s; it is back after %.0f s%n",
        paused
            .map(p -> "all %d are paused after %.1f s".formatted(GUESTS, seconds(p)))
            .orElse("some guests were never paused"),
        seconds(began.until(ended)));
    if (paused.isEmpty()) {
      wrong.add("not all were paused");
    }

    Lab.await("the guests to go on", UP, () -> running().containsAll(names(halted)));
    var back = ended.until(ClockReading.now());
    out.printf(Locale.ROOT, "%d run again %.1f s later%n", halted.size(), seconds(back));

    obeys();
    impairments.freeDisk(host);
    // as the alarm says
    Lab.await(
        "guest " + writing + " to go on now that there is room",
        UP,
        () -> {
          tryVirsh("resume", writing.value());
          return running().contains(writing.value());
        });
    scene.awaitRunning(UP);
    scene.awaitHost(host, Views.Host.State.ONLINE, UP);
    out.printf("guest %s goes on, as there is room again%n", writing);

    var reset =
        boots().entrySet().stream()
            .filter(b -> !b.getValue().equals(boots.get(b.getKey())))
            .map(Map.Entry::getKey)
            .collect(Collectors.toSet());
    if (!reset.isEmpty()) {
      wrong.add("booted again: " + reset);
    }
    var now = processes();
    var restarted =
        processes.entrySet().stream()
            .filter(g -> !g.getValue().equals(now.get(g.getKey())))
            .map(Map.Entry::getKey)
            .filter(g -> !g.equals(halted.getFirst().value())) // by our own order
            .collect(Collectors.toCollection(TreeSet::new));
    if (!restarted.isEmpty()) {
      wrong.add("started again: " + restarted);
    }
    return new OutageBench.Run(
        OutageBench.Outage.HUNDRED_GUESTS,
        back,
        Optional.empty(),
        began.until(ended).plus(back).minus(paused.orElse(Duration.ZERO)),
        Set.copyOf(restarted),
        reset,
        List.copyOf(wrong));
  }

  /**
   * Looks on until the network is to come back.
   *
   * @return after what time the last of all was paused, if they were, for good
   */
  private Optional<Duration> during(ClockReading began, Duration length)
      throws InterruptedException {
    Optional<Duration> paused = Optional.empty();
    while (began.until(ClockReading.now()).compareTo(length) < 0) {
      try {
        var running = running();
        if (!running.isEmpty()) {
          if (paused.isPresent()) {
            wrong.add("without a lease there ran: " + running);
          }
          paused = Optional.empty();
        } else if (paused.isEmpty()) {
          paused = Optional.of(began.until(ClockReading.now()));
        }
      } catch (LabException e) {
        wrong.add(e.getMessage());
        return Optional.empty();
      }
      Thread.sleep(LOOK);
    }
    return paused;
  }

  /** A stop and a start, while the disk is full. */
  private void obeys() {
    var guest = halted.getFirst();
    var began = ClockReading.now();
    client.command(new Command.StopGuest(guest, Duration.ZERO));
    Lab.await(
        "guest %s to be stopped while the disk is full".formatted(guest),
        UP,
        () -> !running().contains(guest.value()));
    var stopped = began.until(ClockReading.now());
    client.command(new Command.StartGuest(guest));
    Lab.await(
        "guest %s to be started while the disk is full".formatted(guest),
        UP,
        () -> running().contains(guest.value()));
    out.printf(
        Locale.ROOT,
        "on the full disk a guest is stopped within %.1f s, and started %.1f s later%n",
        seconds(stopped),
        seconds(began.until(ClockReading.now()).minus(stopped)));
  }

  /** As libvirt says. */
  private Set<String> running() {
    return virsh("list", "--state-running", "--name")
        .lines()
        .map(String::strip)
        .filter(name -> !name.isEmpty())
        .collect(Collectors.toCollection(HashSet::new));
  }

  private static Set<String> names(List<GuestId> ids) {
    return ids.stream().map(GuestId::value).collect(Collectors.toSet());
  }

  private Map<HostId, String> boots() {
    return lab.hosts().stream().collect(Collectors.toMap(LabHost::id, h -> lab.boot(h.id())));
  }

  /** QEMU's process of each guest. */
  private Map<String, Long> processes() {
    try (var watch = QemuWatch.start(lab)) {
      return watch.running().stream()
          .collect(
              Collectors.toMap(QemuWatch.Sighting::guest, QemuWatch.Sighting::pid, (a, _) -> a));
    }
  }

  private String virsh(String... words) {
    return inHost(virshLine(words));
  }

  private void tryVirsh(String... words) {
    lab.inHost(host, ANSWER, virshLine(words));
  }

  private static String[] virshLine(String... words) {
    return Stream.concat(Stream.of("virsh", "-q", "-c", "qemu:///system"), Stream.of(words))
        .toArray(String[]::new);
  }

  private String inHost(String... line) {
    var answer = lab.inHost(host, ANSWER, line);
    if (!answer.ok()) {
      throw new LabException(
          "host %s: %s: %s".formatted(host, String.join(" ", line), answer.output().strip()));
    }
    return answer.output();
  }

  private static double seconds(Duration d) {
    return d.toMillis() / 1e3;
  }
}
