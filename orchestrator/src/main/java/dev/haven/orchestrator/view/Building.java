package dev.haven.orchestrator.view;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.AuditLine;
import dev.haven.model.api.Fact;
import dev.haven.model.api.FactWords;
import dev.haven.model.api.Incident;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** An {@link Incident} of which more may be read. */
final class Building {
  final long id;
  final Incident.Kind kind;
  final String subject;
  final Instant began;
  final Map<GuestId, Incident.Down> guests = new TreeMap<>();
  Fact.@Nullable Verdict verdict;
  Fact.@Nullable Evidence proof;
  @Nullable Instant ended;

  /** When the host was proven off first, and when it was back. */
  @Nullable Instant provenOff;

  @Nullable Instant back;
  private final List<Incident.Phase> phases = new ArrayList<>();
  private @Nullable Instant lastRun;

  Building(long id, Incident.Kind kind, String subject, Instant began) {
    this.id = id;
    this.kind = kind;
    this.subject = subject;
    this.began = began;
  }

  void phase(AuditLine line, String name) {
    phase(line.at(), name, line.fact().subject(), FactWords.of(line.fact()));
  }

  void phase(Instant at, String name, String of, String message) {
    phases.add(new Incident.Phase(at, since(at), name, of, message));
  }

  private long since(Instant at) {
    return Duration.between(began, at).toMillis();
  }

  void down(GuestId guest, HostId from) {
    guests.put(
        guest,
        new Incident.Down(guest, from, Optional.empty(), Optional.empty(), Optional.empty()));
  }

  void placed(GuestId guest, HostId to, Instant at) {
    guests.computeIfPresent(
        guest,
        (_, was) ->
            new Incident.Down(
                guest, was.from(), Optional.of(to), Optional.of(since(at)), Optional.empty()));
  }

  void runs(GuestId guest, Instant at) {
    lastRun = at;
    guests.computeIfPresent(
        guest,
        (_, was) ->
            new Incident.Down(
                guest, was.from(), was.to(), was.orderedMillis(), Optional.of(since(at))));
  }

  boolean allRun() {
    return guests.values().stream().allMatch(g -> g.runsMillis().isPresent());
  }

  /** When the last guest ran; if none was down, when the host was back. */
  @Nullable Instant settled() {
    return lastRun == null ? back : lastRun;
  }

  Incident built() {
    return new Incident(
        id,
        kind,
        subject,
        began,
        Optional.ofNullable(ended),
        Optional.ofNullable(verdict),
        Optional.ofNullable(proof),
        phases.stream().sorted(Comparator.comparing(Incident.Phase::at)).toList(),
        List.copyOf(guests.values()));
  }
}
