package dev.haven.lab;

import dev.haven.model.HostId;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * What makes a lab's hosts limp: networks that lose, block one way or are narrow, and disks that
 * are full or slow. All of it is the kernel's own doing (nft, tc, control groups), in the host's
 * namespace or on its link, and a power cycle ends it.
 */
public final class Impairments {
  private static final String TABLE = "haven_lab_limp";
  private static final Path THROTTLES = Path.of("/sys/fs/cgroup/blkio");

  /** A voter keeps two segments of 8 MiB, snapshots, and what it preallocates. */
  private static final String DISK_SIZE = "96M";

  /** Long enough for a process that ends or forks. */
  private static final Duration EMPTY = Duration.ofSeconds(5);

  private final Lab lab;

  public Impairments(Lab lab) {
    this.lab = lab;
  }

  /** Which packets, as the host sees it. */
  public enum Way {
    IN,
    OUT,
    BOTH
  }

  // ---- networks ---------------------------------------------------------------------------------

  /**
   * Drops packets of the host at random; what it sends to itself is spared.
   *
   * @param networks their names
   * @param percent 1 to 100
   */
  public void lose(HostId host, List<String> networks, Way way, int percent) {
    var rules = new StringBuilder("add table inet %1$s\ndelete table inet %1$s\n".formatted(TABLE));
    rules.append("add table inet %s\n".formatted(TABLE));
    var chance = percent == 100 ? "" : "numgen random mod 100 < %d ".formatted(percent);
    for (var hook : List.of("input", "output")) {
      if (way == Way.BOTH || hook.equals(way == Way.IN ? "input" : "output")) {
        rules.append(
            "add chain inet %1$s %2$s { type filter hook %2$s priority 0; }\n"
                .formatted(TABLE, hook));
        for (var network : networks) {
          rules.append(
              "add rule inet %s %s %s \"%s\" %sdrop\n"
                  .formatted(
                      TABLE, hook, hook.equals("input") ? "iifname" : "oifname", network, chance));
        }
      }
    }
    MachineTools.run(
        List.of("ip", "netns", "exec", namespace(host), "nft", "-f", "-"), rules.toString());
  }

  /**
   * Lets no more than this through each of the host's links, in each direction.
   *
   * @param kilobits per second
   */
  public void narrow(HostId host, int kilobits) {
    shape(host, "tbf", "rate", kilobits + "kbit", "burst", "8kb", "latency", "400ms");
  }

  /** Keeps every packet of the host for so long. @throws LabException where {@link #cannotDelay} */
  public void delay(HostId host, int milliseconds) {
    shape(host, "netem", "delay", milliseconds + "ms", milliseconds / 4 + "ms");
  }

  /** Why packets cannot be delayed here; empty if they can. */
  public Optional<String> cannotDelay() {
    var namespace = namespace(lab.hosts().getFirst().id());
    var line = List.of("tc", "-n", namespace, "qdisc", "add", "dev", "lo", "root", "netem");
    if (!MachineTools.attempt(MachineTools.LIMIT, line, "").ok()) {
      return Optional.of("this kernel has no netem");
    }
    MachineTools.run("tc", "-n", namespace, "qdisc", "del", "dev", "lo", "root");
    return Optional.empty();
  }

  private void shape(HostId host, String... discipline) {
    for (var port : lab.ports(host)) {
      tc(List.of("tc", "qdisc", "replace", "dev", port, "root"), discipline);
    }
    for (var network : LabPlan.NETWORKS) {
      tc(
          List.of("tc", "-n", namespace(host), "qdisc", "replace", "dev", network, "root"),
          discipline);
    }
  }

  private static void tc(List<String> where, String... discipline) {
    var line = new java.util.ArrayList<>(where);
    line.addAll(List.of(discipline));
    MachineTools.run(line, "");
  }

  /** Ends every loss, narrowness and delay of the host. */
  public void clearNetworks(HostId host) {
    quietly("ip", "netns", "exec", namespace(host), "nft", "delete", "table", "inet", TABLE);
    for (var port : lab.ports(host)) {
      quietly("tc", "qdisc", "del", "dev", port, "root");
    }
    for (var network : LabPlan.NETWORKS) {
      quietly("tc", "-n", namespace(host), "qdisc", "del", "dev", network, "root");
    }
  }

  /** There may be nothing to end, or the host may be off. */
  private static void quietly(String... line) {
    MachineTools.attempt(MachineTools.LIMIT, List.of(line), "");
  }

  private String namespace(HostId host) {
    return lab.prefix() + host;
  }

  // ---- guests -----------------------------------------------------------------------------------

  /** Stops a QEMU process as SIGSTOP does. */
  public void stop(QemuWatch.Sighting guest) {
    Lab.signal(guest.pid(), "STOP");
  }

  /** Lets it go on, if it still exists. */
  public void cont(QemuWatch.Sighting guest) {
    quietly("bash", "-c", "kill -CONT " + guest.pid());
  }

  /** Lets every process of the host go on that was stopped. */
  public void contAll(HostId host) {
    var pids = lab.processes(host).stream().map(String::valueOf).toList();
    quietly("bash", "-c", "kill -CONT " + String.join(" ", pids));
  }

  // ---- disks ------------------------------------------------------------------------------------

  /**
   * Moves what the host's daemons keep to a small file system of its own, which can be filled and
   * slowed, and gives them a clock of their own, which can jump, unless {@link #cannotJump}. The
   * host is off for that, as if its power had gone, and on afterwards.
   */
  public void giveDiskAndClock(HostId host) {
    var home = lab.host(host).directory();
    if (Files.exists(home.resolve("disk.img"))) {
      return;
    }
    lab.cutPower(host);
    var fresh = home.resolve("disk.new").toString();
    MachineTools.run(
        "mkfs.ext4",
        "-q",
        "-F",
        "-m",
        "0",
        "-d",
        home.resolve("data").toString(),
        fresh,
        DISK_SIZE);
    MachineTools.run("mv", fresh, home.resolve("disk.img").toString());
    if (cannotJump().isEmpty()) {
      setClock(host, Duration.ZERO);
      MachineTools.run(
          List.of(
              "cc", "-O2", "-shared", "-fPIC", "-x", "c", "-o", home + "/clock.so", "-", "-ldl"),
          LabFiles.resource("clock.c"));
    }
    lab.pressPower(host);
  }

  /** Why clocks cannot jump here; empty if they can. */
  public static Optional<String> cannotJump() {
    return MachineTools.attempt(MachineTools.LIMIT, List.of("bash", "-c", "type cc"), "").ok()
        ? Optional.empty()
        : Optional.of("no C compiler (cc) for the clock that is preloaded");
  }

  /**
   * Sets the wall clock of the host's agent and orchestrator.
   *
   * @param ahead of this machine's; negative: behind
   */
  public void setClock(HostId host, Duration ahead) {
    var file = lab.host(host).directory().resolve("clock");
    var nanos = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder());
    nanos.putLong(ahead.toNanos()).flip();
    // in place: those who look have mapped this very file
    try (var clock = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      clock.write(nanos, 0);
    } catch (IOException e) {
      throw new LabException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Leaves no room on the host's own disk.
   *
   * @throws LabException if the host is off or has none
   */
  public void fillDisk(HostId host) {
    requireDisk(host);
    try (var file =
        FileChannel.open(
            ballast(host).orElseThrow(() -> off(host)),
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE)) {
      fill(file, 1 << 20);
      fill(file, 4 << 10);
    } catch (IOException e) {
      throw new LabException("cannot fill the disk of host " + host + ": " + e.getMessage(), e);
    }
  }

  private static void fill(FileChannel file, int bytes) {
    var block = ByteBuffer.allocate(bytes);
    try {
      while (true) {
        block.clear();
        file.write(block);
      }
    } catch (IOException e) {
      // that is the point
    }
  }

  /** There is room again; nothing if the host is off. */
  public void freeDisk(HostId host) {
    try {
      var ballast = ballast(host);
      if (ballast.isPresent()) {
        Files.deleteIfExists(ballast.get());
      }
    } catch (IOException e) {
      // it went off just now; its next boot finds a full disk until somebody frees it
    }
  }

  private Optional<Path> ballast(HostId host) {
    return lab.init(host)
        .map(init -> Path.of("/proc/" + init + "/root" + data(host)).resolve("ballast"));
  }

  private Path data(HostId host) {
    return lab.host(host).directory().resolve("data");
  }

  private static LabException off(HostId host) {
    return new LabException("host " + host + " is off");
  }

  /** Why disks cannot be slowed here; empty if they can. */
  public static Optional<String> cannotSlow() {
    return Files.exists(THROTTLES.resolve("blkio.throttle.write_iops_device"))
        ? Optional.empty()
        : Optional.of("no control group (version 1) blkio at " + THROTTLES);
  }

  /**
   * Lets the host's own disk do no more than so many writes each second.
   *
   * @throws LabException if the host is off or has none
   */
  public void slowDisk(HostId host, int writesPerSecond) {
    var device = requireDisk(host);
    var group = throttle(host);
    try {
      Files.createDirectories(group);
      Files.writeString(
          group.resolve("blkio.throttle.write_iops_device"), device + " " + writesPerSecond);
      move(host, group);
    } catch (IOException e) {
      throw new LabException("cannot slow the disk of host " + host + ": " + e.getMessage(), e);
    }
  }

  /** As fast as ever. */
  public void speedDisk(HostId host) {
    var group = throttle(host);
    if (Files.exists(group)) {
      try {
        for (var line : Files.readAllLines(group.resolve("blkio.throttle.write_iops_device"))) {
          Files.writeString(
              group.resolve("blkio.throttle.write_iops_device"), line.split(" ", 2)[0] + " 0");
        }
        remove(group);
      } catch (IOException e) {
        throw new LabException(
            "cannot let the disk of host " + host + " be fast again: " + e.getMessage(), e);
      }
    }
  }

  /** Until it is gone: what is being forked or ends meanwhile keeps it for a moment. */
  private static void remove(Path group) {
    Lab.await("control group " + group + " to be empty", EMPTY, () -> emptied(group));
  }

  private static boolean emptied(Path group) {
    try {
      Files.readAllLines(group.resolve("cgroup.procs")).forEach(pid -> enter(THROTTLES, pid));
      return Files.deleteIfExists(group);
    } catch (IOException e) {
      return false;
    }
  }

  private Path throttle(HostId host) {
    return THROTTLES.resolve(LabPlan.controlGroup(lab.number()) + "-" + host);
  }

  /**
   * Twice: what the first round missed because it was just being forked has been forked by then.
   */
  private void move(HostId host, Path group) {
    for (int i = 0; i < 2; i++) {
      lab.processes(host).forEach(pid -> enter(group, Long.toString(pid)));
    }
  }

  private static void enter(Path group, String pid) {
    try {
      Files.writeString(group.resolve("cgroup.procs"), pid);
    } catch (IOException e) {
      // it has ended
    }
  }

  /** Removes what an interrupted command left; no process of the lab runs any more. */
  static void sweep(int number) {
    var prefix = LabPlan.controlGroup(number) + "-";
    if (!Files.isDirectory(THROTTLES)) {
      return;
    }
    try (var groups = Files.newDirectoryStream(THROTTLES, prefix + "*")) {
      for (var group : groups) {
        remove(group);
      }
    } catch (IOException e) {
      throw new LabException(
          "cannot remove " + THROTTLES + "/" + prefix + "*: " + e.getMessage(), e);
    }
  }

  /** Its device number, as the kernel writes it. */
  private String requireDisk(HostId host) {
    var init = lab.init(host).orElseThrow(() -> off(host));
    try {
      for (var line : Files.readAllLines(Path.of("/proc", Long.toString(init), "mountinfo"))) {
        var fields = line.split(" ");
        if (fields[4].equals(data(host).toString())) {
          return fields[2];
        }
      }
    } catch (IOException e) {
      throw off(host);
    }
    throw new LabException("host " + host + " has no disk of its own (yet)");
  }
}
