package dev.haven.simulator.scenario;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Views;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Writes what happened to a cluster as a scenario, as far as its audit log tells: the state as it
 * was at the beginning, and the events. Where the records say what was seen and not what was the
 * cause, the most likely cause is written, beside the words of the record; what they do not tell at
 * all is said in a comment.
 */
public final class IncidentExport {
  /** A host's power comes back so long before it is heard; nothing tells when. */
  private static final Duration BOOT = Duration.ofSeconds(3);

  /** libvirt was away for so long; nothing tells how long. */
  private static final Duration LIBVIRT_AWAY = Duration.ofSeconds(30);

  private final Views.Export now;
  private final List<Views.Event> before = new ArrayList<>();
  private final List<Views.Event> during = new ArrayList<>();
  private final List<Views.Event> from = new ArrayList<>();
  private final Instant since;
  private final Map<String, Views.Host> hosts = new LinkedHashMap<>();
  private final Map<String, Views.GuestDetail> guests = new LinkedHashMap<>();
  private final Map<HostId, Silence> silences = new HashMap<>();
  private final Set<GuestId> intents = new LinkedHashSet<>();
  private final Map<Failure, Integer> failures = new LinkedHashMap<>();
  private final Map<String, Duration> created = new HashMap<>();
  private final Set<String> on = new LinkedHashSet<>();
  private final List<Line> lines = new ArrayList<>();
  private final Set<String> unknown = new LinkedHashSet<>();

  /** A line of the timeline. */
  private record Line(Duration at, String text) {}

  /**
   * Something that failed of itself.
   *
   * @param host empty for a migration
   */
  private record Failure(String guest, Optional<String> host) {
    String text(int times) {
      return host.map(
              h ->
                  "fail-start: {guest: %s, host: %s, times: %d}}"
                      .formatted(quoted(guest), quoted(h), times))
          .orElseGet(
              () -> "fail-migration: {guest: %s, times: %d}}".formatted(quoted(guest), times));
    }
  }

  /** A host that was not heard, and what was found out about it. */
  private static final class Silence {
    final Instant since;
    final Views.Event seen;
    boolean kernelAnswers;
    Optional<Fact.Verdict> cause = Optional.empty();
    Optional<String> deviceFails = Optional.empty();
    boolean proven;
    boolean withoutDevice;

    /** Its devices said off, and its kernel did not answer. */
    boolean off;

    Silence(Instant since, Views.Event seen, boolean kernelAnswers) {
      this.since = since;
      this.seen = seen;
      this.kernelAnswers = kernelAnswers;
    }
  }

  private IncidentExport(Views.Export now, List<Views.Event> audit, Instant since, Instant until) {
    this.now = now;
    this.since = since;
    now.hosts().forEach(h -> hosts.put(h.id().value(), h));
    now.guests().forEach(g -> guests.put(g.spec().id().value(), g));
    for (var event : audit) {
      if (event.at().isBefore(since)) {
        before.add(event);
      } else {
        from.add(event);
        if (!event.at().isAfter(until)) {
          during.add(event);
        }
      }
    }
  }

  /**
   * What {@link ScenarioFile} reads.
   *
   * @param now the cluster as it is
   * @param audit all that it has kept, oldest first
   */
  public static String of(Views.Export now, List<Views.Event> audit, Instant since, Instant until) {
    var incident = new IncidentExport(now, audit, since, until);
    incident.hosts.values().stream()
        .filter(incident::wasOn)
        .forEach(h -> incident.on.add(h.id().value()));
    incident.during.forEach(incident::read);
    for (var silence : new TreeMap<>(incident.silences).entrySet()) {
      incident.ends(silence.getKey(), silence.getValue(), null, false);
    }
    incident.failures.forEach(
        (what, times) ->
            incident.lines.add(
                new Line(
                    incident.created.getOrDefault(what.guest(), Duration.ZERO), what.text(times))));
    return incident.text(audit, until);
  }

  private String text(List<Views.Event> audit, Instant until) {
    var atFirst =
        new Views.Export(
            now.voters(),
            now.policy(),
            hosts.values().stream().map(this::atFirst).toList(),
            guests.values().stream().flatMap(g -> atFirst(g).stream()).toList());
    if (audit.isEmpty() || (audit.getFirst().index() > 1 && before.isEmpty())) {
      unknown.add(
          audit.isEmpty()
              ? "the audit log is empty"
              : "the audit log begins at %s only".formatted(audit.getFirst().at()));
    }
    unknown.add(
        "sizes, labels, rules, policy and voters are as they are now: the records do not keep older"
            + " ones");
    unknown.add("a copy of a guest's disk, its load and what the network did are in no record");
    var events =
        lines.stream()
            .sorted(Comparator.comparing(Line::at))
            .map(l -> "  - {at: %dms, %s".formatted(l.at().toMillis(), l.text()))
            .toList();
    return ScenarioText.of(
        atFirst,
        "What happened from %s to %s, as far as the audit log tells".formatted(since, until),
        List.copyOf(unknown),
        events);
  }

  // the state as it was

  private Views.Host atFirst(Views.Host host) {
    var id = host.id();
    return new Views.Host(
        id,
        wasOn(host) ? Views.Host.State.ONLINE : Views.Host.State.FENCED,
        wasCordoned(host),
        host.waiting(),
        host.lastHeard(),
        host.capacity(),
        host.memoryUsedMib(),
        host.vcpusUsed(),
        host.guests(),
        host.device(),
        host.boot(),
        host.agentVersion(),
        host.bound(),
        host.spec());
  }

  private boolean wasOn(Views.Host host) {
    var id = host.id();
    boolean isNow = ScenarioText.on(host);
    // one that falls silent was on, one that comes was not; and a silence alone proves nothing
    for (var event : before.reversed()) {
      if (event.fact().orElse(null) instanceof Fact.OfHost f && f.host().equals(id)) {
        if (f instanceof Fact.HostOnline || f instanceof Fact.HostProvenOff) {
          return f instanceof Fact.HostOnline;
        }
      }
    }
    for (var event : from) {
      var fact = event.fact().orElse(null);
      if (fact instanceof Fact.HostOnline f && f.host().equals(id)) {
        return false;
      }
      boolean fell =
          fact instanceof Fact.HostFellSilent
              || fact instanceof Fact.FenceDecided
              || fact instanceof Fact.HostProvenOff;
      if (fell && event.subject().equals(id.value())) {
        return true;
      }
      if (fact instanceof Fact.GuestOff f
          && f.host().equals(Optional.of(id))
          && f.by().equals(Optional.of(Fact.Evidence.NEWER_BOOT))) {
        return true; // it had a guest until then
      }
    }
    return isNow;
  }

  private boolean wasCordoned(Views.Host host) {
    return was(host.id(), Set.of("Cordon", "Evacuate"), Set.of("Uncordon")).orElse(host.cordoned());
  }

  /** Whether a line is the answer to one of these commands about a host. */
  private static boolean asked(Views.Event event, HostId id, Set<String> commands) {
    return event.fact().orElse(null) instanceof Fact.CommandAccepted c
        && c.changed()
        && c.host().equals(Optional.of(id))
        && commands.contains(c.command());
  }

  /**
   * Whether something held at the beginning that these commands begin and those end: as the last
   * line before it left it, or else the contrary of what the first line after it began.
   */
  private Optional<Boolean> was(HostId id, Set<String> begins, Set<String> ends) {
    for (var event : before.reversed()) {
      if (asked(event, id, begins)) {
        return Optional.of(true);
      }
      if (asked(event, id, ends)) {
        return Optional.of(false);
      }
    }
    for (var event : from) {
      if (asked(event, id, begins)) {
        return Optional.of(false);
      }
      if (asked(event, id, ends)) {
        return Optional.of(true);
      }
    }
    return Optional.empty();
  }

  /** Empty if it was created later. */
  private Optional<Views.GuestDetail> atFirst(Views.GuestDetail guest) {
    var id = guest.spec().id();
    Optional<HostId> on = guest.guest().host();
    boolean wanted = guest.guest().wanted();
    boolean known = false;
    for (var event : before) {
      var place = after(event, id);
      if (place.isPresent()) {
        on = place.get().host();
        known = true;
      }
      wanted = wants(event, id).orElse(wanted);
    }
    boolean asked = before.stream().anyMatch(e -> wants(e, id).isPresent());
    for (var event : from) {
      if (ordered(event, id, "CreateGuest")) {
        return Optional.empty();
      }
      if (!known) {
        var place = until(event, id);
        if (place.isPresent()) {
          on = place.get().host();
          known = true;
        }
      }
      var wish = wants(event, id);
      if (!asked && wish.isPresent()) {
        wanted = !wish.get();
        asked = true;
      }
    }
    if (wanted && on.isEmpty()) {
      unknown.add("where guest %s was, if anywhere".formatted(id));
    }
    return Optional.of(as(guest, wanted, on));
  }

  private static Views.GuestDetail as(
      Views.GuestDetail guest, boolean wanted, Optional<HostId> on) {
    var g = guest.guest();
    return new Views.GuestDetail(
        new Views.Guest(
            g.id(),
            g.state(),
            wanted,
            on,
            Optional.empty(),
            g.epoch(),
            "",
            g.memoryMib(),
            g.vcpus(),
            g.priority()),
        guest.spec(),
        List.of());
  }

  /** Where a guest is, or that it is nowhere. */
  private record Place(Optional<HostId> host) {
    static Place on(HostId host) {
      return new Place(Optional.of(host));
    }

    static final Place NOWHERE = new Place(Optional.empty());
  }

  /** Whether a line is the answer to this command about a guest, which found something to do. */
  private static boolean ordered(Views.Event event, GuestId id, String command) {
    return event.fact().orElse(null) instanceof Fact.CommandAccepted c
        && c.changed()
        && c.guest().equals(Optional.of(id))
        && c.command().equals(command);
  }

  /** Where a line leaves the guest, if it tells. */
  private static Optional<Place> after(Views.Event event, GuestId id) {
    if (!(event.fact().orElse(null) instanceof Fact.OfGuest fact) || !fact.guest().equals(id)) {
      return Optional.empty();
    }
    if (fact instanceof Fact.GuestRuns f) {
      return Optional.of(Place.on(f.host()));
    }
    if (fact instanceof Fact.MigrationFailed f) {
      return Optional.of(Place.on(f.at()));
    }
    if (fact instanceof Fact.GuestPlaced f) {
      return Optional.of(Place.on(f.host()));
    }
    return fact instanceof Fact.GuestOff ? Optional.of(Place.NOWHERE) : Optional.empty();
  }

  /** Where it was until a line, if it tells. */
  private static Optional<Place> until(Views.Event event, GuestId id) {
    var fact = event.fact().orElse(null);
    if (fact == null || !fact.subject().equals(id.value())) {
      return Optional.empty();
    }
    if (fact instanceof Fact.MigrationDecided f) {
      return Optional.of(Place.on(f.from()));
    }
    if (fact instanceof Fact.GuestGone f) {
      return Optional.of(Place.on(f.host()));
    }
    if (fact instanceof Fact.MigrationFailed f) {
      return Optional.of(Place.on(f.at()));
    }
    if (fact instanceof Fact.GuestOff f) {
      return f.host().map(Place::on);
    }
    if (fact instanceof Fact.AlarmRaised f && f.trouble() == Alarm.Kind.STORAGE_FULL) {
      return f.detail().map(host -> Place.on(new HostId(host)));
    }
    return fact instanceof Fact.GuestPlaced ? Optional.of(Place.NOWHERE) : Optional.empty();
  }

  private static Optional<Boolean> wants(Views.Event event, GuestId id) {
    boolean ended =
        event.fact().orElse(null) instanceof Fact.GuestQuestioned f
            && f.guest().equals(id)
            && (f.end() == Fact.End.POWERED_OFF || f.end() == Fact.End.DESTROYED_BY_HAND);
    if (ended || ordered(event, id, "StopGuest")) {
      return Optional.of(false);
    }
    return ordered(event, id, "StartGuest") ? Optional.of(true) : Optional.empty();
  }

  // what happened

  private void read(Views.Event e) {
    if (e.fact().isEmpty()) {
      return;
    }
    switch (e.fact().get()) {
      case Fact.CommandAccepted f -> command(e, f);
      case Fact.OfHost f -> host(e, f);
      case Fact.OfGuest f -> guest(e, f);
      case Fact.AlarmRaised f -> alarm(e, f);
      case Fact.OfCluster _, Fact.OperationEnded _ -> {}
    }
  }

  private void host(Views.Event e, Fact.OfHost fact) {
    var id = fact.host();
    var silence = silences.get(id);
    switch (fact) {
      case Fact.HostFellSilent f -> {
        var seen = new Silence(e.at().minus(f.lasted()), e, answers(f.signs()));
        seen.off = off(f.signs());
        silences.putIfAbsent(id, seen);
      }
      case Fact.HostWeighed f -> {
        if (silence != null) {
          silence.kernelAnswers |= answers(f.signs());
          silence.off |= off(f.signs());
        }
      }
      case Fact.FenceDecided f -> {
        if (silence != null) {
          silence.cause = Optional.of(f.verdict());
        }
      }
      case Fact.HostProven f -> {
        if (silence != null && f.evidence() == Fact.Evidence.BOUND_RUN_OUT) {
          silence.withoutDevice = true;
        }
      }
      case Fact.HostProvenOff _ -> {
        if (silence != null) {
          silence.proven = true;
          on.remove(id.value());
        }
      }
      case Fact.HostBooted _ -> {
        if (silence == null) {
          booted(e, id);
        } else {
          over(e, id, silence, true);
        }
      }
      case Fact.HostOnline _ -> {
        if (silence != null) {
          over(e, id, silence, false);
        } else if (on.add(id.value())) {
          add(at(e.at()).minus(BOOT), e, "power-on", quoted(id));
        }
      }
      case Fact.FenceRepeated _,
          Fact.FencingTrialBegun _,
          Fact.FenceTimed _,
          Fact.ProofOutdated _,
          Fact.HostMayComeBack _,
          Fact.HostSwitchedOn _,
          Fact.HostGoesDown _,
          Fact.HostAccepted _,
          Fact.LeasesEnforced _,
          Fact.WatchdogHasReset _,
          Fact.DevicesProven _ -> {}
    }
  }

  private void booted(Views.Event e, HostId id) {
    if (!on.add(id.value())) { // nobody was there to miss it
      add(at(e.at()).minus(BOOT.multipliedBy(2)), e, "power-off", quoted(id));
    }
    add(at(e.at()).minus(BOOT), e, "power-on", quoted(id));
  }

  private void over(Views.Event e, HostId id, Silence silence, boolean booted) {
    silences.remove(id);
    on.add(id.value());
    ends(id, silence, e, booted);
  }

  private static boolean answers(Fact.Signs signs) {
    return signs.kernel() == Fact.Kernel.ANSWERS;
  }

  private static boolean off(Fact.Signs signs) {
    return signs.kernel() == Fact.Kernel.SILENT && signs.power() == Fact.Power.OFF;
  }

  private void alarm(Views.Event e, Fact.AlarmRaised f) {
    switch (f.trouble()) {
      case FENCE_FAILED -> {
        var silence = silences.get(new HostId(f.subject()));
        if (silence != null) {
          silence.deviceFails = f.detail();
        }
      }
      case LIBVIRT_AWAY -> {
        var daemon = "{host: %s, daemon: libvirtd}".formatted(quoted(f.subject()));
        add(at(e.at()), e, "stop-daemon", daemon);
        add(at(e.at()).plus(LIBVIRT_AWAY), null, "start-daemon", daemon);
        unknown.add("how long libvirt was away from host " + f.subject());
      }
      case STORAGE_FULL -> add(at(e.at()), e, "storage-full", quoted(f.subject()));
      default -> {} // the other kinds tell nothing that a scenario can play
    }
  }

  /**
   * What the silence was, and its end.
   *
   * @param end null if it did not end
   */
  private void ends(HostId id, Silence s, Views.@Nullable Event end, boolean booted) {
    var began = at(s.since);
    if (s.deviceFails.isPresent() || s.withoutDevice) {
      var how = s.deviceFails.filter(w -> w.contains("refuse")).isPresent() ? "refuses" : "hangs";
      add(began, s.seen, "fencing", "{host: %s, now: %s}".formatted(quoted(id), how));
    }
    boolean powerLoss = s.cause.map(c -> c == Fact.Verdict.POWER_LOSS).orElse(s.off);
    boolean agent = s.cause.map(c -> c == Fact.Verdict.AGENT_GONE).orElse(s.kernelAnswers);
    boolean lostWithItsDevice = s.proven && s.withoutDevice && (end == null || booted);
    var daemon = "{host: %s, daemon: agent}".formatted(quoted(id));
    if (powerLoss || lostWithItsDevice) {
      add(began, s.seen, "power-off", quoted(id));
    } else if (agent) {
      add(began, s.seen, "stop-daemon", daemon);
    } else if (booted) {
      unknown.add("whether host %s hung or was cut off".formatted(id));
      add(began, s.seen, "hang", quoted(id));
    } else {
      unknown.add("whether host %s hung or was cut off".formatted(id));
      add(began, s.seen, "isolate", quoted(id));
    }
    if (end != null) {
      var over = at(end.at());
      if (s.deviceFails.isPresent() || s.withoutDevice) {
        add(over, null, "fencing", "{host: %s, now: works}".formatted(quoted(id)));
      }
      if (booted || powerLoss) {
        var on = over.minus(BOOT);
        add(on.compareTo(began) > 0 ? on : began.plusMillis(1), end, "power-on", quoted(id));
      } else if (agent) {
        add(over, end, "start-daemon", daemon);
      } else {
        add(over, end, "heal", quoted(id));
      }
    }
  }

  private void guest(Views.Event e, Fact.OfGuest fact) {
    var id = fact.guest();
    switch (fact) {
      case Fact.MigrationBegun _ -> intents.add(id);
      case Fact.MigrationFailed _ -> {
        if (intents.remove(id) && guests.containsKey(id.value())) {
          failures.merge(new Failure(id.value(), Optional.empty()), 1, Integer::sum);
        }
      }
      case Fact.StartFailed f -> {
        if (guests.containsKey(id.value()) && hosts.containsKey(f.host().value())) {
          failures.merge(new Failure(id.value(), Optional.of(f.host().value())), 1, Integer::sum);
        }
      }
      case Fact.GuestGone _ -> add(at(e.at()), e, "crash", quoted(id));
      case Fact.GuestQuestioned f -> {
        switch (f.end()) {
          case POWERED_OFF -> add(at(e.at()), e, "power-off-inside", quoted(id));
          case DESTROYED_BY_HAND -> add(at(e.at()), e, "stop", quoted(id));
          case IO_ERROR -> add(at(e.at()), e, "io-error", quoted(id));
          case CRASHED, UNHEALTHY, ITS_HOST, UNCLEAR -> {}
        }
      }
      case Fact.GuestPlaced _,
          Fact.GuestRuns _,
          Fact.GuestOff _,
          Fact.StartUnclear _,
          Fact.GuestShutDownByHost _,
          Fact.GuestUnhealthy _,
          Fact.GuestMayRunThere _,
          Fact.GuestStoppedForRoom _,
          Fact.StuckGuestFreed _,
          Fact.MigrationDecided _,
          Fact.MigrationArrived _ -> {}
    }
  }

  private void command(Views.Event e, Fact.CommandAccepted f) {
    if (!f.changed()) {
      return;
    }
    switch (f.command()) {
      case "CreateGuest" ->
          f.guest().ifPresent(g -> created(e, g.value(), f.operation().isPresent()));
      case "StartGuest" -> named(e, f.guest(), "start");
      case "StopGuest" -> named(e, f.guest(), "stop");
      case "RemoveGuest" -> named(e, f.guest(), "remove-guest");
      case "Cordon" -> named(e, f.host(), "cordon");
      case "Uncordon" -> named(e, f.host(), "uncordon");
      case "Evacuate" -> named(e, f.host(), "evacuate");
      case "Fence" -> named(e, f.host(), "fence");
      case "TestWatchdog" -> named(e, f.host(), "test-watchdog");
      case "ConfirmDead" -> {
        f.host()
            .flatMap(h -> Optional.ofNullable(silences.get(h)))
            .ifPresent(silence -> silence.withoutDevice = true);
        named(e, f.host(), "confirm-dead");
      }
      case "Pause" ->
          add(
              at(e.at()),
              e,
              "pause",
              f.until()
                  .map(t -> "{for: %dms}".formatted(Duration.between(e.at(), t).toMillis()))
                  .orElse("{}"));
      case "Resume" -> add(at(e.at()), e, "resume", "{}");
      case "Migrate" -> moved(e, f, "migrate");
      case "Relocate" -> moved(e, f, "relocate");
      default -> said(e);
    }
  }

  private void said(Views.Event e) {
    unknown.add(
        "%s: %s said: %s"
            .formatted(e.at().truncatedTo(ChronoUnit.SECONDS), e.subject(), oneLine(e)));
  }

  private void named(Views.Event e, Optional<?> what, String event) {
    what.ifPresent(name -> add(at(e.at()), e, event, quoted(name)));
  }

  private void moved(Views.Event e, Fact.CommandAccepted f, String event) {
    if (f.guest().isEmpty() || f.host().isEmpty()) { // guests that stay together
      said(e);
      return;
    }
    var move = "{guest: %s, to: %s}".formatted(quoted(f.guest().get()), quoted(f.host().get()));
    add(at(e.at()), e, event, move);
  }

  private void created(Views.Event e, String name, boolean starts) {
    var guest = guests.get(name);
    if (guest == null) {
      unknown.add("what guest %s was, which was created and removed since".formatted(name));
      return;
    }
    var line = ScenarioText.guest(as(guest, starts, Optional.empty()), false);
    created.put(name, at(e.at()));
    add(at(e.at()), e, "add-guest", line.substring(line.indexOf('{')));
  }

  /**
   * @param why the record that it rests on; null if none
   */
  private void add(Duration at, Views.@Nullable Event why, String event, String value) {
    var missing =
        NAMES
            .matcher(value)
            .results()
            .map(r -> r.group(1))
            .filter(n -> !hosts.containsKey(n) && !guests.containsKey(n))
            .findFirst();
    if (missing.isPresent() && !event.equals("add-guest")) {
      unknown.add("%s %s: it is there no more, so nothing tells its size".formatted(event, value));
      return;
    }
    lines.add(
        new Line(
            at.isNegative() ? Duration.ZERO : at,
            event + ": " + value + "}" + (why == null ? "" : comment(why))));
  }

  private static final Pattern NAMES = Pattern.compile("\"([^\"]+)\"");

  private Duration at(Instant time) {
    return Duration.between(since, time);
  }

  private static String comment(Views.Event e) {
    return "  # %s %s".formatted(e.at().truncatedTo(ChronoUnit.SECONDS), oneLine(e));
  }

  private static String oneLine(Views.Event e) {
    return e.message().replaceAll("\\s+", " ").strip();
  }

  private static String quoted(Object name) {
    return Json.text(name.toString());
  }
}
