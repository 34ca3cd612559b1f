package dev.haven.templates;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** One command-line value with options behind commas: {@code first,name=value,…}. */
final class Options {
  private final String what;
  private final String text;
  private final String first;
  private final Map<String, String> rest;

  private Options(String what, String text, String first, Map<String, String> rest) {
    this.what = what;
    this.text = text;
    this.first = first;
    this.rest = rest;
  }

  static Options of(String what, String text) {
    var parts = text.split(",", -1);
    var rest = new LinkedHashMap<String, String>();
    for (var part : Arrays.asList(parts).subList(1, parts.length)) {
      int equals = part.indexOf('=');
      if (equals < 1) {
        throw new IllegalArgumentException(
            "%s '%s': '%s' is not of the form name=value".formatted(what, text, part));
      }
      if (rest.put(part.substring(0, equals), part.substring(equals + 1)) != null) {
        throw new IllegalArgumentException(
            "%s '%s': %s is given twice".formatted(what, text, part.substring(0, equals)));
      }
    }
    return new Options(what, text, parts[0], rest);
  }

  String first(String name) {
    if (first.isBlank()) {
      throw new IllegalArgumentException("%s '%s': the %s is missing".formatted(what, text, name));
    }
    return first;
  }

  Optional<String> take(String name) {
    return Optional.ofNullable(rest.remove(name));
  }

  <E extends Enum<E>> Optional<E> take(String name, Class<E> type) {
    return take(name)
        .map(
            value -> {
              for (var constant : type.getEnumConstants()) {
                if (TemplateDisk.word(constant).equals(value)) {
                  return constant;
                }
              }
              throw new IllegalArgumentException(
                  "%s '%s': %s '%s' is unknown; use one of %s"
                      .formatted(what, text, name, value, words(type)));
            });
  }

  private static <E extends Enum<E>> String words(Class<E> type) {
    return Arrays.stream(type.getEnumConstants())
        .map(constant -> constant.name().toLowerCase(Locale.ROOT))
        .collect(Collectors.joining(", "));
  }

  void refuseRest(String known) {
    if (!rest.isEmpty()) {
      throw new IllegalArgumentException(
          "%s '%s': %s is unknown; known are %s"
              .formatted(what, text, String.join(", ", rest.keySet()), known));
    }
  }
}
