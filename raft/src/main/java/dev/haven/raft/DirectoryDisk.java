package dev.haven.raft;

import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A directory of a real file system, held by one process at a time. */
public final class DirectoryDisk implements Disk {
  private static final String LOCK = "lock";
  private static final Set<PosixFilePermission> DIRECTORY =
      PosixFilePermissions.fromString("rwx------");
  private static final Set<PosixFilePermission> FILE = PosixFilePermissions.fromString("rw-------");

  private final Path directory;
  private final FileChannel lockFile;

  /**
   * @throws IOException if the directory cannot be made or kept from others, or another process has
   *     it; says which
   */
  public DirectoryDisk(Path directory) throws IOException {
    this.directory = directory;
    Files.createDirectories(directory, PosixFilePermissions.asFileAttribute(DIRECTORY));
    keepToOurselves();
    lockFile =
        FileChannel.open(
            directory.resolve(LOCK),
            Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(FILE));
    if (lock() == null) {
      lockFile.close();
      throw new IOException(
          directory + ": another orchestrator uses this directory; stop it first");
    }
  }

  /** The log holds what devices and hosts are told as secrets. */
  private void keepToOurselves() throws IOException {
    try {
      Files.setPosixFilePermissions(directory, DIRECTORY);
      try (var files = Files.list(directory)) {
        for (var file : files.filter(Files::isRegularFile).toList()) {
          Files.setPosixFilePermissions(file, FILE);
        }
      }
    } catch (IOException | UnsupportedOperationException e) {
      throw new IOException(
          "%s: cannot be closed to others (%s), and the log holds secrets; make it the directory of user %s alone (chmod 700)"
              .formatted(directory, e.getMessage(), System.getProperty("user.name")),
          e);
    }
  }

  private @Nullable FileLock lock() throws IOException {
    try {
      return lockFile.tryLock();
    } catch (OverlappingFileLockException e) {
      return null; // held by this very process
    }
  }

  @Override
  public List<String> list() throws IOException {
    try (var files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).filter(n -> !n.equals(LOCK)).toList();
    }
  }

  @Override
  public DiskFile open(String name) throws IOException {
    var channel =
        FileChannel.open(
            directory.resolve(name),
            Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(FILE));
    return new ChannelFile(channel, directory.resolve(name));
  }

  @Override
  public void rename(String from, String to) throws IOException {
    Files.move(directory.resolve(from), directory.resolve(to), StandardCopyOption.ATOMIC_MOVE);
  }

  @Override
  public void delete(String name) throws IOException {
    Files.deleteIfExists(directory.resolve(name));
  }

  @Override
  public void syncDirectory() throws IOException {
    try (var channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  @Override
  public long freeBytes() {
    try {
      return Files.getFileStore(directory).getUsableSpace();
    } catch (IOException e) {
      return Long.MAX_VALUE;
    }
  }

  @Override
  public String where() {
    return directory.toString();
  }

  @Override
  public void close() throws IOException {
    lockFile.close();
  }

  private record ChannelFile(FileChannel channel, Path path) implements DiskFile {
    @Override
    public long size() throws IOException {
      return channel.size();
    }

    @Override
    public void read(long position, ByteBuffer into) throws IOException {
      while (into.hasRemaining()) {
        int count = channel.read(into, position);
        if (count < 0) {
          throw new EOFException("%s: ends at %d".formatted(path, position));
        }
        position += count;
      }
    }

    @Override
    public void write(long position, ByteBuffer from) throws IOException {
      while (from.hasRemaining()) {
        position += channel.write(from, position);
      }
    }

    @Override
    public void sync() throws IOException {
      // Sizes change only when space is laid out beforehand; force(false) writes those too.
      channel.force(false);
    }

    @Override
    public void close() {
      try {
        channel.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
