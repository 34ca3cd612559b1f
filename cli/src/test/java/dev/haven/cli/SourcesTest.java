package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.source.tree.CaseTree;
import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.DefaultCaseLabelTree;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.PatternCaseLabelTree;
import com.sun.source.tree.SwitchExpressionTree;
import com.sun.source.tree.SwitchTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.TreeScanner;
import com.sun.source.util.Trees;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.lang.model.element.Modifier;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;

/**
 * What only the sources show: how long they and their methods are, and which cases a switch leaves
 * to a default.
 */
class SourcesTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

  /** More lines than this nobody reads in one go. */
  private static final int LONGEST = 700;

  /** A part with more of the code than this, in percent, is two parts. */
  private static final double LARGEST_MODULE = 20.0;

  /** Of ten files, nine are at most this long. */
  private static final int FILES_P90 = 350;

  /** Of a hundred methods, 99 are at most this long. */
  private static final int METHODS_P99 = 50;

  /** No method is longer. The goal is 90. */
  private static final int LONGEST_METHOD = 92;

  @Test
  void noFileGrowsBeyondWhatOneCanRead() throws IOException {
    var wrong = new ArrayList<String>();
    var all = new ArrayList<Integer>();
    for (var file : sources()) {
      int lines = Files.readAllLines(file).size();
      all.add(lines);
      if (lines > LONGEST) {
        wrong.add(
            "%s has %d lines, at most %d: split it"
                .formatted(ROOT.relativize(file), lines, LONGEST));
      }
    }
    assertThat(wrong).isEmpty();
    assertThat(share(90, all)).isLessThanOrEqualTo(FILES_P90);
  }

  @Test
  void noModuleIsMoreThanAFifthOfTheCode() throws IOException {
    var lines = new TreeMap<String, Integer>();
    for (var file : sources()) {
      lines.merge(
          ROOT.relativize(file).getName(0).toString(),
          Files.readAllLines(file).size(),
          Integer::sum);
    }
    double all = lines.values().stream().mapToInt(Integer::intValue).sum();
    assertThat(lines.values())
        .as("lines of each module: %s", lines)
        .allSatisfy(of -> assertThat(100 * of / all).isLessThanOrEqualTo(LARGEST_MODULE));
  }

  @Test
  void methodsAreShort() throws IOException {
    var lengths = lengths(sources().stream().map(SourcesTest::source).toList());
    assertThat(lengths).hasSizeGreaterThan(3_000);
    assertThat(lengths.entrySet().stream().filter(m -> m.getValue() > LONGEST_METHOD)).isEmpty();
    var longest =
        lengths.entrySet().stream()
            .filter(m -> m.getValue() > METHODS_P99)
            .map(m -> m.getKey() + " has " + m.getValue() + " lines")
            .toList();
    assertThat(share(99, lengths.values())).as("%s", longest).isLessThanOrEqualTo(METHODS_P99);
  }

  /** The test before would say nothing if it could not measure. */
  @Test
  void theLengthOfAMethodIsSeen() throws IOException {
    var code =
        "class Long {\n  void one() {}\n  int two() {\n" + "\n".repeat(98) + "  return 2; }\n}\n";
    assertThat(lengths(List.of(text("Long", code))).values()).containsExactlyInAnyOrder(1, 100);
    assertThat(share(99, List.of(1, 100))).isEqualTo(100);
    assertThat(share(50, List.of(100, 1))).isEqualTo(1);
  }

  /** So much of a hundred is at most this. */
  private static int share(int percent, Collection<Integer> values) {
    var sorted = values.stream().sorted().toList();
    return sorted.get((int) Math.ceil(sorted.size() * percent / 100.0) - 1);
  }

  /** Lines of each method with a body, by its file, line and name. */
  private static Map<String, Integer> lengths(List<JavaFileObject> files) throws IOException {
    var compiler = ToolProvider.getSystemJavaCompiler();
    var task = (JavacTask) compiler.getTask(null, null, _ -> {}, List.of(), null, files);
    var positions = Trees.instance(task).getSourcePositions();
    var lengths = new TreeMap<String, Integer>();
    for (var unit : task.parse()) {
      var lines = unit.getLineMap();
      new TreeScanner<Void, Void>() {
        @Override
        public Void visitMethod(MethodTree method, Void none) {
          if (method.getBody() != null && positions.getEndPosition(unit, method) > 0) {
            long first = lines.getLineNumber(positions.getStartPosition(unit, method));
            long last = lines.getLineNumber(positions.getEndPosition(unit, method));
            lengths.put(
                "%s:%d %s".formatted(name(unit.getSourceFile()), first, method.getName()),
                (int) (last - first + 1));
          }
          return super.visitMethod(method, none);
        }
      }.scan(unit, null);
    }
    return lengths;
  }

  @Test
  void noSwitchOverASealedTypeOfOursLeavesCasesToADefault() throws IOException {
    var units = parse(sources().stream().map(SourcesTest::source).toList());
    var found = defaults(units);
    assertThat(found).as("name every case").isEmpty();
  }

  /** The test before would say nothing if it could not see such a switch. */
  @Test
  void aDefaultBesideCasesOfASealedTypeIsSeen() throws IOException {
    var bad =
        """
        class Bad {
          sealed interface Animal {
            record Dog(int age) implements Animal {}
            record Cat() implements Animal {}
          }
          int statement(Animal a) {
            switch (a) {
              case Animal.Dog d -> { return d.age(); }
              default -> { return 0; }
            }
          }
          int expression(Animal a) {
            return switch (a) { case Animal.Dog(int age) -> age; case null, default -> 0; };
          }
          int older(Animal a) {
            switch (a) {
              case Animal.Dog d: return 1;
              default: return 0;
            }
          }
        }
        """;
    var good =
        """
        class Good {
          int whole(Bad.Animal a) {
            return switch (a) { case Bad.Animal.Dog d -> 1; case Bad.Animal.Cat _ -> 2; };
          }
          int foreign(Object o) {
            return switch (o) { case String s -> 1; default -> 2; };
          }
          int text(String s) {
            return switch (s) { case "dog" -> 1; default -> 2; };
          }
        }
        """;
    assertThat(defaults(parse(List.of(text("Bad", bad), text("Good", good)))))
        .containsOnly(Map.entry("Bad.java", 3));
  }

  /** How many such switches there are in each file that has one. */
  private static Map<String, Integer> defaults(List<CompilationUnitTree> units) {
    var sealed = new HashSet<String>();
    var cases = new HashSet<String>();
    for (var unit : units) {
      new TreeScanner<Void, Void>() {
        @Override
        public Void visitClass(ClassTree type, Void none) {
          if (type.getModifiers().getFlags().contains(Modifier.SEALED)) {
            sealed.add(type.getSimpleName().toString());
          }
          return super.visitClass(type, none);
        }
      }.scan(unit, null);
    }
    for (var unit : units) {
      new TreeScanner<Void, Void>() {
        @Override
        public Void visitClass(ClassTree type, Void none) {
          if (type.getImplementsClause().stream().anyMatch(t -> sealed.contains(simple(t)))) {
            cases.add(type.getSimpleName().toString());
          }
          return super.visitClass(type, none);
        }
      }.scan(unit, null);
    }
    var found = new TreeMap<String, Integer>();
    for (var unit : units) {
      var name = name(unit.getSourceFile());
      new TreeScanner<Void, Void>() {
        @Override
        public Void visitSwitch(SwitchTree tree, Void none) {
          look(tree.getCases());
          return super.visitSwitch(tree, none);
        }

        @Override
        public Void visitSwitchExpression(SwitchExpressionTree tree, Void none) {
          look(tree.getCases());
          return super.visitSwitchExpression(tree, none);
        }

        private void look(List<? extends CaseTree> branches) {
          var labels = branches.stream().flatMap(c -> c.getLabels().stream()).toList();
          boolean rest = labels.stream().anyMatch(DefaultCaseLabelTree.class::isInstance);
          boolean ours =
              labels.stream()
                  .filter(PatternCaseLabelTree.class::isInstance)
                  .map(label -> type(((PatternCaseLabelTree) label).getPattern()))
                  .anyMatch(cases::contains);
          if (rest && ours) {
            found.merge(name, 1, Integer::sum);
          }
        }
      }.scan(unit, null);
    }
    return found;
  }

  /** The last part of the type's name in a pattern such as {@code Animal.Dog d}. */
  private static String type(Tree pattern) {
    return switch (pattern) {
      case com.sun.source.tree.BindingPatternTree b -> simple(b.getVariable().getType());
      case com.sun.source.tree.DeconstructionPatternTree d -> simple(d.getDeconstructor());
      default -> "";
    };
  }

  private static String simple(Tree type) {
    var name = type.toString().replaceAll("<.*", "");
    return name.substring(name.lastIndexOf('.') + 1);
  }

  private static List<CompilationUnitTree> parse(List<JavaFileObject> files) throws IOException {
    var compiler = ToolProvider.getSystemJavaCompiler();
    var task = (JavacTask) compiler.getTask(null, null, _ -> {}, List.of(), null, files);
    var units = new ArrayList<CompilationUnitTree>();
    task.parse().forEach(units::add);
    return units;
  }

  private static List<Path> sources() throws IOException {
    try (var modules = Files.list(ROOT)) {
      var all = new ArrayList<Path>();
      for (var module : modules.sorted().toList()) {
        var main = module.resolve("src/main/java");
        if (Files.isDirectory(main)) {
          try (Stream<Path> files = Files.walk(main)) {
            files.filter(f -> f.toString().endsWith(".java")).sorted().forEach(all::add);
          }
        }
      }
      assertThat(all).hasSizeGreaterThan(300);
      return all;
    }
  }

  private static String name(JavaFileObject file) {
    return file.getName().startsWith("/") ? file.getName().substring(1) : file.getName();
  }

  private static JavaFileObject source(Path file) {
    try {
      return text(ROOT.relativize(file).toString(), Files.readString(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static JavaFileObject text(String name, String code) {
    var path = name.endsWith(".java") ? name : name + ".java";
    return new SimpleJavaFileObject(URI.create("string:///" + path), JavaFileObject.Kind.SOURCE) {
      @Override
      public CharSequence getCharContent(boolean ignoreEncodingErrors) {
        return code;
      }
    };
  }
}
