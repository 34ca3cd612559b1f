package dev.haven.simulator.scenario;

import dev.haven.model.Policy;
import dev.haven.simulator.Stage;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * A cluster and what happens to it.
 *
 * @param voters names of hosts, or of witnesses that run no guests
 * @param runFor how long to go on altogether; until it has settled if empty
 * @param settleWithin how long to wait for that at most
 */
public record Scenario(
    String description,
    Optional<Long> seed,
    Policy policy,
    List<Stage.HostAtFirst> hosts,
    List<Stage.GuestAtFirst> guests,
    List<String> voters,
    List<Happening.Timed> events,
    Optional<Duration> runFor,
    Duration settleWithin) {
  static final Duration SETTLE_WITHIN = Duration.ofMinutes(10);

  public Scenario {
    hosts = List.copyOf(hosts);
    guests = List.copyOf(guests);
    voters = List.copyOf(voters);
    events = List.copyOf(events);
  }

  /** The same cluster, with other things happening to it. */
  public Scenario with(List<Happening.Timed> others) {
    return new Scenario(
        description, seed, policy, hosts, guests, voters, others, Optional.empty(), settleWithin);
  }
}
