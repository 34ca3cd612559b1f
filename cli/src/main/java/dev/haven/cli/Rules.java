package dev.haven.cli;

import dev.haven.model.Rule;
import dev.haven.model.RuleText;
import java.util.Map;

/** Placement rules and labels as they are typed. */
final class Rules {
  private Rules() {}

  /**
   * @throws IllegalArgumentException if it is none
   */
  static Rule parse(String text) {
    return RuleText.parse(text);
  }

  static String text(Rule rule) {
    return RuleText.of(rule);
  }

  static String text(Map<String, String> labels) {
    return String.join(
        ", ", new java.util.TreeMap<>(labels).entrySet().stream().map(Object::toString).toList());
  }
}
