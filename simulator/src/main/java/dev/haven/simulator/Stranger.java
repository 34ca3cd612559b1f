package dev.haven.simulator;

import dev.haven.model.BootId;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.FromAgent;
import java.util.List;
import java.util.Optional;

/**
 * Another machine that has a host's key, stolen or cloned with the disk, and says hello as that
 * host under a boot of its own. Nothing may follow from it while the host runs and is heard; the
 * judge sees the host's guests as they are.
 *
 * <p>It gives up where the host itself is silenced or off: with its key that is as good as the
 * host, which lies outside the promise.
 */
final class Stranger {
  private static final double EVERY_MILLIS = 650;

  private final World world;
  private final SimHost host;
  private final FromAgent.Hello hello;
  private int left;

  /**
   * @param uuid of its machine
   * @param times that it says hello
   */
  Stranger(World world, SimHost host, Optional<String> uuid, int number, int times) {
    this.world = world;
    this.host = host;
    this.left = times;
    this.hello =
        new FromAgent.Hello(
            FromAgent.VERSION,
            host.id,
            new BootId("stranger-%s-%d".formatted(host.id, number)),
            new ProcessId("stranger-%s-%d".formatted(host.id, number)),
            "a2V5",
            uuid,
            host.capacity,
            "simulated",
            0,
            Optional.empty(),
            true,
            List.of());
  }

  void asks() {
    if (left-- <= 0 || !hostIsHeard()) {
      return;
    }
    world
        .leader()
        .map(v -> v.leading)
        .ifPresent(
            leading -> {
              if (!leading.held(hello)) {
                leading.decideOn(hello);
              }
            });
    world.clock.afterMillis(EVERY_MILLIS, this::asks);
  }

  /** By a majority of the voters, as the process that was taken in last. */
  private boolean hostIsHeard() {
    var agent = host.agent;
    return agent != null
        && host.agentRuns()
        && world.loss < 0.5
        && world.voters.stream()
                    .filter(SimVoter::runs)
                    .filter(v -> v.machine != host.machine)
                    .filter(v -> v.knows(host.id, host.boot(), agent.process))
                    .filter(
                        v -> host.machine.sends(v.machine, 0) || host.machine.sends(v.machine, 1))
                    .count()
                * 2
            > world.voters.size();
  }
}
