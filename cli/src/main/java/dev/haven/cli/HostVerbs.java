package dev.haven.cli;

import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Size;
import dev.haven.model.api.Command.AcceptHost;
import dev.haven.model.api.Command.AddHost;
import dev.haven.model.api.Command.RemoveHost;
import dev.haven.model.api.Views;
import dev.haven.model.config.Settings;
import dev.haven.model.config.SettingsException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The machines. */
final class HostVerbs {
  private HostVerbs() {}

  @Command(name = "list", description = "Lists all hosts: state, memory, guests.")
  static final class ListAll extends Verb.Listing<Views.Host> {
    ListAll(Haven haven) {
      super(haven);
    }

    @Override
    List<Views.Host> all(Views.Status status) {
      return status.hosts();
    }

    @Override
    Table table(List<Views.Host> all) {
      return dev.haven.cli.Show.hosts(all);
    }

    @Override
    String none() {
      return "No hosts yet. Add one with: haven host add NAME …";
    }
  }

  @Command(
      name = "show",
      description = "Shows one host: state, bound, networks, fencing devices, guests.",
      footer = {"Example:", "  haven host show a"})
  static final class Show extends Verb {
    @Parameters(paramLabel = "HOST", description = "The host.")
    String name = "";

    Show(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var id = new HostId(name);
      var status = haven.cluster().get("/v1/status", Views.Status.class);
      var names = status.hosts().stream().map(h -> h.id().value()).toList();
      var host =
          status.hosts().stream()
              .filter(h -> h.id().equals(id))
              .findFirst()
              .orElseThrow(
                  () ->
                      new Stop(
                          Exit.REFUSED,
                          "host %s: there is none; the hosts are %s"
                              .formatted(id, String.join(", ", names))));
      var devices =
          List.of(haven.cluster().get("/v1/hosts/" + id + "/devices", Views.Device[].class));
      if (!haven.forPeople()) {
        var all = new LinkedHashMap<String, Object>();
        all.put("host", host);
        all.put("devices", devices);
        haven.printData(all);
        return Exit.OK;
      }
      haven.print(dev.haven.cli.Show.hosts(List.of(host)));
      host.waiting().ifPresent(waiting -> haven.print(haven.paint().of("yellow", waiting)));
      haven.print("");
      var spec = host.spec();
      fact("uuid", spec.uuid().orElse("not known"));
      fact("boot", host.boot().orElse("not known"));
      fact("agent", host.agentVersion().orElse("not connected"));
      fact("bound", host.bound().orElse("not known"));
      fact("software", host.capacity().hypervisor());
      fact(
          "machine types",
          host.capacity()
              .machines()
              .map(m -> m.isEmpty() ? "" : "up to " + String.join(" and ", m))
              .orElse("not known"));
      fact("migration", spec.migrationUri());
      fact("failure domain", spec.failureDomain().orElse("-"));
      fact("labels", Rules.text(spec.labels()));
      fact("reserve", Units.mib(spec.memoryReserveMib()) + " of memory");
      fact("overcommit", spec.cpuOvercommit() + " vCPUs on each processor");
      for (var network : spec.networks()) {
        fact("network " + network.name(), network.address() + " " + network.roles());
      }
      if (!devices.isEmpty()) {
        haven.print("");
        haven.print(dev.haven.cli.Show.devices(devices));
      }
      var guests = status.guests().stream().filter(g -> g.host().equals(Optional.of(id))).toList();
      if (!guests.isEmpty()) {
        haven.print("");
        haven.print(dev.haven.cli.Show.guests(guests));
      }
      return Exit.OK;
    }
  }

  @Command(
      name = "add",
      description = "Takes a host into the cluster, or changes how it is described.",
      footer = {
        "Examples:",
        "  haven host add a --migration-uri qemu+tls://10.0.2.1/system \\",
        "    --network control=10.0.1.1 \\",
        "    --network migration=10.0.2.1:migration,replication \\",
        "    --fencing ipmi=ipmi,address=10.0.9.1,user=haven,passwordFile=/etc/a.bmc",
        "  haven host add --file a.yaml",
        "",
        "Two power supplies, both must say off:",
        "  --fencing pdu1=agent,… --fencing pdu2=agent,…",
        "Another way to try when the first fails:",
        "  --fencing 2/ask=manual"
      })
  static final class Add extends Verb.Changing {
    @Parameters(
        paramLabel = "NAME",
        arity = "0..1",
        description = "The host's name, as in its certificate and in agent.yaml. Not with --file.")
    @Nullable String name;

    @Option(
        names = "--file",
        paramLabel = "FILE",
        description = "Read the whole description from this YAML file instead.")
    @Nullable Path file;

    @Option(
        names = "--uuid",
        paramLabel = "UUID",
        description = "The machine's system UUID (dmidecode -s system-uuid).")
    @Nullable String uuid;

    @Option(
        names = "--migration-uri",
        paramLabel = "URI",
        description = "Where other hosts reach its libvirt. Default: qemu+tls://NAME/system.")
    @Nullable String migrationUri;

    @Option(
        names = "--network",
        paramLabel = "NAME=ADDRESS[:ROLE,…]",
        description =
            "A network of the host, and what it is for: control, migration, replication. Default:"
                + " the role that it is named after, else control. May be repeated.")
    List<String> networks = new ArrayList<>();

    @Option(
        names = "--fencing",
        paramLabel = "[LEVEL/]NAME=KIND[,KEY=VALUE…]",
        description =
            "A device that cuts its power; kinds: ipmi, redfish, libvirt, http, command, agent,"
                + " sbd, manual. LEVEL: 1 to 9, 1 is tried first and is the default. May be"
                + " repeated. The keys of each kind: docs/fencing.md.")
    List<String> fencing = new ArrayList<>();

    @Option(
        names = {"-l", "--label"},
        paramLabel = "KEY=VALUE",
        description = "Its label, which guests' rules may name. May be repeated.")
    Map<String, String> labels = new LinkedHashMap<>();

    @Option(
        names = "--failure-domain",
        paramLabel = "NAME",
        description = "The rack, power strip or switch with which it fails.")
    @Nullable String failureDomain;

    @Option(
        names = "--reserve",
        paramLabel = "SIZE",
        description = "Memory kept for the host itself, such as 512MiB. Default: 1GiB.")
    @Nullable String reserve;

    @Option(
        names = "--overcommit",
        paramLabel = "RATIO",
        description =
            "Virtual processors on each processor of the host, above 0, at most 64. Default: 4.")
    double overcommit = HostSpec.DEFAULT_CPU_OVERCOMMIT;

    Add(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new AddHost(spec()));
    }

    private HostSpec spec() {
      if (file != null) {
        try {
          return Settings.read(haven.around.directory().resolve(file), HostSpec.class);
        } catch (SettingsException e) {
          throw new Stop(Exit.USAGE, String.valueOf(e.getMessage()));
        }
      }
      if (name == null) {
        throw new Stop(Exit.USAGE, "which host? Give its NAME or a --file");
      }
      return new HostSpec(
          new HostId(name),
          Optional.ofNullable(uuid),
          migrationUri == null ? "qemu+tls://" + name + "/system" : migrationUri,
          networks.stream().map(HostOptions::network).toList(),
          HostOptions.levels(fencing),
          labels,
          Optional.ofNullable(failureDomain),
          reserve == null ? HostSpec.DEFAULT_MEMORY_RESERVE_MIB : Size.parse(reserve).mib(),
          overcommit);
    }
  }

  @Command(
      name = "accept",
      description =
          "Accepts the machine with this UUID as the host, after its board was exchanged. Until"
              + " then its agent's hello is held; the alarm identity-HOST names the UUID.",
      footer = {
        "Example:",
        "  haven host accept a --uuid 4c4c4544-0034-3010-8048-b4c04f4d4232",
        "",
        "The UUID is that of the machine's firmware: cat /sys/class/dmi/id/product_uuid there.",
        "A machine that has none of its own: --uuid none"
      })
  static final class Accept extends Verb.Changing {
    @Parameters(paramLabel = "HOST", description = "The host.")
    String name = "";

    @Option(
        names = "--uuid",
        paramLabel = "UUID",
        required = true,
        description = "The machine's system UUID, as the alarm names it, or none.")
    String uuid = "";

    Accept(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var host = new HostId(name);
      if (!dryRun) {
        haven.confirm("Is the machine with the UUID " + uuid + " host " + host + "?");
      }
      return change(new AcceptHost(host, uuid));
    }
  }

  @Command(
      name = "remove",
      description =
          "Forgets a host. Refused while a guest of the cluster may run there: evacuate it first.",
      footer = {"Example:", "  haven evacuate a && haven host remove a"})
  static final class Remove extends Verb.Changing {
    @Parameters(paramLabel = "HOST", description = "The host.")
    String name = "";

    Remove(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      if (!dryRun) {
        haven.confirm("Remove host " + name + "?");
      }
      return change(new RemoveHost(new HostId(name)));
    }
  }
}
