package dev.haven.lab;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;

/**
 * The small Linux that a lab's guests boot: the distribution's own kernel and an initramfs of
 * busybox. On its first serial port it says {@code GUEST UP NAME EPOCH UPTIME}, then {@code TICK
 * COUNT UPTIME} every 100 ms, and {@code GUEST DOWN NAME EPOCH} when its power button is pressed.
 * 128 MiB are enough.
 *
 * @param kernel for the domain's {@code kernel} element
 * @param initrd for its {@code initrd} element
 */
public record GuestImage(Path kernel, Path initrd) {
  private static final Path CACHE = Path.of("/var/cache/haven-lab");
  private static final Duration BUILD_LIMIT = Duration.ofMinutes(1);

  /**
   * Faster under an emulated processor: no self-tests of ciphers that nobody uses (0.3 s), no
   * calibration against a second clock, no protection of its own text and no IPv6 (0.3 s of 2.0).
   */
  private static final String COMMAND_LINE =
      "console=ttyS0 quiet panic=-1 cryptomgr.notests tsc=reliable no_timer_check rodata=off"
          + " ipv6.disable=1";

  /** For the domain's {@code cmdline} element. */
  public String commandLine(String guest) {
    return COMMAND_LINE + " haven.guest=" + guest;
  }

  /**
   * Builds the image, or takes the one built before from the same kernel and scripts.
   *
   * @throws LabException if there is no kernel to build it from
   */
  public static GuestImage prepare() {
    var kernel = newestKernel();
    var version = kernel.getFileName().toString().substring("vmlinuz-".length());
    try {
      var build = resource("guest-image.sh");
      var init = resource("guest-init.sh");
      var name = version + "-" + fingerprint(kernel, build, init);
      var home = CACHE.resolve("guest-" + name);
      var image = new GuestImage(home.resolve("vmlinux"), home.resolve("initrd"));
      if (!Files.exists(home)) {
        Files.createDirectories(CACHE);
        var initFile = Files.createTempFile(CACHE, "init", ".sh");
        try {
          Files.write(initFile, init);
          var line =
              List.of(
                  "bash",
                  "-s",
                  "--",
                  kernel.toString(),
                  "/lib/modules/" + version,
                  initFile.toString(),
                  home.toString());
          var result =
              MachineTools.attempt(BUILD_LIMIT, line, new String(build, StandardCharsets.UTF_8));
          if (!result.ok()) {
            throw new LabException("cannot build the guests' image: " + result.output().strip());
          }
        } finally {
          Files.deleteIfExists(initFile);
        }
      }
      return image;
    } catch (IOException e) {
      throw new LabException(
          "cannot build the guests' image in " + CACHE + ": " + e.getMessage(), e);
    }
  }

  private static Path newestKernel() {
    try (var files = Files.list(Path.of("/boot"))) {
      return files
          .filter(f -> f.getFileName().toString().startsWith("vmlinuz-") && Files.isReadable(f))
          .max(Comparator.comparing(f -> f.toFile().lastModified()))
          .orElseThrow(
              () ->
                  new LabException(
                      "no readable /boot/vmlinuz-* for the guests; install linux-image-amd64"));
    } catch (IOException e) {
      throw new LabException("cannot read /boot: " + e.getMessage(), e);
    }
  }

  private static String fingerprint(Path kernel, byte[]... scripts) throws IOException {
    try {
      var digest = MessageDigest.getInstance("SHA-256");
      for (var script : scripts) {
        digest.update(script);
      }
      var file = Files.size(kernel) + " " + Files.getLastModifiedTime(kernel);
      digest.update(file.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest.digest(), 0, 6);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] resource(String name) throws IOException {
    try (var in = GuestImage.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("resource " + name + " is missing from the lab's jar");
      }
      return in.readAllBytes();
    }
  }
}
