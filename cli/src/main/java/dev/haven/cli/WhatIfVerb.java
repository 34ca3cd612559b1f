package dev.haven.cli;

import dev.haven.model.api.Views;
import dev.haven.model.config.SettingsException;
import dev.haven.simulator.scenario.Happening.Timed;
import dev.haven.simulator.scenario.Happening.When;
import dev.haven.simulator.scenario.Play;
import dev.haven.simulator.scenario.ScenarioFile;
import dev.haven.simulator.scenario.ScenarioText;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Plays events on a copy of the live cluster. */
@Command(
    name = "what-if",
    description = {
      "Says what would become of this cluster if something happened.",
      "Plays it in simulated time on a copy: the cluster itself is only read. The events are those"
          + " of haven simulate, see docs/simulate.md. 'then' between two of them waits until the"
          + " first has settled."
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:all would be well",
      "5:at the end a guest that fits would not run, or something that must always hold would not"
    },
    footer = {
      "Examples:",
      "  haven what-if power-off a",
      "  haven what-if evacuate a then shutdown a then power-off b",
      "  haven what-if 'fencing: {host: a, now: hangs}' then isolate a"
    })
final class WhatIfVerb extends Verb {
  private static final Duration BEGINS = Duration.ofSeconds(10);

  @Parameters(
      paramLabel = "EVENT",
      arity = "1..*",
      description = "What happens, and to which host or guest; see the examples.")
  List<String> words = List.of();

  @Option(
      names = "--seed",
      paramLabel = "S",
      description = "The number from which all chance follows. Default: 1.")
  @Nullable Long seed;

  @Option(
      names = "--timeline",
      paramLabel = "N",
      description =
          "Lines of the timeline to show, 0 for none. Default: " + SimulateVerb.LINES + ".")
  int lines = SimulateVerb.LINES;

  WhatIfVerb(Haven haven) {
    super(haven);
  }

  @Override
  Exit run() {
    var live = ScenarioText.of(haven.cluster().get("/v1/export", Views.Export.class));
    try {
      var now = ScenarioFile.parse("this cluster", live);
      var events = new ArrayList<Timed>();
      for (var event : split(words)) {
        events.add(
            new Timed(
                events.isEmpty() ? new When.At(BEGINS) : new When.Settled(),
                ScenarioFile.happening(now, event)));
      }
      return new SimulateVerb.Shown(haven, lines).show(Play.run(now.with(events), seed));
    } catch (SettingsException e) {
      throw new Stop(Exit.USAGE, String.valueOf(e.getMessage()));
    }
  }

  private static List<List<String>> split(List<String> words) {
    var events = new ArrayList<List<String>>();
    var event = new ArrayList<String>();
    for (var word : words) {
      if (!word.equals("then")) {
        event.add(word);
      } else if (!event.isEmpty()) {
        events.add(event);
        event = new ArrayList<>();
      }
    }
    if (event.isEmpty()) {
      throw new Stop(Exit.USAGE, "nothing happens after 'then'");
    }
    events.add(event);
    return events;
  }
}
