package dev.haven.cli;

import dev.haven.model.api.Views;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalTime;
import java.time.format.DateTimeFormatter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "status",
    description = "The whole cluster on one screen: what runs, what is wrong, what is waited for.",
    footer = {
      "Examples:",
      "  haven status --watch          redrawn every second",
      "  haven status --check          exit 5 unless all is well and redundant",
      "  haven status -o json | jq '.alarms[].message'"
    })
final class StatusVerb extends Verb {
  private static final Duration RECENT = Duration.ofMinutes(10);

  @Option(
      names = {"-w", "--watch"},
      description = "Show it again every second, until ^C.")
  boolean watch;

  @Option(
      names = "--check",
      description =
          "Exit 5 if there is a critical alarm, a guest that should run does not, or another"
              + " failure would cost more than it should.")
  boolean check;

  StatusVerb(Haven haven) {
    super(haven);
  }

  @Override
  Exit run() {
    if (!watch) {
      return once();
    }
    while (true) {
      try {
        if (haven.forPeople()) {
          // home and clear, rather than scroll
          haven.print(haven.around.outIsTerminal() ? "\u001b[H\u001b[2J\u001b[3J" : "");
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
      Watch.sleep(1000);
    }
  }

  private Exit once() {
    var answer = haven.cluster().get("/v1/status");
    if (!haven.forPeople()) {
      haven.printData(answer.body());
      return check ? verdict(answer.as(Views.Status.class)) : Exit.OK;
    }
    var status = answer.as(Views.Status.class);
    show(status);
    return check ? verdict(status) : Exit.OK;
  }

  private static Exit verdict(Views.Status status) {
    boolean well =
        status.redundancy().isEmpty()
            && status.alarms().stream().noneMatch(alarm -> alarm.level().equals("critical"))
            && status.guests().stream().allMatch(guest -> !guest.wanted() || runs(guest.state()));
    return well ? Exit.OK : Exit.ATTENTION;
  }

  private static boolean runs(String state) {
    return state.equals("running") || state.equals("migrating");
  }

  private void show(Views.Status status) {
    var paint = haven.paint();
    haven.print(
        "Cluster %s: %s, term %d, version %d"
            .formatted(
                paint.of("bold", status.cluster()),
                status.leader().map(leader -> "led by " + leader).orElse("no leader"),
                status.term(),
                status.version()));
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
      boolean critical = alarm.level().equals("critical");
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
