package dev.haven.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What libvirt has found out about this machine's QEMU: 0.7 s of asking before the first guest of a
 * new host may start. libvirt checks by itself whether it still holds.
 */
final class Capabilities {
  private static final Logger LOG = LoggerFactory.getLogger(Capabilities.class);
  private static final Path KEPT = Path.of("/var/cache/haven-lab/capabilities");

  private Capabilities() {}

  private static Path of(LabHost host) {
    return host.directory().resolve("libvirt/cache/qemu/capabilities");
  }

  /** Another lab may replace the files at the same time; then libvirt asks QEMU. */
  static void seed(LabHost host) {
    var target = of(host);
    if (Files.exists(target) || !Files.isDirectory(KEPT)) {
      return;
    }
    try {
      LabFiles.copyTree(KEPT, target);
    } catch (IOException e) {
      LOG.debug("host {}: libvirt will ask QEMU", host.id(), e);
      LabFiles.deleteTree(target);
    }
  }

  /** Keeps what the libvirt of this host has found out for the next lab. */
  static void keep(LabPlan plan, LabHost host) {
    var found = of(host);
    try {
      if (names(found).equals(names(KEPT))) {
        return;
      }
      var fresh = KEPT.resolveSibling("capabilities." + plan.number());
      LabFiles.deleteTree(fresh);
      LabFiles.copyTree(found, fresh);
      LabFiles.deleteTree(KEPT);
      Files.move(fresh, KEPT);
    } catch (IOException | LabException e) {
      LOG.debug("libvirt will ask QEMU again in the next lab", e);
    }
  }

  /** The files' names and dates: libvirt replaces a file when it no longer holds. */
  private static Set<String> names(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      return Set.of();
    }
    var names = new HashSet<String>();
    try (var files = Files.list(directory)) {
      for (var file : files.toList()) {
        names.add(file.getFileName() + " " + Files.getLastModifiedTime(file));
      }
    }
    return names;
  }
}
