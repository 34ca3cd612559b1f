package dev.haven.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Help;

/**
 * Writes the manual's pages from the help texts: {@code haven.1} and one for each verb, such as
 * {@code haven-guest-create.1}. Called when packages are made.
 */
public final class ManPages {
  private static final int WIDTH = 78;

  private final String version;
  private final String date;
  private final Path directory;

  private ManPages(String version, String date, Path directory) {
    this.version = version;
    this.date = date;
    this.directory = directory;
  }

  /**
   * @param args the version, the date as {@code 2026-11-30}, and the directory to write to
   */
  public static void main(String[] args) throws IOException {
    var pages = new ManPages(args[0], args[1], Path.of(args[2]));
    var haven = new Haven(Surroundings.ofThisProcess(System.out, System.err));
    var root = Main.tree(haven, List.of());
    root.setUsageHelpWidth(WIDTH)
        .setColorScheme(CommandLine.Help.defaultColorScheme(Help.Ansi.OFF));
    pages.write(root);
  }

  private void write(CommandLine line) throws IOException {
    var name = line.getCommandSpec().qualifiedName("-");
    Files.writeString(
        directory.resolve(name + ".1"), page(name, line, line.getUsageMessage(Help.Ansi.OFF)));
    for (var verb : line.getSubcommands().values()) {
      write(verb);
    }
  }

  private String page(String name, CommandLine line, String help) {
    var words = line.getCommandSpec().usageMessage().description();
    var about = words.length == 0 ? "part of Haven" : String.join(" ", words);
    var end = about.indexOf(". ");
    var what = (end < 0 ? about : about.substring(0, end)).replaceAll("\\.$", "");
    var page = new ArrayList<String>();
    page.add(
        ".TH %s 1 %s \"Haven %s\" \"Haven\""
            .formatted(escaped(name).toUpperCase(java.util.Locale.ROOT), date, version));
    page.add(".SH NAME");
    page.add(escaped(name) + " \\- " + escaped(what));
    page.add(".SH DESCRIPTION");
    page.add(".nf");
    help.lines().map(ManPages::escaped).forEach(page::add);
    page.add(".fi");
    var others = line.getSubcommands().values();
    var parent = line.getParent();
    if (!others.isEmpty() || parent != null) {
      page.add(".SH SEE ALSO");
      var seen = new ArrayList<String>();
      if (parent != null) {
        seen.add(parent.getCommandSpec().qualifiedName("-"));
      }
      others.forEach(o -> seen.add(o.getCommandSpec().qualifiedName("-")));
      page.add(String.join(", ", seen.stream().map(o -> escaped(o) + "(1)").toList()));
    }
    return String.join("\n", page) + "\n";
  }

  /** For troff: a backslash, a hyphen that is one, and a line that would begin a request. */
  private static String escaped(String line) {
    var text = line.replace("\\", "\\e").replace("-", "\\-");
    return text.startsWith(".") || text.startsWith("'") ? "\\&" + text : text;
  }
}
