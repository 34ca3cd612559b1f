package dev.haven.cli;

import dev.haven.bench.DecideBench;
import dev.haven.bench.FailoverBench;
import dev.haven.bench.FailoverBench.Fault;
import dev.haven.lab.Lab;
import dev.haven.lab.LabException;
import dev.haven.lab.LabGuests;
import dev.haven.lab.LabOptions;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Measurements that anyone can run. Medians of several runs; the machine is shared and noisy. */
final class BenchVerbs {
  private BenchVerbs() {}

  @Command(
      name = "decide",
      description = "How long one decision takes with 1,000 hosts and 20,000 guests (JMH).")
  static final class Decide extends Verb {
    Decide(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      DecideBench.run(haven.liveOut());
      return Exit.OK;
    }
  }

  @Command(
      name = "failover",
      description =
          "How long guests are gone when something dies, phase by phase, in a lab. Needs root.",
      footer = {"Example:", "  haven bench failover --runs 10 --fault POWER_LOSS"})
  static final class Failover extends Verb {
    @Option(names = "--runs", paramLabel = "N", description = "Of each fault. Default: 10.")
    int runs = 10;

    @Option(
        names = "--fault",
        paramLabel = "FAULT",
        description = "${COMPLETION-CANDIDATES}; may be repeated. Default: all.")
    List<Fault> faults = List.of();

    @Option(names = "--guests", paramLabel = "N", description = "Default: 3.")
    int guests = 3;

    Failover(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      try {
        var directory = LabOptions.defaultDirectory(haven.around.environment());
        Lab.find(directory).ifPresent(old -> old.down((_, _) -> {}));
        try {
          var lab = Lab.up(LabVerbs.options(3), (step, _) -> haven.say(step));
          var client = LabVerbs.client(haven, lab);
          var scene = new LabGuests(lab, client);
          scene.addHosts(Duration.ofSeconds(90));
          scene.create(guests, Duration.ofSeconds(90));
          var bench = new FailoverBench(lab, client, haven.liveOut());
          for (var fault : faults.isEmpty() ? Arrays.asList(Fault.values()) : faults) {
            bench.run(fault, runs);
            haven.around.out().flush();
          }
        } finally {
          Lab.find(directory).ifPresent(lab -> lab.down((_, _) -> {}));
        }
        return Exit.OK;
      } catch (LabException e) {
        throw new Stop(Exit.FAILED, String.valueOf(e.getMessage()));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new Stop(Exit.INTERRUPTED, "interrupted");
      }
    }
  }
}
