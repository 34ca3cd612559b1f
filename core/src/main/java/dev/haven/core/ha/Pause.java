package dev.haven.core.ha;

import dev.haven.model.HostId;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Collections;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * Nobody is fenced, and no bound counts: somebody works on the network or the power.
 *
 * @param until when it ends by itself
 * @param unheard hosts that may still pause their guests without a lease: they have not said yet
 *     that they do not
 */
public record Pause(
    String by, String reason, Instant since, Optional<Instant> until, Set<HostId> unheard) {
  public Pause {
    unheard = Collections.unmodifiableSet(new TreeSet<>(unheard));
  }

  Pause heard(HostId host) {
    var left = new TreeSet<>(unheard);
    left.remove(host);
    return new Pause(by, reason, since, until, left);
  }

  /** For people. */
  String words() {
    return "fencing is paused by %s since %s%s: %s. Nobody is fenced and nothing starts elsewhere without another proof; to end it: haven resume%s"
        .formatted(
            by,
            since.truncatedTo(ChronoUnit.SECONDS),
            until.map(t -> " until " + t.truncatedTo(ChronoUnit.SECONDS)).orElse(""),
            reason,
            unheard.isEmpty()
                ? ""
                : ". Hosts that have not acknowledged it, and may still pause their guests: "
                    + String.join(", ", unheard.stream().map(HostId::value).toList()));
  }
}
