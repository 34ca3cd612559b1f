package dev.haven.bench;

import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.SecretsKey;
import dev.haven.tls.TlsContext;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;

/**
 * A voter that is a whole cluster, a process of its own with a small heap, on loopback: for a test
 * that wants to send it what a voter should never get.
 */
final class LoneVoter implements AutoCloseable {
  static final String NAME = "a";
  private static final Duration STARTS_WITHIN = Duration.ofSeconds(60);
  private static final Pattern LENGTH = Pattern.compile("(?i)content-length: (\\d+)");
  private static final int ANSWER_MILLIS = 30_000;

  /** Whose keys there are; {@code stranger} is another authority's operator. */
  static final List<String> KEYS =
      List.of("admin", "x", "y", "voter-" + NAME, "voter-z", "stranger");

  private final Path directory;
  private final Process process;
  private final Map<String, SSLContext> contexts = new ConcurrentHashMap<>();
  private String trouble = "";
  final int api;
  final int raft;
  final int heartbeats;

  /**
   * @param directory empty; everything that the voter has is in it
   * @param flags of its JVM, such as {@code -Xmx32m}
   */
  LoneVoter(Path directory, List<String> flags) throws IOException, InterruptedException {
    this.directory = directory;
    var ca = CertificateAuthority.create(directory.resolve("ca"));
    ca.issue("admin", Role.OPERATOR, List.of(), directory);
    ca.issue("x", Role.HOST, List.of(), directory);
    ca.issue("y", Role.HOST, List.of(), directory);
    ca.issue(NAME, Role.VOTER, List.of("127.0.0.1"), directory);
    ca.issue("z", Role.VOTER, List.of("127.0.0.1"), directory);
    CertificateAuthority.create(directory.resolve("other"))
        .issue("stranger", Role.OPERATOR, List.of(), directory);
    Files.copy(directory.resolve("ca/ca.pem"), directory.resolve("ca.pem"));
    SecretsKey.create(directory.resolve("secrets.key"));
    api = FreePorts.at("127.0.0.1");
    raft = FreePorts.at("127.0.0.1");
    heartbeats = FreePorts.at("127.0.0.1");
    var config =
        Files.writeString(
            directory.resolve("orchestrator.yaml"),
            """
            name: %1$s
            data: %2$s/data
            listen: 127.0.0.1:%3$d
            heartbeatPort: %5$d
            networks: {control: 127.0.0.1}
            voters:
              - {name: %1$s, raft: "127.0.0.1:%4$d", api: "127.0.0.1:%3$d", networks: {control: 127.0.0.1}}
            secretsKey: %2$s/secrets.key
            tls: {ca: %2$s/ca.pem, certificate: %2$s/voter-%1$s.pem, key: %2$s/voter-%1$s.key}
            """
                .formatted(NAME, directory, api, raft, heartbeats));
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xss512k",
            "-XX:-UsePerfData",
            "-XX:+ExitOnOutOfMemoryError",
            "--enable-native-access=ALL-UNNAMED",
            "-Djava.net.preferIPv4Stack=true"));
    command.addAll(flags);
    command.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            "dev.haven.orchestrator.Orchestrator",
            config.toString()));
    process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("log").toFile())
            .start();
    long end = System.nanoTime() + STARTS_WITHIN.toNanos();
    while (!leads()) {
      if (!process.isAlive() || System.nanoTime() > end) {
        close();
        throw new IOException("the voter does not start: " + trouble + "\n" + log());
      }
      Thread.sleep(100);
    }
  }

  boolean alive() {
    return process.isAlive();
  }

  /** Whether it answers that it leads. */
  boolean leads() {
    try {
      return get("/v1/health").contains("\"leader\":\"" + NAME + "\"");
    } catch (IOException e) {
      trouble = e.toString();
      return false;
    }
  }

  /** Asks as an operator. */
  String get(String path) throws IOException {
    return post("GET " + path, "");
  }

  /**
   * Asks as an operator.
   *
   * @param methodAndPath such as {@code POST /v1/commands}
   */
  String post(String methodAndPath, String body) throws IOException {
    try (var socket = tls("admin", api)) {
      var bytes = body.getBytes(StandardCharsets.UTF_8);
      var head =
          "%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
              .formatted(methodAndPath, bytes.length);
      socket.getOutputStream().write(head.getBytes(StandardCharsets.UTF_8));
      socket.getOutputStream().write(bytes);
      socket.getOutputStream().flush();
      return answer(socket.getInputStream());
    }
  }

  /** The connection may stay open after it. */
  private static String answer(InputStream in) throws IOException {
    var head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) {
      int next = in.read();
      if (next < 0) {
        throw new EOFException("it ended the connection within the head of its answer");
      }
      head.append((char) next);
    }
    var length = LENGTH.matcher(head);
    return head
        + new String(
            length.find() ? in.readNBytes(Integer.parseInt(length.group(1))) : in.readAllBytes(),
            StandardCharsets.UTF_8);
  }

  /**
   * A connection whose handshake is done.
   *
   * @param key one of {@link #KEYS}
   */
  SSLSocket tls(String key, int port) throws IOException {
    var context =
        contexts.computeIfAbsent(
            key,
            name -> {
              try {
                return TlsContext.loadUnchecked(
                    directory.resolve("ca.pem"),
                    directory.resolve(name + ".pem"),
                    directory.resolve(name + ".key"));
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
    var plain = plain("127.0.0.1", port);
    try {
      var socket =
          (SSLSocket) context.getSocketFactory().createSocket(plain, "127.0.0.1", port, true);
      socket.startHandshake();
      return socket;
    } catch (IOException e) {
      plain.close();
      throw e;
    }
  }

  /** A connection without TLS, from an address of loopback. */
  static Socket plain(String from, int port) throws IOException {
    var socket = new Socket();
    socket.bind(new InetSocketAddress(from, 0));
    socket.setSoTimeout(ANSWER_MILLIS);
    socket.connect(new InetSocketAddress("127.0.0.1", port), ANSWER_MILLIS);
    return socket;
  }

  /** What of its memory is in use, in MiB. */
  long residentMib() throws IOException {
    for (var line : Files.readAllLines(Path.of("/proc/" + process.pid() + "/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", "")) >> 10;
      }
    }
    return 0;
  }

  private static final Pattern USED = Pattern.compile("total \\d+K, used (\\d+)K");

  /**
   * What is in use of its heap after a whole collection, in KiB.
   *
   * @throws IOException if its JVM does not say it
   */
  long usedKib() throws IOException, InterruptedException {
    var unused = ask("GC.run");
    var used = USED.matcher(ask("GC.heap_info"));
    long sum = 0;
    boolean found = false;
    while (used.find()) {
      sum += Long.parseLong(used.group(1));
      found = true;
    }
    if (!found) {
      throw new IOException("the voter's JVM does not say how much of its heap is in use");
    }
    return sum;
  }

  private String ask(String what) throws IOException, InterruptedException {
    var jcmd =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                Long.toString(process.pid()),
                what)
            .redirectErrorStream(true)
            .start();
    var said = new String(jcmd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (jcmd.waitFor() != 0) {
      throw new IOException("jcmd %s: %s".formatted(what, said));
    }
    return said;
  }

  String log() {
    try {
      return Files.readString(directory.resolve("log"));
    } catch (IOException e) {
      return "";
    }
  }

  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
