package dev.haven.cli;

import dev.haven.cli.start.FastStart;
import dev.haven.cli.start.StatusReader;
import dev.haven.model.Json;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Views;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalTime;
import java.time.format.DateTimeFormatter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** Says its options without annotations, as {@link Haven} does. */
final class StatusVerb extends Verb {
  private static final Duration RECENT = Duration.ofMinutes(10);

  private final OptionSpec watch =
      Haven.flag("-w", "--watch").description("Show it again every second, until ^C.").build();

  private final OptionSpec check =
      Haven.flag("--check")
          .description(
              "Exit 5 if there is a critical alarm, a guest that should run does not, or the"
                  + " cluster is not redundant.")
          .build();

  StatusVerb(Haven haven) {
    super(haven);
  }

  CommandSpec spec() {
    var spec =
        CommandSpec.wrapWithoutInspection(this).name("status").addOption(watch).addOption(check);
    spec.usageMessage()
        .description(
            "Shows the whole cluster on one screen: what runs, what is wrong, what is waited for.")
        .footer(
            "Examples:",
            "  haven status --watch          redrawn every second",
            "  haven status --check          exit 5 unless all is well and redundant",
            "  haven status -o json | jq '.alarms[].message'");
    return spec;
  }

  @Override
  Exit run() {
    if (!Haven.given(watch)) {
      return once();
    }
    while (true) {
      try {
        if (haven.forPeople()) {
          // home and clear, rather than scroll
          haven
              .around
              .out()
              .println(haven.around.outIsTerminal() ? "\u001b[H\u001b[2J\u001b[3J" : "");
          haven.print(
              haven
                  .paint()
                  .of("faint", LocalTime.now().format(DateTimeFormatter.ofPattern("HH:mm:ss"))));
        }
        once();
      } catch (Stop e) {
        if (e.exit() != Exit.UNREACHABLE) {
          throw e;
        }
        haven.print(e.text());
      }
      haven.around.out().flush();
      OperationWatch.sleep(1000);
    }
  }

  /** Reads and lays out a status of nothing, so that the first real one is quicker. */
  static void prepare() {
    var nothing =
        StatusReader.read(
            """
            {"cluster": "", "version": 0, "term": 0, "voters": [], "hosts": [], "guests": [],
             "operations": [], "alarms": [], "redundancy": []}
            """
                .getBytes(StandardCharsets.UTF_8));
    Show.hosts(nothing.hosts()).render(Integer.MAX_VALUE, Paint.NONE);
  }

  private Exit once() {
    var answer = haven.cluster().get("/v1/status");
    if (!haven.forPeople()) {
      haven.printData(answer.body());
      return verdict(answer);
    }
    show(read(answer));
    return verdict(answer);
  }

  private Views.Status read(ClusterClient.Answer answer) {
    return FastStart.isOn(haven.around.environment())
        ? StatusReader.read(answer.body())
        : Json.read(answer.body(), Views.Status.class);
  }

  private Exit verdict(ClusterClient.Answer answer) {
    if (!Haven.given(check)) {
      return Exit.OK;
    }
    var status = read(answer);
    boolean well =
        status.redundancy().isEmpty()
            && status.alarms().stream().noneMatch(StatusVerb::critical)
            && status.guests().stream().allMatch(guest -> !guest.wanted() || runs(guest.state()));
    return well ? Exit.OK : Exit.ATTENTION;
  }

  /** Also one of which a newer voter says something that this command does not know. */
  private static boolean critical(Alarm alarm) {
    return alarm.level() != Alarm.Level.WARNING;
  }

  private static boolean runs(Views.Guest.State state) {
    return state == Views.Guest.State.RUNNING || state == Views.Guest.State.MIGRATING;
  }

  private void show(Views.Status status) {
    var paint = haven.paint();
    haven.print(
        "Cluster "
            + paint.of("bold", status.cluster())
            + ": "
            + status.leader().map(leader -> "led by " + leader).orElse("no leader")
            + ", term "
            + status.term()
            + ", version "
            + status.version());
    if (status.redundancy().isEmpty()) {
      haven.print(paint.of("green", "Redundant: any one host may fail."));
    } else {
      status
          .redundancy()
          .forEach(sentence -> haven.print(paint.of("yellow", "Not redundant: " + sentence)));
    }
    status.alone().ifPresent(sentence -> haven.print("Two voters " + sentence));
    var now = Instant.now();
    for (var alarm : status.alarms()) {
      boolean critical = critical(alarm);
      haven.print(
          "%s %s: %s (since %s)"
              .formatted(
                  paint.of(critical ? "red" : "yellow", critical ? "CRITICAL" : "Warning"),
                  alarm.subject(),
                  alarm.message(),
                  Units.duration(Duration.between(alarm.since(), now))));
    }
    section(Show.voters(status.voters()));
    section(Show.hosts(status.hosts()));
    for (var host : status.hosts()) {
      host.waiting()
          .ifPresent(waiting -> haven.print(paint.of("yellow", host.id() + ": " + waiting)));
    }
    section(Show.guests(status.guests()));
    section(
        Show.operations(
            status.operations().stream()
                .filter(o -> o.ended().map(end -> end.isAfter(now.minus(RECENT))).orElse(true))
                .toList(),
            now));
  }

  private void section(Table table) {
    if (!table.isEmpty()) {
      haven.print("");
      haven.print(table);
    }
  }
}
