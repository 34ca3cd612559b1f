package dev.haven.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Hosts that are namespaces: their processes are processes of this machine.
 *
 * @param lab the control group of the whole lab
 */
record InNamespaces(Control lab) implements Inside {
  private Control group(LabHost host) {
    return lab.child(host.id().value());
  }

  @Override
  public Lab.HostCommand run(LabHost host, Duration limit, List<String> command) {
    var init =
        group(host).init().orElseThrow(() -> new LabException("host " + host.id() + " is off"));
    var line = new ArrayList<String>(List.of("nsenter", "-t", Long.toString(init), "-a"));
    line.addAll(command);
    var result = MachineTools.attempt(limit, line, "");
    return new Lab.HostCommand(result.exit(), result.output());
  }

  @Override
  public boolean booted(LabHost host) {
    return group(host).init().isPresent();
  }

  @Override
  public Map<Daemon, LabStatus.Process> daemons(LabHost host) {
    var daemons = new EnumMap<Daemon, LabStatus.Process>(Daemon.class);
    for (var daemon : Daemon.values()) {
      pid(host, daemon).ifPresent(pid -> daemons.put(daemon, process(host, daemon, pid)));
    }
    return Map.copyOf(daemons);
  }

  private LabStatus.Process process(LabHost host, Daemon daemon, long pid) {
    var restarts = group(host).init().flatMap(init -> number(init, daemon.label() + ".restarts"));
    var stopped = false;
    try {
      stopped =
          Files.readString(Path.of("/proc", Long.toString(pid), "stat")).matches("(?s).*\\) T .*");
    } catch (IOException e) {
      // it has just ended
    }
    return new LabStatus.Process(pid, restarts.orElse(0L).intValue(), stopped);
  }

  private Optional<Long> pid(LabHost host, Daemon daemon) {
    var group = group(host);
    return group
        .init()
        .flatMap(init -> number(init, daemon.label() + ".pid"))
        .flatMap(group::outsidePid);
  }

  private static Optional<Long> number(long init, String file) {
    try {
      var path = Path.of("/proc", Long.toString(init), "root/run/haven", file);
      return Optional.of(Long.valueOf(Files.readString(path).strip()));
    } catch (IOException | NumberFormatException e) {
      return Optional.empty(); // not written yet, or the host is off
    }
  }

  @Override
  public Report report(LabHost host) {
    var guests =
        group(host).processes().stream()
            .flatMap(pid -> QemuWatch.guestOf(pid).stream())
            .sorted()
            .toList();
    return new Report(daemons(host), guests);
  }

  @Override
  public void signal(LabHost host, Daemon daemon, String signal) {
    var pid =
        pid(host, daemon)
            .orElseThrow(
                () ->
                    new LabException("host " + host.id() + " runs no " + daemon.label() + " now"));
    Lab.signal(pid, signal);
  }

  @Override
  public void takeDown(LabHost host, Daemon daemon) {
    LabFiles.touch(down(host, daemon));
    pid(host, daemon).ifPresent(pid -> Lab.signal(pid, "KILL"));
  }

  @Override
  public void bringUp(LabHost host, Daemon daemon) {
    try {
      Files.deleteIfExists(down(host, daemon));
    } catch (IOException e) {
      throw new LabException("cannot start it: " + e.getMessage(), e);
    }
  }

  private static Path down(LabHost host, Daemon daemon) {
    return host.directory().resolve("down-" + daemon.label());
  }
}
