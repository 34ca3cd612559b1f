package dev.haven.cli.start;

import dev.haven.model.config.TlsFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What stands in a {@code cli.yaml} that looks as we write it ourselves: a YAML parser and its
 * binding take 50 ms to start.
 *
 * @param voters as they stand there
 * @param tls as they stand there
 */
public record PlainSettings(List<String> voters, TlsFiles tls) {
  private static final Pattern COMMENT = Pattern.compile("(^|\\s+)#.*$");
  private static final String VOTER = "\"[\\w.:/\\[\\]-]+\"";
  private static final Pattern VOTERS =
      Pattern.compile("voters: \\[(%1$s(?:, %1$s)*)]".formatted(VOTER));

  /** With a dot or a slash in it: a word of YAML's own, such as null, has none. */
  private static final String PATH = "(/?[A-Za-z](?=[^,}]*[./])[\\w./-]*)";

  private static final Pattern TLS =
      Pattern.compile("tls: \\{ca: %1$s, certificate: %1$s, key: %1$s}".formatted(PATH));

  /**
   * Accepts nothing that means anything else in YAML.
   *
   * @return empty for everything else, and whatever is wrong: the real reader says why
   */
  public static Optional<PlainSettings> read(Path file) {
    try {
      var lines =
          Files.readAllLines(file).stream()
              .map(line -> COMMENT.matcher(line).replaceFirst(""))
              .filter(line -> !line.isEmpty())
              .toList();
      if (lines.size() != 2) {
        return Optional.empty();
      }
      var voters = VOTERS.matcher(lines.getFirst());
      var tls = TLS.matcher(lines.getLast());
      if (!voters.matches() || !tls.matches()) {
        return Optional.empty();
      }
      return Optional.of(
          new PlainSettings(
              List.of(voters.group(1).replace("\"", "").split(", ")),
              new TlsFiles(Path.of(tls.group(1)), Path.of(tls.group(2)), Path.of(tls.group(3)))));
    } catch (IOException e) {
      return Optional.empty();
    }
  }
}
