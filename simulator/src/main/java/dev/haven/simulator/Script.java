package dev.haven.simulator;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * What is told of one cluster, drawn from a seed: sentences of a {@link Story}, said now or later,
 * and kept so that they can be told again.
 */
final class Script {
  static final String ENDS_WELL = "all-ends-well 360s";

  /** Sentences after which somebody may hear nobody. */
  private static final Set<String> CUTS =
      Set.of("cut-off", "cut", "side", "deaf", "mute", "network-lost", "hang");

  final Theme theme;
  final Chance chance;
  private final Story story = new Story();
  private final List<Said> said = new ArrayList<>();
  private boolean over;

  /**
   * @param at since the beginning, in nanoseconds; negative before anything happens
   */
  record Said(long at, String sentence) {}

  Script(Theme theme, Chance chance) {
    this.theme = theme;
    this.chance = chance;
  }

  /** What was said, so that it can be told again. */
  List<Said> said() {
    return said;
  }

  Simulation simulation() {
    return story.cluster();
  }

  World world() {
    return simulation().world;
  }

  /** Before anything happens. */
  void begin(String sentence) {
    said.add(new Said(-1, sentence));
    story.happens(sentence);
  }

  /** Now; nothing once all is over. */
  void say(String sentence) {
    if (over) {
      return;
    }
    // a device that lies about a host that nobody hears is outside the promise
    if (anyLies() && CUTS.contains(sentence.split(" ")[0])) {
      return;
    }
    said.add(new Said(world().clock.nanos(), sentence));
    story.happens(sentence);
  }

  /** At a time that is drawn from between these. */
  void later(double leastMillis, double mostMillis, String sentence) {
    world().clock.afterMillis(chance.between(leastMillis, mostMillis), () -> say(sentence));
  }

  /**
   * Ends all faults; the last sentence.
   *
   * @return what must always hold and did not, and what does not run although it is wanted
   */
  List<String> end() {
    over = true;
    var world = world();
    if (world.violations.isEmpty()) {
      said.add(new Said(world.clock.nanos(), ENDS_WELL));
      try {
        story.happens(ENDS_WELL);
      } catch (AssertionError e) {
        return List.of(String.valueOf(e.getMessage()));
      }
    }
    return List.copyOf(world.violations);
  }

  List<SimHost> hosts() {
    return List.copyOf(world().hosts.values());
  }

  /** The host, its ports and its device, all at once. */
  void back(String name, int leastMillis, int mostMillis) {
    var at = chance.between(leastMillis, mostMillis);
    later(at, at, "reconnect " + name);
    later(at, at, "device " + name + " works");
    later(at, at, "power-on " + name);
  }

  void libvirtAway(String name, int mostMillis) {
    later(0, mostMillis / 2.0, "libvirt-down " + name);
    later(mostMillis / 2.0, mostMillis, "libvirt-up " + name);
  }

  /** Its device says off and switches nothing. */
  boolean lies(SimHost host) {
    return host.device.mode() == DeviceMode.LIES;
  }

  boolean anyLies() {
    return world().hosts.values().stream().anyMatch(this::lies);
  }

  Duration millis(double least, double most) {
    return Duration.ofNanos((long) (chance.between(least, most) * 1e6));
  }

  /** As the last word of a sentence. */
  String between(double leastMillis, double mostMillis) {
    return " " + (long) chance.between(leastMillis, mostMillis) + "ms";
  }

  /** The host of a voter hears who leads; the others are where a lease may run out. */
  List<SimHost> voterless() {
    return hosts().stream().filter(h -> world().voterOn(h.machine).isEmpty()).toList();
  }

  boolean isOver() {
    return over;
  }
}
