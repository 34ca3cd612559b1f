package dev.haven.cli;

import dev.haven.model.api.Views;
import dev.haven.model.config.SettingsException;
import dev.haven.simulator.scenario.IncidentExport;
import dev.haven.simulator.scenario.Outcome;
import dev.haven.simulator.scenario.Play;
import dev.haven.simulator.scenario.ScenarioFile;
import dev.haven.simulator.scenario.ScenarioText;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What would become of a cluster, by the decisions that a real one makes. */
@Command(
    name = "simulate",
    description = {
      "Plays a scenario, a cluster and what happens to it, in simulated time.",
      "The file is described in docs/simulate.md. Talks to no cluster but for --export."
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:all well",
      "2:the file is wrong; the message says where and what was expected",
      "5:at the end a guest that fits does not run, or something that must always hold did not"
    },
    footer = {
      "Examples:",
      "  haven simulate docs/examples/power-loss.yaml",
      "  haven simulate rack.yaml --seed 7 -o json | jq .moves",
      "  haven simulate --export >now.yaml",
      "  haven simulate --export --since 2h --until 30m >incident.yaml"
    })
final class SimulateVerb extends Verb {
  static final int LINES = 60;

  @Parameters(paramLabel = "FILE", arity = "0..1", description = "The scenario, YAML.")
  @Nullable Path file;

  @Option(
      names = "--export",
      description = "Play nothing: print the cluster as it is now as a scenario.")
  boolean export;

  @Option(
      names = "--since",
      paramLabel = "TIME",
      description =
          "With --export: the cluster as it was then, and what has happened to it since, as far as"
              + " its audit log tells. Such as 2h (ago), 14:30 or 2026-11-21T14:30:00Z.")
  @Nullable String since;

  @Option(
      names = "--until",
      paramLabel = "TIME",
      description = "With --since: until then. Default: now.")
  @Nullable String until;

  @Option(
      names = "--seed",
      paramLabel = "S",
      description =
          "The number from which all chance follows; the same seed gives the same run. Default:"
              + " the file's, or 1.")
  @Nullable Long seed;

  @Option(
      names = "--timeline",
      paramLabel = "N",
      description = "Lines of the timeline to show, 0 for none. Default: " + LINES + ".")
  int lines = LINES;

  SimulateVerb(Haven haven) {
    super(haven);
  }

  @Override
  Exit run() {
    if (export) {
      haven.around.out().print(exported());
      return Exit.OK;
    }
    if (since != null || until != null) {
      throw new Stop(Exit.USAGE, "--since and --until go with --export");
    }
    if (file == null) {
      throw new Stop(Exit.USAGE, "which FILE? One to begin with: haven simulate --export");
    }
    try {
      var scenario = ScenarioFile.read(haven.around.directory().resolve(file));
      return new Shown(haven, lines).show(Play.run(scenario, seed));
    } catch (SettingsException e) {
      throw new Stop(Exit.USAGE, String.valueOf(e.getMessage()));
    }
  }

  private String exported() {
    if (since == null && until != null) {
      throw new Stop(Exit.USAGE, "--until goes with --since");
    }
    var asked = Instant.now();
    var zone = ZoneId.systemDefault();
    var from = since == null ? asked : Units.parseTime(since, asked, zone);
    var to = until == null ? asked : Units.parseTime(until, asked, zone);
    if (to.isBefore(from)) {
      throw new Stop(Exit.USAGE, "%s is before %s".formatted(to, from));
    }
    var now = haven.cluster().get("/v1/export", Views.Export.class);
    return since == null
        ? ScenarioText.of(now)
        : IncidentExport.of(now, EventsVerb.after(haven, 0), from, to);
  }

  /** An outcome for people, or for programs. */
  record Shown(Haven haven, int lines) {
    /** Rows of a table beyond which only what is worth a look is shown. */
    private static final int ROWS = 40;

    Exit show(Outcome outcome) {
      if (haven.forPeople()) {
        print(outcome);
      } else {
        haven.printData(outcome);
      }
      return outcome.well() ? Exit.OK : Exit.ATTENTION;
    }

    private void print(Outcome o) {
      if (!o.description().isEmpty()) {
        haven.print(o.description());
        haven.print("");
      }
      timeline(o.timeline());
      hosts(o);
      guests(o);
      fences(o);
      selfFenced(o);
      moves(o);
      list("Alarms that stand at the end:", o.alarms());
      list("What another failure would cost:", o.redundancy());
      list("Not settled at the end:", o.settling());
      list("BROKEN, what must always hold:", o.violations());
      list(
          "Guests that fit and do not run:",
          o.notRunning().stream().map(n -> "guest " + n.guest() + ": " + n.why()).toList());
      haven.print(verdict(o));
    }

    private String verdict(Outcome o) {
      var words =
          "%s of simulated time, seed %d: %s"
              .formatted(
                  Units.duration(Duration.ofMillis((long) (o.seconds() * 1000))),
                  o.seed(),
                  o.well()
                      ? "all well"
                      : "%d violations, %d guests that fit do not run"
                          .formatted(o.violations().size(), o.notRunning().size()));
      return haven.paint().of(o.well() ? "green" : "red", words);
    }

    private void timeline(List<Outcome.Line> all) {
      if (lines <= 0 || all.isEmpty()) {
        return;
      }
      for (var line : all.subList(0, Math.min(lines, all.size()))) {
        haven.print(
            String.format(
                Locale.ROOT, "%10.3f s  %-8s %s", line.at(), line.kind(), line.message()));
      }
      if (all.size() > lines) {
        haven.print(
            haven
                .paint()
                .of(
                    "faint",
                    "  and %d lines more; all with --timeline %d, or -o json"
                        .formatted(all.size() - lines, all.size())));
      }
      haven.print("");
    }

    private void hosts(Outcome o) {
      var worth =
          o.hosts().size() <= ROWS
              ? o.hosts()
              : o.hosts().stream()
                  .filter(h -> !h.state().equals("online") || h.cordoned())
                  .limit(ROWS)
                  .toList();
      var table = new Table().column("HOST").column("STATE").column("MACHINE").number("GUESTS");
      for (var h : worth) {
        table.row(
            h.host(),
            h.cordoned()
                ? new Table.Cell(h.state() + ", cordoned", "yellow")
                : dev.haven.cli.Show.state(h.state()),
            h.machine(),
            h.guests());
      }
      print(table, worth.size(), o.hosts().size(), "hosts", "online");
    }

    private void guests(Outcome o) {
      var worth =
          o.guests().size() <= ROWS
              ? o.guests()
              : o.guests().stream()
                  .filter(g -> g.outages() > 0 || g.wanted() != g.host().isPresent())
                  .limit(ROWS)
                  .toList();
      var table =
          new Table()
              .column("GUEST")
              .column("STATE")
              .column("HOST")
              .number("OUTAGE")
              .number("TIMES")
              .number("MOVES")
              .column("DETAIL");
      for (var g : worth) {
        table.row(
            g.guest(),
            dev.haven.cli.Show.state(g.state()),
            g.host().map(Object::toString).orElse("-"),
            g.outages() == 0 ? "-" : String.format(Locale.ROOT, "%.1f s", g.outageSeconds()),
            g.outages() == 0 ? "-" : g.outages(),
            g.moves() == 0 ? "-" : g.moves(),
            g.why());
      }
      print(table, worth.size(), o.guests().size(), "guests", "running without an outage");
    }

    private void print(Table table, int shown, int all, String what, String rest) {
      if (shown > 0) {
        haven.print(table);
      }
      if (shown < all) {
        haven.print(
            haven.paint().of("faint", "%d %s more, most %s".formatted(all - shown, what, rest)));
      }
      haven.print("");
    }

    private void fences(Outcome o) {
      if (o.fences().isEmpty()) {
        return;
      }
      var table = new Table().number("AT").column("PROVEN OFF").column("PROOF").column("EVIDENCE");
      for (var f : o.fences()) {
        table.row(at(f.at()), f.host(), f.proof(), f.evidence());
      }
      haven.print(table);
      haven.print("");
    }

    private void selfFenced(Outcome o) {
      list(
          "Reset by their own watchdogs:",
          o.selfFenced().stream()
              .map(s -> "host %s at %s".formatted(s.host(), at(s.at())))
              .toList());
    }

    private void moves(Outcome o) {
      if (o.moves().isEmpty()) {
        return;
      }
      var table = new Table().number("AT").column("MOVED").column("FROM → TO").column("HOW");
      for (var m : o.moves().subList(0, Math.min(ROWS, o.moves().size()))) {
        table.row(at(m.at()), m.guest(), m.from() + " → " + m.to(), m.kind());
      }
      print(table, Math.min(ROWS, o.moves().size()), o.moves().size(), "moves", "shown by -o json");
    }

    private static String at(double seconds) {
      return String.format(Locale.ROOT, "%.1f s", seconds);
    }

    private void list(String heading, List<String> items) {
      if (!items.isEmpty()) {
        haven.print(heading);
        items.stream().limit(ROWS).forEach(i -> haven.print("  " + i));
        if (items.size() > ROWS) {
          haven.print("  and %d more".formatted(items.size() - ROWS));
        }
        haven.print("");
      }
    }
  }
}
