package dev.haven.simulator.scenario;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Json;
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
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Writes what happened to a cluster as a scenario, as far as its audit log tells: the state as it
 * was at the beginning, and the events. Where the records say what was seen and not what was the
 * cause, the most likely cause is written, beside the words of the record; what they do not tell at
 * all is said in a comment.
 */
public final class Incident {
  private static final String HOST = "host ([A-Za-z0-9._-]+)";
  private static final String GUEST = "guest ([A-Za-z0-9._-]+)";

  /** A guest that is known to run, or not to, from a line on. */
  private static final Pattern RUNS = line(GUEST + " runs on " + HOST + " \\(epoch.*");

  private static final Pattern STARTS = line("start " + GUEST + " on " + HOST + " .*");
  private static final Pattern MIGRATES =
      line("migrate " + GUEST + " from " + HOST + " to " + HOST + ": .*");
  private static final Pattern GONE = line(GUEST + " is gone from " + HOST + ": .*");
  private static final Pattern OFF = line(GUEST + " is off: .*");
  private static final Pattern OFF_WITH_HOST = line(GUEST + " is off: " + HOST + ": .*");
  private static final Pattern STAYS = line(GUEST + " stays on " + HOST + ": .*");
  private static final Pattern INTENT = line(GUEST + ": " + HOST + " can take it; .*");

  // hosts
  private static final Pattern SILENT = line(HOST + " is silent for ([0-9]+) ms: (.*)");
  private static final Pattern FENCED = line("fence " + HOST + ": (.*)");
  private static final Pattern UNFENCED = line(HOST + " could not be fenced \\((.*)\\): .*");
  private static final Pattern PROVEN = line(HOST + " is proven off: .*");
  private static final Pattern BOUND = line(HOST + ": unheard and without a lease .*");
  private static final Pattern BOOTED = line(HOST + " has booted anew");
  private static final Pattern ONLINE = line(HOST + " is online \\((.*)\\)");
  private static final Pattern LIBVIRT = line(HOST + ": libvirt does not answer.*");

  // guests
  private static final Pattern NO_START = line(GUEST + " did not start on " + HOST + ": .*");
  private static final Pattern POWERED_OFF = line(GUEST + ": powered off from inside; .*");
  private static final Pattern DESTROYED = line(GUEST + ": destroyed by hand; .*");
  private static final Pattern IO_ERROR = line(GUEST + ": paused by an I/O error; .*");
  private static final Pattern FULL = line(GUEST + " is paused on " + HOST + ": its storage is .*");

  // commands
  private static final Pattern CREATED = line(GUEST + " is created.*");
  private static final Pattern REMOVED = line(GUEST + " is removed; .*");
  private static final Pattern STARTED =
      line(GUEST + " starts(| as soon as it fits: .*| later: .*)");
  private static final Pattern STOPPED = line(GUEST + " stops and stays off");
  private static final Pattern MOVED = line(GUEST + " moves from " + HOST + " to " + HOST);
  private static final Pattern RELOCATED =
      line(GUEST + " stops on " + HOST + " and starts on " + HOST);
  private static final Pattern CORDONED = line(HOST + " is cordoned: .*");
  private static final Pattern UNCORDONED = line(HOST + " is open for guests");
  private static final Pattern EVACUATED = line(HOST + " is evacuated: .*");
  private static final Pattern CUT = line("the power of " + HOST + " is cut; .*");
  private static final Pattern WORD = line(HOST + " counts as off by the word of .*");
  private static final Pattern DOG = line(HOST + ": its watchdog is no longer fed .*");
  private static final Pattern PAUSED = line("fencing is paused(?: until ([^ ;,]+))?[;,].*");

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
    Optional<String> cause = Optional.empty();
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

  private static Pattern line(String words) {
    return Pattern.compile(words, Pattern.DOTALL);
  }

  private Incident(Views.Export now, List<Views.Event> audit, Instant since, Instant until) {
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
    var incident = new Incident(now, audit, since, until);
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
        wasOn(host) ? "online" : "fenced",
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
    boolean isNow = !host.state().equals("fenced") && !host.state().equals("expected");
    // one that falls silent was on, one that comes was not; and a silence alone proves nothing
    for (var event : before.reversed()) {
      if (about(event, host.id(), List.of(ONLINE, PROVEN))) {
        return about(event, host.id(), List.of(ONLINE));
      }
    }
    for (var event : from) {
      if (about(event, host.id(), List.of(ONLINE, SILENT, FENCED, PROVEN))) {
        return about(event, host.id(), List.of(SILENT, FENCED, PROVEN));
      }
      if (event.message().contains(" is off: host %s: booted anew".formatted(host.id()))) {
        return true; // it had a guest until then
      }
    }
    return isNow;
  }

  private boolean wasCordoned(Views.Host host) {
    var begins = List.of(CORDONED, EVACUATED);
    var ends = List.of(UNCORDONED);
    return was(host.id(), begins, ends).orElse(host.cordoned());
  }

  private static boolean about(Views.Event event, HostId id, List<Pattern> patterns) {
    return patterns.stream()
        .map(p -> p.matcher(event.message()))
        .anyMatch(m -> m.matches() && m.group(1).equals(id.value()));
  }

  /**
   * Whether something held at the beginning that these lines begin and those end: as the last line
   * before it left it, or else the contrary of what the first line after it began.
   */
  private Optional<Boolean> was(HostId id, List<Pattern> begins, List<Pattern> ends) {
    for (var event : before.reversed()) {
      if (about(event, id, begins)) {
        return Optional.of(true);
      }
      if (about(event, id, ends)) {
        return Optional.of(false);
      }
    }
    for (var event : from) {
      if (about(event, id, begins)) {
        return Optional.of(false);
      }
      if (about(event, id, ends)) {
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
      if (matches(CREATED, event, id).isPresent()) {
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
    static Place on(String host) {
      return new Place(Optional.of(new HostId(host)));
    }

    static final Place NOWHERE = new Place(Optional.empty());
  }

  private static Optional<Matcher> matches(Pattern pattern, Views.Event event, GuestId id) {
    var m = pattern.matcher(event.message());
    return m.matches() && m.group(1).equals(id.value()) ? Optional.of(m) : Optional.empty();
  }

  /** Where a line leaves the guest, if it tells. */
  private static Optional<Place> after(Views.Event event, GuestId id) {
    for (var pattern : List.of(RUNS, STAYS, STARTS)) {
      var m = matches(pattern, event, id);
      if (m.isPresent()) {
        return Optional.of(Place.on(m.get().group(2)));
      }
    }
    return matches(OFF, event, id).map(_ -> Place.NOWHERE);
  }

  /** Where it was until a line, if it tells. */
  private static Optional<Place> until(Views.Event event, GuestId id) {
    for (var pattern : List.of(MIGRATES, MOVED, RELOCATED, GONE, STAYS, OFF_WITH_HOST, FULL)) {
      var m = matches(pattern, event, id);
      if (m.isPresent()) {
        return Optional.of(Place.on(m.get().group(2)));
      }
    }
    return matches(STARTS, event, id).map(_ -> Place.NOWHERE);
  }

  private static Optional<Boolean> wants(Views.Event event, GuestId id) {
    if (matches(STOPPED, event, id)
        .or(() -> matches(POWERED_OFF, event, id))
        .or(() -> matches(DESTROYED, event, id))
        .isPresent()) {
      return Optional.of(false);
    }
    return matches(STARTED, event, id).map(_ -> true);
  }

  // what happened

  private void read(Views.Event e) {
    switch (e.kind()) {
      case "command" -> command(e);
      default -> {
        if (!host(e)) {
          guest(e);
        }
      }
    }
  }

  private boolean host(Views.Event e) {
    var text = e.message();
    Matcher m = SILENT.matcher(text);
    if (m.matches()) {
      var began = e.at().minusMillis(Long.parseLong(m.group(2)));
      var silence = new Silence(began, e, m.group(3).contains("its kernel answers"));
      silence.off = off(m.group(3));
      silences.putIfAbsent(new HostId(m.group(1)), silence);
      return true;
    }
    for (var id : List.copyOf(silences.keySet())) {
      var silence = silences.get(id);
      if (silence != null && e.subject().equals(id.value()) && heard(e, id, silence)) {
        return true;
      }
    }
    m = BOOTED.matcher(text);
    if (m.matches()) {
      if (!on.add(m.group(1))) { // nobody was there to miss it
        add(at(e.at()).minus(BOOT.multipliedBy(2)), e, "power-off", quoted(m.group(1)));
      }
      add(at(e.at()).minus(BOOT), e, "power-on", quoted(m.group(1)));
      return true;
    }
    m = ONLINE.matcher(text);
    if (m.matches()) {
      if (on.add(m.group(1))) {
        add(at(e.at()).minus(BOOT), e, "power-on", quoted(m.group(1)));
      }
      return true;
    }
    m = LIBVIRT.matcher(text);
    if (m.matches()) {
      var daemon = "{host: %s, daemon: libvirtd}".formatted(quoted(new HostId(m.group(1))));
      add(at(e.at()), e, "stop-daemon", daemon);
      add(at(e.at()).plus(LIBVIRT_AWAY), null, "start-daemon", daemon);
      unknown.add("how long libvirt was away from host " + m.group(1));
      return true;
    }
    return false;
  }

  private static boolean off(String evidence) {
    return evidence.contains("its kernel does not answer")
        && evidence.contains(" says off")
        && !evidence.contains(" says on");
  }

  /** A line about a host that is silent. */
  private boolean heard(Views.Event e, HostId id, Silence silence) {
    var text = e.message();
    Matcher m = FENCED.matcher(text);
    if (m.matches()) {
      silence.cause = Optional.of(m.group(2));
      return true;
    }
    m = UNFENCED.matcher(text);
    if (m.matches()) {
      silence.deviceFails = Optional.of(m.group(2));
      return true;
    }
    if (BOUND.matcher(text).matches()) {
      silence.withoutDevice = true;
      return true;
    }
    if (PROVEN.matcher(text).matches()) {
      silence.proven = true;
      on.remove(id.value());
      return true;
    }
    if (text.startsWith("host " + id + ": its kernel ")) {
      silence.kernelAnswers |= text.contains("its kernel answers");
      silence.off |= off(text);
      return true;
    }
    if (BOOTED.matcher(text).matches()) {
      silences.remove(id);
      on.add(id.value());
      ends(id, silence, e, true);
      return true;
    }
    if (ONLINE.matcher(text).matches()) {
      silences.remove(id);
      on.add(id.value());
      ends(id, silence, e, false);
      return true;
    }
    return false;
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
    boolean powerLoss = s.cause.map(c -> c.contains("power")).orElse(s.off);
    boolean agent = s.cause.isPresent() ? s.cause.get().contains("agent") : s.kernelAnswers;
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

  private boolean guest(Views.Event e) {
    var text = e.message();
    var m = INTENT.matcher(text);
    if (m.matches()) {
      intents.add(new GuestId(m.group(1)));
      return true;
    }
    m = STAYS.matcher(text);
    if (m.matches()) {
      if (intents.remove(new GuestId(m.group(1))) && guests.containsKey(m.group(1))) {
        failures.merge(new Failure(m.group(1), Optional.empty()), 1, Integer::sum);
      }
      return true;
    }
    m = NO_START.matcher(text);
    if (m.matches()) {
      if (guests.containsKey(m.group(1)) && hosts.containsKey(m.group(2))) {
        failures.merge(new Failure(m.group(1), Optional.of(m.group(2))), 1, Integer::sum);
      }
      return true;
    }
    return guestEvent(e, GONE, "crash")
        || guestEvent(e, POWERED_OFF, "power-off-inside")
        || guestEvent(e, DESTROYED, "stop")
        || guestEvent(e, IO_ERROR, "io-error")
        || (e.kind().equals("alarm") && guestEvent(e, FULL, "storage-full"));
  }

  private boolean guestEvent(Views.Event e, Pattern pattern, String event) {
    var m = pattern.matcher(e.message());
    if (m.matches()) {
      add(at(e.at()), e, event, quoted(new GuestId(m.group(1))));
    }
    return m.matches();
  }

  private void command(Views.Event e) {
    boolean read =
        named(e, STARTED, "start")
            || named(e, STOPPED, "stop")
            || named(e, REMOVED, "remove-guest")
            || named(e, CORDONED, "cordon")
            || named(e, UNCORDONED, "uncordon")
            || named(e, EVACUATED, "evacuate")
            || named(e, CUT, "fence")
            || word(e)
            || named(e, DOG, "test-watchdog")
            || moved(e, MOVED, "migrate")
            || moved(e, RELOCATED, "relocate");
    var m = CREATED.matcher(e.message());
    if (m.matches()) {
      created(e, m.group(1));
      return;
    }
    m = PAUSED.matcher(e.message());
    if (m.matches()) {
      var until = Optional.ofNullable(m.group(1)).map(Instant::parse);
      add(
          at(e.at()),
          e,
          "pause",
          until
              .map(t -> "{for: %dms}".formatted(Duration.between(e.at(), t).toMillis()))
              .orElse("{}"));
    } else if (e.message().equals("fencing goes on")) {
      add(at(e.at()), e, "resume", "{}");
    } else if (!read) {
      unknown.add(
          "%s: %s said: %s"
              .formatted(e.at().truncatedTo(ChronoUnit.SECONDS), e.subject(), oneLine(e)));
    }
  }

  private boolean named(Views.Event e, Pattern pattern, String event) {
    var m = pattern.matcher(e.message());
    if (m.matches()) {
      add(at(e.at()), e, event, quoted(m.group(1)));
    }
    return m.matches();
  }

  private boolean word(Views.Event e) {
    var m = WORD.matcher(e.message());
    if (m.matches()) {
      var silence = silences.get(new HostId(m.group(1)));
      if (silence != null) {
        silence.withoutDevice = true;
      }
      add(at(e.at()), e, "confirm-dead", quoted(m.group(1)));
    }
    return m.matches();
  }

  private boolean moved(Views.Event e, Pattern pattern, String event) {
    var m = pattern.matcher(e.message());
    if (m.matches()) {
      add(
          at(e.at()),
          e,
          event,
          "{guest: %s, to: %s}".formatted(quoted(m.group(1)), quoted(m.group(3))));
    }
    return m.matches();
  }

  private void created(Views.Event e, String name) {
    var guest = guests.get(name);
    if (guest == null) {
      unknown.add("what guest %s was, which was created and removed since".formatted(name));
      return;
    }
    var line =
        ScenarioText.guest(as(guest, e.message().endsWith("starts"), Optional.empty()), false);
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
