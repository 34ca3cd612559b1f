package dev.haven.orchestrator.ha;

import java.time.Duration;

/**
 * The numbers of the design's table, for the whole cluster.
 *
 * @param powerLossAfter silence after which a power device that says off is believed, after our own
 *     order and two readings
 * @param silentAfter silence after which a host heard on two networks is fenced when nothing
 *     answers
 * @param silentAfterOneNetwork the same for a host with one network
 * @param agentGoneAfter silence after which a host is fenced although its kernel answers
 * @param startsPerHost guests that start on one host at the same time
 * @param migrationsOut of one host at the same time
 * @param migrationsIn to one host at the same time
 * @param bandwidthMibPerSecond for one migration; 0 for no limit
 * @param powerOnAfterFence whether a host fenced because nothing answered is switched on again
 */
public record Policy(
    Duration powerLossAfter,
    Duration silentAfter,
    Duration silentAfterOneNetwork,
    Duration agentGoneAfter,
    int startsPerHost,
    int migrationsOut,
    int migrationsIn,
    long bandwidthMibPerSecond,
    boolean powerOnAfterFence) {
  public static final Policy DEFAULT =
      new Policy(
          Duration.ofSeconds(1),
          Duration.ofSeconds(3),
          Duration.ofSeconds(8),
          Duration.ofSeconds(30),
          4,
          2,
          2,
          0,
          true);
}
