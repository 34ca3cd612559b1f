package dev.haven.templates;

import java.util.Optional;

/**
 * A kernel that the host hands to the guest, instead of one from the guest's disk.
 *
 * @param kernel absolute path on every host that may run the guest
 * @param initrd absolute path likewise
 * @param commandLine may be empty
 */
public record DirectKernel(String kernel, Optional<String> initrd, String commandLine) {
  public DirectKernel {
    requireAbsolute("kernel", kernel);
    initrd.ifPresent(path -> requireAbsolute("initrd", path));
  }

  private static void requireAbsolute(String what, String path) {
    if (!path.startsWith("/")) {
      throw new IllegalArgumentException(
          what + " '" + path + "': give the absolute path that it has on every host");
    }
  }
}
