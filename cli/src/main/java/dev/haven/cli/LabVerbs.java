package dev.haven.cli;

import dev.haven.lab.BmcMode;
import dev.haven.lab.Daemon;
import dev.haven.lab.Demo;
import dev.haven.lab.Lab;
import dev.haven.lab.LabClient;
import dev.haven.lab.LabException;
import dev.haven.lab.LabForm;
import dev.haven.lab.LabGuests;
import dev.haven.lab.LabOptions;
import dev.haven.model.HostId;
import dev.haven.model.api.Incident;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import dev.haven.simulator.SimulatedDemo;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** A whole cluster of real parts on this machine, to learn on, to break and to measure. */
final class LabVerbs {
  private LabVerbs() {}

  /** Where this program's own jars are: the lab's hosts run from the same. */
  static Path jars() {
    try {
      var jar = Path.of(Main.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      return java.util.Objects.requireNonNull(jar.getParent(), "a jar lies in a directory");
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  static LabOptions options(int hosts) {
    return LabOptions.defaults().withHosts(hosts).withDaemons(jars());
  }

  /** The same of whole machines, from the packages that {@code ./haven} has made for them. */
  static LabOptions machines(LabForm form, int hosts) {
    return options(hosts).withMachines(form, jars().resolveSibling("packages"));
  }

  /** The lab's cluster through the client of all verbs. */
  static LabClient client(Haven haven, Lab lab) {
    haven.useLab(lab.cliConfig());
    return new LabClient() {
      @Override
      public Reply.Accepted command(dev.haven.model.api.Command command) {
        return haven.cluster().command(command, false);
      }

      @Override
      public Attempt attempt(dev.haven.model.api.Command command) {
        try {
          return new Attempt.Acknowledged(command(command));
        } catch (Stop e) {
          return switch (e.exit()) {
            case REFUSED, UNREACHABLE -> new Attempt.Refused(e.text());
            default -> new Attempt.Unknown(e.text());
          };
        }
      }

      @Override
      public Views.Status status() {
        return haven.cluster().get("/v1/status", Views.Status.class);
      }

      @Override
      public List<Incident> incidents() {
        return List.of(haven.cluster().get("/v1/incidents", Incident[].class));
      }

      @Override
      public List<Views.Event> events(long since) {
        return Arrays.asList(
            haven.cluster().get("/v1/events?since=" + since + "&limit=5000", Views.Event[].class));
      }
    };
  }

  /** Runs something on the lab and turns its failures into an end with a message. */
  abstract static class OnLab extends Verb {
    OnLab(Haven haven) {
      super(haven);
    }

    Lab lab() {
      return Lab.open(LabOptions.defaultDirectory(haven.around.environment()));
    }

    abstract Exit act();

    @Override
    final Exit run() {
      try {
        return act();
      } catch (LabException e) {
        throw new Stop(Exit.FAILED, String.valueOf(e.getMessage()));
      }
    }
  }

  @Command(
      name = "up",
      description =
          "Builds the lab, or what is missing of it: hosts with libvirt, agent, orchestrator and"
              + " BMC.",
      footer = {
        "Examples:",
        "  haven lab up --hosts 3 --guests 4",
        "  haven lab up --whole              whole machines: docs/lab.md",
        "  haven lab up --whole --bare       the same, for an installation from nothing"
      })
  static final class Up extends OnLab {
    @Option(
        names = "--hosts",
        paramLabel = "N",
        description = "How many hosts, 1 to 26. Default: 3.")
    int hosts = 3;

    @Option(
        names = "--guests",
        paramLabel = "N",
        description = "Guests of 128 MiB each. Default: 4; with --whole 1.")
    @Nullable Integer guests;

    @Option(
        names = "--whole",
        description =
            "Each host is a Debian of its own with kernel, systemd and disk (User Mode Linux), and"
                + " Haven's packages in it.")
    boolean whole;

    @Option(
        names = "--bare",
        description =
            "With --whole: nothing of Haven and libvirt in them, and a source of packages beside"
                + " them.")
    boolean bare;

    @Option(
        names = "--watchdog",
        description =
            "Each host has a watchdog, which resets it when its agent is gone. It counts once"
                + " haven watchdog test HOST has tested it.")
    boolean watchdogs;

    @Option(
        names = "--witness",
        description =
            "One more voter, on a machine that runs no guests. Two hosts without it are two alone.")
    boolean witness;

    Up(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      if (bare && !whole) {
        throw new Stop(Exit.USAGE, "--bare is for whole machines: add --whole");
      }
      var what =
          whole ? machines(bare ? LabForm.BARE : LabForm.WHOLE, hosts) : LabVerbs.options(hosts);
      var lab =
          Lab.up(
              what.withWatchdogs(watchdogs).withWitness(witness),
              (step, took) -> haven.say("%6.2f s  %s".formatted(took.toMillis() / 1e3, step)));
      if (bare) {
        haven.print("The machines are up. Enter one with:");
        haven.print("  ssh -F %s a".formatted(lab.sshConfig()));
        return Exit.OK;
      }
      var scene = new LabGuests(lab, client(haven, lab));
      scene.addHosts(lab.patience());
      haven.say("         all hosts are online");
      int count = guests != null ? guests : whole ? 1 : 4;
      scene.create(count, lab.patience());
      haven.say("         %d guests run".formatted(count));
      haven.print("The lab is up. Look at it with:");
      haven.print("  export HAVEN_CONFIG=" + lab.cliConfig());
      haven.print("  haven status");
      if (whole) {
        haven.print("Enter a machine with:");
        haven.print("  ssh -F %s a".formatted(lab.sshConfig()));
      }
      return Exit.OK;
    }
  }

  @Command(name = "down", description = "Ends the lab. Nothing is left of it; safe to repeat.")
  static final class Down extends OnLab {
    Down(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      var directory = LabOptions.defaultDirectory(haven.around.environment());
      var lab = Lab.find(directory);
      if (lab.isEmpty()) {
        haven.print("there is no lab in " + directory);
      } else {
        lab.get()
            .down(
                (step, took) -> haven.print("%6.2f s  %s".formatted(took.toMillis() / 1e3, step)));
      }
      return Exit.OK;
    }
  }

  @Command(
      name = "status",
      description = "Shows the lab's hosts as they are, seen from outside the cluster.")
  static final class Status extends OnLab {
    Status(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      var status = lab().status();
      if (!haven.forPeople()) {
        haven.printData(status);
        return Exit.OK;
      }
      for (var host : status.hosts()) {
        var state = host.on() ? host.hung() ? "hung" : "on" : "off";
        var cut = host.cut().isEmpty() ? "" : ", cut from " + String.join(" and ", host.cut());
        haven.print(
            "host %s %s%s, BMC %s, guests: %s"
                .formatted(
                    host.id(),
                    state,
                    cut,
                    host.bmc().name().toLowerCase(Locale.ROOT),
                    host.guests().isEmpty() ? "none" : String.join(" ", host.guests())));
        host.daemons()
            .forEach(
                (daemon, process) ->
                    haven.print(
                        "  %-12s pid %d, restarted %d times%s"
                            .formatted(
                                daemon.name().toLowerCase(Locale.ROOT),
                                process.pid(),
                                process.restarts(),
                                process.stopped() ? ", stopped" : "")));
      }
      return Exit.OK;
    }
  }

  /** Does something to one host. */
  abstract static class OnHost extends OnLab {
    @Parameters(index = "0", paramLabel = "HOST", description = "The host, such as a.")
    String host = "";

    OnHost(Haven haven) {
      super(haven);
    }

    HostId id() {
      var id = new HostId(host);
      lab().host(id); // says which hosts there are if it is none
      return id;
    }

    Exit done(String what) {
      haven.print("host %s: %s".formatted(host, what));
      return Exit.OK;
    }
  }

  @Command(
      name = "power",
      description = "Switches a host on or off through its BMC, as fencing does.",
      footer = {"Example:", "  haven lab power off a"})
  static final class Power extends OnLab {
    @Parameters(
        index = "0",
        paramLabel = "on|off",
        description = "off drops the host's links first.")
    String to = "";

    @Parameters(index = "1", paramLabel = "HOST", description = "The host, such as a.")
    String host = "";

    Power(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      var lab = lab();
      var id = new HostId(host);
      switch (to.toLowerCase(Locale.ROOT)) {
        case "on" -> lab.powerOn(id);
        case "off" -> lab.powerOff(id);
        default -> throw new Stop(Exit.USAGE, "power %s: say on or off".formatted(to));
      }
      haven.print("host %s is %s".formatted(host, to));
      return Exit.OK;
    }
  }

  @Command(
      name = "hang",
      description =
          "Freezes every process of a host and silences its networks, as a kernel that hangs does."
              + " haven lab heal ends it.",
      footer = {"Example:", "  haven lab hang a"})
  static final class Hang extends OnHost {
    Hang(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      lab().hang(id());
      return done("hangs");
    }
  }

  @Command(
      name = "cut",
      description = "Cuts a host off one network, or both. haven lab heal ends it.",
      footer = {"Example:", "  haven lab cut a --network control"})
  static final class Cut extends OnHost {
    @Option(
        names = "--network",
        paramLabel = "NETWORK",
        description = "control or migration. Default: both.")
    @Nullable String network;

    Cut(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      lab().cut(id(), Optional.ofNullable(network));
      return done("cut off " + (network == null ? "both networks" : "network " + network));
    }
  }

  @Command(
      name = "split",
      description =
          "Cuts all hosts off each other, but not off their BMCs and the lab's gateway. haven lab"
              + " heal ends it.")
  static final class Split extends OnLab {
    Split(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      lab().split();
      haven.print("the hosts do not reach each other any more");
      return Exit.OK;
    }
  }

  @Command(
      name = "heal",
      description = "Ends hang and cut, for one host or all, and a split.",
      footer = {"Example:", "  haven lab heal a"})
  static final class Heal extends OnLab {
    @Parameters(arity = "0..1", paramLabel = "HOST", description = "Default: all.")
    @Nullable String host;

    Heal(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      if (host == null) {
        lab().heal();
      } else {
        lab().heal(new HostId(host));
      }
      haven.print("healed");
      return Exit.OK;
    }
  }

  /** Sends a signal to a daemon. */
  abstract static class OnDaemon extends OnHost {
    @Parameters(
        index = "1",
        paramLabel = "DAEMON",
        description = "agent, orchestrator or libvirtd.")
    Daemon daemon = Daemon.AGENT;

    OnDaemon(Haven haven) {
      super(haven);
    }

    String label() {
      return daemon.name().toLowerCase(Locale.ROOT);
    }
  }

  @Command(
      name = "kill",
      description = "Kills a daemon; its supervisor starts it again after 1 s.",
      footer = {"Example:", "  haven lab kill a agent"})
  static final class Kill extends OnDaemon {
    Kill(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      lab().kill(id(), daemon);
      return done(label() + " is killed");
    }
  }

  @Command(
      name = "stop",
      description = "Makes a daemon stand still (SIGSTOP) until haven lab cont.",
      footer = {"Example:", "  haven lab stop a libvirtd"})
  static final class StopDaemon extends OnDaemon {
    StopDaemon(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      lab().stop(id(), daemon);
      return done(label() + " is stopped");
    }
  }

  @Command(
      name = "cont",
      description = "Ends haven lab stop: the daemon goes on (SIGCONT).",
      footer = {"Example:", "  haven lab cont a libvirtd"})
  static final class Cont extends OnDaemon {
    Cont(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      lab().cont(id(), daemon);
      return done(label() + " goes on");
    }
  }

  @Command(
      name = "bmc",
      description = "Makes a host's BMC answer, hang, refuse to switch, or lie.",
      footer = {"Example:", "  haven lab bmc a hang"})
  static final class Bmc extends OnHost {
    @Parameters(index = "1", paramLabel = "MODE", description = "ok, hang, refuse or lie.")
    BmcMode mode = BmcMode.OK;

    Bmc(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      lab().bmc(id(), mode);
      return done(
          "its BMC "
              + switch (mode) {
                case OK -> "answers and obeys";
                case HANG -> "hangs: it answers nothing";
                case REFUSE -> "tells the truth and refuses to switch";
                case LIE -> "lies: it says off and switches nothing";
              });
    }
  }

  @Command(
      name = "console",
      description = "Prints what a guest has written to its console.",
      footer = {"Example:", "  haven lab console g1"})
  static final class Console extends OnLab {
    @Parameters(paramLabel = "GUEST", description = "The guest, such as g1.")
    String guest = "";

    Console(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      return print(haven, lab().console(guest), "guest %s has written nothing".formatted(guest));
    }
  }

  @Command(
      name = "logs",
      description = "Prints the log of a host's daemon.",
      footer = {"Example:", "  haven lab logs a orchestrator"})
  static final class Logs extends OnDaemon {
    Logs(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      return print(
          haven,
          lab().log(id(), label()),
          "%s of host %s has logged nothing".formatted(label(), host));
    }
  }

  private static Exit print(Haven haven, Path file, String none) {
    if (!Files.exists(file)) {
      throw new Stop(Exit.FAILED, none + " (there is no " + file + ")");
    }
    try {
      haven.print(
          Files.readString(file, java.nio.charset.StandardCharsets.ISO_8859_1).stripTrailing());
      return Exit.OK;
    } catch (java.io.IOException e) {
      throw new Stop(Exit.FAILED, file + " cannot be read: " + e.getMessage());
    }
  }

  @Command(
      name = "demo",
      description = {
        "Shows a failover once, with real parts, on this machine. Needs root.",
        "It builds a lab, starts guests, migrates one, evacuates a host, cuts the power of a host,"
            + " and prints what happened when."
      },
      footer = {
        "Examples:",
        "  haven demo",
        "  haven demo --simulated            the same in simulated time: needs no root",
        "  haven demo --keep                 leaves the lab for playing: haven lab --help"
      })
  static final class DemoVerb extends OnLab {
    @Option(names = "--keep", description = "Leave the lab up at the end.")
    boolean keep;

    @Option(
        names = "--simulated",
        description = "The same story in simulated time: needs no root and changes nothing.")
    boolean simulated;

    @Option(names = "--hosts", paramLabel = "N", description = "How many hosts. Default: 3.")
    int hosts = 3;

    @Option(names = "--guests", paramLabel = "N", description = "How many guests. Default: 4.")
    int guests = 4;

    DemoVerb(Haven haven) {
      super(haven);
    }

    @Override
    Exit act() {
      if (simulated) {
        SimulatedDemo.run(haven.around.out());
        return Exit.OK;
      }
      var directory = LabOptions.defaultDirectory(haven.around.environment());
      Lab.find(directory).ifPresent(old -> old.down((_, _) -> {})); // what an interrupted demo left
      var cleanUp = new Thread(() -> Lab.find(directory).ifPresent(lab -> lab.down((_, _) -> {})));
      if (!keep) {
        Runtime.getRuntime().addShutdownHook(cleanUp); // ^C leaves nothing behind either
      }
      try {
        new Demo(haven.liveOut(), haven.paint().on(), lab -> client(haven, lab))
            .run(options(hosts), guests);
      } finally {
        if (!keep) {
          Lab.find(directory).ifPresent(lab -> lab.down((_, _) -> {}));
        }
      }
      haven.print("");
      haven.print(
          keep
              ? "The lab stays up: export HAVEN_CONFIG=%s; haven status; haven lab down"
                  .formatted(Lab.open(directory).cliConfig())
              : "The lab is gone; with --keep it stays for playing.");
      return Exit.OK;
    }
  }
}
