package dev.haven.lab;

import dev.haven.model.HostId;
import dev.haven.model.api.Incident;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * One failover, phase by phase: the cluster's own incidents, and what the lab saw from outside. All
 * times are of one machine's clock.
 *
 * @param began when the fault was made
 * @param phases what happened when, in order
 */
public record FlightRecord(Instant began, List<Phase> phases) {
  /**
   * @param name short, the same in every record, such as {@code suspect}
   * @param subject the host or guest
   */
  public record Phase(Instant at, String name, String subject, String detail) {}

  public FlightRecord {
    phases = List.copyOf(phases);
  }

  /**
   * Puts one together.
   *
   * @param incidents what the cluster tells of itself; only what came after the fault counts
   * @param processes the first new QEMU process of each guest
   * @param ups when each guest's console said that it is up
   */
  public static FlightRecord of(
      HostId host,
      Instant began,
      List<Incident> incidents,
      Collection<QemuWatch.Sighting> processes,
      Map<String, ClockReading> ups) {
    var phases = new ArrayList<Phase>();
    phases.add(new Phase(began, "fault", host.value(), ""));
    for (var incident : incidents) {
      for (var phase : incident.phases()) {
        if (!phase.at().isBefore(began)) {
          phases.add(new Phase(phase.at(), phase.name(), phase.subject(), phase.message()));
        }
      }
    }
    for (var process : processes) {
      phases.add(
          new Phase(
              process.seen().at(), "qemu-process", process.guest(), "on host " + process.host()));
    }
    ups.forEach((guest, up) -> phases.add(new Phase(up.at(), "guest-up", guest, "")));
    phases.sort((a, b) -> a.at().compareTo(b.at()));
    return new FlightRecord(began, phases);
  }

  /** Time from the fault to the first phase of each name. */
  public Map<String, Duration> firsts() {
    var firsts = new TreeMap<String, Duration>();
    for (var phase : phases) {
      firsts.putIfAbsent(phase.name(), Duration.between(began, phase.at()));
    }
    return firsts;
  }

  /** A table: milliseconds since the fault, since the line before, what. */
  public void print(PrintStream out) {
    out.printf("%10s %9s  %-13s %-8s %s%n", "since", "step", "phase", "of", "");
    var before = began;
    for (var phase : phases) {
      out.printf(
          Locale.ROOT,
          "%7.0f ms %6.0f ms  %-13s %-8s %s%n",
          millis(Duration.between(began, phase.at())),
          millis(Duration.between(before, phase.at())),
          phase.name(),
          phase.subject(),
          phase.detail());
      before = phase.at();
    }
  }

  private static double millis(Duration d) {
    return d.toNanos() / 1e6;
  }
}
