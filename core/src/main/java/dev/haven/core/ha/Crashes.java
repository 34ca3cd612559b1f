package dev.haven.core.ha;

import dev.haven.model.HostId;
import dev.haven.model.RestartLimits;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * How a guest has lately ended by itself while its host was well; part of the hard state, so that a
 * new leader goes on counting. Only how often it is tried hangs on these times, never whether it is
 * safe, so the wall clocks of leaders are good enough.
 *
 * @param host on which it last ended
 * @param last when
 * @param times of its ends there that still count
 * @param left hosts on which it ended too often; tried last
 * @param again whether it is to start on {@code host} again
 */
public record Crashes(
    HostId host, Instant last, List<Instant> times, Set<HostId> left, boolean again) {
  public Crashes {
    times = List.copyOf(times);
    left = Collections.unmodifiableSet(new TreeSet<>(left));
  }

  /** After another end. */
  static Crashes after(
      Optional<Crashes> before, Optional<RestartLimits> limits, HostId host, Instant at) {
    if (limits.isEmpty()) {
      return new Crashes(host, at, List.of(), Set.of(), true);
    }
    var since = at.minus(limits.get().within());
    var times = new ArrayList<Instant>();
    var left = new TreeSet<HostId>();
    before
        .filter(b -> b.last().isAfter(since))
        .ifPresent(
            b -> {
              left.addAll(b.left());
              if (b.host().equals(host)) {
                b.times().stream().filter(t -> t.isAfter(since)).forEach(times::add);
              }
            });
    times.add(at);
    if (times.size() <= limits.get().inPlace()) {
      return new Crashes(host, at, times, left, true);
    }
    left.add(host);
    return new Crashes(host, at, List.of(), left, false);
  }

  /** Whether no further start is allowed. */
  boolean tooMany(Optional<RestartLimits> limits) {
    return !again && limits.filter(l -> left.size() > l.elsewhere()).isPresent();
  }

  /** It was given a host. */
  Crashes placed() {
    return new Crashes(host, last, times, left, false);
  }
}
