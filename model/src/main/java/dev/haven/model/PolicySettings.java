package dev.haven.model;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * The settings of {@link Policy} that a person may change. A new one is a line in {@link #ALL},
 * with the values that it takes.
 */
public final class PolicySettings {
  private PolicySettings() {}

  /**
   * @param name as a person writes it
   * @param takes its values, for people
   * @param means one sentence
   * @param get its value now
   * @param set the policy with this value; empty if the value cannot be read
   */
  public record Setting(
      String name,
      String takes,
      String means,
      Function<Policy, String> get,
      BiFunction<Policy, String, Optional<Policy>> set) {}

  private static final List<Setting> ALL =
      List.of(
          new Setting(
              "stuck-destroy",
              "fence | alarm",
              "What follows if libvirt cannot end a guest that is to run elsewhere.",
              p -> word(p.stuckDestroy().orElse(Policy.StuckDestroy.FENCE)),
              (p, value) -> read(Policy.StuckDestroy.values(), value).map(p::with)),
          new Setting(
              "broken-rules",
              "off | advise | mend",
              "What is done about strict rules that are broken while their guests run.",
              p -> word(p.aboutBrokenRules()),
              (p, value) -> read(Policy.BrokenRules.values(), value).map(p::with)),
          new Setting(
              "make-room",
              "off | migrate | stop",
              "What is done to less important guests for one that fits nowhere.",
              p -> word(p.aboutRoom()),
              (p, value) -> read(Policy.MakeRoom.values(), value).map(p::with)));

  /** All of them, in the order in which a person should read them. */
  public static List<Setting> all() {
    return ALL;
  }

  /** What comes of a value that somebody typed. */
  public sealed interface Read {
    record Good(Policy policy) implements Read {}

    record Wrong(String why) implements Read {}
  }

  /** What is to come of it; nothing is changed where the value is wrong. */
  public static Read set(Policy policy, String name, String value) {
    var setting = ALL.stream().filter(s -> s.name().equals(name)).findFirst();
    if (setting.isEmpty()) {
      return new Read.Wrong(
          "policy %s: unknown; there are: %s"
              .formatted(name, String.join(", ", ALL.stream().map(Setting::name).toList())));
    }
    return setting
        .get()
        .set()
        .apply(policy, value)
        .<Read>map(Read.Good::new)
        .orElseGet(
            () ->
                new Read.Wrong(
                    "policy %s: '%s' is no value of it; it takes: %s"
                        .formatted(name, value, setting.get().takes())));
  }

  private static String word(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static <E extends Enum<E>> Optional<E> read(E[] all, String value) {
    return Arrays.stream(all).filter(e -> word(e).equals(value)).findFirst();
  }
}
