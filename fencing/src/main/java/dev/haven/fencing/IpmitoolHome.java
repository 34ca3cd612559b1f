package dev.haven.fencing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * A home directory with an empty list of manufacturers: ipmitool reads the whole one, 4 MB, at
 * every start unless there is one in its user's home, and that takes longer than asking the BMC.
 *
 * @param path what ipmitool's HOME is set to
 */
record IpmitoolHome(String path) {
  /**
   * The one in this folder, which a process before this one may have made; a new name for each
   * process would stay behind whenever one is killed. Where it cannot be made, ipmitool only takes
   * longer: a full disk must not keep anybody from fencing.
   */
  static IpmitoolHome in(Path folder) {
    var home = folder.toAbsolutePath().resolve("ipmitool");
    var list = home.resolve(".local/usr/share/misc/enterprise-numbers.txt");
    try {
      if (!Files.exists(list)) {
        Files.createDirectories(list.getParent());
        var fresh = Files.createTempFile(list.getParent(), "new", ""); // whole or not at all
        Files.writeString(fresh, "0\n  Reserved\n");
        Files.move(fresh, list, StandardCopyOption.ATOMIC_MOVE);
      }
    } catch (IOException e) {
      // without it ipmitool reads its own
    }
    return new IpmitoolHome(home.toString());
  }
}
