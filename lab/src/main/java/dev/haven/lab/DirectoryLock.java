package dev.haven.lab;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/** Keeps a second up or down of the same lab waiting until the first has finished. */
final class DirectoryLock implements AutoCloseable {
  private final Path file;
  private final FileChannel channel;

  DirectoryLock(Path directory) {
    try {
      var home = Files.createDirectories(Path.of("/run/haven-lab"));
      file = home.resolve(directory.toString().replace('/', '_') + ".lock");
      channel = lock(file);
    } catch (IOException e) {
      throw new LabException("cannot lock the lab in " + directory + ": " + e.getMessage(), e);
    }
  }

  private static FileChannel lock(Path file) throws IOException {
    while (true) {
      var channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      channel.lock();
      // Its last holder has deleted it; another may have made a new one since. Only what is
      // written into
      // the file that all others see is worth anything.
      var mark = UUID.randomUUID().toString();
      channel.write(ByteBuffer.wrap(mark.getBytes(StandardCharsets.UTF_8)), 0);
      if (Files.exists(file) && Files.readString(file).equals(mark)) {
        return channel;
      }
      channel.close();
    }
  }

  @Override
  public void close() {
    try {
      Files.deleteIfExists(file);
      channel.close();
    } catch (IOException e) {
      throw new LabException("cannot unlock the lab: " + e.getMessage(), e);
    }
  }
}
