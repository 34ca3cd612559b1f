package dev.haven.bench;

import dev.haven.lab.ClockReading;
import dev.haven.lab.ConsoleWatch;
import dev.haven.lab.FlightRecord;
import dev.haven.lab.Lab;
import dev.haven.lab.LabClient;
import dev.haven.lab.LabException;
import dev.haven.lab.LabForm;
import dev.haven.lab.LabGuests;
import dev.haven.lab.QemuWatch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Views;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeMap;

/**
 * How long guests are gone when something dies, in a lab of real parts: from the fault to the new
 * QEMU process, with every phase between.
 *
 * <p>Each run makes one fault, waits until every guest runs again, brings the host back and lets
 * the cluster settle. A run in which a guest does not come back fails the benchmark.
 */
public final class FailoverBench {
  /** Voters that have just come back count silences only from their first beats on. */
  private static final Duration SETTLED = Duration.ofSeconds(5);

  /** What is done to a host, or to a guest. */
  public enum Fault {
    POWER_LOSS("power loss of a host that does not lead", Duration.ofMillis(800)),
    POWER_LOSS_OF_LEADER("power loss of the leader's host", Duration.ofMillis(1200)),
    HANG("hung host", Duration.ofMillis(4500)),
    CUT_OFF("cut-off host", Duration.ofMillis(4500)),
    GUEST_KILLED("guest process killed", Duration.ofMillis(250));

    private final String words;
    private final Duration goal;

    Fault(String words, Duration goal) {
      this.words = words;
      this.goal = goal;
    }
  }

  private final Lab lab;
  private final LabClient client;
  private final LabGuests guests;
  private final PrintStream out;
  private final Duration patience;

  public FailoverBench(Lab lab, LabClient client, PrintStream out) {
    this.patience = lab.patience();
    this.lab = lab;
    this.client = client;
    this.guests = new LabGuests(lab, client);
    this.out = out;
  }

  /**
   * @param phases time from the fault to the first of each phase, by name, of all runs
   */
  public record Result(Fault fault, TreeMap<String, List<Duration>> phases) {}

  /** The faults that can be made and measured from outside where hosts are this. */
  public static List<Fault> possible(LabForm form) {
    return form.whole()
        ? List.of(Fault.POWER_LOSS, Fault.POWER_LOSS_OF_LEADER, Fault.CUT_OFF)
        : List.of(Fault.values());
  }

  /** Whose first time is the result: a whole machine's processes are not seen from outside. */
  private String measure() {
    return lab.form().whole() ? "guest-up" : "qemu-process";
  }

  /** Makes the fault so many times. */
  public Result run(Fault fault, int runs) throws InterruptedException {
    var phases = new TreeMap<String, List<Duration>>();
    for (int i = 1; i <= runs; i++) {
      guests.settle(SETTLED, patience);
      var record = once(fault);
      record
          .firsts()
          .forEach((name, at) -> phases.computeIfAbsent(name, _ -> new ArrayList<>()).add(at));
      out.printf(
          Locale.ROOT,
          "%s, run %d of %d: %s after %.0f ms%n",
          fault.words,
          i,
          runs,
          lab.form().whole() ? "a guest is up again" : "new QEMU process",
          millis(record.firsts().get(measure())));
      if (runs == 1) {
        record.print(out);
      }
      recover();
    }
    var result = new Result(fault, phases);
    print(result);
    return result;
  }

  private FlightRecord once(Fault fault) {
    var status = client.status();
    var leader = status.leader().map(HostId::new).orElseThrow();
    var victim = fault == Fault.POWER_LOSS_OF_LEADER ? leader : otherThan(leader, status);
    bringGuests(victim, status);
    status = client.status();
    var affected =
        status.guests().stream()
            .filter(g -> g.host().equals(Optional.of(victim)))
            .map(Views.Guest::id)
            .toList();
    var consoles = new TreeMap<String, ConsoleWatch>();
    try (var processes = QemuWatch.start(lab)) {
      var hit = fault == Fault.GUEST_KILLED ? affected.subList(0, 1) : affected;
      hit.forEach(g -> consoles.put(g.value(), ConsoleWatch.start(lab.console(g.value()))));
      var moment =
          switch (fault) {
            case POWER_LOSS, POWER_LOSS_OF_LEADER -> lab.cutPower(victim);
            case HANG -> lab.hang(victim);
            case CUT_OFF -> lab.cut(victim, Optional.empty());
            case GUEST_KILLED -> kill(processes, hit.getFirst());
          };
      var sightings = new ArrayList<QemuWatch.Sighting>();
      var ups = new TreeMap<String, ClockReading>();
      for (var guest : lab.form().whole() ? List.<GuestId>of() : hit) {
        sightings.add(
            processes
                .awaitStart(guest.value(), moment, patience)
                .orElseThrow(
                    () -> new LabException("guest %s did not start again".formatted(guest))));
      }
      consoles.forEach(
          (guest, console) ->
              console.awaitUp(moment, patience).ifPresent(up -> ups.put(guest, up)));
      guests.awaitRunning(patience);
      return FlightRecord.of(victim, moment.at(), client.incidents(), sightings, ups);
    } finally {
      consoles.values().forEach(ConsoleWatch::close);
    }
  }

  private static ClockReading kill(QemuWatch processes, GuestId guest) {
    var process =
        processes.running().stream()
            .filter(s -> s.guest().equals(guest.value()))
            .findFirst()
            .orElseThrow(() -> new LabException("guest %s has no process".formatted(guest)));
    var moment = ClockReading.now();
    ProcessHandle.of(process.pid()).ifPresent(ProcessHandle::destroyForcibly);
    return moment;
  }

  private static HostId otherThan(HostId leader, Views.Status status) {
    return status.hosts().stream()
        .map(Views.Host::id)
        .filter(h -> !h.equals(leader))
        .max(
            java.util.Comparator.comparingLong(
                h -> status.guests().stream().filter(g -> g.host().equals(Optional.of(h))).count()))
        .orElseThrow();
  }

  /** So that there is something to lose. */
  private void bringGuests(HostId victim, Views.Status status) {
    if (status.guests().stream().noneMatch(g -> g.host().equals(Optional.of(victim)))) {
      guests.perform(
          new Command.Migrate(status.guests().getFirst().id(), Optional.of(victim)), patience);
    }
  }

  /** Every host on, reachable and online again. */
  private void recover() {
    lab.heal();
    for (var host : lab.hosts()) {
      if (!lab.isOn(host.id())) {
        lab.powerOn(host.id());
      }
    }
    guests.await(
        "every host to be online",
        patience,
        s -> s.hosts().stream().allMatch(h -> h.state() == Views.Host.State.ONLINE));
  }

  private static String verdict(Result result) {
    var goal = result.fault().goal;
    var times = Optional.ofNullable(result.phases().get("qemu-process"));
    return "goal: median of qemu-process ≤ %d ms%s"
        .formatted(
            goal.toMillis(),
            times.map(t -> median(t).compareTo(goal) <= 0 ? ": met" : ": missed").orElse(""));
  }

  private void print(Result result) {
    out.printf(
        "%n%s (%s)%n",
        result.fault().words,
        lab.form().whole() ? "whole machines: not for timing" : verdict(result));
    out.printf("  %-14s %9s %9s %9s %5s%n", "phase", "min ms", "median ms", "max ms", "runs");
    result.phases().entrySet().stream()
        .sorted(java.util.Comparator.comparing(e -> median(e.getValue())))
        .forEach(
            e ->
                out.printf(
                    Locale.ROOT,
                    "  %-14s %9.0f %9.0f %9.0f %5d%n",
                    e.getKey(),
                    millis(e.getValue().stream().min(Duration::compareTo).orElseThrow()),
                    millis(median(e.getValue())),
                    millis(e.getValue().stream().max(Duration::compareTo).orElseThrow()),
                    e.getValue().size()));
    out.println();
  }

  static Duration median(List<Duration> values) {
    var sorted = values.stream().sorted().toList();
    int middle = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(middle)
        : sorted.get(middle - 1).plus(sorted.get(middle)).dividedBy(2);
  }

  private static double millis(@org.jspecify.annotations.Nullable Duration d) {
    return d == null ? Double.NaN : d.toNanos() / 1e6;
  }
}
