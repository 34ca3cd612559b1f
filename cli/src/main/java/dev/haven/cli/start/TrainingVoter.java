package dev.haven.cli.start;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import dev.haven.model.Capacity;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Json;
import dev.haven.model.Network;
import dev.haven.model.OperationId;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The voter that {@link Training} talks to, a process of its own. */
final class TrainingVoter {
  private TrainingVoter() {}

  /**
   * Makes certificates and {@code cli.yaml} in the directory {@code args[0]}, says so in a line,
   * and serves until its stdin ends.
   */
  public static void main(String[] args) throws IOException {
    var directory = Path.of(args[0]);
    var ca = CertificateAuthority.create(directory);
    ca.issue("a", Role.VOTER, List.of("127.0.0.1"), directory);
    ca.issue("admin", Role.OPERATOR, List.of(), directory);
    var server =
        HttpsServer.create(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 0), 0);
    server.setHttpsConfigurator(
        new HttpsConfigurator(
            TlsContext.load(
                directory.resolve("ca.pem"),
                directory.resolve("voter-a.pem"),
                directory.resolve("voter-a.key"))) {
          @Override
          public void configure(HttpsParameters parameters) {
            parameters.setSSLParameters(TlsContext.parameters());
          }
        });
    var status = status();
    answer(server, "/v1/status", status);
    answer(server, "/v1/operations", status.operations());
    answer(
        server,
        "/v1/events",
        List.of(new Views.Event(1, Instant.now(), Fact.Kind.DECISION, "a", "b")));
    answer(server, "/v1/commands", new Reply.Accepted("done", Optional.empty(), List.of("step")));
    server.start();
    Files.writeString(
        directory.resolve("cli.yaml"),
        """
        voters: ["127.0.0.1:%d"]
        tls: {ca: ca.pem, certificate: admin.pem, key: admin.key}
        """
            .formatted(server.getAddress().getPort()));
    Files.writeString(
        directory.resolve("local.yaml"),
        "voters: [\"%s\"]\n".formatted(directory.resolve("voter.sock")));
    var local = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    local.bind(UnixDomainSocketAddress.of(directory.resolve("voter.sock")));
    Thread.ofPlatform().daemon().start(() -> answer(local, Json.bytes(status)));
    System.out.println("ready");
    if (System.in.read() < 0) {
      server.stop(0);
    }
  }

  private static void answer(HttpsServer server, String path, Object body) {
    var json = Json.bytes(body);
    server.createContext(
        path,
        exchange -> {
          try (exchange) {
            exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(200, json.length);
            exchange.getResponseBody().write(json);
          }
        });
  }

  /** The same status to whatever is asked, on this machine's socket. */
  private static void answer(ServerSocketChannel local, byte[] json) {
    try {
      while (true) {
        try (var channel = local.accept()) {
          channel.read(ByteBuffer.allocate(8192));
          var head = "HTTP/1.1 200 OK\r\nContent-Length: " + json.length + "\r\n\r\n";
          channel.write(ByteBuffer.wrap(head.getBytes(StandardCharsets.US_ASCII)));
          channel.write(ByteBuffer.wrap(json));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Views.Status status() {
    var a = new HostId("a");
    var spec =
        new HostSpec(
            a,
            Optional.of("uuid"),
            "qemu+tls://a/system",
            List.of(new Network("control", "10.0.0.1", List.of(Network.Role.CONTROL))),
            List.of(List.of(new FencingDevice("ipmi", "ipmi", Map.of("address", "10.0.0.2")))),
            Map.of("rack", "1"),
            Optional.of("rack 1"),
            1024,
            4);
    var host =
        new Views.Host(
            a,
            Views.Host.State.ONLINE,
            true,
            Optional.of("nothing"),
            Optional.of(Duration.ofSeconds(2)),
            new Capacity(8192, 4, "QEMU"),
            512,
            2,
            1,
            "ipmi answers",
            Optional.of("boot"),
            Optional.of("0"),
            Optional.of("38 s"),
            spec);
    var guest =
        new Views.Guest(
            new GuestId("web"),
            Views.Guest.State.RUNNING,
            true,
            Optional.of(a),
            Optional.of(a),
            1,
            "",
            512,
            2,
            0);
    var operation =
        new Views.Operation(
            new OperationId("op-1"),
            Views.Operation.Kind.MIGRATE,
            "web",
            Views.Operation.State.RUNNING,
            "copies",
            1,
            2,
            10,
            20,
            5,
            Instant.now(),
            Optional.of(Instant.now()),
            "admin");
    var alarm =
        new Alarm(
            "x",
            Alarm.Kind.AGENT_SILENT,
            Alarm.Level.CRITICAL,
            "host a",
            "is silent",
            Instant.now());
    return new Views.Status(
        "lab",
        1,
        1,
        Optional.of("a"),
        List.of(
            new Views.Voter("a", "10.0.0.1:7702", Optional.of("10.0.0.1:7700"), true, true, 0, "")),
        List.of(host),
        List.of(guest),
        List.of(operation),
        List.of(alarm),
        List.of("one"),
        Optional.empty());
  }
}
