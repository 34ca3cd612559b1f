package dev.haven.simulator;

import java.time.Duration;

/**
 * Networks that lose and delay what is sent, and processes that stand still: what a busy site does
 * to a cluster in which nothing has failed. The networks are lossy each by itself. Now and then one
 * of them loses everything for 300 ms, or queues everything for 200 ms. Now and then a voter or an
 * agent stands still for 0.5 s.
 */
final class Noise {
  private static final double BURST_MILLIS = 300;
  private static final double QUEUE_MILLIS = 200;
  private static final Duration STOOD_STILL = Duration.ofMillis(500);
  private static final double ECHO_MILLIS = 250;

  private final World world;
  private final Chance chance;
  private final double loss;
  private final long[] lossyUntil = {Long.MIN_VALUE, Long.MIN_VALUE};
  private final long[] queuesUntil = {Long.MIN_VALUE, Long.MIN_VALUE};

  /**
   * @param loss share of the datagrams that each network loses
   */
  private Noise(World world, long seed, double loss) {
    this.world = world;
    this.chance = new Chance(seed);
    this.loss = loss;
  }

  static void begin(World world, long seed, double loss) {
    var noise = new Noise(world, seed, loss);
    world.noise = noise;
    noise.happens();
  }

  private void happens() {
    int network = chance.happens(0.5) ? Machine.CONTROL : Machine.MIGRATION;
    long now = world.clock.nanos();
    if (chance.happens(0.3)) {
      lossyUntil[network] = now + (long) (BURST_MILLIS * 1e6);
    } else if (chance.happens(0.4)) {
      queuesUntil[network] = now + (long) (chance.between(500, 3_000) * 1e6);
    } else if (chance.happens(0.5)) {
      var voter = chance.oneOf(world.voters);
      voter.stopped = true;
      world.clock.after(STOOD_STILL, voter::goesOn);
    } else {
      var agent = chance.oneOf(java.util.List.copyOf(world.hosts.values())).agent;
      if (agent != null) {
        agent.stopped = true;
        world.clock.after(STOOD_STILL, () -> agent.stopped = false);
      }
    }
    world.clock.againAfterMillis(chance.between(200, 3_000), this::happens);
  }

  private boolean lost(int network) {
    return chance.happens(loss) || world.clock.nanos() < lossyUntil[network];
  }

  private double millis(int network) {
    boolean queues = world.clock.nanos() < queuesUntil[network];
    return queues ? chance.between(0, QUEUE_MILLIS) : chance.between(0.1, 1);
  }

  /** A datagram to a voter, which it finds in its buffer when it goes on. */
  void send(SimVoter to, int network, Runnable heard) {
    if (!lost(network)) {
      world.clock.afterMillis(millis(network), () -> arrives(to, heard));
    }
  }

  private void arrives(SimVoter to, Runnable heard) {
    if (to.runs()) {
      heard.run();
    } else if (to.up) {
      world.clock.afterMillis(20, () -> arrives(to, heard));
    }
  }

  /** Whether an echo over either network comes back in time. */
  boolean echoes() {
    return echoes(Machine.CONTROL) | echoes(Machine.MIGRATION);
  }

  private boolean echoes(int network) {
    boolean asked = !lost(network);
    boolean answered = !lost(network);
    return asked && answered && millis(network) + millis(network) < ECHO_MILLIS;
  }
}
