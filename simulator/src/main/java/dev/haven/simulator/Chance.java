package dev.haven.simulator;

import java.util.List;
import java.util.SplittableRandom;

/** Chance that follows from a seed. */
final class Chance {
  private final SplittableRandom random;

  Chance(long seed) {
    random = new SplittableRandom(seed);
  }

  boolean happens(double probability) {
    return random.nextDouble() < probability;
  }

  double between(double least, double most) {
    return least + random.nextDouble() * (most - least);
  }

  int below(int bound) {
    return random.nextInt(bound);
  }

  <T> T oneOf(List<T> list) {
    return list.get(below(list.size()));
  }
}
