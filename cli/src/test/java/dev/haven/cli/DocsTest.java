package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The documentation is read once, at night, by somebody in a hurry. So its lines fit into a
 * terminal, its links lead somewhere, its sentences are short, and it has one word for one thing.
 */
class DocsTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final int LINE = 160;
  private static final int WORDS = 25;

  /** Other words for what has a name, and turns that readers with another mother tongue lack. */
  private static final Pattern NOT_OURS =
      Pattern.compile(
          String.join(
              "|",
              "\\bVMs?\\b",
              "(?i:\\b(hypervisors?|nodes?|masters?|slaves?|anew|whoever|lest)\\b)",
              "(?i:\\b(instances?|peers|resources|offline|charges?|shoots?|shot)\\b)",
              "(?i:\\b(down|dead) hosts?\\b)",
              "(?i:(?<!\\bof (?:a|the|its|the same) )\\bhosts?( \\S+)? (is|are|was|were)"
                  + " (down|dead)\\b)"));

  /** Words in quotes in the glossary's last column that are right elsewhere, so none is found. */
  private static final Map<String, String> RIGHT_ELSEWHERE =
      Map.of(
          "server", "what listens for HTTP or TLS, and a guest that serves the web",
          "majority", "of voters that answered a round or did not hear a host, and of pill disks",
          "deadline", "the end of a wait, in a daemon's own code",
          "gone", "an answer of an agent, which the column quotes",
          "migrated", "another one");

  /** How such a word would stand in a sentence where it alone would mean something else. */
  private static final Map<String, String> MEANT_WRONG =
      Map.of(
          "peer", "the peers", // one peer is the other end of a connection
          "resource", "all resources", // one is a file within a jar, or Redfish's
          "down", "host a is down", // a network and a guest may be down
          "dead", "a dead host"); // a process, a connection and a disk may be dead

  /** Comments and string literals of Java; what stands between is code. */
  private static final Pattern TEXT =
      Pattern.compile(
          "//[^\\n"
              + "]*|/\\*.*?\\*/|\"\"\"(?:\\\\.|[^\\\\])*?\"\"\"|\"(?:\\\\.|[^\"\\\\\\n"
              + "])*\"|'(?:\\\\.|[^'\\\\\\n"
              + "])+'",
          Pattern.DOTALL);

  /** Names of code within a comment or a message, and names of fields. */
  private static final Pattern NAMES =
      Pattern.compile(
          "\\{@\\w+[^}]*}|@param \\S+|\\bHypervisor +the port|\\\\\"\\w+\\\\\"|\"\\w+\"(?=[:,)"
              + " ]|$)");

  /** A command at the beginning of a line of code, or of a piece of code within a line. */
  private static final Pattern SHOWN =
      Pattern.compile(
          "(?:^    (?:\\$ )?|`)(?:\\./)?haven (?!test\\b|build\\b|packages?\\b)([a-z][a-z-]+)(?:"
              + " ([^ `]+))?");

  private static final Map<String, List<String>> SUBVERBS =
      Map.of(
          "guest", Verbs.GUEST,
          "host", Verbs.HOST,
          "op", Verbs.OP,
          "voter", Verbs.VOTER,
          "watchdog", Verbs.WATCHDOG,
          "policy", Verbs.POLICY,
          "ca", Verbs.CA,
          "lab", Verbs.LAB,
          "bench", Verbs.BENCH);

  private static final Pattern CODE_BLOCK = Pattern.compile("\\s*```.*");
  private static final Pattern HEADING = Pattern.compile("#+ +(.*)");
  private static final Pattern ITEM = Pattern.compile("([-*]|\\d+\\.) +(.*)");
  private static final Pattern CODE = Pattern.compile("`[^`]*`");
  private static final Pattern LINK = Pattern.compile("\\[([^\\]]*)\\]\\(([^)\\s]+)\\)");
  private static final Pattern TARGET = Pattern.compile("\\]\\(([^)\\s]+)\\)"); // its text may wrap
  private static final Pattern NAMED = Pattern.compile("\\bdocs/[\\w./-]+\\.(md|json|yaml)\\b");
  private static final Pattern QUOTED = Pattern.compile("\"([^\"]+)\"");
  private static final Pattern SCHEME = Pattern.compile("\\w+:.*");
  private static final Pattern END_OF_SENTENCE =
      Pattern.compile("(?<=[.!?])[)\"*_”]*\\s+(?=[A-Z`*(\"“0-9\\[])");

  private static List<Page> pages = List.of();

  /** One file, its path relative to the root of the checkout. */
  private record Page(Path path, List<String> lines) {
    String at(int line) {
      return path + ":" + (line + 1) + ": ";
    }

    /** Line by line; empty within a block of code. */
    List<String> prose() {
      var prose = new ArrayList<String>();
      boolean code = false;
      for (var line : lines) {
        boolean edge = CODE_BLOCK.matcher(line).matches();
        code ^= edge;
        prose.add(code || edge ? "" : line);
      }
      return prose;
    }

    /** The names under which GitHub knows its headings. */
    Set<String> anchors() {
      return prose().stream()
          .map(HEADING::matcher)
          .filter(heading -> heading.matches())
          .map(heading -> anchor(heading.group(1)))
          .collect(Collectors.toSet());
    }

    private static String anchor(String heading) {
      return LINK.matcher(heading)
          .replaceAll("$1")
          .replaceAll("[^\\p{L}\\p{N}\\s_-]", "")
          .strip()
          .toLowerCase(Locale.ROOT)
          .replace(' ', '-');
    }
  }

  /** Sentences of one paragraph or item, which begins at a line. */
  private record Paragraph(int line, String text) {
    List<String> sentences() {
      var plain = LINK.matcher(CODE.matcher(text).replaceAll("`C`")).replaceAll("`$1`");
      return List.of(END_OF_SENTENCE.split(plain));
    }
  }

  @BeforeAll
  static void read() throws IOException {
    try (var docs = Files.walk(ROOT.resolve("docs"))) {
      var all = new ArrayList<Page>();
      var files =
          Stream.concat(
              Stream.of(ROOT.resolve("README.md"), ROOT.resolve("CHANGELOG.md")),
              docs.filter(file -> file.toString().endsWith(".md")).sorted());
      for (var file : files.toList()) {
        all.add(new Page(ROOT.relativize(file), Files.readAllLines(file)));
      }
      pages = all;
    }
    assertThat(pages).as("pages").hasSizeGreaterThan(20);
  }

  @Test
  void everyLineFitsIntoATerminal() {
    assertThat(lines(line -> line.codePointCount(0, line.length()) > LINE))
        .as("longer than %d characters: a long cell becomes a list or a section", LINE)
        .isEmpty();
  }

  @Test
  void everyLinkLeadsSomewhere() {
    var broken = new ArrayList<String>();
    for (var page : pages) {
      var prose = page.prose();
      for (int i = 0; i < prose.size(); i++) {
        var links = TARGET.matcher(CODE.matcher(prose.get(i)).replaceAll("C"));
        while (links.find()) {
          if (!SCHEME.matcher(links.group(1)).matches() && !leads(page, links.group(1))) {
            broken.add(page.at(i) + links.group(1));
          }
        }
      }
    }
    assertThat(broken).isEmpty();
  }

  private static boolean leads(Page from, String link) {
    var parts = link.split("#", 2);
    var target =
        parts[0].isEmpty() ? from.path() : from.path().resolveSibling(parts[0]).normalize();
    if (parts.length == 1) {
      return Files.exists(ROOT.resolve(target));
    }
    return pages.stream()
        .anyMatch(page -> page.path().equals(target) && page.anchors().contains(parts[1]));
  }

  @Test
  void everyPageThatIsNamedIsThere() {
    assertThat(
            lines(
                line ->
                    NAMED
                        .matcher(line)
                        .results()
                        .anyMatch(named -> !Files.exists(ROOT.resolve(named.group())))))
        .isEmpty();
  }

  @Test
  void everySentenceIsShort() {
    var tooLong = new ArrayList<String>();
    for (var page : pages) {
      for (var paragraph : paragraphs(page)) {
        for (var sentence : paragraph.sentences()) {
          if (words(sentence) > WORDS) {
            tooLong.add(page.at(paragraph.line()) + words(sentence) + " words: " + sentence);
          }
        }
      }
    }
    assertThat(tooLong)
        .as("sentences of more than %d words: make two of each, or a list", WORDS)
        .isEmpty();
  }

  @Test
  void aSentenceEndsWhereAReaderSeesItsEnd() {
    var text = "One `a. B` two (three.) [four.md](x.md#y) has five. **Six.** Seven, e.g. eight: 9.";
    assertThat(new Paragraph(0, text).sentences())
        .containsExactly(
            "One `C` two (three.", "`four.md` has five.", "**Six.", "Seven, e.g. eight: 9.")
        .map(DocsTest::words)
        .containsExactly(4L, 3L, 1L, 4L);
  }

  @Test
  void oneThingHasOneWord() {
    var other = new ArrayList<String>();
    for (var page : pages) {
      var prose = page.prose();
      for (int i = 0; i < prose.size(); i++) {
        var plain = LINK.matcher(CODE.matcher(prose.get(i)).replaceAll("C")).replaceAll("$1");
        if (page.path().endsWith("glossary.md")) {
          plain = plain.replaceAll("\"[^\"]*\"", ""); // it quotes the words that are not used
        }
        var found = NOT_OURS.matcher(plain);
        while (found.find()) {
          other.add(page.at(i) + found.group());
        }
      }
    }
    assertThat(other).as("docs/glossary.md has the words that are used").isEmpty();
  }

  @Test
  void everyWordThatTheGlossaryDoesNotUseIsLookedFor() {
    var glossary =
        pages.stream()
            .filter(page -> page.path().endsWith("glossary.md"))
            .findFirst()
            .orElseThrow();
    var words =
        glossary.lines().stream()
            .map(line -> line.split("\\|", -1))
            .filter(cells -> cells.length > 4)
            .flatMap(cells -> QUOTED.matcher(cells[3]).results())
            .map(quoted -> quoted.group(1))
            .toList();
    assertThat(words).contains("VM", "node", "offline");
    assertThat(words)
        .filteredOn(word -> !RIGHT_ELSEWHERE.containsKey(word))
        .allSatisfy(
            word ->
                assertThat(NOT_OURS.matcher(MEANT_WRONG.getOrDefault(word, word)).find())
                    .as("NOT_OURS finds '%s'", word)
                    .isTrue());
    assertThat(words)
        .as("no exception without a word")
        .containsAll(RIGHT_ELSEWHERE.keySet())
        .containsAll(MEANT_WRONG.keySet());
  }

  /** A command that a page shows is one that there is. */
  @Test
  void everyCommandIsThere() {
    var unknown = new ArrayList<String>();
    for (var page : pages) {
      if (page.path().startsWith("docs/adr") || page.path().startsWith("docs/reviews")) {
        continue; // as it was then
      }
      for (int i = 0; i < page.lines().size(); i++) {
        var command = SHOWN.matcher(page.lines().get(i));
        while (command.find()) {
          var sub = command.group(2);
          if (!Verbs.ROOT.contains(command.group(1))
              || (sub != null
                  && SUBVERBS.containsKey(command.group(1))
                  && sub.matches("[a-z][a-z-]+")
                  && !SUBVERBS.get(command.group(1)).contains(sub))) {
            unknown.add(page.at(i) + command.group());
          }
        }
      }
    }
    assertThat(unknown).as("haven --help lists them").isEmpty();
  }

  /** What an operator is told, and what the next reader of the code is. */
  @Test
  void commentsAndMessagesHaveOneWordForOneThing() throws IOException {
    var other = new ArrayList<String>();
    try (var files = Files.walk(ROOT)) {
      for (var file :
          files
              .filter(f -> f.toString().endsWith(".java") && f.toString().contains("/src/main/"))
              .sorted()
              .toList()) {
        var source = Files.readString(file);
        TEXT.matcher(source)
            .results()
            .forEach(
                text ->
                    NOT_OURS
                        .matcher(NAMES.matcher(text.group()).replaceAll("N"))
                        .results()
                        .forEach(
                            found ->
                                other.add(
                                    "%s:%d: %s"
                                        .formatted(
                                            ROOT.relativize(file),
                                            source.substring(0, text.start()).lines().count(),
                                            found.group()))));
      }
    }
    assertThat(other).as("docs/glossary.md has the words that are used").isEmpty();
  }

  private static List<String> lines(Predicate<String> which) {
    var found = new ArrayList<String>();
    for (var page : pages) {
      for (int i = 0; i < page.lines().size(); i++) {
        if (which.test(page.lines().get(i))) {
          found.add(page.at(i) + page.lines().get(i));
        }
      }
    }
    return found;
  }

  /** All text outside of tables, headings and code. */
  private static List<Paragraph> paragraphs(Page page) {
    var paragraphs = new ArrayList<Paragraph>();
    var text = new StringBuilder();
    int begin = 0;
    var prose = page.prose();
    for (int i = 0; i <= prose.size(); i++) {
      var line = i == prose.size() ? "" : prose.get(i);
      var item = ITEM.matcher(line.strip());
      boolean begins = item.matches();
      boolean none =
          line.isBlank()
              || line.startsWith("#")
              || line.strip().startsWith("|")
              || (text.isEmpty() && line.startsWith("    ") && !begins);
      if ((none || begins) && !text.isEmpty()) {
        paragraphs.add(new Paragraph(begin, text.toString()));
        text.setLength(0);
      }
      if (!none) {
        begin = text.isEmpty() ? i : begin;
        text.append(text.isEmpty() ? "" : " ").append(begins ? item.group(2) : line.strip());
      }
    }
    return paragraphs;
  }

  private static long words(String sentence) {
    return Stream.of(sentence.split("\\s+"))
        .filter(word -> word.codePoints().anyMatch(Character::isLetterOrDigit))
        .count();
  }
}
