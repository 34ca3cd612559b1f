package dev.haven.lab;

import dev.haven.model.HostId;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;

/**
 * A running lab. Everything here may be called from any process of root: what a lab is and does is
 * in its directory and in the kernel, not in this object.
 *
 * <p>Methods throw {@link LabException} when the machine does not do as it is told.
 */
public final class Lab {
  private static final long DISK_BYTES = 8L << 20;

  /** The first answer waits until libvirt has asked QEMU what it can do. */
  private static final Duration LIBVIRT_ANSWER = Duration.ofMinutes(2);

  private final LabPlan plan;
  private final Bmcs bmcs;
  private final Inside inside;

  private Lab(LabPlan plan) {
    this.plan = plan;
    bmcs = new Bmcs(plan, labControl());
    inside = plan.form().whole() ? new OverSsh(plan, labControl()) : new InNamespaces(labControl());
  }

  // ---- up and down ------------------------------------------------------------------------------

  /**
   * Builds the lab, or what is missing of it. Hosts that are off are powered on.
   *
   * @return once every libvirt answers and, if the lab has them, every orchestrator listens
   */
  public static Lab up(LabOptions options, Progress progress) {
    requireRoot();
    var start = System.nanoTime();
    Step step = what -> progress.done(what, Duration.ofNanos(System.nanoTime() - start));
    var directory = options.directory();
    try (var lock = new DirectoryLock(directory)) {
      var before = LabDirectory.readPlan(directory);
      if (before.isPresent() && before.get().form() != options.form()) {
        throw new LabException(
            "the lab in %s is one of another form (%s); haven lab down ends it"
                .formatted(directory, before.get().form().label()));
      }
      var image =
          options.packages().map(packages -> MachineImage.prepare(options.form(), packages, step));
      var number =
          Claims.claim(
              directory,
              before.map(LabPlan::number),
              Leftovers::sweep,
              n -> LabDirectory.writeProperties(plan(n, options)));
      var lab = new Lab(plan(number, options));
      lab.build(options, image, step);
      return lab;
    }
  }

  private static LabPlan plan(int number, LabOptions options) {
    return new LabPlan(
        number,
        options.directory(),
        options.hosts(),
        options.watchdogs(),
        options.witness(),
        options.form());
  }

  /**
   * The lab in this directory, on or not.
   *
   * @throws LabException if there is none
   */
  public static Lab open(Path directory) {
    return find(directory)
        .orElseThrow(() -> new LabException("no lab in " + directory + "; haven lab up makes one"));
  }

  /** The lab in this directory, if there is one. */
  public static Optional<Lab> find(Path directory) {
    return LabDirectory.readPlan(directory.toAbsolutePath().normalize()).map(Lab::new);
  }

  /** Ends everything that belongs to the lab and deletes its directory. Safe to repeat. */
  public void down(Progress progress) {
    requireRoot();
    var start = System.nanoTime();
    try (var lock = new DirectoryLock(plan.directory())) {
      // Another lab may have the number by now, if an earlier down was interrupted after it gave it
      // back.
      if (Claims.isFor(plan.number(), plan.directory())) {
        Leftovers.sweep(plan.number());
        Claims.release(plan.number(), plan.directory());
      }
      LabFiles.deleteTree(plan.directory());
    }
    progress.done("nothing is left", Duration.ofNanos(System.nanoTime() - start));
  }

  interface Step {
    void done(String what);
  }

  private void build(LabOptions options, Optional<MachineImage> image, Step step) {
    new LabDirectory(plan, host -> control(host).path()).write(options);
    image.ifPresent(from -> new MachineFiles(plan).write(from));
    step.done("lab " + plan.number() + " in " + plan.directory() + ": files written");
    buildNetworks();
    step.done(
        "networks "
            + LabPlan.subnet(plan.number(), LabPlan.CONTROL)
            + ".0/24 (control) and "
            + LabPlan.subnet(plan.number(), LabPlan.MIGRATION)
            + ".0/24 (migration)");
    if (plan.form() == LabForm.BARE) {
      var source = new PackageSource(plan, labControl());
      source.write(options.packages().orElseThrow());
      source.start();
      step.done("packages at " + PackageSource.address(plan));
    }
    var deadline = System.nanoTime() + options.within().toNanos();
    Step inTurn =
        what -> {
          synchronized (step) {
            step.done(what);
          }
        };
    try (var pool = Executors.newVirtualThreadPerTaskExecutor()) {
      var all = new ArrayList<Future<?>>();
      for (var host : machines()) {
        if (hosts().contains(host)) {
          all.add(pool.submit(() -> bmcs.start(host)));
        }
        all.add(pool.submit(() -> start(host, options.daemons(), deadline, inTurn)));
      }
      all.forEach(Lab::join);
    }
    if (!plan.form().whole()) {
      Capabilities.keep(plan, hosts().getFirst());
    }
  }

  private void start(LabHost host, boolean daemons, long deadline, Step step) {
    power(host, "on");
    step.done("host " + host.id() + ": powered on");
    if (plan.form().whole()) {
      await(
          "host " + host.id() + " to boot; see " + host.directory() + "/log/console.log",
          remaining(deadline),
          () -> inside.booted(host));
      step.done("host " + host.id() + ": booted, ssh answers");
    }
    if (hosts().contains(host) && plan.form() != LabForm.BARE) {
      awaitLibvirt(host, remaining(deadline));
      step.done("host " + host.id() + ": libvirt answers");
    }
    if (daemons) {
      awaitListening(host, remaining(deadline));
      step.done("host " + host.id() + ": orchestrator listens");
    }
  }

  private static Duration remaining(long deadline) {
    return Duration.ofNanos(Math.max(0, deadline - System.nanoTime()));
  }

  private static void join(Future<?> future) {
    try {
      future.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof LabException failure) {
        throw failure;
      }
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LabException("interrupted; haven lab up goes on, haven lab down clears away", e);
    }
  }

  private void buildNetworks() {
    for (var network : LabPlan.NETWORKS) {
      var bridge = plan.bridge(network);
      if (!Files.exists(Path.of("/sys/class/net", bridge))) {
        MachineTools.run(
            "ip", "link", "add", bridge, "address", plan.bridgeMac(network), "type", "bridge");
      }
      MachineTools.run("ip", "addr", "replace", plan.bridgeAddress(network) + "/24", "dev", bridge);
      MachineTools.run("ip", "link", "set", bridge, "up");
    }
    MachineTools.run(List.of("nft", "-f", "-"), plan.nftRules());
    hosts().forEach(host -> bmcs.apply(host, Bmcs.mode(host)));
  }

  /** Ends the process that is the host's BMC: nobody answers there any more. */
  public void killBmc(HostId id) {
    bmcs.kill(host(id));
  }

  /**
   * Starts the host's BMC again, so that it tells its system GUID, or only zeros. Then only a test
   * on record shows that it is this host's.
   */
  public void bmcTellsIdentity(HostId id, boolean identity) {
    var host = host(id);
    killBmc(id);
    try {
      Bmcs.describe(host, identity);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    bmcs.start(host);
  }

  /** Starts the host's BMC unless it runs; returns once it answers, or at once if it is to hang. */
  public void startBmc(HostId id) {
    bmcs.start(host(id));
  }

  private void awaitLibvirt(LabHost host, Duration within) {
    await(
        "libvirt on host " + host.id() + "; see " + host.directory() + "/log/libvirtd.log",
        within,
        () ->
            inside.booted(host)
                && inHost(
                        host.id(),
                        LIBVIRT_ANSWER,
                        "virsh",
                        "-c",
                        "qemu:///system",
                        "-q",
                        "domcapabilities")
                    .ok());
  }

  private static void awaitListening(LabHost host, Duration within) {
    await(
        "the orchestrator of host "
            + host.id()
            + "; see "
            + host.directory()
            + "/log/orchestrator.log",
        within,
        () -> {
          try (var socket = new Socket()) {
            socket.connect(new InetSocketAddress(host.control(), LabPlan.API_PORT), 500);
            return true;
          } catch (IOException e) {
            return false;
          }
        });
  }

  // ---- power ------------------------------------------------------------------------------------

  /** Whether any process of the host lives, whatever its BMC says. */
  public boolean isOn(HostId id) {
    return control(host(id)).populated();
  }

  /** Orders the host's BMC, by IPMI as fencing does, to switch off; returns once it is off. */
  public void powerOff(HostId id) {
    switchByBmc(id, "off", false);
  }

  /** Orders the host's BMC, by IPMI, to switch on; returns once commands can be run in the host. */
  public void powerOn(HostId id) {
    switchByBmc(id, "on", true);
    await("host " + id + " to boot", patience(), () -> inside.booted(host(id)));
  }

  /** What nothing takes longer than in this lab, on a machine with its hands full. */
  public Duration patience() {
    return plan.form().whole() ? Duration.ofMinutes(5) : Duration.ofSeconds(90);
  }

  /** What the hosts are. */
  public LabForm form() {
    return plan.form();
  }

  /** For {@code ssh -F}: how each whole machine is entered, by its name. */
  public Path sshConfig() {
    return plan.sshConfig();
  }

  /** Where a voter reads the password of this host's BMC. */
  Path bmcPassword(LabHost host) {
    return plan.bmcPassword(host);
  }

  MachineTools.Result ipmi(LabHost host, String... command) {
    return bmcs.ipmi(host, command);
  }

  /** Presses the host's power button, whatever its BMC does; nothing if it is on. */
  public void pressPower(HostId id) {
    power(host(id), "on");
  }

  private void switchByBmc(HostId id, String verb, boolean on) {
    var host = host(id);
    var answer = bmcs.ipmi(host, "chassis", "power", verb);
    if (!answer.ok()) {
      throw new LabException(
          "the BMC of host " + id + " did not switch " + verb + ": " + answer.output().strip());
    }
    await("host " + id + " to be " + verb, Bmcs.LIMIT, () -> isOn(id) == on);
  }

  /**
   * Cuts the host's power without asking its BMC: first the links drop, so that no FIN or RST
   * leaves, then all its processes die. Its BMC goes on answering.
   *
   * @return when the links had dropped
   */
  public ClockReading cutPower(HostId id) {
    var host = host(id);
    MachineTools.run(
        List.of("ip", "-force", "-batch", "-"),
        LabPlan.NETWORKS.stream()
            .map(
                network ->
                    "link set dev %s %s\n"
                        .formatted(plan.port(host.id(), network), plan.unplugged()))
            .reduce("", String::concat));
    var moment = ClockReading.now();
    power(host, "off");
    return moment;
  }

  private void power(LabHost host, String verb) {
    MachineTools.run(
        plan.directory().resolve("power.sh").toString(), host.directory().toString(), verb);
  }

  // ---- faults -----------------------------------------------------------------------------------

  /** Silences the host on both networks and freezes all its processes, as a kernel that hangs. */
  public ClockReading hang(HostId id) {
    var host = host(id);
    requireOn(host);
    var moment = ClockReading.now();
    LabFiles.touch(host.directory().resolve("hung"));
    power(host, "ports");
    var group = control(host);
    group.freeze(true);
    await("host " + id + " to freeze", Duration.ofSeconds(10), group::frozen);
    return moment;
  }

  /**
   * Lets nothing through between the host and the rest of the lab, its BMC included, in either
   * direction; the host's links stay up. Outlives a power cycle, until {@link #heal(HostId)}.
   *
   * @param network one network, or empty for all
   */
  public ClockReading cut(HostId id, Optional<String> network) {
    var host = host(id);
    network.ifPresent(Lab::requireNetwork);
    var moment = ClockReading.now();
    for (var name : network.map(List::of).orElse(LabPlan.NETWORKS)) {
      LabFiles.touch(host.directory().resolve("cut-" + name));
    }
    power(host, "ports");
    return moment;
  }

  /** Hosts do not reach each other any more, but their BMCs and the address of the bridge. */
  public ClockReading split() {
    LabFiles.touch(plan.directory().resolve("split"));
    var moment = ClockReading.now();
    machines().forEach(host -> power(host, "ports"));
    return moment;
  }

  /** Ends a hang and every cut of this host. */
  public void heal(HostId id) {
    var host = host(id);
    var group = control(host);
    try {
      Files.deleteIfExists(host.directory().resolve("hung"));
      for (var network : LabPlan.NETWORKS) {
        Files.deleteIfExists(host.directory().resolve("cut-" + network));
      }
    } catch (IOException e) {
      throw new LabException("cannot heal host " + id + ": " + e.getMessage(), e);
    }
    if (group.exists()) {
      group.freeze(false);
    }
    power(host, "ports");
  }

  /** Ends every hang and cut. */
  public void heal() {
    try {
      Files.deleteIfExists(plan.directory().resolve("split"));
    } catch (IOException e) {
      throw new LabException("cannot join the hosts again: " + e.getMessage(), e);
    }
    machines().stream().map(LabHost::id).forEach(this::heal);
  }

  /** Kills a daemon; its supervisor starts it again after a second. */
  public ClockReading kill(HostId id, Daemon daemon) {
    return signal(id, daemon, "KILL");
  }

  /** Kills a daemon, which is not started again until {@link #bringUp}: also by no boot. */
  public void takeDown(HostId id, Daemon daemon) {
    inside.takeDown(host(id), daemon);
  }

  /** Starts what {@link #takeDown} has ended. */
  public void bringUp(HostId id, Daemon daemon) {
    inside.bringUp(host(id), daemon);
  }

  /** Stops a daemon as SIGSTOP does. */
  public ClockReading stop(HostId id, Daemon daemon) {
    return signal(id, daemon, "STOP");
  }

  /** Lets a stopped daemon go on. */
  public ClockReading cont(HostId id, Daemon daemon) {
    return signal(id, daemon, "CONT");
  }

  private ClockReading signal(HostId id, Daemon daemon, String signal) {
    var moment = ClockReading.now();
    inside.signal(host(id), daemon, signal);
    return moment;
  }

  static void signal(long pid, String signal) {
    MachineTools.run("bash", "-c", "kill -" + signal + " " + pid); // no package needed
  }

  /** Makes the host's BMC behave like this from now on. */
  public void bmc(HostId id, BmcMode mode) {
    var host = host(id);
    try {
      bmcs.set(host, mode);
    } catch (IOException e) {
      throw new LabException("cannot set the BMC of host " + id + ": " + e.getMessage(), e);
    }
  }

  // ---- looking ----------------------------------------------------------------------------------

  int number() {
    return plan.number();
  }

  String prefix() {
    return plan.prefix();
  }

  List<String> ports(HostId id) {
    return LabPlan.NETWORKS.stream().map(network -> plan.port(id, network)).toList();
  }

  Optional<Long> init(HostId id) {
    return control(host(id)).init();
  }

  public Path directory() {
    return plan.directory();
  }

  public List<LabHost> hosts() {
    return plan.labHosts();
  }

  /** The hosts, and the witness if there is one. */
  public List<LabHost> machines() {
    return plan.machines();
  }

  /**
   * @throws LabException if the lab has no such host
   */
  public LabHost host(HostId id) {
    return machines().stream()
        .filter(h -> h.id().equals(id))
        .findFirst()
        .orElseThrow(
            () -> new LabException("no host " + id + " in this lab; it has " + plan.hostIds()));
  }

  /** Where guests' disks and consoles are; the same path inside every host. */
  public Path shared() {
    return plan.shared();
  }

  /** What a guest writes to its serial console. */
  public Path console(String guest) {
    return shared().resolve(guest + ".console");
  }

  /** All that the guest has written to its console; empty if nothing. */
  public String consoleText(String guest) {
    return ConsoleWatch.text(console(guest));
  }

  /**
   * The guest's disk, 8 MiB, raw; made empty if it does not exist.
   *
   * @param guest its name, as in a file name
   */
  public Path disk(String guest) {
    var disk = shared().resolve(guest + ".raw");
    if (!Files.exists(disk)) {
      try (var file = new RandomAccessFile(disk.toFile(), "rw")) {
        file.setLength(DISK_BYTES);
      } catch (IOException e) {
        throw new LabException("cannot make " + disk + ": " + e.getMessage(), e);
      }
    }
    return disk;
  }

  /** The id of the host's present or last boot. */
  public String boot(HostId id) {
    try {
      return Files.readString(host(id).directory().resolve("boot-id")).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Every process of the host, as seen from outside. */
  public List<Long> processes(HostId id) {
    return control(host(id)).processes();
  }

  /** The configuration with which the CLI talks to this lab's orchestrators. */
  public Path cliConfig() {
    return plan.cliConfig();
  }

  /**
   * A log of one host: agent, orchestrator, libvirtd, boot, bmc or ipmi_sim. A whole machine has
   * one for all that runs in it, its console.
   */
  public Path log(HostId id, String name) {
    boolean own = !plan.form().whole() || name.equals("bmc") || name.equals("ipmi_sim");
    return host(id).directory().resolve("log").resolve((own ? name : "console") + ".log");
  }

  /** Copies the logs of all hosts and the guests' consoles to a directory. */
  public void saveLogs(Path to) {
    try {
      for (var host : hosts()) {
        LabFiles.copyTree(host.directory().resolve("log"), to.resolve(host.id().value()));
      }
      try (var consoles = Files.newDirectoryStream(shared(), "*.console")) {
        for (var console : consoles) {
          Files.copy(
              console, to.resolve(console.getFileName()), StandardCopyOption.REPLACE_EXISTING);
        }
      }
    } catch (IOException e) {
      throw new LabException("cannot copy the lab's logs to " + to + ": " + e.getMessage(), e);
    }
  }

  /** The daemon's pid if it runs: as seen from outside, or inside of a whole machine. */
  public Optional<Long> pid(HostId id, Daemon daemon) {
    return Optional.ofNullable(inside.daemons(host(id)).get(daemon)).map(LabStatus.Process::pid);
  }

  public LabStatus status() {
    return new LabStatus(hosts().stream().map(this::status).toList());
  }

  private LabStatus.Host status(LabHost host) {
    var group = control(host);
    var report = inside.report(host);
    return new LabStatus.Host(
        host.id(),
        group.populated(),
        group.frozen(),
        LabPlan.NETWORKS.stream()
            .filter(network -> Files.exists(host.directory().resolve("cut-" + network)))
            .toList(),
        Bmcs.mode(host),
        report.daemons(),
        report.guests());
  }

  /**
   * Runs a command inside a host, as its root would.
   *
   * @throws LabException if the host is off or the command takes longer than {@code limit}
   */
  public HostCommand inHost(HostId id, Duration limit, String... command) {
    return inside.run(host(id), limit, Arrays.asList(command));
  }

  /** How a command inside a host ended, with all that it printed. */
  public record HostCommand(int exit, String output) {
    public boolean ok() {
      return exit == 0;
    }
  }

  // ---- parts ------------------------------------------------------------------------------------

  private Control labControl() {
    return new Control(Control.mount()).child(LabPlan.controlGroup(plan.number()));
  }

  private Control control(LabHost host) {
    return labControl().child(host.id().value());
  }

  private void requireOn(LabHost host) {
    if (!control(host).populated()) {
      throw new LabException("host " + host.id() + " is off; haven lab power on " + host.id());
    }
  }

  private static void requireNetwork(String network) {
    if (!LabPlan.NETWORKS.contains(network)) {
      throw new LabException("no network " + network + " in the lab; it has " + LabPlan.NETWORKS);
    }
  }

  private static void requireRoot() {
    if (!isRoot()) {
      throw new LabException(
          "the lab builds namespaces and needs root; try sudo, or haven demo --simulated");
    }
  }

  /** Whether this process may build a lab. */
  public static boolean isRoot() {
    try {
      return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
    } catch (IOException e) {
      return false;
    }
  }

  /**
   * Waits until the condition holds, looking every 20 ms.
   *
   * @throws LabException if it does not within that time, or on an interrupt
   */
  public static void await(String what, Duration within, BooleanSupplier condition) {
    var deadline = System.nanoTime() + within.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new LabException("waited %.1f s for %s".formatted(within.toMillis() / 1000.0, what));
      }
      try {
        Thread.sleep(20);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new LabException("interrupted while waiting for " + what, e);
      }
    }
  }
}
