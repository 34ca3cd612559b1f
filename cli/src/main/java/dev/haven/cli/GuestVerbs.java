package dev.haven.cli;

import dev.haven.lab.Lab;
import dev.haven.lab.LabOptions;
import dev.haven.model.DomainXml;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HealthCheck;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.Rule;
import dev.haven.model.Size;
import dev.haven.model.api.Command.CreateGuest;
import dev.haven.model.api.Command.EditGuest;
import dev.haven.model.api.Command.RemoveGuest;
import dev.haven.model.api.Command.StartGuest;
import dev.haven.model.api.Command.StopGuest;
import dev.haven.model.api.Views;
import dev.haven.model.config.Settings;
import dev.haven.model.config.SettingsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The virtual machines. */
final class GuestVerbs {
  private GuestVerbs() {}

  @Command(name = "list", description = "Lists all guests: state, host, memory.")
  static final class ListAll extends Verb.Listing<Views.Guest> {
    ListAll(Haven haven) {
      super(haven);
    }

    @Override
    List<Views.Guest> all(Views.Status status) {
      return status.guests();
    }

    @Override
    Table table(List<Views.Guest> all) {
      return dev.haven.cli.Show.guests(all);
    }

    @Override
    String none() {
      return "No guests yet. Create one with: haven guest create NAME …";
    }
  }

  @Command(
      name = "show",
      description = "Shows one guest: state, holders, rules, health, restarts.",
      footer = {"Examples:", "  haven guest show web", "  haven guest show web --xml >web.xml"})
  static final class Show extends Verb {
    @Parameters(paramLabel = "GUEST", description = "The guest.")
    String name = "";

    @Option(
        names = "--xml",
        description = "Print only its domain XML, libvirt's description of it.")
    boolean xml;

    @Option(
        names = "--secrets",
        description = "Show the passwords in its XML, which are (hidden) otherwise.")
    boolean secrets;

    Show(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var guest = new GuestId(name);
      var answer = haven.cluster().get("/v1/guests/" + guest + (secrets ? "?secrets=true" : ""));
      if (!haven.forPeople() && !xml) {
        haven.printData(answer.body());
        return Exit.OK;
      }
      var detail = answer.as(Views.GuestDetail.class);
      var spec = detail.spec();
      if (xml) {
        haven.print(spec.domainXml().stripTrailing());
        return Exit.OK;
      }
      haven.print(dev.haven.cli.Show.guests(List.of(detail.guest())));
      haven.print("");
      fact("uuid", spec.uuid());
      fact("wanted", detail.guest().wanted() ? "running" : "stopped");
      fact("machine type", spec.machine().orElse("not pinned"));
      fact("epoch", Long.toString(detail.guest().epoch()));
      fact(
          "could run on",
          detail.holders().stream().map(HostId::value).collect(Collectors.joining(", ")));
      fact("labels", Rules.text(spec.labels()));
      fact("rules", spec.rules().stream().map(Rules::text).collect(Collectors.joining(", ")));
      fact("after a crash", spec.restart().name().toLowerCase(Locale.ROOT));
      if (spec.restart() != GuestSpec.Restart.NEVER) {
        fact("restarts", Recovery.text(spec.restarts()));
      }
      fact("health check", Recovery.text(spec.health().orElse(HealthCheck.NONE)));
      detail
          .health()
          .ifPresent(
              h -> fact("health", h.verdict().name().toLowerCase(Locale.ROOT) + ": " + h.detail()));
      fact("start attempts", Integer.toString(spec.startAttempts()));
      return Exit.OK;
    }
  }

  @Command(
      name = "explain",
      description = "Says why a guest runs where it runs: every host, best first, with reasons.",
      footer = {"Example:", "  haven explain web"})
  static final class Explain extends Verb {
    @Parameters(paramLabel = "GUEST", description = "The guest.")
    String name = "";

    Explain(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var guest = new GuestId(name);
      var answer = haven.cluster().get("/v1/guests/" + guest + "/explain");
      if (!haven.forPeople()) {
        haven.printData(answer.body());
        return Exit.OK;
      }
      var explanation = answer.as(Views.Explanation.class);
      haven.print(explanation.summary());
      haven.print("");
      var table = new Table().column("HOST").column("FITS").number("SCORE").column("REASONS");
      for (var candidate : explanation.hosts()) {
        table.row(
            candidate.host(),
            candidate.fits() ? new Table.Cell("yes", "green") : new Table.Cell("no", "red"),
            candidate.fits() ? String.format(Locale.ROOT, "%.2f", candidate.score()) : "-",
            String.join("; ", candidate.reasons()));
      }
      haven.print(table);
      return Exit.OK;
    }
  }

  /** What {@code create} and {@code edit} both take. */
  static final class SpecOptions {
    @Option(
        names = "--memory",
        paramLabel = "SIZE",
        description = "Its memory, such as 512MiB or 2GiB; 1MiB to 64TiB.")
    @Nullable String memory;

    @Option(names = "--cpus", paramLabel = "N", description = "Its virtual processors, 1 to 4096.")
    @Nullable Integer cpus;

    @Option(
        names = "--priority",
        paramLabel = "N",
        description = "Guests with a larger one start first; -1000 to 1000. Default: 0.")
    @Nullable Integer priority;

    @Option(
        names = {"-l", "--label"},
        paramLabel = "KEY=VALUE",
        description = "Its label, which rules may name. May be repeated.")
    Map<String, String> labels = new LinkedHashMap<>();

    @Option(
        names = "--rule",
        paramLabel = "RULE",
        description = {
          "Where it may run; may be repeated. HOST,… may be LABEL=VALUE too: hosts with this"
              + " label.",
          "on:HOST,…: only there",
          "off:HOST,…: never there",
          "together:LABEL=VALUE: on the host of the guests with this label",
          "apart:LABEL=VALUE: on no host that runs a guest with this label",
          "prefer-on, prefer-off, prefer-together, prefer-apart, prefer-follows: a wish only",
          "failback:HOST,…: a wish, and back there once that host is well again",
          "after:GUEST,…: starts once they run",
          "follows:GUEST: on the host of that guest, and moves after it",
          "partial:yes: the same as --partial"
        })
    List<String> rules = new ArrayList<>();

    @Option(
        names = "--partial",
        description =
            "If no host fits all guests that must stay together, start the most important that fit"
                + " on one. The same as --rule partial:yes.")
    boolean partial;

    @Option(
        names = "--restart",
        paramLabel = "POLICY",
        description = "Where it starts again after a crash: anywhere or never. Default: anywhere.")
    GuestSpec.@Nullable Restart restart;

    @Option(
        names = "--restarts",
        paramLabel = "in-place=N,within=TIME,elsewhere=N,after-power-off=yes|no",
        description =
            "How often it is restarted after it crashed or was unhealthy. in-place: restarts on the"
                + " same host within that time, 0 to 100 (3). within: 1s to 7d (10m). elsewhere:"
                + " restarts on another host after those, 0 to 100 (2); then it is left failed."
                + " after-power-off: also if it was powered off from inside (no). Default:"
                + " unlimited.")
    @Nullable String restarts;

    @Option(
        names = "--health",
        paramLabel = "guest-agent[,period=TIME][,misses=N]",
        description =
            "Ping its guest agent (qemu-guest-agent). period: time between two pings, 5s to 10m"
                + " (10s). misses: pings without an answer, in a row, after which it is unhealthy,"
                + " 2 to 100 (3); counted once it has answered. Default: none, no pings.")
    @Nullable String health;

    @Option(
        names = "--unhealthy",
        paramLabel = "alarm|restart",
        description =
            "What follows when it is unhealthy, or its watchdog fires with --watchdog none:"
                + " alarm only, or restart as after a crash. Default: alarm.")
    @Nullable Unhealthy unhealthy;

    /** What follows when a guest is unhealthy. */
    enum Unhealthy {
      ALARM,
      RESTART
    }

    @Option(
        names = "--start-attempts",
        paramLabel = "N",
        description = "Failed starts in a row before it is left failed, 1 to 10. Default: 3.")
    @Nullable Integer startAttempts;

    @Option(
        names = "--xml",
        paramLabel = "FILE",
        description = "A file with its domain XML, libvirt's description of it.")
    @Nullable Path xml;

    boolean any() {
      return memory != null
          || cpus != null
          || priority != null
          || !labels.isEmpty()
          || !rules.isEmpty()
          || partial
          || restart != null
          || restarts != null
          || health != null
          || unhealthy != null
          || startAttempts != null
          || xml != null;
    }

    /** What is given here, and otherwise what {@code old} says. */
    GuestSpec over(GuestSpec old, DomainXml domain) {
      if (memory != null) {
        domain.setMemoryMib(Size.parse(memory).mib());
      }
      if (cpus != null) {
        domain.setVcpus(cpus);
      }
      domain.setName(old.id().value());
      domain.setUuid(old.uuid());
      var allLabels = new LinkedHashMap<>(old.labels());
      labels.forEach(
          (key, value) -> {
            if (value.isEmpty()) {
              allLabels.remove(key);
            } else {
              allLabels.put(key, value);
            }
          });
      return new GuestSpec(
          old.id(),
          old.uuid(),
          domain.memoryMib().orElseThrow(() -> missing("memory", "--memory 2GiB")),
          domain.vcpus().orElseThrow(() -> missing("vcpu", "--cpus 2")),
          priority == null ? old.priority() : priority,
          domain.text(),
          allLabels,
          rules(old),
          restart == null ? old.restart() : restart,
          startAttempts == null ? old.startAttempts() : startAttempts,
          restarts == null ? old.restarts() : Recovery.limits(restarts),
          check(old.health()));
    }

    private List<Rule> rules(GuestSpec old) {
      var all =
          new ArrayList<>(
              rules.isEmpty() ? old.rules() : rules.stream().map(Rules::parse).toList());
      if (partial && all.stream().noneMatch(Rule.Partial.class::isInstance)) {
        all.add(new Rule.Partial());
      }
      return all;
    }

    private Optional<HealthCheck> check(Optional<HealthCheck> old) {
      if (health == null && unhealthy == null) {
        return old;
      }
      var before = old.orElse(HealthCheck.NONE);
      return Optional.of(
          new HealthCheck(
              health == null ? before.guestAgent() : Recovery.ping(health),
              unhealthy == null ? before.restart() : unhealthy == Unhealthy.RESTART));
    }

    private static Stop missing(String tag, String option) {
      return new Stop(
          Exit.USAGE, "its XML has no <%s>: add it there, or %s".formatted(tag, option));
    }

    String read(Haven haven, Path file) {
      try {
        return Files.readString(haven.around.directory().resolve(file));
      } catch (IOException e) {
        throw new Stop(Exit.USAGE, file + ": cannot be read (" + e + ")");
      }
    }
  }

  @Command(
      name = "create",
      description = {
        "Takes a guest into the cluster and starts it.",
        "Needs --xml, or --template with --memory and --cpus."
      },
      footer = {
        "Templates: kvm-linux, qemu-linux, kvm-windows, xen-pv, xen-pvh, xen-hvm, or a file.",
        "",
        "Examples:",
        "  haven guest create web --template kvm-linux --memory 2GiB --cpus 2 \\",
        "    --disk /srv/guests/web.qcow2,format=qcow2 --network bridge=br0",
        "  haven guest create db2 --xml db2.xml --label app=db --rule apart:app=db",
        "  haven guest create mail --template kvm-linux --memory 4GiB --cpus 2 --watchdog none \\",
        "    --disk /srv/guests/mail.qcow2 --health guest-agent --unhealthy restart \\",
        "    --restarts in-place=2,within=1h,elsewhere=1"
      })
  static final class Create extends Verb.Operating {
    @Parameters(paramLabel = "NAME", description = "The new guest's name; unique in the cluster.")
    String name = "";

    @Mixin final SpecOptions options = new SpecOptions();

    @Mixin final TemplateOptions template = new TemplateOptions();

    @Option(names = "--no-start", description = "Take it in and leave it stopped.")
    boolean noStart;

    Create(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new CreateGuest(spec(), !noStart));
    }

    private GuestSpec spec() {
      var id = new GuestId(name);
      if ((options.xml == null) == (template.name == null)) {
        throw new Stop(
            Exit.USAGE, "guest %s: what is it? Give either --template or --xml".formatted(id));
      }
      var domain =
          options.xml == null
              ? DomainXml.parse(
                  "template " + template.name, template.render(id, options.memory, options.cpus))
              : DomainXml.parse(options.xml.toString(), options.read(haven, options.xml));
      var base =
          new GuestSpec(
              id,
              domain.uuid().orElseGet(() -> UUID.randomUUID().toString()),
              1,
              1,
              0,
              "",
              Map.of(),
              List.of(),
              GuestSpec.Restart.ANYWHERE,
              GuestSpec.DEFAULT_START_ATTEMPTS);
      return options.over(base, domain);
    }
  }

  @Command(
      name = "edit",
      description = {
        "Changes a guest's description: at once for placement, at its next start for libvirt.",
        "What no option names stays as it is; defaults are those of a new guest.",
        "Without options it opens $VISUAL or $EDITOR. --label KEY= removes a label."
      },
      footer = {
        "Examples:",
        "  haven guest edit web --memory 4GiB --priority 20",
        "  haven guest edit web"
      })
  static final class Edit extends Verb.Changing {
    @Parameters(paramLabel = "GUEST", description = "The guest.")
    String name = "";

    @Mixin final SpecOptions options = new SpecOptions();

    Edit(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var id = new GuestId(name);
      var old =
          haven.cluster().get("/v1/guests/" + id + "?secrets=true", Views.GuestDetail.class).spec();
      GuestSpec edited;
      if (options.any()) {
        var xml = options.xml;
        edited =
            options.over(
                old,
                xml == null
                    ? DomainXml.parse("guest " + id, old.domainXml())
                    : DomainXml.parse(xml.toString(), options.read(haven, xml)));
      } else {
        edited = new Editor(haven).edit(old);
      }
      if (edited.equals(old)) {
        haven.print("guest " + id + ": nothing is different");
        return Exit.OK;
      }
      return change(new EditGuest(edited));
    }
  }

  /** Lets a person change a guest as YAML, until it is right or they give up. */
  private record Editor(Haven haven) {
    GuestSpec edit(GuestSpec old) {
      if (!haven.around.inIsTerminal()) {
        throw new Stop(Exit.USAGE, "nobody is there to edit; say what to change by options");
      }
      try {
        var file = Files.createTempFile("haven-" + old.id() + "-", ".yaml");
        Files.writeString(file, Yaml.of(Json.mapper().valueToTree(old)));
        while (true) {
          open(file);
          try {
            var edited = Settings.read(file, GuestSpec.class);
            if (!edited.id().equals(old.id()) || !edited.uuid().equals(old.uuid())) {
              throw new Stop(Exit.USAGE, "id and uuid never change; create another guest instead");
            }
            Files.delete(file);
            return edited;
          } catch (SettingsException | Stop wrong) {
            haven.say("haven: " + wrong.getMessage());
            if (haven.ask("Edit again? [Y/n]", "").toLowerCase(Locale.ROOT).startsWith("n")) {
              throw new Stop(Exit.USAGE, "nothing was changed; your text is in " + file);
            }
          }
        }
      } catch (IOException e) {
        throw new Stop(Exit.FAILED, "cannot edit: " + e);
      }
    }

    private void open(Path file) throws IOException {
      var environment = haven.around.environment();
      var editor = environment.getOrDefault("VISUAL", environment.getOrDefault("EDITOR", "vi"));
      try {
        // EDITOR may have options of its own, so a shell splits it as every other program does
        int exit =
            new ProcessBuilder("sh", "-c", editor + " \"$1\"", "sh", file.toString())
                .inheritIO()
                .start()
                .waitFor();
        if (exit != 0) {
          throw new Stop(Exit.FAILED, "the editor '%s' ended with %d".formatted(editor, exit));
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new Stop(Exit.INTERRUPTED, "interrupted");
      }
    }
  }

  @Command(
      name = "start",
      description = "Starts a guest, and keeps it running from now on.",
      footer = {"Example:", "  haven guest start web"})
  static final class Start extends Verb.Operating {
    @Parameters(paramLabel = "GUEST", description = "The guest.")
    String name = "";

    Start(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new StartGuest(new GuestId(name)));
    }
  }

  @Command(
      name = "stop",
      description = "Asks a guest to shut down, and keeps it stopped from now on.",
      footer = {"Examples:", "  haven guest stop web", "  haven guest stop web --force"})
  static final class StopIt extends Verb.Operating {
    @Parameters(paramLabel = "GUEST", description = "The guest.")
    String name = "";

    @Option(
        names = "--grace",
        paramLabel = "TIME",
        description =
            "How long it may take to shut down before its power is cut; 0s or more. Default: 60s.")
    Duration grace = Duration.ofSeconds(60);

    @Option(names = "--force", description = "Cut its power at once: like --grace 0s.")
    boolean force;

    StopIt(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new StopGuest(new GuestId(name), force ? Duration.ZERO : grace));
    }
  }

  @Command(
      name = "remove",
      description = "Forgets a stopped guest. Its disks stay.",
      footer = {"Example:", "  haven guest stop web && haven guest remove web"})
  static final class Remove extends Verb.Changing {
    @Parameters(paramLabel = "GUEST", description = "The guest.")
    String name = "";

    Remove(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      if (!dryRun) {
        haven.confirm("Remove guest " + name + "? Its disks stay.");
      }
      return change(new RemoveGuest(new GuestId(name)));
    }
  }

  @Command(
      name = "console",
      description =
          "Opens a guest's serial console through virsh; ^] leaves it. Of a lab's guest it shows"
              + " what is written there, until ^C.",
      footer = {"Example:", "  haven guest console web"})
  static final class Console extends Verb {
    @Parameters(paramLabel = "GUEST", description = "The guest.")
    String name = "";

    @Option(
        names = "--uri",
        paramLabel = "URI",
        description = "The libvirt to connect to. Default: the migration URI of the guest's host.")
    @Nullable String uri;

    Console(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var id = new GuestId(name);
      var status = haven.cluster().get("/v1/status", Views.Status.class);
      var guest =
          status.guests().stream()
              .filter(g -> g.id().equals(id))
              .findFirst()
              .orElseThrow(
                  () ->
                      new Stop(
                          Exit.REFUSED,
                          "guest %s: there is none; see haven guest list".formatted(id)));
      var host =
          guest
              .host()
              .orElseThrow(
                  () ->
                      new Stop(
                          Exit.REFUSED,
                          "guest %s is %s and on no host".formatted(id, guest.state())));
      var where =
          uri != null
              ? uri
              : status.hosts().stream()
                  .filter(h -> h.id().equals(host))
                  .map(h -> h.spec().migrationUri())
                  .findFirst()
                  .orElse("qemu:///system");
      var log = uri == null ? labConsole(id, where) : Optional.<Path>empty();
      if (log.isPresent()) {
        return new Programs(haven).run("tail", "-n", "25", "-F", log.get().toString());
      }
      return new Programs(haven).run("virsh", "-c", where, "console", id.value());
    }

    /** A lab's guests write their consoles to files, and nobody can type into them. */
    private Optional<Path> labConsole(GuestId id, String migrationUri) {
      return Lab.find(LabOptions.defaultDirectory(haven.around.environment()))
          .filter(lab -> lab.hosts().stream().anyMatch(h -> migrationUri.contains(h.migration())))
          .map(lab -> lab.console(id.value()))
          .filter(Files::exists);
    }
  }
}
