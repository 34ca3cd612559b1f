package dev.haven.core.lead;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** What a voter tells the others by datagrams, cut into pieces that fit one. */
final class Parts {
  private Parts() {}

  /**
   * The same entries, in order.
   *
   * @param most entries of one part
   */
  static List<Map<String, Long>> of(SortedMap<String, Long> all, int most) {
    var parts = new ArrayList<Map<String, Long>>();
    all.forEach(
        (key, value) -> {
          if (parts.isEmpty() || parts.getLast().size() == most) {
            parts.add(new TreeMap<>());
          }
          parts.getLast().put(key, value);
        });
    return parts;
  }
}
