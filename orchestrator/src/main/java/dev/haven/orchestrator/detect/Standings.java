package dev.haven.orchestrator.detect;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.VoterTroubles;
import dev.haven.core.lead.Standing;
import dev.haven.model.PlainText;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/**
 * What voters say of themselves once a second, and what of it only a person can mend. The leader
 * tells the cluster; a voter that is not a member any more is listened to as well.
 */
final class Standings {
  /** What was said longer ago says nothing about now. */
  private static final long FRESH_NANOS = TimeUnit.SECONDS.toNanos(10);

  /** A voter that waited for a person and has not been heard for so long is not coming back. */
  private static final long GONE_NANOS = TimeUnit.MINUTES.toNanos(10);

  private static final int KEY_MAX = 16;
  private static final int WAITS_MAX = 500;

  private final Map<String, Said> said = new TreeMap<>();
  private long lookedAt;
  private long since;

  private record Said(Standing standing, long at) {}

  /** Any thread. */
  synchronized void said(String voter, Standing standing, long now) {
    said.put(
        voter,
        new Said(
            new Standing(
                PlainText.brief(standing.secretsKey(), KEY_MAX),
                standing.waits().map(why -> PlainText.brief(why, WAITS_MAX))),
            now));
  }

  /**
   * On the leader, every second.
   *
   * @param members the names of all voters
   * @param sealedWith the key that the secrets in the log are sealed with; empty if there are none
   * @param at what the events say of when it was
   */
  synchronized List<Event> look(
      ClusterState s,
      String self,
      Standing own,
      List<String> members,
      Optional<String> sealedWith,
      long now,
      Instant at) {
    if (since == 0 || now - lookedAt > FRESH_NANOS) {
      since = now; // another one has led meanwhile
    }
    lookedAt = now;
    said(self, own, now);
    var events = new ArrayList<Event>();
    var keys = keys(members, now);
    var right = sealedWith.or(() -> ofMost(keys)).orElse(own.secretsKey());
    keys.forEach(
        (voter, key) ->
            tell(
                events,
                s,
                voter,
                Event.Trouble.SECRETS_KEY,
                key.equals(right) ? Optional.empty() : Optional.of(key + " and not " + right),
                at));
    said.forEach(
        (voter, of) -> {
          if (now - of.at() < FRESH_NANOS) {
            tell(events, s, voter, Event.Trouble.GENERATION, of.standing().waits(), at);
          }
        });
    for (var voter : VoterTroubles.told(s, Event.Trouble.SECRETS_KEY)) {
      if (!members.contains(voter)) {
        tell(events, s, voter, Event.Trouble.SECRETS_KEY, Optional.empty(), at);
      }
    }
    for (var voter : VoterTroubles.told(s, Event.Trouble.GENERATION)) {
      long last = said.get(voter) instanceof Said of ? Math.max(of.at(), since) : since;
      if (now - last > GONE_NANOS) {
        tell(events, s, voter, Event.Trouble.GENERATION, Optional.empty(), at);
      }
    }
    return events;
  }

  /** Which secrets.key each member has said lately that it has. */
  private Map<String, String> keys(List<String> members, long now) {
    var keys = new TreeMap<String, String>();
    said.forEach(
        (voter, of) -> {
          boolean known = !of.standing().secretsKey().isEmpty();
          if (known && now - of.at() < FRESH_NANOS && members.contains(voter)) {
            keys.put(voter, of.standing().secretsKey());
          }
        });
    return keys;
  }

  private static void tell(
      List<Event> events,
      ClusterState s,
      String voter,
      Event.Trouble trouble,
      Optional<String> what,
      Instant at) {
    if (!VoterTroubles.knows(s, voter, trouble, what)) {
      events.add(new Event.VoterStands(voter, trouble, what, at));
    }
  }

  /** The key that more than half of them have. */
  private static Optional<String> ofMost(Map<String, String> keys) {
    var count = new HashMap<String, Integer>();
    keys.values().forEach(key -> count.merge(key, 1, Integer::sum));
    return count.entrySet().stream()
        .filter(of -> of.getValue() * 2 > keys.size())
        .map(Map.Entry::getKey)
        .findFirst();
  }
}
