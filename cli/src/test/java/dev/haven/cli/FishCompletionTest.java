package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class FishCompletionTest {
  private final String script =
      FishCompletion.of(
          Main.tree(new Haven(Surroundings.ofThisProcess(System.out, System.err)), List.of()));

  @Test
  void everyVerbIsOfferedWhereItMayStand() {
    for (var verb : Verbs.ROOT) {
      assertThat(script).contains("complete -c haven -n '__fish_use_subcommand' -a " + verb + " ");
    }
    assertThat(script)
        .contains(
            "-n '__fish_seen_subcommand_from op; and not __fish_seen_subcommand_from list show wait"
                + " cancel' -a cancel ");
  }

  @Test
  void anOptionOfAVerbIsOfferedAfterThatVerbOnly() {
    assertThat(script.lines().filter(l -> l.contains(" -l dry-run ")))
        .isNotEmpty()
        .allMatch(l -> l.contains("-n '__fish_seen_subcommand_from "));
  }

  /** A quote in a help text would end the word, and what follows would be run. */
  @Test
  void quotesInHelpTextsAreQuoted() {
    assertThat(script.lines())
        .allMatch(
            l ->
                l.replace("\\\\", "").replace("\\'", "").chars().filter(c -> c == '\'').count() % 2
                    == 0);
  }
}
