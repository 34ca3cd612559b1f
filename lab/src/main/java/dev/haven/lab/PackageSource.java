package dev.haven.lab;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * Where bare machines get packages: Debian's that this machine has fetched for a host, and Haven's
 * own, on the bridge of the control network. There is nothing else that they reach.
 *
 * @param lab the control group of the whole lab
 */
record PackageSource(LabPlan plan, Control lab) {
  /** The web server knows no path with a dot in it, as that of a list beside its root has. */
  private static final String FOLDER = "debs";

  private static final Duration LIMIT = Duration.ofMinutes(2);

  static String address(LabPlan plan) {
    return "http://%s:%d/".formatted(plan.bridgeAddress(LabPlan.CONTROL), LabPlan.PACKAGES_PORT);
  }

  /** For a machine's list of sources. Nobody signs it: it is as far away as the machine's disk. */
  static String aptLine(LabPlan plan) {
    return "deb [trusted=yes] %s %s/\n".formatted(address(plan), FOLDER);
  }

  private Path directory() {
    return plan.directory().resolve("packages");
  }

  /**
   * Puts the packages there, with their list.
   *
   * @param haven the directory of Haven's packages
   */
  void write(Path haven) {
    try {
      var folder = Files.createDirectories(directory().resolve(FOLDER));
      for (var from : List.of(MachineImage.DEBS, haven)) {
        try (var debs = Files.newDirectoryStream(from, "*.deb")) {
          for (var deb : debs) {
            put(deb, folder.resolve(deb.getFileName()));
          }
        }
      }
    } catch (IOException e) {
      throw new LabException("cannot fill " + directory() + ": " + e.getMessage(), e);
    }
    var list =
        MachineTools.attempt(
            LIMIT,
            List.of(
                "bash",
                "-c",
                "cd \"$1\" && dpkg-scanpackages -m "
                    + FOLDER
                    + " 2>/dev/null >"
                    + FOLDER
                    + "/Packages",
                "packages",
                directory().toString()),
            "");
    if (!list.ok()) {
      throw new LabException("cannot list the packages: " + list.output().strip());
    }
  }

  private static void put(Path deb, Path to) throws IOException {
    Files.deleteIfExists(to);
    try {
      Files.createLink(to, deb);
    } catch (FileSystemException | UnsupportedOperationException e) {
      Files.copy(deb, to); // on another file system
    }
  }

  /** Starts it unless it runs; returns once it answers. */
  void start() {
    var group = lab.child("packages");
    if (!group.populated()) {
      group.create();
      var script =
          "echo $$ > '%s/cgroup.procs' && exec setsid '%s' -b %s -p %d -d '%s' -o none"
              .formatted(
                  group.path(),
                  Path.of(System.getProperty("java.home"), "bin", "jwebserver"),
                  plan.bridgeAddress(LabPlan.CONTROL),
                  LabPlan.PACKAGES_PORT,
                  directory());
      try {
        new ProcessBuilder("bash", "-c", script)
            .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
            .redirectErrorStream(true)
            .redirectOutput(
                ProcessBuilder.Redirect.appendTo(plan.directory().resolve("packages.log").toFile()))
            .start();
      } catch (IOException e) {
        throw new LabException("cannot start the source of packages: " + e.getMessage(), e);
      }
    }
    Lab.await("the source of packages; see " + plan.directory() + "/packages.log", LIMIT, this::up);
  }

  private boolean up() {
    try (var socket = new Socket()) {
      socket.connect(
          new InetSocketAddress(plan.bridgeAddress(LabPlan.CONTROL), LabPlan.PACKAGES_PORT), 500);
      return true;
    } catch (IOException e) {
      return false;
    }
  }
}
