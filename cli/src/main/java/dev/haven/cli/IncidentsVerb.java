package dev.haven.cli;

import dev.haven.model.api.Incident;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
    name = "incidents",
    description = {
      "Lists failures, and what became of them.",
      "Says why a host was fenced, what proved it off, and when each guest ran again."
    },
    footer = {
      "The cluster puts them together from its audit log, and keeps the last 5,000 lines of that.",
      "Examples:",
      "  haven incidents                   all, oldest first",
      "  haven incidents last              the newest one, phase by phase",
      "  haven incidents 412 -o json       one, for a program or a report"
    })
final class IncidentsVerb extends Verb {
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss.SSS").withZone(ZoneId.systemDefault());

  @Parameters(
      paramLabel = "ID",
      arity = "0..1",
      description = "The number of an incident, or last. Default: a table of all.")
  @Nullable String id;

  IncidentsVerb(Haven haven) {
    super(haven);
  }

  @Override
  Exit run() {
    if (id == null) {
      return all();
    }
    if (!id.equals("last") && !id.matches("[0-9]{1,18}")) {
      throw new Stop(
          Exit.USAGE, "'%s' is no number of an incident; haven incidents lists them".formatted(id));
    }
    var answer = haven.cluster().get("/v1/incidents/" + id);
    if (!haven.forPeople()) {
      haven.printData(answer.body());
      return Exit.OK;
    }
    show(answer.as(Incident.class), Instant.now());
    return Exit.OK;
  }

  private Exit all() {
    var answer = haven.cluster().get("/v1/incidents");
    if (!haven.forPeople()) {
      haven.printData(answer.body());
      return Exit.OK;
    }
    var incidents = List.of(answer.as(Incident[].class));
    if (incidents.isEmpty()) {
      haven.print("No incidents, as far back as the audit log reaches.");
      return Exit.OK;
    }
    var table =
        new Table()
            .number("ID")
            .column("BEGAN")
            .column("WHAT")
            .column("WHY")
            .column("PROOF")
            .column("LASTED")
            .column("GUESTS THAT RUN AGAIN");
    var now = Instant.now();
    for (var incident : incidents) {
      table.row(
          Long.toString(incident.id()),
          TIME.format(incident.began()),
          what(incident),
          why(incident),
          proof(incident),
          Units.duration(incident.lasted(now)) + (incident.ended().isEmpty() ? " so far" : ""),
          "%d of %d".formatted(incident.running(), incident.guests().size()));
    }
    haven.print(table);
    return Exit.OK;
  }

  private void show(Incident incident, Instant now) {
    haven.print(
        haven.paint().of("bold", "incident %d: %s".formatted(incident.id(), what(incident)))
            + ", "
            + why(incident));
    haven.print(
        "began %s, %s %s"
            .formatted(
                TIME.format(incident.began()),
                incident.ended().isEmpty() ? "goes on for" : "lasted",
                Units.duration(incident.lasted(now))));
    haven.print("");
    var phases = new Table().number("SINCE").number("STEP").column("PHASE").column("OF").column("");
    long before = 0;
    for (var phase : incident.phases()) {
      phases.row(
          phase.millis() + " ms",
          phase.millis() - before + " ms",
          phase.name(),
          phase.subject(),
          phase.message());
      before = phase.millis();
    }
    haven.print(phases);
    if (!incident.guests().isEmpty()) {
      haven.print("");
      var guests =
          new Table().column("GUEST").column("FROM").column("TO").number("ORDERED").number("RUNS");
      for (var guest : incident.guests()) {
        guests.row(
            guest.guest().value(),
            guest.from().value(),
            guest.to().map(Object::toString).orElse("-"),
            guest.orderedMillis().map(ms -> ms + " ms").orElse("-"),
            guest.runsMillis().map(ms -> ms + " ms").orElse("not yet"));
      }
      haven.print(guests);
    }
  }

  private static String what(Incident incident) {
    return incident.kind().name().toLowerCase(Locale.ROOT) + " " + incident.subject();
  }

  private static String why(Incident incident) {
    return switch (incident.kind()) {
      case HOST ->
          incident
              .verdict()
              .map(v -> "fenced: " + v.words())
              .orElse(incident.ended().isEmpty() ? "silent" : "silent for a while, not fenced");
      case GUEST -> "ended while its host was well";
    };
  }

  private static String proof(Incident incident) {
    return incident
        .proof()
        .map(p -> p.name().toLowerCase(Locale.ROOT).replace('_', ' '))
        .orElse("-");
  }
}
