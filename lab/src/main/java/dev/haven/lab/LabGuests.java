package dev.haven.lab;

import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.OperationId;
import dev.haven.model.Rule;
import dev.haven.model.Size;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Command;
import dev.haven.model.api.Views;
import dev.haven.templates.DirectKernel;
import dev.haven.templates.GuestParameters;
import dev.haven.templates.GuestTemplate;
import dev.haven.templates.TemplateDisk;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Predicate;

/** Makes a cluster of a lab: its hosts with their BMCs, and guests that boot in a second. */
public final class LabGuests {
  private static final long GUEST_MIB = 128;
  private static final long BARE_MIB = 32;
  private static final Duration POLL = Duration.ofMillis(50);

  private final Lab lab;
  private final LabClient client;
  private final GuestImage image;
  private final Accelerator accelerator;

  public LabGuests(Lab lab, LabClient client) {
    this.lab = lab;
    this.client = client;
    this.image = GuestImage.prepare();
    this.accelerator = lab.form().whole() ? Accelerator.TCG : Accelerator.probe(image);
  }

  public Accelerator accelerator() {
    return accelerator;
  }

  /** Tells the cluster of every host, and waits until all are online. Safe to repeat. */
  public void addHosts(Duration within) {
    addHosts(HostSpec.DEFAULT_CPU_OVERCOMMIT, within);
  }

  /**
   * The same.
   *
   * @param cpuOvercommit virtual per logical processor, at most 64
   */
  public void addHosts(double cpuOvercommit, Duration within) {
    var known = client.status().hosts().stream().map(Views.Host::id).toList();
    for (var host : lab.hosts()) {
      if (!known.contains(host.id())) {
        client.command(new Command.AddHost(describe(host, cpuOvercommit)));
      }
    }
    await(
        "every host to be online",
        within,
        s -> s.hosts().stream().allMatch(h -> h.state() == Views.Host.State.ONLINE));
  }

  private HostSpec describe(LabHost host, double cpuOvercommit) {
    var bmc = host.bmc();
    return new HostSpec(
        host.id(),
        Optional.of(host.uuid().toString()),
        "qemu+tcp://%s/system".formatted(host.migration()),
        List.of(
            new Network("control", host.control(), List.of(Network.Role.CONTROL)),
            new Network(
                "migration",
                host.migration(),
                List.of(Network.Role.MIGRATION, Network.Role.REPLICATION))),
        List.of(
            List.of(
                new FencingDevice(
                    "bmc-" + host.id(),
                    "ipmi",
                    Map.of(
                        "address", bmc.address(),
                        "port", Integer.toString(bmc.port()),
                        "user", bmc.user(),
                        "passwordFile", lab.bmcPassword(host).toString())))),
        Map.of(),
        Optional.empty(),
        HostSpec.DEFAULT_MEMORY_RESERVE_MIB,
        cpuOvercommit);
  }

  /** Creates guests g1, g2, … that do not exist yet, and waits until all run. */
  public List<GuestId> create(int count, Duration within) {
    var known = client.status().guests().stream().map(Views.Guest::id).toList();
    var ids = new ArrayList<GuestId>();
    for (int i = 1; i <= count; i++) {
      var id = new GuestId("g" + i);
      ids.add(id);
      if (!known.contains(id)) {
        client.command(new Command.CreateGuest(describe(id), true));
      }
    }
    awaitRunning(within);
    return ids;
  }

  /**
   * A guest of 128 MiB with a kernel, a small disk and a console in a file, from the template for
   * this machine's accelerator.
   */
  public GuestSpec describe(GuestId id) {
    return describe(
        id, List.of(TemplateDisk.of(lab.disk(id.value()).toString(), TemplateDisk.Format.RAW)));
  }

  /**
   * The same without a disk, so that no file lock of QEMU's keeps a second copy from running, and
   * with a monitor beside libvirt's, for {@link CopiesWatch}.
   */
  public GuestSpec describeWatched(GuestId id) {
    return watched(describe(id, List.of()));
  }

  /**
   * One that signs its disk five times a second, for {@link WritersWatch}. The disk is shareable:
   * no file lock of QEMU's keeps a second copy from writing.
   */
  public GuestSpec describeSigning(GuestId id) {
    var disk = TemplateDisk.of(lab.disk(id.value()).toString(), TemplateDisk.Format.RAW);
    var spec = watched(describe(id, List.of(disk)));
    var word = " haven.guest=" + id;
    return with(
        spec,
        spec.domainXml()
            .replace(word, word + " haven.writes")
            .replaceFirst("(<disk [^>]*device=\"disk\"[^>]*>)", "$1<shareable/>"));
  }

  /**
   * One of 32 MiB without a system, for {@link BootSector}: on this host or nowhere.
   *
   * @param disk what it boots from; the same path inside the host
   */
  public GuestSpec describeBare(GuestId id, Path disk, HostId host) {
    var uuid = uuid(id);
    var parameters =
        GuestParameters.builder(id.value(), Size.ofMib(BARE_MIB), 1)
            .uuid(uuid)
            .disk(TemplateDisk.of(disk.toString(), TemplateDisk.Format.RAW))
            .build();
    return new GuestSpec(
        id,
        uuid.toString(),
        BARE_MIB,
        1,
        0,
        template().render(parameters),
        Map.of(),
        List.of(new Rule.OnHosts(Set.of(host), Map.of(), false, true)),
        GuestSpec.Restart.ANYWHERE,
        GuestSpec.DEFAULT_START_ATTEMPTS);
  }

  private UUID uuid(GuestId id) {
    return UUID.nameUUIDFromBytes((lab.directory() + id.value()).getBytes(StandardCharsets.UTF_8));
  }

  private GuestTemplate template() {
    return GuestTemplate.named(accelerator == Accelerator.KVM ? "kvm-linux" : "qemu-linux");
  }

  private static GuestSpec watched(GuestSpec spec) {
    var monitor =
        """
          <commandline xmlns="http://libvirt.org/schemas/domain/qemu/1.0">
            <arg value="-qmp"/>
            <arg value="unix:%s,server=on,wait=off"/>
          </commandline>
        </domain>\
        """
            .formatted(CopiesWatch.socket(spec.id().value()));
    return with(spec, spec.domainXml().replace("</domain>", monitor));
  }

  private static GuestSpec with(GuestSpec spec, String domainXml) {
    return new GuestSpec(
        spec.id(),
        spec.uuid(),
        spec.memoryMib(),
        spec.vcpus(),
        spec.priority(),
        domainXml,
        spec.labels(),
        spec.rules(),
        spec.restart(),
        spec.startAttempts());
  }

  private GuestSpec describe(GuestId id, List<TemplateDisk> disks) {
    var name = id.value();
    var uuid = uuid(id);
    var parameters =
        GuestParameters.builder(name, Size.ofMib(GUEST_MIB), 1)
            .uuid(uuid)
            .kernel(
                new DirectKernel(
                    image.kernel().toString(),
                    Optional.of(image.initrd().toString()),
                    image.commandLine(name)))
            .consoleLog(lab.console(name).toString());
    disks.forEach(parameters::disk);
    var xml = template().render(parameters.build());
    return new GuestSpec(
        id,
        uuid.toString(),
        GUEST_MIB,
        1,
        0,
        lab.form().whole() ? throughTheOuterMachine(xml) : xml,
        Map.of(),
        List.of(),
        GuestSpec.Restart.ANYWHERE,
        GuestSpec.DEFAULT_START_ATTEMPTS);
  }

  /**
   * The folder that whole machines share lets nobody past its cache. What is written there is in
   * the outer machine's memory at once, so nothing acknowledged is lost with a machine.
   */
  static String throughTheOuterMachine(String xml) {
    return xml.replace("cache=\"none\"", "cache=\"writethrough\"")
        .replace("io=\"native\"", "io=\"threads\"");
  }

  /** Waits until every guest that is wanted runs, on a host that is online. */
  public Views.Status awaitRunning(Duration within) {
    return await(
        "every guest to run",
        within,
        s ->
            s.guests().stream()
                .allMatch(g -> !g.wanted() || g.state() == Views.Guest.State.RUNNING));
  }

  public Views.Status awaitHost(HostId host, Views.Host.State state, Duration within) {
    return await(
        "host %s to be %s".formatted(host, state),
        within,
        s -> s.hosts().stream().anyMatch(h -> h.id().equals(host) && h.state() == state));
  }

  /**
   * Empties the host and lets its watchdog reset it, so that its bound is a proof from then on.
   *
   * @param within for each step of it
   */
  public void relyOnWatchdog(HostId id, Duration within) {
    var boot = host(client.status(), id).boot();
    perform(new Command.Evacuate(id), within);
    await(
        "the watchdog of host %s to be tested".formatted(id),
        within,
        _ ->
            client.attempt(new Command.TestWatchdog(id)) instanceof LabClient.Attempt.Acknowledged);
    await(
        "host %s to be back from its watchdog's reset".formatted(id),
        within,
        s -> {
          var h = host(s, id);
          return h.state() == Views.Host.State.ONLINE
              && h.boot().isPresent()
              && !h.boot().equals(boot);
        });
    client.command(new Command.Uncordon(id));
  }

  private static Views.Host host(Views.Status status, HostId id) {
    return status.hosts().stream().filter(h -> h.id().equals(id)).findFirst().orElseThrow();
  }

  /**
   * Waits until all runs and every voter has been reachable and caught up for a while: voters that
   * have just come back count silences only from their first beats on.
   */
  public void settle(Duration length, Duration within) {
    awaitRunning(within);
    long[] since = {0};
    await(
        "every voter to be reachable",
        within,
        s -> {
          boolean well =
              s.voters().stream().allMatch(v -> v.reachable() && v.lag() >= 0 && v.lag() < 50);
          long now = System.nanoTime();
          since[0] = !well ? 0 : since[0] == 0 ? now : since[0];
          return well && now - since[0] >= length.toNanos();
        });
  }

  /**
   * Gives a command and waits until the operation that it begins is done. @throws LabException if
   * it fails
   */
  public Views.Operation perform(Command command, Duration within) {
    var operation = client.command(command).operation();
    if (operation.isEmpty()) {
      throw new LabException("%s began no operation".formatted(command));
    }
    var ended = ended(operation.get(), within);
    if (ended.state() != Views.Operation.State.DONE) {
      throw new LabException("%s %s: %s".formatted(ended.id(), ended.state(), ended.detail()));
    }
    return ended;
  }

  private Views.Operation ended(OperationId id, Duration within) {
    var status =
        await(
            id + " to end",
            within,
            s -> s.operations().stream().anyMatch(o -> o.id().equals(id) && o.over()));
    return status.operations().stream().filter(o -> o.id().equals(id)).findFirst().orElseThrow();
  }

  /**
   * @throws LabException if it does not come true in time; the message says how things stand
   */
  public Views.Status await(String what, Duration within, Predicate<Views.Status> condition) {
    long deadline = System.nanoTime() + within.toNanos();
    var seen = "no voter answered";
    while (System.nanoTime() - deadline < 0) {
      try {
        var status = client.status();
        if (condition.test(status)) {
          return status;
        }
        seen = summary(status);
      } catch (RuntimeException e) {
        seen = String.valueOf(e.getMessage()); // a voter that is just starting
      }
      try {
        Thread.sleep(POLL);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new LabException("interrupted while waiting for " + what);
      }
    }
    throw new LabException(
        "waited %d s for %s in vain: %s".formatted(within.toSeconds(), what, seen));
  }

  private static String summary(Views.Status status) {
    return "hosts %s, guests %s, alarms %s"
        .formatted(
            status.hosts().stream().map(h -> h.id() + " " + h.state()).toList(),
            status.guests().stream()
                .map(
                    g ->
                        g.id()
                            + " "
                            + g.state()
                            + (g.detail().isEmpty() ? "" : " (" + g.detail() + ")"))
                .toList(),
            status.alarms().stream().map(Alarm::message).toList());
  }
}
