package dev.haven.model;

import java.time.Duration;

/**
 * How a guest's own agent (qemu-guest-agent) is asked whether it lives.
 *
 * @param period between two pings, 5 s to 10 min; libvirt gives an agent 5 s to answer
 * @param misses in a row until the guest counts as unhealthy, 2 to 100
 */
public record AgentPing(Duration period, int misses) {
  private static final Duration PERIOD_MIN = Duration.ofSeconds(5);
  private static final Duration PERIOD_MAX = Duration.ofMinutes(10);
  public static final AgentPing DEFAULT = new AgentPing(Duration.ofSeconds(10), 3);

  public AgentPing {
    if (period.compareTo(PERIOD_MIN) < 0 || period.compareTo(PERIOD_MAX) > 0) {
      throw new IllegalArgumentException(
          "health period: %s is not between 5 s and 10 min".formatted(period));
    }
    if (misses < 2 || misses > 100) {
      throw new IllegalArgumentException(
          "health misses: %d is not between 2 and 100".formatted(misses));
    }
  }
}
