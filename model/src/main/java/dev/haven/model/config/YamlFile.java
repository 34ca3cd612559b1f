package dev.haven.model.config;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;

/** Reads YAML that a person wrote: the one reader of it. */
public final class YamlFile {
  private YamlFile() {}

  /**
   * The whole of a file.
   *
   * @param expected what a file with nothing in it lacks, for the message
   * @throws SettingsException if it is missing, empty or no YAML; the message is for its writer
   */
  public static YamlNode read(Path file, String expected) throws SettingsException {
    try {
      return of(file.toString(), Files.readString(file), expected);
    } catch (SettingsException e) {
      throw e;
    } catch (NoSuchFileException e) {
      throw new SettingsException(file + ": there is no such file");
    } catch (MalformedInputException e) {
      throw new SettingsException(file + ": is not UTF-8 text");
    } catch (IOException e) {
      throw new SettingsException("%s: cannot be read (%s)".formatted(file, e));
    }
  }

  /**
   * The same for a text.
   *
   * @param file its name, for messages
   */
  public static YamlNode of(String file, String text, String expected) throws SettingsException {
    var options = new LoaderOptions();
    options.setCodePointLimit(64 << 20);
    options.setMaxAliasesForCollections(0);
    try {
      var node = new Yaml(new SafeConstructor(options)).compose(new StringReader(text));
      if (node == null) {
        throw new SettingsException("%s:1:1: is empty; expected %s".formatted(file, expected));
      }
      return new YamlNode(file, "", node);
    } catch (MarkedYAMLException e) {
      var mark = e.getProblemMark();
      throw new SettingsException(
          "%s:%s: is no YAML, or only half of it: %s"
              .formatted(
                  file, mark == null ? "1:1" : YamlNode.at(mark), firstLine(e.getProblem())));
    } catch (YAMLException e) {
      throw new SettingsException(
          "%s:1:1: is no YAML: %s".formatted(file, firstLine(e.getMessage())));
    }
  }

  private static String firstLine(@Nullable String message) {
    return message == null ? "unreadable" : message.lines().findFirst().orElse("unreadable");
  }
}
