package dev.haven.bench;

import dev.haven.lab.ClockReading;
import dev.haven.lab.ConsoleWatch;
import dev.haven.lab.CopiesWatch;
import dev.haven.lab.Lab;
import dev.haven.lab.LabClient;
import dev.haven.lab.LabException;
import dev.haven.lab.LabGuests;
import dev.haven.lab.LabHost;
import dev.haven.lab.QemuWatch;
import dev.haven.model.GuestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Views;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * What Haven adds to libvirt's own live migration: two guests of the same description in the same
 * lab, one moved by the cluster, the other by {@code virsh}, by turns and with the same flags.
 *
 * <p>The pause is taken alike for all: from the old QEMU's STOP to the new one's RESUME, by their
 * own time stamps. A guest that the cluster moves arrives paused and is resumed once its old
 * process is gone, a wait that is also shown apart; virsh is measured as it is, and with a paused
 * arrival that is resumed as soon as virsh has returned. Haven's time is from the command until the
 * cluster's record of its end; virsh's is that of its process, less what a virsh that does nothing
 * takes.
 */
public final class MigrateBench {
  private static final Duration LONG = Duration.ofSeconds(90);
  private static final Duration ADDED_GOAL = Duration.ofMillis(150);
  private static final Duration PAUSE_GOAL = Duration.ofMillis(20);
  private static final Pattern DOWNTIME = Pattern.compile("Total downtime:\\s+(\\d+)\\s+ms");

  /** How a guest is moved. */
  public enum Way {
    HAVEN("haven migrate", 0),
    VIRSH("virsh migrate", 1),
    VIRSH_PAUSED("virsh migrate --suspend, virsh resume", 2);

    private final String words;
    private final int virshes;

    Way(String words, int virshes) {
      this.words = words;
      this.virshes = virshes;
    }
  }

  /**
   * One migration.
   *
   * @param downtime as libvirt's job statistics have it; empty if they do not
   * @param pause from the old copy's stop to the new one's start, as both QEMUs stamped them
   * @param gone from the old copy's stop until its process was seen to be gone
   * @param felt the widest gap in the guest's own ticks, less one tick
   */
  public record Run(
      Duration wall, Optional<Duration> downtime, Duration pause, Duration gone, Duration felt) {}

  private final Lab lab;
  private final LabClient client;
  private final LabGuests guests;
  private final PrintStream out;

  public MigrateBench(Lab lab, LabClient client, PrintStream out) {
    this.lab = lab;
    this.client = client;
    this.guests = new LabGuests(lab, client);
    this.out = out;
  }

  /** Moves each guest so many times in each way, and prints a table. */
  public Map<Way, List<Run>> run(int runs) {
    var results = new EnumMap<Way, List<Run>>(Way.class);
    var hosts = lab.hosts();
    var ours = new GuestId("moved");
    var plain = new GuestId("plain");
    client.command(new Command.CreateGuest(guests.describeWatched(ours), true));
    guests.awaitRunning(LONG);
    startPlain(plain, hosts.getFirst());
    int plainOn = 0;
    for (int i = 1; i <= runs; i++) {
      for (var way : Way.values()) {
        var guest = way == Way.HAVEN ? ours : plain;
        int from = way == Way.HAVEN ? indexOf(ours) : plainOn;
        int to = (from + 1) % 2;
        var run = once(way, guest, hosts.get(from), hosts.get(to));
        plainOn = way == Way.HAVEN ? plainOn : to;
        results.computeIfAbsent(way, _ -> new ArrayList<>()).add(run);
        out.printf(
            Locale.ROOT,
            "run %d of %d, %s: %d ms, the guest stood still for %d ms%n",
            i,
            runs,
            way.words,
            run.wall().toMillis(),
            run.pause().toMillis());
      }
    }
    print(results);
    return results;
  }

  private int indexOf(GuestId guest) {
    var host =
        client.status().guests().stream()
            .filter(g -> g.id().equals(guest))
            .findFirst()
            .flatMap(Views.Guest::host);
    return lab.hosts().stream().map(LabHost::id).toList().indexOf(host.orElseThrow());
  }

  private void startPlain(GuestId guest, LabHost host) {
    var file = lab.shared().resolve(guest + ".xml");
    try {
      Files.writeString(file, guests.describeWatched(guest).domainXml());
    } catch (IOException e) {
      throw new LabException("cannot write " + file + ": " + e.getMessage(), e);
    }
    virsh(host, "define", file.toString());
    virsh(host, "start", guest.value());
  }

  private Run once(Way way, GuestId guest, LabHost from, LabHost to) {
    try (var processes = QemuWatch.start(lab);
        var copies = CopiesWatch.start(processes, guest.value(), LONG);
        var console = ConsoleWatch.start(lab.console(guest.value()))) {
      awaitTick(console, guest);
      var before = ClockReading.now();
      virsh(from, "uri");
      var virsh = before.until(ClockReading.now());
      var began = ClockReading.now();
      var wall =
          switch (way) {
            case HAVEN -> haven(guest, to);
            case VIRSH -> {
              migrate(from, to, guest, List.of());
              yield began.until(ClockReading.now());
            }
            case VIRSH_PAUSED -> {
              migrate(from, to, guest, List.of("--suspend"));
              virsh(to, "resume", guest.value());
              yield began.until(ClockReading.now());
            }
          };
      awaitTick(console, guest);
      if (!copies.doubleRuns().isEmpty()) {
        throw new LabException("guest %s ran twice: %s".formatted(guest, copies.doubleRuns()));
      }
      var stopped = turn(copies, t -> t.host().equals(from.id()) && !t.runs());
      var goesOn = turn(copies, t -> t.host().equals(to.id()) && t.runs());
      var gone =
          processes.sightings().stream()
              .filter(s -> s.guest().equals(guest.value()) && s.host().equals(from.id()))
              .flatMap(s -> s.gone().stream())
              .findFirst()
              .orElseThrow(() -> new LabException("the guest's old process does not end"));
      return new Run(
          wall.minus(virsh.multipliedBy(way.virshes)),
          downtime(to, guest),
          Duration.between(stopped, goesOn),
          Duration.between(stopped, gone.at()),
          console.longestPause(began));
    }
  }

  /** By the cluster's own clock, which is this machine's: asking all the time would cost time. */
  private Duration haven(GuestId guest, LabHost to) {
    var began = Instant.now();
    var done = guests.perform(new Command.Migrate(guest, Optional.of(to.id())), LONG);
    return Duration.between(began, done.ended().orElseThrow());
  }

  private void migrate(LabHost from, LabHost to, GuestId guest, List<String> more) {
    var command =
        new ArrayList<>(
            List.of("migrate", "--live", "--p2p", "--persistent", "--undefinesource", "--unsafe"));
    command.addAll(more);
    command.addAll(
        List.of(
            guest.value(),
            "qemu+tcp://%s/system".formatted(to.migration()),
            "tcp://" + to.migration()));
    virsh(from, command.toArray(String[]::new));
  }

  private String virsh(LabHost host, String... command) {
    var line = new ArrayList<>(List.of("virsh", "-q", "-c", "qemu:///system"));
    line.addAll(List.of(command));
    var result = lab.inHost(host.id(), LONG, line.toArray(String[]::new));
    if (!result.ok()) {
      throw new LabException(
          "virsh %s on host %s: %s".formatted(command[0], host.id(), result.output().strip()));
    }
    return result.output();
  }

  private Optional<Duration> downtime(LabHost host, GuestId guest) {
    var found = DOWNTIME.matcher(virsh(host, "domjobinfo", "--completed", guest.value()));
    return found.find()
        ? Optional.of(Duration.ofMillis(Long.parseLong(found.group(1))))
        : Optional.empty();
  }

  private static Instant turn(CopiesWatch copies, Predicate<CopiesWatch.Turn> kind) {
    return copies
        .await(kind, LONG)
        .orElseThrow(
            () -> new LabException("the guest was not stopped here or does not go on there"))
        .at();
  }

  private static void awaitTick(ConsoleWatch console, GuestId guest) {
    if (console.await(l -> l.text().startsWith("TICK "), ClockReading.now(), LONG).isEmpty()) {
      throw new LabException("guest %s does not tick".formatted(guest));
    }
  }

  private void print(Map<Way, List<Run>> results) {
    out.printf(
        "%n%-40s %10s %10s %10s %10s %10s%n",
        "medians of " + results.values().iterator().next().size() + " runs, ms",
        "all",
        "downtime",
        "stop→gone",
        "stop→go",
        "felt");
    results.forEach(
        (way, runs) ->
            out.printf(
                Locale.ROOT,
                "%-40s %10d %10d %10d %10d %10d%n",
                way.words,
                median(runs, Run::wall).toMillis(),
                median(runs, r -> r.downtime().orElse(Duration.ZERO)).toMillis(),
                median(runs, Run::gone).toMillis(),
                median(runs, Run::pause).toMillis(),
                median(runs, Run::felt).toMillis()));
    verdict("Haven adds", results, Run::wall, ADDED_GOAL);
    verdict("the guest stands still longer by", results, Run::pause, PAUSE_GOAL);
    out.printf(
        "of Haven's pause %d ms are after the old copy is gone%n",
        median(results.getOrDefault(Way.HAVEN, List.of()), r -> r.pause().minus(r.gone()))
            .toMillis());
  }

  private void verdict(
      String what, Map<Way, List<Run>> results, Function<Run, Duration> of, Duration goal) {
    var haven = median(results.getOrDefault(Way.HAVEN, List.of()), of);
    for (var way : List.of(Way.VIRSH, Way.VIRSH_PAUSED)) {
      var virsh = median(results.getOrDefault(way, List.of()), of);
      var more = haven.minus(virsh);
      out.printf(
          Locale.ROOT,
          "%s %d ms (%.2f times) against %s; goal: <= %d ms: %s%n",
          what,
          more.toMillis(),
          (double) haven.toNanos() / virsh.toNanos(),
          way.words,
          goal.toMillis(),
          more.compareTo(goal) <= 0 ? "met" : "missed");
    }
  }

  private static Duration median(List<Run> runs, Function<Run, Duration> what) {
    return FailoverBench.median(runs.stream().map(what).toList());
  }
}
