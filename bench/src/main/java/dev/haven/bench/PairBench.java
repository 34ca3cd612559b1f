package dev.haven.bench;

import dev.haven.lab.ClockReading;
import dev.haven.lab.ConsoleWatch;
import dev.haven.lab.Lab;
import dev.haven.lab.LabClient;
import dev.haven.lab.LabException;
import dev.haven.lab.LabGuests;
import dev.haven.lab.LabHost;
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
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Two hosts alone, in a lab of real parts: one loses its power, or the link between them is cut
 * while both live. Each try ends when both are together again.
 *
 * <p>What it counts is the truth: which hosts booted again, which QEMU processes there were.
 */
public final class PairBench {
  private static final Duration LONG = Duration.ofSeconds(120);

  /** Together for so long before the next try: a voter must have been in touch to go on alone. */
  private static final Duration SETTLED = Duration.ofSeconds(2);

  private final Lab lab;
  private final LabGuests guests;
  private final LabClient client;
  private final PrintStream out;

  public PairBench(Lab lab, LabClient client, PrintStream out) {
    this.lab = lab;
    this.client = client;
    this.guests = new LabGuests(lab, client);
    this.out = out;
  }

  /**
   * @param processes from the power loss to the new QEMU process, one for each try
   * @param ups from the power loss until the guest says that it is up
   * @param splits tries with the link cut
   * @param exactlyOne of those, in which exactly one side went on
   * @param faults what must never be and was
   */
  public record Result(
      List<Duration> processes,
      List<Duration> ups,
      int splits,
      int exactlyOne,
      List<String> faults) {}

  public Result run(int losses, int splits) {
    var processes = new ArrayList<Duration>();
    var ups = new ArrayList<Duration>();
    var faults = new ArrayList<String>();
    for (int i = 1; i <= losses; i++) {
      loss(lab.hosts().get(i % 2).id(), i, losses, processes, ups);
    }
    int exactlyOne = 0;
    for (int i = 1; i <= splits; i++) {
      if (split(i, splits, faults)) {
        exactlyOne++;
      }
    }
    if (losses > 0) {
      out.printf(
          Locale.ROOT,
          "power loss, %d tries: new QEMU process p50 %.0f ms, max %.0f ms; guest up p50 %.0f ms,"
              + " max %.0f ms (goal: p50 ≤ 5000 ms)%n",
          losses,
          millis(FailoverBench.median(processes)),
          millis(processes.stream().max(Duration::compareTo).orElseThrow()),
          millis(FailoverBench.median(ups)),
          millis(ups.stream().max(Duration::compareTo).orElseThrow()));
    }
    if (splits > 0) {
      out.printf(
          "link cut with both alive, %d tries: exactly one side went on in %d; two copies or both"
              + " off: %d%n",
          splits, exactlyOne, faults.size());
    }
    return new Result(processes, ups, splits, exactlyOne, faults);
  }

  private void loss(HostId victim, int of, int all, List<Duration> processes, List<Duration> ups) {
    var status = together();
    var guest = guestOn(victim, status);
    try (var watch = QemuWatch.start(lab);
        var console = ConsoleWatch.start(lab.console(guest.value()))) {
      boolean led = status.leader().equals(Optional.of(victim.value()));
      var moment = lab.cutPower(victim);
      var started =
          watch
              .awaitStart(guest.value(), moment, LONG)
              .orElseThrow(() -> new LabException("guest %s did not start again".formatted(guest)));
      var up =
          console
              .awaitUp(moment, LONG)
              .orElseThrow(() -> new LabException("guest %s is not up again".formatted(guest)));
      processes.add(moment.until(started.seen()));
      ups.add(moment.until(up));
      out.printf(
          Locale.ROOT,
          "power loss %d of %d, host %s%s: new QEMU process after %.0f ms, guest up after %.0f"
              + " ms%n",
          of,
          all,
          victim,
          led ? ", which led" : "",
          millis(processes.getLast()),
          millis(ups.getLast()));
    }
    lab.powerOn(victim);
  }

  private boolean split(int of, int all, List<String> faults) {
    guestOn(lab.hosts().get(of % 2).id(), together());
    var before = boots();
    try (var watch = QemuWatch.start(lab)) {
      var moment = lab.split();
      var alone =
          guests.await(
              "one side to go on",
              LONG,
              s ->
                  s.alone().filter(words -> words.startsWith("alone")).isPresent()
                      && s.guests().stream().allMatch(g -> g.state() == Views.Guest.State.RUNNING));
      var took = moment.until(ClockReading.now());
      // the cluster switches a host on at most twice an hour, a benchmark more often
      lab.hosts().stream().filter(h -> !lab.isOn(h.id())).forEach(h -> lab.powerOn(h.id()));
      var after = boots();
      long shot =
          before.entrySet().stream()
              .filter(b -> !b.getValue().equals(after.get(b.getKey())))
              .count();
      int twice = copiesAtOnce(watch.sightings());
      if (shot != 1 || twice > 0) {
        faults.add("try %d: %d hosts booted again, %d guests ran twice".formatted(of, shot, twice));
      }
      out.printf(
          Locale.ROOT,
          "link cut %d of %d: %s goes on after %.1f s, %d host booted again, %d guests ran twice%n",
          of,
          all,
          alone.leader().orElse("nobody"),
          took.toMillis() / 1e3,
          shot,
          twice);
      return shot == 1 && twice == 0;
    } finally {
      lab.heal();
    }
  }

  /** Guests of which two processes lived at the same time, on different hosts. */
  private static int copiesAtOnce(List<QemuWatch.Sighting> sightings) {
    int twice = 0;
    for (var one : sightings) {
      for (var other : sightings) {
        if (one.guest().equals(other.guest())
            && !one.host().equals(other.host())
            && one.seen().nanoTime() < other.seen().nanoTime()
            && one.gone().map(g -> g.nanoTime() > other.seen().nanoTime()).orElse(true)) {
          twice++;
        }
      }
    }
    return twice;
  }

  private Map<HostId, String> boots() {
    return lab.hosts().stream().collect(Collectors.toMap(LabHost::id, h -> lab.boot(h.id())));
  }

  private GuestId guestOn(HostId victim, Views.Status status) {
    var there =
        status.guests().stream().filter(g -> g.host().equals(Optional.of(victim))).findFirst();
    if (there.isPresent()) {
      return there.get().id();
    }
    var guest = status.guests().getFirst().id();
    guests.perform(new Command.Migrate(guest, Optional.of(victim)), LONG);
    return guest;
  }

  private Views.Status together() {
    long[] since = {0};
    return guests.await(
        "both voters to be together",
        LONG,
        s -> {
          boolean well =
              s.alone().filter(words -> words.startsWith("together")).isPresent()
                  && s.voters().size() == 2
                  && s.voters().stream().allMatch(v -> v.reachable() && v.lag() >= 0)
                  && s.hosts().stream().allMatch(h -> h.state() == Views.Host.State.ONLINE)
                  && s.guests().stream().allMatch(g -> g.state() == Views.Guest.State.RUNNING);
          long now = System.nanoTime();
          since[0] = !well ? 0 : since[0] == 0 ? now : since[0];
          return well && now - since[0] >= SETTLED.toNanos();
        });
  }

  private static double millis(Duration d) {
    return d.toNanos() / 1e6;
  }
}
