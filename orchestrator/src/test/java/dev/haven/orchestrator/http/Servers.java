package dev.haven.orchestrator.http;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.wire.FromAgent;
import dev.haven.orchestrator.FreePorts;
import dev.haven.orchestrator.port.HostAgents;
import dev.haven.tls.AuthorityFile;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;

/** Real servers on loopback, with certificates of one authority: hosts a, b, c, d and admin. */
final class Servers implements AutoCloseable {
  final FakeCluster.Committed committed = new FakeCluster.Committed();
  final Map<String, FakeCluster> clusters = new TreeMap<>();
  final Map<String, ApiServer> servers = new TreeMap<>();
  final Listener listener = new Listener();
  final Map<String, String> apis = new TreeMap<>();
  private final Path dir;
  private final Path sockets;

  private final Deadlines deadlines;

  private final Map<String, HttpClient> clients = new ConcurrentHashMap<>();

  /** Issues the certificates, once for all tests of a class. */
  static void issue(Path dir) throws IOException {
    var ca = CertificateAuthority.create(dir.resolve("ca"));
    for (var host : List.of("a", "b", "c", "d")) {
      ca.issue(host, Role.HOST, List.of(), dir);
      ca.issue(host, Role.VOTER, List.of("127.0.0.1"), dir);
    }
    ca.issue("admin", Role.OPERATOR, List.of(), dir);
  }

  /** Voters a, b and c; those named have a server each. @param dir of the certificates */
  Servers(Path dir, String leader, String... voters) throws IOException {
    this(Deadlines.DEFAULT, dir, dir, leader, voters);
  }

  /** With deadlines a fifth as long, for tests that wait for one. */
  static Servers hurried(Path dir, String leader, String... voters) throws IOException {
    return new Servers(Deadlines.inUnitsOf(Duration.ofMillis(200)), dir, dir, leader, voters);
  }

  /** With deadlines that no test lives to see, where none of them is to be why something ends. */
  static Servers patient(Path dir, String leader, String... voters) throws IOException {
    return new Servers(Deadlines.inUnitsOf(Duration.ofMinutes(10)), dir, dir, leader, voters);
  }

  /** One voter that leads, with its socket in another directory. */
  static Servers at(Path dir, Path sockets, String voter) throws IOException {
    return new Servers(Deadlines.DEFAULT, dir, sockets, voter, voter);
  }

  /** Keys that let nobody in. */
  final Set<String> revoked = ConcurrentHashMap.newKeySet();

  private Servers(Deadlines deadlines, Path dir, Path sockets, String leader, String... voters)
      throws IOException {
    this.deadlines = deadlines;
    this.dir = dir;
    this.sockets = sockets;
    for (var voter : List.of("a", "b", "c")) {
      apis.put(voter, "127.0.0.1:" + FreePorts.at("127.0.0.1"));
    }
    for (var voter : voters) {
      clusters.put(voter, new FakeCluster(voter, leader, committed));
      start(voter);
    }
  }

  void start(String voter) throws IOException {
    int port = URI.create("https://" + apis.get(voter)).getPort();
    servers.put(
        voter,
        ApiServer.start(
            new InetSocketAddress("127.0.0.1", port),
            Optional.of(socket(voter)),
            tls("voter-" + voter),
            voter,
            this::voterApis,
            cluster(voter),
            listener,
            revoked::contains,
            deadlines));
  }

  Path socket(String voter) {
    return sockets.resolve(voter + ".sock");
  }

  private Map<String, Optional<String>> voterApis() {
    return apis.entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getKey, api -> Optional.of(api.getValue())));
  }

  void leads(String voter) {
    clusters.values().forEach(cluster -> cluster.leader = Optional.of(voter));
  }

  FakeCluster cluster(String voter) {
    return Objects.requireNonNull(clusters.get(voter));
  }

  HostAgents agents(String voter) {
    return server(voter).agents();
  }

  ApiServer server(String voter) {
    return Objects.requireNonNull(servers.get(voter));
  }

  SSLContext tls(String name) {
    try {
      return TlsContext.load(
          dir.resolve("ca/ca.pem"), dir.resolve(name + ".pem"), dir.resolve(name + ".key"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The key of that certificate, as it is revoked. */
  String key(String certificate) throws IOException {
    return AuthorityFile.keys(dir.resolve(certificate + ".pem")).getFirst();
  }

  HttpClient client(String certificate) {
    return clients.computeIfAbsent(
        certificate,
        name ->
            HttpClient.newBuilder()
                .followRedirects(HttpClient.Redirect.NORMAL)
                .sslContext(tls(name))
                .build());
  }

  URI uri(String voter, String path) {
    return URI.create("https://" + apis.get(voter) + path);
  }

  HttpResponse<String> get(String voter, String path) throws Exception {
    return send("admin", HttpRequest.newBuilder(uri(voter, path)));
  }

  HttpResponse<String> post(String voter, String path, String json) throws Exception {
    return send(
        "admin",
        HttpRequest.newBuilder(uri(voter, path)).POST(HttpRequest.BodyPublishers.ofString(json)));
  }

  /** Also an answer whose body never ends fails after 30 s. */
  HttpResponse<String> send(String certificate, HttpRequest.Builder request) throws Exception {
    return client(certificate)
        .sendAsync(request.build(), HttpResponse.BodyHandlers.ofString())
        .get(30, TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    servers.values().forEach(ApiServer::close);
    clients.values().forEach(HttpClient::shutdownNow);
  }

  /** Writes down what agents said, in the order in which it was heard. */
  static final class Listener implements HostAgents.Listener {
    final BlockingQueue<String> heard = new LinkedBlockingQueue<>();

    /** What the listener does with what an agent says, before it writes that down. */
    volatile Runnable first = () -> {};

    /** The version that the last hello told. */
    volatile String version = "";

    @Override
    public void hello(FromAgent.Hello hello) {
      version = hello.agentVersion();
      note("hello " + hello.host() + " " + hello.boot());
    }

    @Override
    public boolean isOnRecord(HostId host, BootId boot) {
      return boot.value().equals("on-record");
    }

    @Override
    public void spokeOtherwise(HostId host, BootId boot, int version) {
      note("spoke version " + version + ": " + host + " " + boot);
    }

    @Override
    public boolean knows(FromAgent.Hello hello) {
      return hello.systemUuid().equals(Optional.of("on-record"));
    }

    @Override
    public void said(HostId host, BootId boot, FromAgent frame) {
      first.run();
      note("said " + host + " " + boot + " " + frame);
    }

    @Override
    public void left(HostId host, BootId boot) {
      note("left " + host + " " + boot);
    }

    private void note(String what) {
      heard.add(what);
    }

    String next() throws InterruptedException {
      var next = heard.poll(10, TimeUnit.SECONDS);
      return next == null ? "nothing within 10 s" : next;
    }
  }
}
