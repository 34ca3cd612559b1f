package dev.haven.cli;

import dev.haven.model.Json;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Views;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "events",
    description = "Prints the audit log: what the cluster saw, decided and did, and why.",
    footer = {
      "Examples:",
      "  haven events --since 10m          of the last ten minutes",
      "  haven events --since 1200         from line 1200 on",
      "  haven events --follow --subject web",
      "  haven events --since 1d --kind alarm,decision"
    })
final class EventsVerb extends Verb {
  private static final int PAGE = 1000;
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("MM-dd HH:mm:ss.SSS").withZone(ZoneId.systemDefault());

  @Option(
      names = {"-f", "--follow"},
      description = "Then print what happens from now on, until ^C.")
  boolean follow;

  @Option(
      names = "--since",
      paramLabel = "WHEN",
      description = "A time span back from now (10m, 2h) or the number of a line. Default: 1h.")
  String since = "1h";

  @Option(
      names = "--subject",
      paramLabel = "NAME",
      description = "Only about this host, guest or operation.")
  @Nullable String subject;

  @Option(
      names = "--kind",
      paramLabel = "KIND",
      split = ",",
      description =
          "Only lines of this kind: decision, evidence, command, alarm or phase; several with"
              + " commas. Default: all.")
  List<String> kinds = List.of();

  private long last;
  private Instant from = Instant.MIN;

  EventsVerb(Haven haven) {
    super(haven);
  }

  @Override
  Exit run() {
    if (since.matches("[0-9]+")) {
      last = Math.max(0, Long.parseLong(since) - 1);
    } else {
      from = Instant.now().minus(Units.parseDuration(since));
    }
    var past = after(haven, last);
    if (!past.isEmpty()) {
      last = past.getLast().index();
    }
    past.removeIf(e -> !wanted(e));
    if (!follow && haven.output() == Haven.Output.json) {
      haven.printData(past);
      return Exit.OK;
    }
    past.forEach(this::print);
    haven.around.out().flush();
    while (follow) {
      haven.cluster().stream(
          "/v1/events/stream?since=" + last,
          data -> {
            var event = Json.read(data, Views.Event.class);
            last = Math.max(last, event.index());
            if (wanted(event)) {
              print(event);
              haven.around.out().flush();
            }
            return false;
          });
      OperationWatch.sleep(
          200); // the voter went away, or had nothing to say: ask on from where we are
    }
    return Exit.OK;
  }

  /** All lines after this one, oldest first. */
  static List<Views.Event> after(Haven haven, long line) {
    var events = new ArrayList<Views.Event>();
    while (true) {
      long last = events.isEmpty() ? line : events.getLast().index();
      var page =
          haven
              .cluster()
              .get("/v1/events?since=%d&limit=%d".formatted(last, PAGE), Views.Event[].class);
      events.addAll(List.of(page));
      if (page.length < PAGE) {
        return events;
      }
    }
  }

  private boolean wanted(Views.Event event) {
    return !event.at().isBefore(from)
        && (subject == null || subject.equals(event.subject()))
        && (kinds.isEmpty() || kinds.contains(event.kind().word()));
  }

  private void print(Views.Event event) {
    if (!haven.forPeople()) {
      haven.print(Json.text(event)); // one a line, so that a stream can be read as it comes
      return;
    }
    var style =
        event.kind() == Fact.Kind.ALARM ? "red" : event.kind() == Fact.Kind.DECISION ? "bold" : "";
    haven.print(
        "%s %6d %-9s %-10s %s"
            .formatted(
                haven.paint().of("faint", TIME.format(event.at())),
                event.index(),
                event.kind(),
                event.subject(),
                haven.paint().of(style, event.message())));
  }
}
