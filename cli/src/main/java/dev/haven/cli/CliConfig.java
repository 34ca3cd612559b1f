package dev.haven.cli;

import dev.haven.cli.start.FastStart;
import dev.haven.cli.start.PlainSettings;
import dev.haven.lab.LabOptions;
import dev.haven.model.config.Settings;
import dev.haven.model.config.SettingsException;
import dev.haven.model.config.TlsFiles;
import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Where the cluster is and who we are to it; the file is called {@code cli.yaml}.
 *
 * @param voters each {@code address}, {@code address:port}, {@code https://address:port} or the
 *     path of the socket of this machine's own voter, asked in this order
 * @param tls relative to the file; needed unless all voters are sockets
 */
record CliConfig(List<String> voters, Optional<TlsFiles> tls) {
  private static final int PORT = 7700;

  /** Where the packaged orchestrator has its socket. */
  static final Path SOCKET = Path.of("/run/haven/orchestrator.sock");

  CliConfig {
    voters = List.copyOf(voters);
    if (voters.isEmpty()) {
      throw new IllegalArgumentException("voters: name at least one, such as 10.0.0.1:" + PORT);
    }
    for (var voter : voters) {
      if (!isLocal(uri(voter)) && tls.isEmpty()) {
        throw new IllegalArgumentException(
            "tls: is missing; voter %s is reached by TLS only".formatted(voter));
      }
    }
  }

  /** All places that are looked at, the first that exists wins. */
  static List<Path> places(Map<String, String> environment, Path directory) {
    var places = new ArrayList<Path>();
    places.add(directory.resolve(".haven/cli.yaml"));
    var home = environment.get("HOME");
    var settings = environment.get("XDG_CONFIG_HOME");
    if (settings != null && !settings.isEmpty()) {
      places.add(Path.of(settings, "haven", "cli.yaml"));
    } else if (home != null && !home.isEmpty()) {
      places.add(Path.of(home, ".config", "haven", "cli.yaml"));
    }
    places.add(Path.of("/etc/haven/cli.yaml"));
    // the last: a lab must not come between an operator and the real cluster
    places.add(LabOptions.defaultDirectory(environment).resolve("cli.yaml"));
    return places;
  }

  static CliConfig find(@Nullable Path named, Map<String, String> environment, Path directory) {
    var variable = environment.get("HAVEN_CONFIG");
    boolean fast = FastStart.isOn(environment);
    if (named != null) {
      return read(directory.resolve(named), fast);
    }
    if (variable != null && !variable.isEmpty()) {
      return read(directory.resolve(variable), fast);
    }
    var places = places(environment, directory);
    for (var place : places.subList(0, places.size() - 1)) {
      if (Files.exists(place)) {
        return read(ours(place), fast);
      }
    }
    if (Files.exists(SOCKET)) {
      return new CliConfig(List.of(SOCKET.toString()), Optional.empty());
    }
    if (Files.exists(places.getLast())) {
      return read(ours(places.getLast()), fast);
    }
    throw new Stop(
        Exit.USAGE,
        """
        which cluster? There is no configuration, and no voter on this machine; looked at $HAVEN_CONFIG (not set) and
          %s
          %s
        Write one of them:
          voters: ["10.0.0.1:7700", "10.0.0.2:7700", "10.0.0.3:7700"]
          tls: {ca: ca.pem, certificate: admin.pem, key: admin.key}%s\
        """
            .formatted(
                String.join("\n  ", places.stream().map(Path::toString).toList()),
                SOCKET,
                Verbs.root().contains("lab")
                    ? "\nor start a cluster on this machine: haven lab up"
                    : ""));
  }

  /**
   * A file that is found, and not named, must be ours: in a directory of somebody else it would
   * send us to their cluster.
   *
   * @throws Stop if somebody else could have written it
   */
  private static Path ours(Path file) {
    try {
      var self = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
      for (var link : List.of(file, file.toAbsolutePath().getParent())) {
        var owner = Files.getAttribute(link, "unix:uid", LinkOption.NOFOLLOW_LINKS);
        if (!owner.equals(self) && !owner.equals(0)) {
          throw new Stop(
              Exit.USAGE,
              "%s: %s belongs to another user, %s, who has decided where it leads; name the file with --config if you trust it, or remove it"
                  .formatted(
                      file, link, Files.getOwner(link, LinkOption.NOFOLLOW_LINKS).getName()));
        }
      }
      for (var place : List.of(file.toRealPath(), file.resolveSibling(".").toRealPath())) {
        var owner = Files.getAttribute(place, "unix:uid");
        var modes = Files.getPosixFilePermissions(place);
        boolean theirs = !owner.equals(self) && !owner.equals(0);
        if (theirs
            || modes.contains(PosixFilePermission.GROUP_WRITE)
            || modes.contains(PosixFilePermission.OTHERS_WRITE)) {
          throw new Stop(
              Exit.USAGE,
              "%s: %s; name it with --config if you trust it, or remove it"
                  .formatted(
                      file,
                      theirs
                          ? place + " belongs to another user, " + Files.getOwner(place).getName()
                          : "others may write " + place));
        }
      }
      return file;
    } catch (IOException e) {
      throw new Stop(Exit.USAGE, file + ": cannot be read: " + e.getMessage());
    }
  }

  private static CliConfig read(Path file, boolean fast) {
    try {
      var plain = fast ? readPlain(file) : Optional.<CliConfig>empty();
      var config = plain.isPresent() ? plain.get() : Settings.read(file, CliConfig.class);
      return new CliConfig(
          config.voters,
          config.tls.map(
              tls ->
                  new TlsFiles(
                      file.resolveSibling(tls.ca()),
                      file.resolveSibling(tls.certificate()),
                      file.resolveSibling(tls.key()))));
    } catch (SettingsException e) {
      throw new Stop(Exit.USAGE, String.valueOf(e.getMessage()));
    }
  }

  /**
   * Reads it, and the certificate and key that it names.
   *
   * @throws IOException if it cannot be used; the message is for the operator
   */
  static void check(Path file) throws IOException {
    var tls = Settings.read(file, CliConfig.class).tls;
    if (tls.isPresent()) {
      TlsContext.load(
          file.resolveSibling(tls.get().ca()),
          file.resolveSibling(tls.get().certificate()),
          file.resolveSibling(tls.get().key()));
    }
  }

  /** The short way, which means what the whole one would, or nothing. */
  static Optional<CliConfig> readPlain(Path file) {
    try {
      return PlainSettings.read(file)
          .map(plain -> new CliConfig(plain.voters(), Optional.of(plain.tls())));
    } catch (IllegalArgumentException e) {
      return Optional.empty(); // Settings says why
    }
  }

  /** Whether it is the socket of this machine's own voter, and no address. */
  static boolean isLocal(URI voter) {
    return voter.getScheme().equals("unix");
  }

  /**
   * @throws IllegalArgumentException if {@code text} names no voter
   */
  static URI uri(String text) {
    try {
      if (text.startsWith("/")) {
        return new URI("unix", null, text, null);
      }
      if (text.startsWith("https://")) {
        var uri = URI.create(text.endsWith("/") ? text.substring(0, text.length() - 1) : text);
        if (uri.getHost() != null && (uri.getPath() == null || uri.getPath().isEmpty())) {
          return uri.getPort() > 0 ? uri : URI.create(uri + ":" + PORT);
        }
      } else if (!text.contains("/")) {
        boolean bareV6 = text.chars().filter(c -> c == ':').count() > 1 && !text.startsWith("[");
        var uri = URI.create("https://" + (bareV6 ? "[" + text + "]" : text));
        if (uri.getHost() != null) {
          return uri.getPort() > 0 ? uri : URI.create(uri + ":" + PORT);
        }
      }
    } catch (IllegalArgumentException | URISyntaxException e) {
      // said below
    }
    throw new IllegalArgumentException(
        "voter '%s': write it as address, address:port, https://address:port or the path of a voter's socket"
            .formatted(text));
  }
}
