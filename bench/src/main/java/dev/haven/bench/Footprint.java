package dev.haven.bench;

import dev.haven.lab.Daemon;
import dev.haven.lab.Lab;
import dev.haven.model.HostId;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What the daemons of a lab weigh, as the kernel says. */
public final class Footprint {
  private Footprint() {}

  /**
   * One process.
   *
   * @param residentMib its resident memory (VmRSS), pages that it shares with others included
   * @param peakMib the most that this has been since it started (VmHWM)
   * @param goalMib none for what is not ours
   */
  public record Weight(
      HostId host, Daemon daemon, long residentMib, long peakMib, Optional<Long> goalMib) {}

  /** Of every daemon that runs; one that ends meanwhile is left out. */
  public static List<Weight> of(Lab lab) {
    var weights = new ArrayList<Weight>();
    for (var host : lab.machines()) {
      boolean witness = !lab.hosts().contains(host);
      for (var daemon : Daemon.values()) {
        var goal =
            witness && daemon == Daemon.ORCHESTRATOR ? Optional.of(WITNESS_MIB) : goalMib(daemon);
        lab.pid(host.id(), daemon)
            .flatMap(pid -> weight(host.id(), daemon, pid, goal))
            .ifPresent(weights::add);
      }
    }
    return weights;
  }

  /** A witness must fit a small single-board computer. */
  private static final long WITNESS_MIB = 128;

  private static Optional<Long> goalMib(Daemon daemon) {
    return switch (daemon) {
      case AGENT -> Optional.of(110L);
      case ORCHESTRATOR -> Optional.of(170L);
      case LIBVIRTD -> Optional.empty();
    };
  }

  private static Optional<Weight> weight(
      HostId host, Daemon daemon, long pid, Optional<Long> goal) {
    try {
      var status = Files.readAllLines(Path.of("/proc", Long.toString(pid), "status"));
      return mib(status, "VmRSS:")
          .flatMap(
              resident ->
                  mib(status, "VmHWM:")
                      .map(peak -> new Weight(host, daemon, resident, peak, goal)));
    } catch (IOException | UncheckedIOException e) {
      return Optional.empty(); // it has just ended
    }
  }

  private static Optional<Long> mib(List<String> status, String key) {
    return status.stream()
        .filter(line -> line.startsWith(key)) // VmRSS:     81234 kB
        .map(line -> Math.round(Long.parseLong(line.replaceAll("[^0-9]", "")) / 1024.0))
        .findFirst();
  }
}
