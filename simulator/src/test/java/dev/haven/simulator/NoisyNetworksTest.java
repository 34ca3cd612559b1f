package dev.haven.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.HostState;
import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Nothing fails in this cluster, but its networks lose 5 or 20 % of all datagrams, in bursts of 300
 * ms all of them, and queue for 200 ms; voters and agents stand still for 0.5 s. Nobody is fenced
 * for that. {@code -Dnoise.hours=20} simulates longer.
 */
class NoisyNetworksTest {
  private static final int HOURS = Integer.getInteger("noise.hours", 1);

  @ParameterizedTest
  @ValueSource(doubles = {0.05, 0.2})
  void nobodyIsFencedForLossAndDelay(double loss) {
    long seed = Long.getLong("seed", System.nanoTime() % 1_000_000);
    var cluster = Simulation.of(seed, "a", "b", "c", "d").guest("web", Simulation.on("a"));
    var fences = new int[1];
    cluster.world.witness =
        (_, before, after) -> {
          for (var host : after.hosts()) {
            boolean begun =
                host.state() instanceof HostState.Fencing
                    && !(before.host(host.id()).orElseThrow().state() instanceof HostState.Fencing);
            fences[0] += begun ? 1 : 0;
          }
        };
    cluster.runFor(Duration.ofMinutes(2));
    long before = cluster.world.deviceReadings;
    Noise.begin(cluster.world, seed, loss);
    cluster.runFor(Duration.ofHours(HOURS));
    long readings = cluster.world.deviceReadings - before;
    System.out.printf(
        "loss %.0f %%, %d h: %d false fences, %d readings of devices beyond the checks%n",
        loss * 100, HOURS, fences[0], readings);
    assertThat(fences[0]).as("false fences, seed %d", seed).isZero();
    assertThat(cluster.violations()).as("seed %d", seed).isEmpty();
  }
}
