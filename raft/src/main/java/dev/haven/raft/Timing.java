package dev.haven.raft;

import java.time.Duration;

/**
 * The times the voters live by. All voters of a cluster should have the same.
 *
 * <p>A leader whose host loses power is replaced after {@code electionMin} to {@code electionMax}
 * plus a few milliseconds. A voter that is kept from running for longer than {@code electionMin} (a
 * stopped virtual machine, a disk that hangs) is suspected; the pre-vote keeps that from deposing a
 * leader that the others still hear.
 *
 * @param heartbeat how often a leader speaks when it has nothing to say, 10 ms to 1 s
 * @param electionMin how long a leader may be silent, at least 3 heartbeats
 * @param electionMax the upper end of the interval from which each wait is drawn, so that two
 *     voters seldom stand at once
 * @param quorumContact a leader that has had no round answered by a majority for this long is not
 *     ready and takes no proposals; at {@code electionMin} it steps down
 * @param hello how often voters greet each other, which shows who is reachable
 * @param proposal how long a proposal may wait before its outcome is called unknown
 */
public record Timing(
    Duration heartbeat,
    Duration electionMin,
    Duration electionMax,
    Duration quorumContact,
    Duration hello,
    Duration proposal) {

  public static final Timing DEFAULT =
      new Timing(
          Duration.ofMillis(100),
          Duration.ofMillis(600),
          Duration.ofMillis(850),
          Duration.ofMillis(450),
          Duration.ofMillis(200),
          Duration.ofSeconds(5));

  public Timing {
    if (heartbeat.toMillis() < 10 || heartbeat.toMillis() > 1000) {
      throw new IllegalArgumentException(
          "heartbeat is %s, allowed 10 ms to 1 s".formatted(heartbeat));
    }
    if (electionMin.compareTo(heartbeat.multipliedBy(3)) < 0) {
      throw new IllegalArgumentException(
          "electionMin is %s, at least three heartbeats of %s are needed"
              .formatted(electionMin, heartbeat));
    }
    if (electionMax.compareTo(electionMin.plusMillis(50)) < 0) {
      throw new IllegalArgumentException(
          "electionMax is %s, at least 50 ms above electionMin (%s) are needed"
              .formatted(electionMax, electionMin));
    }
    if (quorumContact.compareTo(heartbeat) <= 0 || quorumContact.compareTo(electionMin) > 0) {
      throw new IllegalArgumentException(
          "quorumContact is %s, allowed is between heartbeat (%s) and electionMin (%s)"
              .formatted(quorumContact, heartbeat, electionMin));
    }
  }
}
