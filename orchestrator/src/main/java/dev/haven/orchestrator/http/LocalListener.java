package dev.haven.orchestrator.http;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import jdk.net.ExtendedSocketOptions;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.server.ConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.unixdomain.server.UnixDomainServerConnector;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The same routes on a Unix socket of this machine, without TLS: the kernel says who is at the
 * other end. Only root and the user whom this voter runs as are let in, who can read its key and
 * its log anyway. An operator on a host needs no certificate so, not even where all of them have
 * expired.
 */
final class LocalListener extends UnixDomainServerConnector {
  private static final Logger log = LoggerFactory.getLogger(LocalListener.class);

  private final Path path;
  private final Links links;
  private final String self = System.getProperty("user.name");

  private LocalListener(Server server, Path path, Links links, ConnectionFactory http) {
    super(server, null, null, null, 1, 1, http);
    this.path = path;
    this.links = links;
    setUnixDomainPath(path);
    setIdleTimeout(ApiServer.LINKS_KNOW_BETTER);
  }

  /**
   * Makes ready to listen. What a voter that was killed has left at {@code path} is deleted;
   * another one that runs would have kept us from its port before.
   *
   * @throws IOException if the path is a file of another kind, or others may write its directory
   */
  static LocalListener at(Path path, Server server, Links links, ConnectionFactory http)
      throws IOException {
    if (Files.exists(path) && !Files.readAttributes(path, "isOther").containsValue(true)) {
      throw new IOException("socket: " + path + " is no socket; move it away, or name another");
    }
    checkDirectory(path);
    Files.deleteIfExists(path);
    return new LocalListener(server, path, links, http);
  }

  @Override
  protected void doStart() throws Exception {
    try {
      super.doStart();
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
    } catch (IOException e) {
      throw new IOException("socket: cannot listen on %s: %s".formatted(path, e.getMessage()), e);
    }
  }

  @Override
  protected void onEndPointOpened(EndPoint connection) {
    super.onEndPointOpened(connection);
    try {
      var user =
          ((SocketChannel) connection.getTransport())
              .getOption(ExtendedSocketOptions.SO_PEERCRED)
              .user()
              .getName();
      if (user.equals("root") || user.equals(self)) {
        links.opened(connection, null, Optional.of(user));
      } else {
        log.warn("{}: user {} was turned away", path, user);
        connection.close();
      }
    } catch (IOException e) {
      log.debug("a local connection ended as it was accepted: {}", e.getMessage());
      connection.close();
    }
  }

  @Override
  protected void onEndPointClosed(EndPoint connection) {
    links.ended(connection);
    super.onEndPointClosed(connection);
  }

  /**
   * A user who may write the directory of a socket can put one of their own in its place, and root
   * would give its commands to that. One that is not there is made.
   *
   * @throws IOException if somebody else may write it
   */
  private static void checkDirectory(Path path) throws IOException {
    var directory = path.toAbsolutePath().normalize().getParent();
    if (directory == null) {
      throw new IOException("socket: %s is in no directory".formatted(path));
    }
    if (!Files.exists(directory)) {
      Files.createDirectories(directory);
      Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-x---"));
    }
    var self = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    var owner = Files.getAttribute(directory, "unix:uid");
    if (!owner.equals(self) && !owner.equals(0)) {
      throw new IOException(
          "socket: %s belongs to another user, %s, who could put another socket there; chown it to %s, or name a path in a directory that is only root's or %s's, such as /run/haven/orchestrator.sock"
              .formatted(
                  directory,
                  Files.getOwner(directory).getName(),
                  System.getProperty("user.name"),
                  System.getProperty("user.name")));
    }
    var modes = Files.getPosixFilePermissions(directory);
    if (modes.contains(PosixFilePermission.GROUP_WRITE)
        || modes.contains(PosixFilePermission.OTHERS_WRITE)) {
      throw new IOException(
          "socket: others may write %s and could put another socket there; chmod 750 %s, or name a path in a directory of its own, such as /run/haven/orchestrator.sock"
              .formatted(directory, directory));
    }
  }
}
