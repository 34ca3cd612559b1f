package dev.haven.cli;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import dev.haven.model.Json;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.function.Function;

/** A voter with mutual TLS whose answers a test chooses. */
final class CannedCluster implements AutoCloseable {
  record Request(String method, String path, String body) {}

  record Response(int status, Object body) {}

  final Path directory;
  final List<Request> requests = new CopyOnWriteArrayList<>();
  private final Map<String, Function<Request, Response>> answers = new ConcurrentHashMap<>();
  private final HttpsServer server;

  private CannedCluster(Path directory, HttpsServer server) {
    this.directory = directory;
    this.server = server;
  }

  /**
   * @param directory gets a CA, certificates and {@code cli.yaml}
   */
  static CannedCluster start(Path directory) throws IOException {
    return start(directory, "voter-a");
  }

  /** The same, by somebody with the key of a host and with no voter's key. */
  static CannedCluster startWithAHostsKey(Path directory) throws IOException {
    return start(directory, "h");
  }

  private static CannedCluster start(Path directory, String key) throws IOException {
    if (!Files.exists(directory.resolve("ca"))) {
      var ca = CertificateAuthority.create(directory.resolve("ca"));
      ca.issue("a", Role.VOTER, List.of("127.0.0.1"), directory.resolve("host"));
      ca.issue("h", Role.HOST, List.of("127.0.0.1"), directory.resolve("host"));
      ca.issue("admin", Role.OPERATOR, List.of(), directory.resolve("admin"));
    }
    var context =
        TlsContext.load(
            directory.resolve("ca/ca.pem"),
            directory.resolve("host/" + key + ".pem"),
            directory.resolve("host/" + key + ".key"));
    var server = HttpsServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.setHttpsConfigurator(
        new HttpsConfigurator(context) {
          @Override
          public void configure(HttpsParameters parameters) {
            parameters.setSSLParameters(TlsContext.parameters());
          }
        });
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    var cluster = new CannedCluster(directory, server);
    server.createContext("/", cluster::handle);
    server.start();
    cluster.configure(cluster.address());
    return cluster;
  }

  /** Writes {@code cli.yaml} with these voters. */
  void configure(String... voters) throws IOException {
    Files.writeString(
        directory.resolve("cli.yaml"),
        """
        voters: ["%s"]
        tls: {ca: ca/ca.pem, certificate: admin/admin.pem, key: admin/admin.key}
        """
            .formatted(String.join("\", \"", voters)));
  }

  String address() {
    return "127.0.0.1:" + server.getAddress().getPort();
  }

  CannedCluster on(String methodAndPath, Object body) {
    return on(methodAndPath, 200, body);
  }

  CannedCluster on(String methodAndPath, int status, Object body) {
    return on(methodAndPath, _ -> new Response(status, body));
  }

  CannedCluster on(String methodAndPath, Function<Request, Response> answer) {
    answers.put(methodAndPath, answer);
    return this;
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      var body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
      var request =
          new Request(exchange.getRequestMethod(), exchange.getRequestURI().toString(), body);
      requests.add(request);
      var path = exchange.getRequestURI().getPath();
      var answer = answers.get(request.method() + " " + path);
      var response =
          answer == null
              ? new Response(404, Map.of("message", "nothing at " + path))
              : answer.apply(request);
      boolean stream = response.body() instanceof String;
      var bytes =
          response.body() instanceof String text
              ? text.getBytes(StandardCharsets.UTF_8)
              : Json.bytes(response.body());
      exchange
          .getResponseHeaders()
          .set("Content-Type", stream ? "text/event-stream" : "application/json");
      if (response.status() == 307) {
        exchange.getResponseHeaders().set("Location", String.valueOf(response.body()));
      }
      exchange.sendResponseHeaders(response.status(), bytes.length);
      exchange.getResponseBody().write(bytes);
    }
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
