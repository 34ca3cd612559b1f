package dev.haven.agent.libvirt;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * A host of its own on this machine: namespaces (net, pid, mount, uts, ipc) with a libvirtd that is
 * started again whenever it dies. Ends with this JVM, however that ends: its init waits for the end
 * of its standard input.
 */
final class PrivateHost implements AutoCloseable {
  private static final List<String> NEEDED =
      List.of(
          "libvirtd",
          "virtlogd",
          "virsh",
          "qemu-system-x86_64",
          "qemu-nbd",
          "tini",
          "unshare",
          "nsenter",
          "ip",
          "cpio",
          "busybox");

  private final Path directory;
  private final String address;
  private final Process unshare;
  private final ProcessHandle init;

  private PrivateHost(Path directory, String address, Process unshare, ProcessHandle init) {
    this.directory = directory;
    this.address = address;
    this.unshare = unshare;
    this.init = init;
  }

  /** Why such hosts cannot be had here; empty if they can. */
  static Optional<String> missing() {
    if (!"root".equals(System.getProperty("user.name"))) {
      return Optional.of("private libvirtd hosts need root");
    }
    for (var program : NEEDED) {
      var found =
          List.of("/usr/sbin", "/usr/bin", "/sbin", "/bin").stream()
              .anyMatch(place -> Files.isExecutable(Path.of(place, program)));
      if (!found) {
        return Optional.of("not installed: " + program + " (./haven test installs it)");
      }
    }
    return Optional.empty();
  }

  /**
   * @param number 1 or 2; the last part of its address and its UUID
   */
  static PrivateHost boot(Path directory, int number) throws Exception {
    for (var sub : List.of("lib", "log", "cache", "etc", "sock")) {
      Files.createDirectories(directory.resolve(sub));
    }
    var address = "10.97.0." + number;
    Files.writeString(
        directory.resolve("etc/libvirtd.conf"),
        """
        listen_tls = 0
        listen_tcp = 1
        auth_tcp = "none"
        auth_unix_rw = "none"
        keepalive_interval = 1
        keepalive_count = 2
        unix_sock_dir = "%s/sock"
        host_uuid = "0000000%d-1111-2222-3333-444444444444"
        """
            .formatted(directory, number));
    Files.writeString(
        directory.resolve("etc/qemu.conf"),
        """
        user = "root"
        group = "root"
        cgroup_controllers = []
        security_driver = "none"
        remember_owner = 0
        namespaces = []
        keepalive_interval = 1
        keepalive_count = 2
        """);
    Files.writeString(
        directory.resolve("boot.sh"),
        """
        mount --make-rprivate /
        mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /dev/shm; mkdir -p /run/lock /run/libvirt
        for d in lib log cache; do mount --bind $1/$d /var/$d/libvirt; done
        mount --bind $1/etc /etc/libvirt
        hostname host$2; ip link set lo up; virtlogd -d
        while :; do libvirtd --listen; sleep 0.2; done &
        cat >/dev/null
        """);
    var process =
        new ProcessBuilder(
                List.of(
                    "unshare",
                    "--net",
                    "--pid",
                    "--fork",
                    "--mount",
                    "--uts",
                    "--ipc",
                    "--mount-proc",
                    "--kill-child",
                    "tini",
                    "-s",
                    "--",
                    "bash",
                    directory + "/boot.sh",
                    directory.toString(),
                    Integer.toString(number)))
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("out.log").toFile())
            .start();
    await("its init", () -> process.toHandle().children().findFirst().isPresent());
    var init = process.toHandle().children().findFirst().orElseThrow();
    var host = new PrivateHost(directory, address, process, init);
    await("its libvirtd's socket", () -> Files.exists(directory.resolve("sock/libvirt-sock")));
    return host;
  }

  /** Joins two hosts by a cable. */
  static void cable(PrivateHost one, PrivateHost two) throws Exception {
    one.run(
        "ip",
        "link",
        "add",
        "eth0",
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        Long.toString(two.init.pid()));
    for (var host : List.of(one, two)) {
      host.in("ip", "addr", "add", host.address + "/24", "dev", "eth0");
      host.in("ip", "link", "set", "eth0", "up");
    }
  }

  String uri() {
    return "qemu+unix:///system?socket=" + directory + "/sock/libvirt-sock";
  }

  /** As the other host's libvirtd reaches it. */
  String remoteUri() {
    return "qemu+tcp://" + address + "/system";
  }

  String migrationUri() {
    return "tcp://" + address;
  }

  /** Its root directory, seen from outside. */
  Path root() {
    return Path.of("/proc", Long.toString(init.pid()), "root");
  }

  /** Runs a program inside and returns what it printed. */
  String in(String... command) throws Exception {
    var all = new java.util.ArrayList<>(List.of("nsenter", "-t", Long.toString(init.pid()), "-a"));
    all.addAll(List.of(command));
    return execute(all);
  }

  /** In its network only, with the process numbers of outside. */
  private void run(String... command) throws Exception {
    var all = new java.util.ArrayList<>(List.of("nsenter", "-t", Long.toString(init.pid()), "-n"));
    all.addAll(List.of(command));
    execute(all);
  }

  String virsh(String... arguments) throws Exception {
    var all = new java.util.ArrayList<>(List.of("virsh", "-c", uri()));
    all.addAll(List.of(arguments));
    return execute(all);
  }

  static String execute(List<String> command) throws Exception {
    var process = new ProcessBuilder(command).redirectErrorStream(true).start();
    var output = new String(process.getInputStream().readAllBytes(), UTF_8);
    if (!process.waitFor(20, TimeUnit.SECONDS) || process.exitValue() != 0) {
      throw new IllegalStateException(command + ": " + output);
    }
    return output;
  }

  /** The QEMU process of a guest, if there is one. */
  Optional<ProcessHandle> qemu(String guest) {
    return process("guest=" + guest + ",");
  }

  ProcessHandle libvirtd() {
    return process("libvirtd\u0000--listen").orElseThrow();
  }

  void signal(ProcessHandle process, String signal) throws Exception {
    execute(List.of("kill", "-" + signal, Long.toString(process.pid())));
  }

  private Optional<ProcessHandle> process(String part) {
    return init.descendants().filter(handle -> commandLine(handle).contains(part)).findFirst();
  }

  private static String commandLine(ProcessHandle handle) {
    try {
      return Files.readString(Path.of("/proc", Long.toString(handle.pid()), "cmdline"));
    } catch (IOException e) {
      return "";
    }
  }

  static void await(String what, BooleanSupplier condition) {
    await(what, Duration.ofSeconds(15), condition);
  }

  static void await(String what, Duration within, BooleanSupplier condition) {
    var deadline = System.nanoTime() + within.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("not within " + within + ": " + what);
      }
      try {
        TimeUnit.MILLISECONDS.sleep(2);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
  }

  @Override
  public void close() throws Exception {
    init.destroyForcibly();
    unshare.waitFor(10, TimeUnit.SECONDS);
  }
}
