package dev.haven.lab;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The disk that whole machines boot from, each with a file of its own for what it writes. It is
 * built once: Debian from its packages, and Haven's on top. Built again when a list of packages, a
 * version in it, or Haven's packages are others.
 *
 * @param disk never written to
 */
record MachineImage(Path disk) {
  static final Path CACHE = Path.of("/var/cache/haven-lab");

  /** Every .deb that the machines' Debian was made of. */
  static final Path DEBS = CACHE.resolve("debs");

  private static final String DISK = "disk.img";

  /** Downloads included. */
  private static final Duration ROOT_LIMIT = Duration.ofMinutes(20);

  private static final Duration DISK_LIMIT = Duration.ofMinutes(5);

  /** Haven's packages that a host has. */
  private static final List<String> HAVEN =
      List.of("haven-runtime", "haven", "haven-orchestrator", "haven-agent");

  /** A command, and Debian's package that has it. */
  private record Tool(String command, String from) {}

  private static final List<Tool> TOOLS =
      List.of(
          new Tool("linux.uml", "user-mode-linux"),
          new Tool("mmdebstrap", "mmdebstrap"),
          new Tool("mke2fs", "e2fsprogs"),
          new Tool("ssh-keygen", "openssh-client"),
          new Tool("dpkg-scanpackages", "dpkg-dev"),
          new Tool("ipmi_sim", "openipmi"),
          new Tool("ipmitool", "ipmitool"));

  /**
   * Takes the disk that is there, or builds it.
   *
   * @param packages the directory of Haven's packages
   * @throws LabException if a tool or package is missing, or the build fails
   */
  static MachineImage prepare(LabForm form, Path packages, Lab.Step step) {
    requireTools(Path.of("/usr/bin"), Path.of("/usr/sbin"), Path.of("/bin"), Path.of("/sbin"));
    try {
      Files.createDirectories(CACHE);
      var rootScript = script("machine-root.sh");
      var diskScript = script("machine-disk.sh");
      var bare = names(LabFiles.resource("machine-bare.txt"));
      var host = names(LabFiles.resource("machine-host.txt"));
      var debian = Stream.concat(bare.stream(), host.stream()).toList();
      var haven = form == LabForm.BARE ? List.<Path>of() : havens(packages);

      var debianKey =
          digest(Files.readString(rootScript) + form + debian + suite() + versions(debian));
      var diskKey = digest(debianKey + Files.readString(diskScript) + uml() + digests(haven));
      var root = CACHE.resolve("machine-root-%s-%s".formatted(form.label(), debianKey));
      var image = CACHE.resolve("machine-%s-%s".formatted(form.label(), diskKey));
      if (!Files.exists(image.resolve(DISK))) {
        if (!Files.exists(root)) {
          boolean all = form != LabForm.BARE;
          build(
              ROOT_LIMIT,
              List.of(
                  rootScript.toString(),
                  root.toString(),
                  suite(),
                  String.join(",", all ? debian : bare),
                  all ? "" : String.join(" ", host),
                  DEBS.toString()));
          step.done("Debian for the machines is built");
        }
        var line = new ArrayList<String>(List.of(diskScript.toString(), image.toString()));
        line.add(root.resolve("root").toString());
        haven.forEach(deb -> line.add(deb.toString()));
        build(DISK_LIMIT, line);
        step.done("the machines' disk is built: " + image);
        prune("machine-root-" + form.label(), root);
        prune("machine-" + form.label(), image);
      }
      return new MachineImage(image.resolve(DISK));
    } catch (IOException e) {
      throw new LabException(
          "cannot build the machines' disk in " + CACHE + ": " + e.getMessage(), e);
    }
  }

  private static Path script(String name) throws IOException {
    var script = CACHE.resolve(name);
    LabFiles.writeScript(script, LabFiles.resource(name));
    return script;
  }

  private static void build(Duration limit, List<String> line) {
    var result = MachineTools.attempt(limit, line, "");
    if (!result.ok()) {
      var said = result.output().strip().lines().toList();
      throw new LabException(
          "cannot build the machines' disk; the last lines of %s:\n%s"
              .formatted(
                  line.getFirst(),
                  String.join("\n", said.subList(Math.max(0, said.size() - 20), said.size()))));
    }
  }

  /** Says which are missing, and how to install them. */
  static void requireTools(Path... folders) {
    var missing =
        TOOLS.stream()
            .filter(t -> Stream.of(folders).noneMatch(f -> Files.exists(f.resolve(t.command()))))
            .toList();
    if (!missing.isEmpty()) {
      throw new LabException(
          "whole machines need %s; install them: apt-get install --no-install-recommends %s"
              .formatted(
                  String.join(", ", missing.stream().map(Tool::command).toList()),
                  String.join(" ", missing.stream().map(Tool::from).toList())));
    }
  }

  /** The names in a list of packages, one a line with its reason. */
  static List<String> names(String list) {
    return list.lines()
        .map(line -> line.replaceFirst("#.*", "").strip())
        .filter(name -> !name.isEmpty())
        .toList();
  }

  /** The package of each name, and no second version of it. */
  static List<Path> havens(Path packages) throws IOException {
    var found = new ArrayList<Path>();
    for (var name : HAVEN) {
      try (var files = Files.newDirectoryStream(packages, name + "_*.deb")) {
        var all = new ArrayList<Path>();
        files.forEach(all::add);
        if (all.size() != 1) {
          throw new LabException(
              "%s has %d packages %s, not one; ./haven package makes them in an empty directory"
                  .formatted(packages, all.size(), name));
        }
        found.addAll(all);
      }
    }
    return found;
  }

  /** Of Debian's releases, this machine's. */
  private static String suite() throws IOException {
    return Files.readAllLines(Path.of("/etc/os-release")).stream()
        .filter(line -> line.startsWith("VERSION_CODENAME="))
        .map(line -> line.substring("VERSION_CODENAME=".length()).replace("\"", ""))
        .findFirst()
        .orElse("stable");
  }

  /** As this machine's lists of packages have them; empty where there are none. */
  private static String versions(List<String> packages) {
    var line = new ArrayList<String>(List.of("apt-cache", "show", "--no-all-versions"));
    line.addAll(packages);
    return MachineTools.attempt(MachineTools.LIMIT, line, "")
        .output()
        .lines()
        .filter(l -> l.startsWith("Package: ") || l.startsWith("Version: "))
        .reduce("", (all, l) -> all + l + "\n");
  }

  private static List<String> uml() throws IOException {
    try (var modules = Files.list(Path.of("/usr/lib/uml/modules"))) {
      return modules.map(m -> m.getFileName().toString()).sorted().toList();
    }
  }

  private static List<String> digests(List<Path> files) throws IOException {
    var digests = new ArrayList<String>();
    for (var file : files) {
      try (var in = Files.newInputStream(file)) {
        digests.add(file.getFileName() + digest(in));
      }
    }
    return digests;
  }

  private static String digest(String text) throws IOException {
    return digest(new java.io.ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
  }

  private static String digest(InputStream from) throws IOException {
    try (var in = new DigestInputStream(from, MessageDigest.getInstance("SHA-256"))) {
      in.transferTo(java.io.OutputStream.nullOutputStream());
      return HexFormat.of().formatHex(in.getMessageDigest().digest(), 0, 6);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Deletes what was built before, unless a lab still boots from it. */
  private static void prune(String prefix, Path keep) throws IOException {
    var used = Claims.labs().stream().flatMap(lab -> inUse(lab).stream()).toList();
    try (var old = Files.newDirectoryStream(CACHE, prefix + "-????????????")) {
      for (var directory : old) {
        if (!directory.equals(keep) && !used.contains(directory)) {
          LabFiles.deleteTree(directory);
        }
      }
    }
  }

  private static List<Path> inUse(Path lab) {
    var used = new ArrayList<Path>();
    try (var hosts = Files.newDirectoryStream(lab.resolve("hosts"))) {
      for (var host : hosts) {
        of(host).map(Path::getParent).ifPresent(used::add);
      }
    } catch (IOException e) {
      // no lab of machines, or it is just going
    }
    return used;
  }

  /** The disk that the host in this directory boots from. */
  private static Optional<Path> of(Path host) {
    try {
      return Optional.of(Files.readSymbolicLink(MachineFiles.disk(host)));
    } catch (IOException | UnsupportedOperationException e) {
      return Optional.empty();
    }
  }
}
