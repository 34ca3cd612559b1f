package dev.haven.simulator;

import static dev.haven.simulator.Simulation.on;
import static dev.haven.simulator.Simulation.seconds;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import java.io.PrintStream;
import java.util.List;
import java.util.Optional;

/** The main job in simulated time, for machines that cannot hold a lab. */
public final class SimulatedDemo {
  private static final long SEED = 2026;
  private static final HostId A = new HostId("a");

  private SimulatedDemo() {}

  /**
   * Tells the story of three hosts and four guests; takes a second or two.
   *
   * @throws IllegalStateException if anything did not go as it must
   */
  public static void run(PrintStream out) {
    out.println(
        "This is a simulation: hosts, guests, networks and power devices are made up, and time");
    out.println(
        "runs fast. The decisions are those of the real orchestrator. The real thing, on this");
    out.println("machine, is: haven demo");
    var cluster = Simulation.of(SEED, "a", "b", "c");
    chapter(out, cluster, "Four guests are created on three hosts");
    for (var name : List.of("web", "db", "mail", "git")) {
      cluster.ask(new Command.CreateGuest(Beginning.guestSpec(name, 1024), true));
    }
    settle(cluster);
    places(out, cluster);
    chapter(out, cluster, "Guest web is migrated while it runs");
    cluster.ask(new Command.Migrate(new GuestId("web"), Optional.empty()));
    settle(cluster);
    chapter(out, cluster, "Host a is evacuated for maintenance, and comes back");
    cluster.ask(new Command.Evacuate(A));
    settle(cluster);
    cluster.ask(new Command.Uncordon(A));
    places(out, cluster);
    var lost = cluster.place("web").orElse("b");
    chapter(out, cluster, "Host " + lost + " loses its power, without a word");
    cluster.powerLoss(lost).runFor(seconds(10));
    for (var guest : List.of("web", "db", "mail", "git")) {
      cluster.expect(guest, on("a", "b", "c"));
    }
    places(out, cluster);
    chapter(out, cluster, "Host " + lost + " is switched on again, and starts no guest by itself");
    cluster.powerOn(lost);
    settle(cluster);
    places(out, cluster);
    out.println();
    out.println(
        "Every guest runs, on one host each. That was a simulation; the real thing is: haven demo");
  }

  private static void chapter(PrintStream out, Simulation cluster, String title) {
    out.printf("%n== %s (simulated)%n", title);
    cluster.listen(out::println);
  }

  private static void settle(Simulation cluster) {
    if (!cluster.runUntil(seconds(60), () -> cluster.unsettled().isEmpty())
        || !cluster.violations().isEmpty()) {
      throw new IllegalStateException(
          "the simulated cluster did not settle: %s %s"
              .formatted(cluster.unsettled(), cluster.violations()));
    }
  }

  private static void places(PrintStream out, Simulation cluster) {
    for (var guest : cluster.state().guests()) {
      out.printf(
          "%9s    guest %-5s runs on host %s%n",
          "", guest.id(), cluster.place(guest.id().value()).orElse("-"));
    }
  }
}
