package dev.haven.bench;

import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Json;
import dev.haven.model.Network;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.Views;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.SecretsKey;
import dev.haven.tls.TlsContext;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * Three real voters, each a process of its own, and one process with the stand-ins of all hosts, on
 * addresses of loopback.
 *
 * <p>All addresses are in one 127.N.0.0/16 that is drawn for each cluster: the voters' are
 * 127.N.255.x and 127.N.254.x, each host's own is 127.N.x.y.
 */
final class ScaleCluster implements AutoCloseable {
  private static final List<String> NETWORKS = List.of("control", "migration");
  private static final Duration STARTS_WITHIN = Duration.ofSeconds(90);
  private static final Duration ANSWERS_WITHIN = Duration.ofSeconds(30);

  /** A refusal for want of a leader or of room is asked again so often. */
  private static final int TRIES = 40;

  private static final int COMMANDS_AT_ONCE = 16;
  private static final long GUEST_MIB = 1024;
  private static final int HOSTS_OF_ONE_SUBNET = 250;

  private final Path directory;
  private final Path keys;
  private final int second;
  private final List<ScaleVoter> voters = new ArrayList<>();
  private final Process standIns;
  private final BufferedWriter commands;
  private final BufferedReader answers;
  private final HttpClient client;
  private final int plugs;
  private final List<String> muted = new ArrayList<>();
  private volatile ScaleVoter leader;

  /**
   * Starts the voters and the stand-ins; the voters know no host yet.
   *
   * @param directory empty; everything that they have is in it
   * @param flags of the voters' JVMs
   */
  ScaleCluster(Path directory, int hosts, int guests, List<String> flags)
      throws IOException, InterruptedException {
    this.directory = directory;
    this.keys = directory.resolve("keys");
    this.second = ThreadLocalRandom.current().nextInt(64, 127);
    this.plugs = FreePorts.at("127.0.0.1");
    for (int i = 1; i <= 3; i++) {
      var name = "abc".substring(i - 1, i);
      voters.add(
          ScaleVoter.at(
              name, List.of(address(255, i), address(254, i)), directory.resolve("voter-" + name)));
    }
    makeKeys(hosts);
    client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .sslContext(
                TlsContext.loadUnchecked(
                    keys.resolve("ca.pem"), keys.resolve("admin.pem"), keys.resolve("admin.key")))
            .sslParameters(TlsContext.parameters())
            .connectTimeout(ANSWERS_WITHIN)
            .build();
    leader = voters.getFirst();
    standIns = standIns(hosts, guests);
    commands =
        new BufferedWriter(
            new OutputStreamWriter(standIns.getOutputStream(), StandardCharsets.UTF_8));
    answers =
        new BufferedReader(
            new InputStreamReader(standIns.getInputStream(), StandardCharsets.UTF_8));
    boolean started = false;
    try {
      for (var voter : voters) {
        voter.start(voters, keys, flags);
      }
      long end = System.nanoTime() + STARTS_WITHIN.toNanos();
      while (!findLeader()) {
        alive();
        if (System.nanoTime() - end > 0) {
          throw new IOException("no voter leads within %d s".formatted(STARTS_WITHIN.toSeconds()));
        }
        Thread.sleep(100);
      }
      started = true;
    } finally {
      if (!started) {
        close();
      }
    }
  }

  private String address(int third, int fourth) {
    return "127.%d.%d.%d".formatted(second, third, fourth);
  }

  private String hostAddress(int number, int network) {
    return address(number / HOSTS_OF_ONE_SUBNET + 100 * network, number % HOSTS_OF_ONE_SUBNET + 1);
  }

  static HostId host(int number) {
    return new HostId("h" + (number + 1));
  }

  private void makeKeys(int hosts) throws IOException {
    var ca = CertificateAuthority.create(directory.resolve("ca"));
    ca.issue("admin", Role.OPERATOR, List.of(), keys);
    for (var voter : voters) {
      ca.issue(voter.name(), Role.VOTER, voter.networks(), keys);
    }
    for (int i = 0; i < hosts; i++) {
      ca.issue(host(i).value(), Role.HOST, List.of(), keys);
    }
    Files.copy(directory.resolve("ca/ca.pem"), keys.resolve("ca.pem"));
    SecretsKey.create(keys.resolve("secrets.key"));
  }

  private Process standIns(int hosts, int guests) throws IOException {
    var plan =
        new StandIns.Plan(
            keys.toString(),
            voters.stream()
                .map(
                    v ->
                        new StandIns.VoterAt(
                            v.name(),
                            v.networks().getFirst() + ":" + v.api(),
                            v.networks().stream().map(a -> a + ":" + v.heartbeats()).toList()))
                .toList(),
            NETWORKS,
            List.of(address(253, 1), address(252, 1)),
            IntStream.range(0, hosts)
                .mapToObj(i -> new StandIns.HostAt(host(i).value(), hostAddress(i, 0)))
                .toList(),
            guests,
            plugs);
    var file = Files.write(directory.resolve("stand-ins.json"), Json.bytes(plan));
    // what measures goes first, where that is allowed: late stand-ins look like slow voters
    return new ProcessBuilder(
            "nice",
            "-n",
            "-10",
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+UseSerialGC",
            "-Xss256k",
            "-Xmn48m",
            "-XX:-UsePerfData",
            "-Djava.net.preferIPv4Stack=true",
            "-cp",
            System.getProperty("java.class.path"),
            StandIns.class.getName(),
            file.toString())
        .redirectError(directory.resolve("stand-ins.log").toFile())
        .start();
  }

  List<ScaleVoter> voters() {
    return voters;
  }

  /** Who led when it was asked last. */
  ScaleVoter leader() {
    return leader;
  }

  long standIns() {
    return standIns.pid();
  }

  /** Asks a voter who leads. */
  boolean findLeader() throws InterruptedException {
    for (var voter : voters) {
      try {
        var health = Json.mapper().readTree(get(voter.url() + "/v1/health")).path("leader");
        for (var other : voters) {
          if (other.name().equals(health.asText())) {
            leader = other;
            return true;
          }
        }
      } catch (IOException e) {
        continue; // it is just starting
      }
    }
    return false;
  }

  /**
   * @throws IOException if one of the processes has ended; its log says why
   */
  void alive() throws IOException {
    for (var voter : voters) {
      if (!voter.alive()) {
        throw new IOException(
            "voter %s has ended: %s".formatted(voter.name(), lastLines(voter.log())));
      }
    }
    if (!standIns.isAlive()) {
      throw new IOException(
          "the stand-ins have ended: " + lastLines(directory.resolve("stand-ins.log")));
    }
  }

  private static String lastLines(Path log) throws IOException {
    var lines = Files.exists(log) ? Files.readAllLines(log) : List.<String>of();
    return String.join("\n", lines.subList(Math.max(0, lines.size() - 10), lines.size()));
  }

  /** Gives the stand-ins a command and waits for their answer. */
  synchronized <T> T ask(String command, Class<T> type) throws IOException {
    commands.write(command + "\n");
    commands.flush();
    var line = answers.readLine();
    if (line == null) {
      alive();
      throw new IOException("the stand-ins say nothing more");
    }
    return Json.read(line.getBytes(StandardCharsets.UTF_8), type);
  }

  /** Asks the leader, as an operator. */
  String get(String url) throws IOException, InterruptedException {
    var answer =
        client.send(
            HttpRequest.newBuilder(URI.create(url)).timeout(ANSWERS_WITHIN).build(),
            HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() != 200) {
      throw new IOException("%s answers %d: %s".formatted(url, answer.statusCode(), answer.body()));
    }
    return answer.body();
  }

  /** Asks the leader for the whole cluster over a connection of its own, as each client does. */
  long statusBytes() throws IOException, InterruptedException {
    try (var once =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .sslContext(client.sslContext())
            .sslParameters(TlsContext.parameters())
            .build()) {
      return once.send(
              HttpRequest.newBuilder(URI.create(leader.url() + "/v1/status"))
                  .timeout(ANSWERS_WITHIN)
                  .build(),
              HttpResponse.BodyHandlers.ofByteArray())
          .body()
          .length;
    }
  }

  /** The audit log as server-sent events, new lines only. */
  InputStream eventStream() throws IOException, InterruptedException {
    return client
        .send(
            HttpRequest.newBuilder(URI.create(leader.url() + "/v1/events/stream")).build(),
            HttpResponse.BodyHandlers.ofInputStream())
        .body();
  }

  /** Lines of the audit log after this one. */
  List<Views.Event> events(long since) throws IOException, InterruptedException {
    var json = get(leader.url() + "/v1/events?limit=10000&since=" + since);
    return List.of(Json.read(json.getBytes(StandardCharsets.UTF_8), Views.Event[].class));
  }

  /**
   * @param done is told how many there are
   */
  void addHosts(int count, IntConsumer done) throws IOException, InterruptedException {
    all(count, i -> new Command.AddHost(describe(i)), done);
  }

  /**
   * @param done is told how many there are
   */
  void createGuests(int count, IntConsumer done) throws IOException, InterruptedException {
    all(count, i -> new Command.CreateGuest(guest(i), true), done);
  }

  private HostSpec describe(int number) {
    return new HostSpec(
        host(number),
        Optional.empty(),
        "qemu+tls://%s/system".formatted(hostAddress(number, 0)),
        List.of(
            new Network(NETWORKS.get(0), hostAddress(number, 0), List.of(Network.Role.CONTROL)),
            new Network(NETWORKS.get(1), hostAddress(number, 1), List.of(Network.Role.MIGRATION))),
        List.of(List.of(new FencingDevice("plug", "http", StandIns.plug(number, plugs)))),
        Map.of(),
        Optional.empty(),
        HostSpec.DEFAULT_MEMORY_RESERVE_MIB,
        HostSpec.DEFAULT_CPU_OVERCOMMIT);
  }

  private static GuestSpec guest(int number) {
    var id = new GuestId("g" + (number + 1));
    var uuid = UUID.nameUUIDFromBytes(id.value().getBytes(StandardCharsets.UTF_8));
    return new GuestSpec(
        id,
        uuid.toString(),
        GUEST_MIB,
        1,
        0,
        """
        <domain type="kvm">
          <name>%s</name>
          <uuid>%s</uuid>
          <memory unit="MiB">%d</memory>
          <vcpu>1</vcpu>
          <os><type arch="x86_64" machine="q35">hvm</type></os>
          <features><acpi/><apic/></features>
          <cpu mode="host-model"/>
          <on_crash>destroy</on_crash>
          <devices>
            <interface type="bridge">
              <source bridge="br0"/>
              <mac address="52:54:00:%02x:%02x:%02x"/>
              <model type="virtio"/>
            </interface>
            <serial type="pty"/>
            <console type="pty"/>
          </devices>
        </domain>
        """
            .formatted(id, uuid, GUEST_MIB, number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff),
        Map.of(),
        List.of(),
        GuestSpec.Restart.ANYWHERE,
        GuestSpec.DEFAULT_START_ATTEMPTS);
  }

  /**
   * Gives one command.
   *
   * @throws IOException if it is not taken
   */
  void command(Command command) throws IOException, InterruptedException {
    var why = give(command);
    if (why.isPresent()) {
      throw new IOException(why.get());
    }
  }

  /** Gives many commands, a few at a time. */
  private void all(int count, IntFunction<Command> command, IntConsumer done)
      throws IOException, InterruptedException {
    var failures = new ConcurrentLinkedQueue<String>();
    var given = new AtomicInteger();
    var room = new Semaphore(COMMANDS_AT_ONCE);
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int i = 0; i < count && failures.isEmpty(); i++) {
        int number = i;
        room.acquire();
        var unused =
            threads.submit(
                () -> {
                  try {
                    give(command.apply(number)).ifPresent(failures::add);
                    done.accept(given.incrementAndGet());
                  } finally {
                    room.release();
                  }
                  return null;
                });
      }
    }
    if (!failures.isEmpty()) {
      throw new IOException(failures.peek());
    }
  }

  /**
   * @return why it was not taken
   */
  private Optional<String> give(Command command) throws InterruptedException {
    var request = new CommandRequest(new RequestId(UUID.randomUUID().toString()), command, false);
    var why = "";
    for (int i = 0; i < TRIES; i++) {
      try {
        var answer =
            client.send(
                HttpRequest.newBuilder(URI.create(leader.url() + "/v1/commands"))
                    .timeout(ANSWERS_WITHIN)
                    .POST(HttpRequest.BodyPublishers.ofByteArray(Json.bytes(request)))
                    .build(),
                HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() == 200) {
          return Optional.empty();
        }
        why = answer.statusCode() + ": " + answer.body();
        if (answer.statusCode() / 100 == 4 && answer.statusCode() != 409) {
          return Optional.of(why);
        }
        if (answer.statusCode() == 307) {
          findLeader();
        }
      } catch (IOException e) {
        why = e.toString();
        findLeader();
      }
      Thread.sleep(250);
    }
    return Optional.of(why);
  }

  /**
   * From now on the kernel answers no echo at the addresses of this host, as if it had no power.
   * Until {@link #close}.
   *
   * @return why that cannot be done here; empty if it was
   */
  Optional<String> mute(int number) throws InterruptedException {
    for (int network = 0; network < NETWORKS.size(); network++) {
      var address = hostAddress(number, network);
      var failure = blackhole("add", address);
      if (failure.isPresent()) {
        return failure;
      }
      muted.add(address);
    }
    return Optional.empty();
  }

  /** The kernel answers there again. */
  void unmute() throws InterruptedException {
    for (var address : List.copyOf(muted)) {
      var unused = blackhole("del", address);
      muted.remove(address);
    }
  }

  private static Optional<String> blackhole(String verb, String address)
      throws InterruptedException {
    try {
      var ip =
          new ProcessBuilder("ip", "route", verb, "blackhole", address + "/32", "table", "local")
              .redirectErrorStream(true)
              .start();
      var said = new String(ip.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      return ip.waitFor() == 0 ? Optional.empty() : Optional.of(said);
    } catch (IOException e) {
      return Optional.of(String.valueOf(e.getMessage()));
    }
  }

  /** Copies the logs of all processes. */
  void saveLogs(Path to) throws IOException {
    Files.createDirectories(to);
    for (var voter : voters) {
      if (Files.exists(voter.log())) {
        Files.write(to.resolve("voter-" + voter.name() + ".log"), Files.readAllBytes(voter.log()));
      }
    }
    var log = directory.resolve("stand-ins.log");
    if (Files.exists(log)) {
      Files.write(to.resolve("stand-ins.log"), Files.readAllBytes(log));
    }
  }

  @Override
  public void close() {
    client.shutdownNow();
    ScaleVoter.end(standIns);
    for (var voter : voters) {
      voter.stop();
    }
    boolean interrupted = Thread.interrupted(); // what is muted must not stay so
    for (var address : List.copyOf(muted)) {
      try {
        var unused = blackhole("del", address);
        muted.remove(address);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
