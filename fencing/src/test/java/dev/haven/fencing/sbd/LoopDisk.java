package dev.haven.fencing.sbd;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A disk made of a file, and ClusterLabs' own sbd to use it with. Needs root and the package sbd.
 */
public final class LoopDisk implements AutoCloseable {
  private final Path file;
  private final Path device;

  public LoopDisk(Path file) throws IOException, InterruptedException {
    this.file = file;
    try (var disk = new RandomAccessFile(file.toFile(), "rw")) {
      disk.setLength(1 << 20);
    }
    device = Path.of(run("losetup", "--find", "--show", file.toString()).strip());
  }

  /** Whether this machine can have one. */
  public static boolean possible() {
    return Files.isWritable(Path.of("/dev/loop-control"))
        && List.of("/usr/sbin/sbd", "/sbin/sbd").stream()
            .anyMatch(p -> Files.isExecutable(Path.of(p)));
  }

  public Path path() {
    return device;
  }

  /** {@code sbd create}, with short times: a watchdog of 1 s, a loop of 1 s, a wait of 2 s. */
  public LoopDisk create() throws IOException, InterruptedException {
    return create("1", "2");
  }

  public LoopDisk create(String watchdog, String msgwait) throws IOException, InterruptedException {
    sbd("-1", watchdog, "-2", "0", "-3", "1", "-4", msgwait, "create");
    return this;
  }

  /** Runs sbd itself on this disk. */
  public String sbd(String... arguments) throws IOException, InterruptedException {
    var command = new ArrayList<>(List.of("sbd", "-d", device.toString()));
    command.addAll(List.of(arguments));
    return run(command.toArray(String[]::new));
  }

  /** The line of one host in {@code sbd list}: name, message, sender. */
  public String listed(String name) throws IOException, InterruptedException {
    return sbd("list")
        .lines()
        .map(line -> line.replaceFirst("^\\d+\\t", "").strip().replace('\t', ' '))
        .filter(line -> line.startsWith(name + " "))
        .findFirst()
        .orElse("");
  }

  /** All that is on it. */
  public byte[] bytes() throws IOException {
    return Files.readAllBytes(file);
  }

  private static String run(String... command) throws IOException, InterruptedException {
    var process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    var said = new String(process.getInputStream().readAllBytes());
    if (process.waitFor() != 0) {
      throw new IOException(String.join(" ", command) + ": " + said);
    }
    return said;
  }

  @Override
  public void close() throws IOException, InterruptedException {
    run("losetup", "--detach", device.toString());
    Files.delete(file);
  }
}
