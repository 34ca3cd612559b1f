package dev.haven.agent.libvirt;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A network disk on which every write ends in an error. */
record FaultyDisk(String name, Path socket, Process server) implements AutoCloseable {

  /**
   * Its export has a name, for libvirt 9.0 drops the I/O error event of a disk that has neither
   * path nor name.
   *
   * @param errno 5 for an I/O error, 28 for no space left
   */
  static FaultyDisk serve(Path directory, String name, int errno) throws Exception {
    var socket = directory.resolve(name + ".socket");
    var disk = GuestXml.disk(name, directory, GuestXml.Then.WRITE);
    var options =
        "driver=raw,file.driver=blkdebug,file.inject-error.0.event=write_aio,file.inject-error.0.iotype=write"
            + ",file.inject-error.0.errno=%d,file.image.driver=file,file.image.filename=%s"
                .formatted(errno, disk);
    var server =
        new ProcessBuilder(
                List.of(
                    "qemu-nbd",
                    "--socket=" + socket,
                    "--export-name=" + name,
                    "--image-opts",
                    options))
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve(name + ".nbd.log").toFile())
            .start();
    PrivateHost.await("the disk's socket", () -> Files.exists(socket));
    return new FaultyDisk(name, socket, server);
  }

  @Override
  public void close() throws Exception {
    server.destroy(); // it also ends with its first client
    server.waitFor(10, TimeUnit.SECONDS);
  }
}
