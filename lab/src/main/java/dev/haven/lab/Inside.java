package dev.haven.lab;

import java.time.Duration;
import java.util.List;
import java.util.Map;

/** What a lab does and sees inside its hosts. What they are from outside is the same in all. */
sealed interface Inside permits InNamespaces, OverSsh {
  /**
   * Runs a command as the host's root.
   *
   * @throws LabException if the host is off or the command takes longer than {@code limit}
   */
  Lab.HostCommand run(LabHost host, Duration limit, List<String> command);

  /** Whether the host has booted so far that commands can be run in it. */
  boolean booted(LabHost host);

  /** The daemons that run now; none if the host cannot be asked. */
  Map<Daemon, LabStatus.Process> daemons(LabHost host);

  /** The same, and the guests; nothing if the host cannot be asked. */
  Report report(LabHost host);

  /**
   * What runs on a host.
   *
   * @param guests the names of the QEMU processes on it, in order
   */
  record Report(Map<Daemon, LabStatus.Process> daemons, List<String> guests) {}

  /**
   * Sends a signal to a daemon.
   *
   * @param signal such as {@code KILL}
   * @throws LabException if the host runs no such daemon now
   */
  void signal(LabHost host, Daemon daemon, String signal);

  /** Ends a daemon, which is not started again until {@link #bringUp}: also by no boot. */
  void takeDown(LabHost host, Daemon daemon);

  /** Starts what {@link #takeDown} has ended. */
  void bringUp(LabHost host, Daemon daemon);
}
