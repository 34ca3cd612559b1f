package dev.haven.fencing;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Devices that answer from a script, {@code ORDERS / READINGS}, word by word, the last word for
 * ever. Orders: {@code ok}, {@code no}, {@code already}, {@code person}, {@code poison}. Readings:
 * {@code on}, {@code off}, {@code ?}.
 */
final class FakeDevices implements DeviceKinds {
  static final Duration STALE = Duration.ofMillis(400);

  private final Map<String, Fake> devices = new HashMap<>();

  FakeDevices with(String name, String script) {
    return with(name, script, Optional.empty());
  }

  FakeDevices with(String name, String script, String guid) {
    return with(name, script, Optional.of(guid));
  }

  private FakeDevices with(String name, String script, Optional<String> guid) {
    var parts = script.split("/");
    devices.put(name, new Fake(name, words(parts[0]), words(parts[1]), guid));
    return this;
  }

  static DeviceSpec spec(String name) {
    return new DeviceSpec(name, "fake", Map.of());
  }

  static FencingPlan plan(List<List<String>> levels) {
    return new FencingPlan(
        levels.stream()
            .map(names -> new Level(names.stream().map(FakeDevices::spec).toList()))
            .toList());
  }

  int orders(String name) {
    return fake(name).ordered;
  }

  @Override
  public PowerDevice open(DeviceSpec spec) {
    return fake(spec.name());
  }

  private Fake fake(String name) {
    return Objects.requireNonNull(devices.get(name), name);
  }

  private static Deque<String> words(String text) {
    return new ArrayDeque<>(Arrays.asList(text.strip().split("\\s+")));
  }

  private static final class Fake implements PowerDevice {
    private final String name;
    private final Deque<String> orders;
    private final Deque<String> readings;
    private final Optional<String> guid;
    private int ordered;

    Fake(String name, Deque<String> orders, Deque<String> readings, Optional<String> guid) {
      this.name = name;
      this.orders = orders;
      this.readings = readings;
      this.guid = guid;
    }

    private static String next(Deque<String> words) {
      return words.size() > 1 ? words.remove() : words.element();
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public synchronized PowerReading read(Duration within) {
      var now = Instant.now();
      var word = next(readings);
      return switch (word) {
        case "on" -> new PowerReading.On(name, now, now, word);
        case "off" -> new PowerReading.Off(name, now, now, word);
        case "?" -> new PowerReading.Unknown(name, now, now, "no answer in 5.0 s");
        default -> throw new IllegalArgumentException(word);
      };
    }

    @Override
    public synchronized SwitchResult switchOff(Duration within) {
      ordered++;
      return order();
    }

    @Override
    public synchronized SwitchResult switchOn(Duration within) {
      return order();
    }

    private SwitchResult order() {
      var now = Instant.now();
      var word = next(orders);
      return switch (word) {
        case "ok" -> new SwitchResult.Accepted(name, now, now, word);
        case "no" -> new SwitchResult.Failed(name, now, now, "no answer in 5.0 s");
        case "already" -> new SwitchResult.AlreadyOff(name, now, now, word, STALE);
        case "poison" ->
            new SwitchResult.Poisoned(
                name, now, now, "a", List.of("/dev/x"), Set.of("x"), Duration.ofSeconds(1));
        case "person" -> new SwitchResult.NeedsOperator(name, now, now, "pull the plug");
        default -> throw new IllegalArgumentException(word);
      };
    }

    @Override
    public Privilege privilege(Duration within) {
      return new Privilege.Enough();
    }

    @Override
    public Optional<String> systemGuid(Duration within) {
      return guid;
    }
  }
}
