package dev.haven.simulator;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * Faults and commands drawn from a seed. Each cluster meets some dozens of them, one on top of the
 * other; then all faults end, and every guest that is wanted must run again.
 */
public final class RandomFaults {
  static final int FAULTS_PER_CLUSTER = 25;

  /** Clusters that went wrong, before nobody reads on. */
  private static final int ENOUGH = 10;

  private static final Duration SHRINKS_WITHIN = Duration.ofMinutes(2);

  private RandomFaults() {}

  /**
   * What came of a run.
   *
   * @param faults that were injected
   * @param decisions that were made and checked
   * @param violations each with the seed of its cluster and what led to it; empty if all held
   * @param simulated time, of all clusters together
   */
  public record Report(
      int faults, long decisions, int clusters, List<String> violations, Duration simulated) {
    public Report {
      violations = List.copyOf(violations);
    }
  }

  /**
   * Injects that many faults into clusters of two to six hosts, one cluster after the other.
   *
   * @param seed of the first cluster; the others follow from it. A violation names the seed that
   *     gives it again at once
   * @param progress hears of each violation, and now and then how far it has come
   */
  public static Report run(int faults, long seed, PrintStream progress) {
    return run(faults, seed, ENOUGH, Optional.empty(), Optional.empty(), progress);
  }

  /**
   * The same, until so many clusters went wrong.
   *
   * @param stories where each of them is written as the shortest story that was found to go wrong
   *     too; nowhere if empty
   * @param theme of all clusters, in lower case; each its own if empty
   * @throws IllegalArgumentException if there is no such theme
   */
  public static Report run(
      int faults,
      long seed,
      int violationsAtMost,
      Optional<Path> stories,
      Optional<String> theme,
      PrintStream progress) {
    var only = theme.map(name -> Theme.valueOf(name.toUpperCase(Locale.ROOT)));
    int done = 0;
    int clusters = 0;
    long decisions = 0;
    var simulated = Duration.ZERO;
    var violations = new ArrayList<String>();
    var seeds = new SplittableRandom(seed);
    long next = seed;
    int told = 0;
    while (done < faults && violations.size() < violationsAtMost) {
      int some = Math.min(FAULTS_PER_CLUSTER, faults - done);
      var run = new Faults(next, only);
      var wrong = run.play(some);
      done += some;
      clusters++;
      decisions += run.simulation().world.steps;
      simulated = simulated.plus(run.simulation().time());
      if (!wrong.isEmpty()) {
        var text =
            "seed %d: %s%n%s"
                .formatted(
                    next,
                    String.join("; ", wrong),
                    String.join(System.lineSeparator(), run.simulation().lastLines()));
        violations.add(text);
        progress.println(text);
        if (stories.isPresent()) {
          shrink(run, next, stories.get(), progress);
        }
      }
      if (done / 5_000 > told) {
        told = done / 5_000;
        progress.printf("%d faults, %d violations%n", done, violations.size());
      }
      run.simulation().end();
      next = seeds.nextLong() >>> 1;
    }
    return new Report(done, decisions, clusters, violations, simulated);
  }

  private static void shrink(Faults run, long seed, Path folder, PrintStream progress) {
    var story = Shrink.of(run.said(), SHRINKS_WITHIN);
    if (story.isEmpty()) {
      progress.println("seed " + seed + ": told again, it goes well");
      return;
    }
    var file = folder.resolve("seed-" + seed + ".txt");
    try {
      Files.createDirectories(folder);
      Files.write(file, story.get());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    progress.printf(
        "seed %d: of %d sentences %d are left, in %s:%n%s%n",
        seed,
        run.said().size(),
        story.get().size(),
        file,
        String.join(System.lineSeparator(), story.get()));
  }

  /**
   * Plays a story, as {@link #run} writes it.
   *
   * @param log hears every line of it
   * @return what must always hold and did not, or was expected and is not so; empty if all is well
   */
  public static List<String> play(List<String> story, Consumer<String> log) {
    try {
      return Story.play(story, log).violations();
    } catch (AssertionError e) {
      return List.of(String.valueOf(e.getMessage()));
    }
  }
}
