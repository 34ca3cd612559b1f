package dev.haven.simulator;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;

/**
 * Makes what went wrong short: leaves out sentence after sentence as long as it still goes wrong
 * (delta debugging: Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input,
 * 2002). Whatever is left out shifts the chance of all that follows, so each try is made under a
 * few seeds.
 */
final class Shrink {
  private static final int SEEDS = 5;
  private static final String SEED = "seed ";

  private final Duration atMost;
  private final long began = System.nanoTime();

  private Shrink(Duration atMost) {
    this.atMost = atMost;
  }

  /**
   * @param what goes wrong; its first two sentences, the seed and the hosts, are kept
   * @param atMost wall-clock time; what is reached by then is returned
   * @return the lines of a story that goes wrong; empty if {@code what} does not
   */
  static Optional<List<String>> of(List<Script.Said> what, Duration atMost) {
    var shrink = new Shrink(atMost);
    return shrink
        .goesWrong(what.subList(0, 2), what.subList(2, what.size()))
        .map(shrink::shorter)
        .map(shrink::fewerHosts)
        .map(shrink::shorter) // on fewer hosts fewer guests may do
        .map(shrink::rounded)
        .map(Shrink::lines);
  }

  private boolean timeIsOver() {
    return System.nanoTime() - began > atMost.toNanos();
  }

  /** The course that goes wrong with these sentences, under one of the seeds. */
  private Optional<List<Script.Said>> goesWrong(
      List<Script.Said> cluster, List<Script.Said> sentences) {
    long seed = Long.parseLong(cluster.getFirst().sentence().substring(SEED.length()));
    for (int i = 0; i < SEEDS && !timeIsOver(); i++) {
      var course = new ArrayList<Script.Said>();
      course.add(new Script.Said(-1, SEED + (seed + i)));
      course.addAll(cluster.subList(1, cluster.size()));
      course.addAll(sentences);
      if (fails(lines(course))) {
        return Optional.of(course);
      }
    }
    return Optional.empty();
  }

  private static boolean fails(List<String> lines) {
    var story = new Story();
    try {
      for (var line : lines) {
        story.happens(line);
        if (!story.cluster().violations().isEmpty()) {
          return true;
        }
      }
      return false;
    } catch (AssertionError e) {
      return e.getMessage() != null && e.getMessage().startsWith(Script.ENDS_WELL);
    }
  }

  private List<Script.Said> shorter(List<Script.Said> course) {
    var shortest = course;
    int parts = 2;
    while (!timeIsOver()) {
      var cluster = shortest.subList(0, 2);
      var sentences = shortest.subList(2, shortest.size());
      parts = Math.min(parts, sentences.size());
      Optional<List<Script.Said>> found = Optional.empty();
      for (int i = 0; i < parts && found.isEmpty(); i++) {
        var rest = new ArrayList<>(sentences);
        rest.subList(sentences.size() * i / parts, sentences.size() * (i + 1) / parts).clear();
        found = goesWrong(cluster, rest);
      }
      if (found.isPresent()) {
        shortest = found.get();
        parts = Math.max(2, parts - 1);
      } else if (parts >= sentences.size()) {
        return shortest;
      } else {
        parts = 2 * parts;
      }
    }
    return shortest;
  }

  private List<Script.Said> fewerHosts(List<Script.Said> course) {
    var fewest = course;
    var words = new LinkedHashSet<>(List.of(course.get(1).sentence().split(" ")));
    for (var host : List.copyOf(words).subList(1, words.size()).reversed()) {
      var fewer = new LinkedHashSet<>(List.of(fewest.get(1).sentence().split(" ")));
      fewer.remove(host);
      if (fewer.size() > 2) {
        var cluster = List.of(fewest.getFirst(), new Script.Said(-1, String.join(" ", fewer)));
        fewest = goesWrong(cluster, fewest.subList(2, fewest.size())).orElse(fewest);
      }
    }
    return fewest;
  }

  /** To whole milliseconds, if it goes wrong all the same. */
  private List<Script.Said> rounded(List<Script.Said> course) {
    var round =
        course.stream()
            .map(
                s ->
                    new Script.Said(s.at() < 0 ? -1 : s.at() / 1_000_000 * 1_000_000, s.sentence()))
            .toList();
    return fails(lines(round)) ? round : course;
  }

  static List<String> lines(List<Script.Said> course) {
    var lines = new ArrayList<String>();
    long now = -1;
    for (var said : course) {
      if (said.at() > now) {
        now = said.at();
        lines.add(now % 1_000_000 == 0 ? "at " + now / 1_000_000 + "ms" : "at " + now + "ns");
      }
      lines.add(said.sentence());
    }
    return lines;
  }
}
