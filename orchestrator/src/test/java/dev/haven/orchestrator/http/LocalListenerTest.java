package dev.haven.orchestrator.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalListenerTest {
  @TempDir static Path dir = Path.of("");

  @BeforeAll
  static void issue() throws IOException {
    Servers.issue(dir);
  }

  @Test
  void thisMachinesRootAsksWithoutACertificate() throws Exception {
    try (var voters = new Servers(dir, "a", "a")) {
      assertThat(Files.getPosixFilePermissions(voters.socket("a")))
          .isEqualTo(PosixFilePermissions.fromString("rw-------"));
      assertThat(ask(voters.socket("a"), "GET /v1/status HTTP/1.1", ""))
          .startsWith("HTTP/1.1 200 ")
          .contains("\"cluster\":\"lab\"");
    }
  }

  @Test
  void whoChangesSomethingThereIsNamedInTheAuditLogAlsoWhereAnotherVoterLeads() throws Exception {
    try (var voters = new Servers(dir, "b", "a", "b")) {
      assertThat(ask(voters.socket("a"), "POST /v1/commands HTTP/1.1", cordon()))
          .startsWith("HTTP/1.1 200 ");
      assertThat(voters.committed.commands)
          .singleElement()
          .asString()
          .startsWith(System.getProperty("user.name") + "@a: ");
    }
  }

  @Test
  void noAgentConnectsThere() throws Exception {
    try (var voters = new Servers(dir, "a", "a")) {
      assertThat(
              ask(
                  voters.socket("a"),
                  """
                  GET /v1/agent HTTP/1.1\r
                  Upgrade: websocket\r
                  Sec-WebSocket-Version: 13\r
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\
                  """,
                  ""))
          .startsWith("HTTP/1.1 403 ");
    }
  }

  @Test
  void whatAKilledVoterLeftIsReplacedAndNothingElse() throws Exception {
    var stale = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    stale.bind(UnixDomainSocketAddress.of(dir.resolve("a.sock"))).close();
    assertThat(dir.resolve("a.sock")).exists();
    try (var voters = new Servers(dir, "a", "a")) {
      assertThat(ask(voters.socket("a"), "GET /v1/health HTTP/1.1", "")).contains("\"name\":\"a\"");
    }
    assertThat(dir.resolve("a.sock")).doesNotExist();

    var precious = Files.writeString(dir.resolve("a.sock"), "precious");
    assertThatThrownBy(() -> new Servers(dir, "a", "a"))
        .hasMessageContaining("a.sock is no socket; move it away");
    assertThat(precious).hasContent("precious");
    Files.delete(precious);
  }

  @Test
  void noSocketIsMadeWhereOthersCouldPutTheirOwn() throws Exception {
    var inner = dir.resolve("run");
    var open = Files.createDirectories(inner);
    for (var modes : List.of("rwxrwxrwx", "rwxrwx---")) {
      Files.setPosixFilePermissions(open, PosixFilePermissions.fromString(modes));
      assertThatThrownBy(() -> Servers.at(dir, inner, "a"))
          .hasMessageContaining("others may write " + open)
          .hasMessageContaining("chmod 750 " + open);
    }
    Files.delete(open);
    try (var voters = Servers.at(dir, inner, "a")) {
      assertThat(Files.getPosixFilePermissions(inner))
          .isEqualTo(PosixFilePermissions.fromString("rwxr-x---"));
      assertThat(ask(voters.socket("a"), "GET /v1/health HTTP/1.1", "")).contains("\"name\":\"a\"");
    }
    if (Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0)) {
      Files.setAttribute(inner, "unix:uid", 12_345);
      assertThatThrownBy(() -> Servers.at(dir, inner, "a"))
          .hasMessageContaining("belongs to another user");
    }
  }

  @Test
  void whoSaysNothingIsCutOff() throws Exception {
    try (var voters = Servers.hurried(dir, "a", "a");
        var silent = SocketChannel.open(UnixDomainSocketAddress.of(voters.socket("a")))) {
      assertThat(silent.read(ByteBuffer.allocate(1))).isEqualTo(-1);
    }
  }

  private static String cordon() {
    return Json.text(
        new CommandRequest(new RequestId("r-1"), new Command.Cordon(new HostId("x")), false));
  }

  private static String ask(Path socket, String head, String body) throws IOException {
    try (var channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      var request =
          "%s\r\nHost: localhost\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n%s"
              .formatted(head, head.contains("Upgrade") ? "Upgrade" : "close", body.length(), body);
      channel.write(ByteBuffer.wrap(request.getBytes(StandardCharsets.UTF_8)));
      channel.shutdownOutput();
      return new String(Channels.newInputStream(channel).readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
