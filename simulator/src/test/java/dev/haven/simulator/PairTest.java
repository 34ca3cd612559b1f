package dev.haven.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class PairTest {
  private static final int TRIES = 100;

  @Test
  void ofTwoHostsAloneNeverBothAreShotAndOneGoesOnWhereverItCan() {
    long seed = Long.getLong("seed", System.nanoTime() % 1_000_000);
    var outcomes = LongStream.range(seed, seed + TRIES).mapToObj(PairTry::of).toList();
    assertThat(outcomes)
        .allSatisfy(
            o -> {
              assertThat(o.violation()).as(() -> String.join("\n", o.tale())).isEmpty();
              assertThat(o.stuck()).as(() -> String.join("\n", o.tale())).isEmpty();
            });
    assertThat(outcomes.stream().mapToInt(PairTry.Outcome::shots).sum())
        .as("seed %d: there was something to go wrong", seed)
        .isGreaterThan(TRIES / 4);
  }
}
