package dev.haven.lab;

import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Hosts that are whole machines: their processes are their own kernel's, so they are asked as an
 * administrator asks, by ssh. One that is cut off every network or hangs cannot be asked.
 *
 * @param lab the control group of the whole lab
 */
record OverSsh(LabPlan plan, Control lab) implements Inside {
  private static final Duration ANSWER = Duration.ofSeconds(30);

  /** One line for each daemon and guest, as {@link #read} reads them. */
  private static final String ASK =
      """
      for unit in haven-agent haven-orchestrator libvirtd; do
        pid=$(systemctl show -P MainPID $unit)
        [ "$pid" = 0 ] || echo "daemon $unit $pid $(systemctl show -P NRestarts $unit) $(ps -o state= -p $pid)"
      done
      ps -eo args= | sed -n 's/^[^ ]*qemu-system[^ ]* .*-name guest=\\([^, ]*\\).*/guest \\1/p'
      """;

  private boolean on(LabHost host) {
    return lab.child(host.id().value()).populated();
  }

  /** A network that gets through; the first if none does. */
  private String network(LabHost host) {
    return LabPlan.NETWORKS.stream()
        .filter(n -> !Files.exists(host.directory().resolve("cut-" + n)))
        .findFirst()
        .orElse(LabPlan.CONTROL);
  }

  /** Whether a question has any chance of an answer. */
  private boolean reachable(LabHost host) {
    return on(host)
        && !Files.exists(host.directory().resolve("hung"))
        && !Files.exists(host.directory().resolve("cut-" + network(host)));
  }

  @Override
  public Lab.HostCommand run(LabHost host, Duration limit, List<String> command) {
    if (!on(host)) {
      throw new LabException("host " + host.id() + " is off");
    }
    var line = new ArrayList<String>(List.of("ssh", "-F", plan.sshConfig().toString()));
    line.addAll(List.of("-o", "HostName=" + host.addresses().get(network(host))));
    line.addAll(List.of(host.id().value(), quoted(command)));
    var result = MachineTools.attempt(limit, line, "");
    return new Lab.HostCommand(result.exit(), result.output());
  }

  /** For the shell at the other end, which is what ssh hands a command to. */
  static String quoted(List<String> command) {
    return command.stream()
        .map(word -> "'" + word.replace("'", "'\\''") + "'")
        .collect(Collectors.joining(" "));
  }

  @Override
  public boolean booted(LabHost host) {
    return reachable(host) && attempt(host, "true").ok();
  }

  private Lab.HostCommand attempt(LabHost host, String... command) {
    try {
      return run(host, ANSWER, Arrays.asList(command));
    } catch (LabException e) {
      return new Lab.HostCommand(-1, String.valueOf(e.getMessage()));
    }
  }

  private void must(LabHost host, String... command) {
    var answer = attempt(host, command);
    if (!answer.ok()) {
      throw new LabException(
          "host %s: %s failed: %s"
              .formatted(host.id(), String.join(" ", command), answer.output().strip()));
    }
  }

  /** Reads what {@link #ASK} prints; lines of another kind, such as a warning, say nothing. */
  static Report read(String answer) {
    var daemons = new EnumMap<Daemon, LabStatus.Process>(Daemon.class);
    var guests = new ArrayList<String>();
    for (var line : answer.lines().toList()) {
      var words = line.strip().split(" +");
      if (words.length == 2 && words[0].equals("guest")) {
        guests.add(words[1]);
      } else if (words.length == 5 && (words[2] + words[3]).matches("\\d+")) {
        for (var daemon : Daemon.values()) {
          if (line.startsWith("daemon " + unit(daemon) + " ")) {
            var pid = Long.parseLong(words[2]);
            var restarts = Integer.parseInt(words[3]);
            daemons.put(daemon, new LabStatus.Process(pid, restarts, words[4].startsWith("T")));
          }
        }
      }
    }
    guests.sort(null);
    return new Report(Map.copyOf(daemons), List.copyOf(guests));
  }

  @Override
  public Report report(LabHost host) {
    return read(reachable(host) ? attempt(host, "sh", "-c", ASK).output() : "");
  }

  @Override
  public Map<Daemon, LabStatus.Process> daemons(LabHost host) {
    return report(host).daemons();
  }

  static String unit(Daemon daemon) {
    return switch (daemon) {
      case AGENT -> "haven-agent";
      case ORCHESTRATOR -> "haven-orchestrator";
      case LIBVIRTD -> "libvirtd";
    };
  }

  @Override
  public void signal(LabHost host, Daemon daemon, String signal) {
    must(host, "systemctl", "kill", "--kill-who=main", "--signal=" + signal, unit(daemon));
  }

  @Override
  public void takeDown(LabHost host, Daemon daemon) {
    must(host, "systemctl", "mask", unit(daemon));
    attempt(host, "systemctl", "kill", "--kill-who=main", "--signal=KILL", unit(daemon));
  }

  @Override
  public void bringUp(LabHost host, Daemon daemon) {
    must(host, "systemctl", "unmask", unit(daemon));
    must(host, "systemctl", "start", "--no-block", unit(daemon));
  }
}
