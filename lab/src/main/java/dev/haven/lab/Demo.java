package dev.haven.lab;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Views;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The main job on real parts, told as it happens: guests are made, moved, evacuated, and survive
 * the death of a host.
 */
public final class Demo {
  private static final Duration LONG = Duration.ofSeconds(60);

  private final PrintStream out;
  private final Instant began = Instant.now();
  private final Function<Lab, LabClient> clients;
  private final Palette palette;

  /**
   * @param colour whether {@code out} is a terminal that shows colours
   */
  public Demo(PrintStream out, boolean colour, Function<Lab, LabClient> clients) {
    this.out = out;
    this.clients = clients;
    this.palette = new Palette(colour);
  }

  private record Palette(boolean colour) {
    String bold(String text) {
      return colour ? "\033[1m" + text + "\033[0m" : text;
    }

    String faint(String text) {
      return colour ? "\033[2m" + text + "\033[0m" : text;
    }
  }

  /**
   * Runs it; the lab stays up.
   *
   * @throws LabException if the cluster does not do what it is for; the message says what was seen
   */
  public FlightRecord run(LabOptions options, int guests) {
    title(
        "A lab: %d hosts, each with libvirt, an agent, an orchestrator and a BMC of its own",
        options.hosts());
    var lab = Lab.up(options, (step, took) -> say("%s", step));
    var client = clients.apply(lab);
    var scene = new LabGuests(lab, client);
    scene.addHosts(LONG);
    say(
        "all hosts are online; guests run under %s",
        scene.accelerator() == Accelerator.KVM ? "KVM" : "TCG, QEMU's own emulation");

    var story = new Story(client);
    title("%d guests from a template", guests);
    scene.create(guests, LONG);
    story.tell();
    table(client.status());

    var first = client.status().guests().getFirst();
    title("One guest moves to another host while it runs");
    try (var console = ConsoleWatch.start(lab.console(first.id().value()))) {
      console.await(
          line -> line.text().startsWith("TICK "), ClockReading.now(), LONG); // it has booted
      var since = ClockReading.now();
      var moved = scene.perform(new Command.Migrate(first.id(), Optional.empty()), LONG);
      story.tell();
      say(
          "%s; its own clock shows a pause of %d ms",
          moved.detail(), console.longestPause(since).toMillis());
    }

    var evacuated = hostWithGuests(client.status(), List.of());
    title("Host %s is to be worked on: it is evacuated, and taken back", evacuated);
    scene.perform(new Command.Evacuate(evacuated), LONG);
    story.tell();
    table(client.status());
    client.command(new Command.Uncordon(evacuated));
    say("host %s takes guests again", evacuated);

    var status = client.status();
    var leader = status.leader().map(HostId::new);
    var victim = hostWithGuests(status, leader.stream().toList());
    return cut(lab, client, scene, story, victim);
  }

  private FlightRecord cut(Lab lab, LabClient client, LabGuests scene, Story story, HostId victim) {
    var before = client.status();
    var affected =
        before.guests().stream()
            .filter(g -> g.host().equals(Optional.of(victim)))
            .map(g -> g.id().value())
            .toList();
    title("The power of host %s goes away, with %s on it", victim, String.join(", ", affected));
    story.tell();
    var consoles = new TreeMap<String, ConsoleWatch>();
    try (var processes = QemuWatch.start(lab)) {
      affected.forEach(g -> consoles.put(g, ConsoleWatch.start(lab.console(g))));
      var fault = lab.cutPower(victim);
      var deadline = fault.nanoTime() + LONG.toNanos();
      while (System.nanoTime() - deadline < 0
          && !affected.stream().allMatch(g -> runs(client, g, victim))) {
        story.tellIfReachable();
      }
      story.tellIfReachable();
      scene.awaitRunning(LONG);
      var sightings = new ArrayList<QemuWatch.Sighting>();
      var ups = new TreeMap<String, ClockReading>();
      for (var guest : affected) {
        processes.awaitStart(guest, fault, LONG).ifPresent(sightings::add);
      }
      consoles.forEach(
          (guest, console) -> console.awaitUp(fault, LONG).ifPresent(up -> ups.put(guest, up)));
      story.tell();
      table(client.status());
      title("Flight record: from the power cut to the guests, in milliseconds");
      var record = FlightRecord.of(victim, fault.at(), client.incidents(), sightings, ups);
      record.print(out);
      if (ups.size() < affected.size()) {
        throw new LabException(
            "not every guest came up again: " + affected + ", up: " + ups.keySet());
      }
      return record;
    } finally {
      consoles.values().forEach(ConsoleWatch::close);
    }
  }

  private static boolean runs(LabClient client, String guest, HostId notOn) {
    try {
      return client.status().guests().stream()
          .anyMatch(
              g ->
                  g.id().equals(new GuestId(guest))
                      && g.state() == Views.Guest.State.RUNNING
                      && !g.host().equals(Optional.of(notOn)));
    } catch (RuntimeException e) {
      return false; // the voter that was asked has just died; the next look asks another
    }
  }

  private static HostId hostWithGuests(Views.Status status, List<HostId> but) {
    Map<HostId, Long> counts =
        status.guests().stream()
            .flatMap(g -> g.host().stream())
            .filter(h -> !but.contains(h))
            .collect(Collectors.groupingBy(h -> h, TreeMap::new, Collectors.counting()));
    return counts.entrySet().stream()
        .max(Map.Entry.<HostId, Long>comparingByValue().thenComparing(Map.Entry.comparingByKey()))
        .map(Map.Entry::getKey)
        .orElseThrow(() -> new LabException("no guest runs on any other host than " + but));
  }

  private void title(String text, Object... values) {
    out.println();
    out.println(palette.bold(text.formatted(values)));
  }

  private void say(String text, Object... values) {
    out.printf(
        "%s  %s%n",
        palette.faint("%6.2f s".formatted(Duration.between(began, Instant.now()).toNanos() / 1e9)),
        text.formatted(values));
  }

  private void table(Views.Status status) {
    for (var host : status.hosts()) {
      out.printf(
          "          host %s %-9s %s%n",
          host.id(),
          host.state() + (host.cordoned() ? ", cordoned" : ""),
          status.guests().stream()
              .filter(g -> g.host().equals(Optional.of(host.id())))
              .map(
                  g ->
                      g.id()
                          + (g.state() == Views.Guest.State.RUNNING ? "" : " (" + g.state() + ")"))
              .collect(Collectors.joining("  ")));
    }
  }

  /** The audit log, as it grows. */
  private final class Story {
    private final LabClient client;
    private long last;

    Story(LabClient client) {
      this.client = client;
      client.events(0).forEach(e -> last = Math.max(last, e.index()));
    }

    void tell() {
      for (var event : client.events(last)) {
        last = event.index();
        if (event.kind() != Fact.Kind.TIMES) {
          out.printf(
              "%s  %-9s %s%n",
              palette.faint(
                  "%6.2f s".formatted(Duration.between(began, event.at()).toNanos() / 1e9)),
              event.kind(),
              event.message());
        }
      }
    }

    void tellIfReachable() {
      try {
        tell();
      } catch (RuntimeException e) {
        // the voter that was asked has just died; what it would have told is told later by another
      }
    }
  }
}
