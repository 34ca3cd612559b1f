package dev.haven.lab;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * What a lab is made of.
 *
 * @param directory everything the lab keeps; two labs at the same time need two directories, the
 *     rest (names, addresses) they choose apart by themselves
 * @param hosts how many hosts, 1 to 26; they are named a, b, c, …
 * @param jars the directory of all jars, from which each host runs an agent and an orchestrator;
 *     empty: hosts with libvirt only
 * @param within time for {@code up} as a whole
 * @param watchdogs whether each host has a watchdog, which resets it when its agent does not feed
 *     it
 * @param witness whether there is one more voter, on a machine without libvirt and agent
 * @param form what the hosts are
 * @param packages the directory of Haven's packages, for whole machines
 */
public record LabOptions(
    Path directory,
    int hosts,
    Optional<Path> jars,
    Duration within,
    boolean watchdogs,
    boolean witness,
    LabForm form,
    Optional<Path> packages) {
  /** A machine boots in half a minute; three of them on one processor take longer. */
  private static final Duration MACHINES_WITHIN = Duration.ofMinutes(6);

  private static final Path DEFAULT_DIRECTORY = Path.of("/var/lib/haven-lab");

  public LabOptions {
    if (hosts < 1 || hosts > 26) {
      throw new LabException("a lab has 1 to 26 hosts, not " + hosts);
    }
    directory = directory.toAbsolutePath().normalize();
    jars = jars.map(j -> j.toAbsolutePath().normalize());
    packages = packages.map(p -> p.toAbsolutePath().normalize());
    if (form.whole() && packages.isEmpty()) {
      throw new LabException("whole machines need Haven's packages: ./haven package makes them");
    }
    if (form.whole() && watchdogs) {
      throw new LabException(
          "whole machines have no watchdog in the lab yet: leave --watchdog out");
    }
    if (!directory.toString().matches("[A-Za-z0-9._/+-]+")) {
      throw new LabException(
          "lab directory "
              + directory
              + ": use only letters, digits and . _ + - in it; shell scripts and libvirt read this"
              + " path");
    }
  }

  /** Three hosts in {@link #defaultDirectory}, with libvirt only. */
  public static LabOptions defaults() {
    return new LabOptions(
        defaultDirectory(System.getenv()),
        3,
        Optional.empty(),
        Duration.ofSeconds(90),
        false,
        false,
        LabForm.NAMESPACES,
        Optional.empty());
  }

  /** {@code $HAVEN_LAB}, or /var/lib/haven-lab. */
  public static Path defaultDirectory(Map<String, String> environment) {
    var chosen = environment.get("HAVEN_LAB");
    return chosen == null || chosen.isBlank() ? DEFAULT_DIRECTORY : Path.of(chosen);
  }

  public LabOptions withDirectory(Path other) {
    return new LabOptions(other, hosts, jars, within, watchdogs, witness, form, packages);
  }

  public LabOptions withHosts(int other) {
    return new LabOptions(directory, other, jars, within, watchdogs, witness, form, packages);
  }

  /** Each host runs an agent and an orchestrator from the jars in this directory. */
  public LabOptions withDaemons(Path jarDirectory) {
    return new LabOptions(
        directory, hosts, Optional.of(jarDirectory), within, watchdogs, witness, form, packages);
  }

  /** Each host has a watchdog. */
  public LabOptions withWatchdogs(boolean on) {
    return new LabOptions(directory, hosts, jars, within, on, witness, form, packages);
  }

  /** One more voter, on a machine that runs no guests. */
  public LabOptions withWitness(boolean on) {
    return new LabOptions(directory, hosts, jars, within, watchdogs, on, form, packages);
  }

  /**
   * Each host is a machine with a kernel, a system and a disk of its own.
   *
   * @param form not {@link LabForm#NAMESPACES}
   * @param packageDirectory where Haven's packages are
   */
  public LabOptions withMachines(LabForm form, Path packageDirectory) {
    return new LabOptions(
        directory,
        hosts,
        Optional.empty(),
        MACHINES_WITHIN,
        watchdogs,
        witness,
        form,
        Optional.of(packageDirectory));
  }

  /** Whether each host runs an agent and an orchestrator. */
  boolean daemons() {
    return form == LabForm.WHOLE || jars.isPresent();
  }
}
