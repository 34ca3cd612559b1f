package dev.haven.bench;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * What a client may rely on: a command that was acknowledged shows in the cluster's state until
 * another one changes the same thing, and one that was refused shows nowhere. One client gives its
 * commands one after another; one without an answer may take effect at any later time, or never.
 */
final class Promises {
  private final Map<String, String> acknowledged = new TreeMap<>();
  private final Map<String, Set<String>> perhaps = new TreeMap<>();

  /**
   * @param what is changed, such as {@code guest g1 wanted}
   */
  synchronized void acknowledged(String what, String value) {
    acknowledged.put(what, value);
  }

  synchronized void unknown(String what, String value) {
    perhaps.computeIfAbsent(what, _ -> new HashSet<>()).add(value);
  }

  /** What was acknowledged last. */
  synchronized String last(String what) {
    return acknowledged.getOrDefault(what, "");
  }

  /**
   * Each promise that does not hold, in a sentence.
   *
   * @param actual how things stand now; what nobody has commanded anything about is left out
   */
  synchronized List<String> broken(Map<String, String> actual) {
    var broken = new ArrayList<String>();
    acknowledged.forEach(
        (what, value) -> {
          var is = actual.getOrDefault(what, "gone");
          var maybe = perhaps.getOrDefault(what, Set.of());
          if (!is.equals(value) && !maybe.contains(is)) {
            broken.add(
                "%s is %s; acknowledged last was %s%s"
                    .formatted(
                        what, is, value, maybe.isEmpty() ? "" : ", without answer " + maybe));
          }
        });
    return broken;
  }
}
