package dev.haven.bench;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Heartbeat;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Malformed requests, frames, datagrams and handshakes, with every kind of key and none, against a
 * voter with a small heap. It must answer all of them, or close the connection, and never with a
 * status of 500; lead all the while; and hold no more memory than before.
 */
public final class Fuzz {
  private static final int WORKERS = 8;
  private static final int HALF_OPEN = 3_000;

  /**
   * How much more of the heap may last at the end than halfway. The state and its history may grow
   * by what was rightly accepted meanwhile, and the histories have bounds of their own. Something
   * that keeps 500 bytes of each of 10,000 requests is found.
   */
  private static final long GROWS_KIB = 2_048;

  /** The same of the process, which has pools and fragments beside its heap. */
  private static final long GROWS_RESIDENT_MIB = 16;

  /** Deadlines of unfinished handshakes and agents that said nothing run out within it. */
  private static final long SETTLES_MILLIS = 12_000;

  /**
   * How it went.
   *
   * @param answers how often each outcome was seen: an HTTP status, or what ended the connection
   * @param wrong what must not happen, with the number of the request that did it
   * @param usedHalfway of its heap in KiB, after a whole collection, when half of it was sent
   * @param usedAfter the same at the end
   * @param rssHalfway resident memory in MiB when half of it was sent
   */
  public record Result(
      long seed,
      int requests,
      Map<String, Integer> answers,
      List<String> wrong,
      long usedHalfway,
      long usedAfter,
      long rssHalfway,
      long rssAfter,
      long seconds,
      long logKib) {
    public String text() {
      var text =
          new StringBuilder(
              "fuzz: %d requests, frames, datagrams and handshakes in %d s, seed %d\n"
                  .formatted(requests, seconds, seed));
      answers.forEach((what, count) -> text.append("  %6d  %s\n".formatted(count, what)));
      text.append(
          "  heap after a collection %d KiB halfway, %d KiB at the end (%d more are allowed); resident %d and %d MiB (%d); its log has %d KiB\n"
              .formatted(
                  usedHalfway,
                  usedAfter,
                  GROWS_KIB,
                  rssHalfway,
                  rssAfter,
                  GROWS_RESIDENT_MIB,
                  logKib));
      wrong.stream().limit(20).forEach(w -> text.append("  WRONG: ").append(w).append('\n'));
      return text.append(wrong.isEmpty() ? "  nothing went wrong" : "  " + wrong.size() + " wrong")
          .toString();
    }
  }

  private final LoneVoter voter;
  private final long seed;
  private final Map<String, Integer> answers = new ConcurrentHashMap<>();
  private final Queue<String> wrong = new ConcurrentLinkedQueue<>();

  private Fuzz(LoneVoter voter, long seed) {
    this.voter = voter;
    this.seed = seed;
  }

  /**
   * Starts a voter, sends it all that, and ends it.
   *
   * @param heap of the voter, such as {@code 32m}
   */
  public static Result run(int requests, long seed, String heap, PrintStream progress)
      throws IOException, InterruptedException {
    var directory = Files.createTempDirectory("haven-fuzz");
    try (var voter = new LoneVoter(directory, List.of("-Xmx" + heap))) {
      return new Fuzz(voter, seed).run(requests, progress);
    } finally {
      try (var files = Files.walk(directory)) {
        for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(file);
        }
      }
    }
  }

  private Result run(int requests, PrintStream progress) throws IOException, InterruptedException {
    long began = System.nanoTime();
    addHost("x");
    progress.println("half-open handshakes: " + HALF_OPEN);
    var halfOpen = halfOpen(voter, HALF_OPEN);
    if (!voter.leads()) {
      wrong.add("it does not answer beside half-open handshakes");
    }
    for (var socket : halfOpen) {
      socket.close();
    }
    var next = new AtomicInteger();
    work(next, Math.max(1, requests / 2), progress);
    long usedHalfway = used();
    long rssHalfway = voter.alive() ? voter.residentMib() : 0;
    work(next, requests, progress);
    long usedAfter = used();
    long rssAfter = voter.alive() ? voter.residentMib() : 0;
    if (usedAfter - usedHalfway > GROWS_KIB) {
      wrong.add(
          "its heap grows: %d KiB halfway, %d KiB at the end".formatted(usedHalfway, usedAfter));
    }
    if (rssAfter - rssHalfway > GROWS_RESIDENT_MIB) {
      wrong.add(
          "its process grows: %d MiB halfway, %d MiB at the end".formatted(rssHalfway, rssAfter));
    }
    if (!voter.alive()) {
      wrong.add("it has ended");
    } else if (!voter.leads()) {
      wrong.add("it does not lead at the end");
    } else if (!voter.get("/v1/status").startsWith("HTTP/1.1 200")) {
      wrong.add("it does not answer /v1/status at the end");
    }
    var log = voter.log();
    log.lines()
        .filter(line -> line.contains("OutOfMemory") || line.contains(" SEVERE "))
        .forEach(wrong::add);
    return new Result(
        seed,
        requests,
        new TreeMap<>(answers),
        List.copyOf(wrong),
        usedHalfway,
        usedAfter,
        rssHalfway,
        rssAfter,
        (System.nanoTime() - began) / 1_000_000_000,
        log.length() >> 10);
  }

  /** What lasts of its heap, in KiB, when what was begun has ended. */
  private long used() throws IOException, InterruptedException {
    if (!voter.alive()) {
      return 0;
    }
    Thread.sleep(SETTLES_MILLIS);
    return voter.usedKib();
  }

  private void work(AtomicInteger next, int until, PrintStream progress)
      throws IOException, InterruptedException {
    var workers = new ArrayList<Thread>();
    for (int i = 0; i < WORKERS; i++) {
      workers.add(
          Thread.ofVirtual()
              .start(
                  () -> {
                    for (int n = next.getAndIncrement();
                        n < until && voter.alive();
                        n = next.getAndIncrement()) {
                      one(n);
                      if (n % 1_000 == 999) {
                        progress.println(n + 1);
                      }
                    }
                  }));
    }
    for (var worker : workers) {
      worker.join();
    }
    next.set(until);
  }

  /**
   * Connections that have sent a full record of an unfinished greeting and a piece of the next,
   * each four from an address of its own.
   */
  static List<Socket> halfOpen(LoneVoter voter, int count) {
    var record = new byte[16_384 + 5];
    record[0] = 22;
    record[1] = 3;
    record[2] = 1;
    record[3] = 0x40;
    record[5] = 1; // a greeting of 32,000 bytes
    record[7] = 0x7d;
    var sockets = new ArrayList<Socket>();
    for (int i = 0; i < count; i++) {
      try {
        var address = i / 4;
        var socket =
            LoneVoter.plain(
                "127.0.%d.%d".formatted(1 + address / 250, 1 + address % 250), voter.api);
        sockets.add(socket);
        socket.getOutputStream().write(record);
        socket.getOutputStream().write(record, 0, 16_000);
      } catch (IOException e) {
        // it was given up for a newer one
      }
    }
    return sockets;
  }

  private void addHost(String name) throws IOException {
    var answer =
        voter.post(
            "POST /v1/commands",
            """
            {"request":"host","dryRun":false,"command":{"type":"AddHost","host":{"id":"%s","migrationUri":"qemu+tls://%s/system",
             "networks":[{"name":"control","address":"127.0.0.1","roles":["CONTROL"]}],"fencing":[],"labels":{},
             "memoryReserveMib":100,"cpuOvercommit":4}}}\
            """
                .formatted(name, name));
    if (!answer.startsWith("HTTP/1.1 200")) {
      throw new IOException("host " + name + " cannot be added: " + answer);
    }
  }

  private void one(int number) {
    // near seeds give near first numbers, so they are spread first
    var random = new Random(seed * 0x9E3779B97F4A7C15L ^ number * 0xBF58476D1CE4E5B9L);
    var kind = Kind.values()[random.nextInt(Kind.values().length)];
    var what = "request %d (%s, seed %d)".formatted(number, kind, seed);
    try {
      switch (kind) {
        case COMMAND, MUTATED, PATH, RAW -> http(random, kind, what);
        case AGENT -> agent(random);
        case VOTER -> voter(random);
        case DATAGRAM -> datagrams(random);
        case HANDSHAKE -> handshake(random);
      }
    } catch (SocketTimeoutException e) {
      count("hung for 30 s");
      wrong.add(what + ": no answer and no end within 30 s");
    } catch (IOException e) {
      count("closed by it: " + kind);
    }
  }

  private enum Kind {
    COMMAND,
    MUTATED,
    PATH,
    RAW,
    AGENT,
    VOTER,
    DATAGRAM,
    HANDSHAKE
  }

  private void count(String what) {
    answers.merge(what, 1, Integer::sum);
  }

  // ---- HTTP

  private void http(Random random, Kind kind, String what) throws IOException {
    var request =
        switch (kind) {
          case COMMAND ->
              FuzzRequests.post(FuzzRequests.command(random).getBytes(StandardCharsets.UTF_8));
          case MUTATED ->
              FuzzRequests.post(
                  FuzzRequests.mutated(
                      random, FuzzRequests.command(random).getBytes(StandardCharsets.UTF_8)));
          case PATH -> FuzzRequests.path(random);
          default -> FuzzRequests.raw(random);
        };
    var key = kind == Kind.COMMAND ? "admin" : FuzzRequests.of(random, LoneVoter.KEYS);
    try (var socket = voter.tls(key, voter.api)) {
      try {
        socket.getOutputStream().write(request);
        socket.getOutputStream().flush();
      } catch (SocketTimeoutException e) {
        throw e;
      } catch (IOException e) {
        // it has said enough: its answer is there
      }
      var head = socket.getInputStream().readNBytes(12);
      var status = new String(head, StandardCharsets.US_ASCII);
      if (!status.matches("HTTP/1.1 \\d{3}")) {
        count("closed by it: " + kind);
        return;
      }
      var code = status.substring(9);
      count(code);
      // 505 is an answer to a version of HTTP that nobody speaks: the client's fault
      if (code.startsWith("5") && !Set.of("503", "504", "505").contains(code)) {
        var rest = rest(socket);
        wrong.add(what + ": " + code + " " + rest.replaceAll("(?s).*\r\n\r\n", ""));
      }
    }
  }

  /** What comes at once, for the message: nobody says that the connection ends after it. */
  private static String rest(Socket socket) throws IOException {
    socket.setSoTimeout(500);
    var rest = new ByteArrayOutputStream();
    try {
      for (int next; rest.size() < 400 && (next = socket.getInputStream().read()) >= 0; ) {
        rest.write(next);
      }
    } catch (IOException e) {
      // that was all
    }
    return rest.toString(StandardCharsets.UTF_8);
  }

  // ---- an agent's WebSocket

  private void agent(Random random) throws IOException {
    try (var socket =
        voter.tls(FuzzRequests.of(random, List.of("x", "x", "y", "voter-z", "admin")), voter.api)) {
      var out = socket.getOutputStream();
      out.write(
          ("GET /v1/agent HTTP/1.1\r\n"
                  + "Host: a\r\n"
                  + "Connection: Upgrade\r\n"
                  + "Upgrade: websocket\r\n"
                  + "Sec-WebSocket-Version: 13\r\n"
                  + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
              .getBytes(StandardCharsets.US_ASCII));
      out.flush();
      var status = new String(socket.getInputStream().readNBytes(12), StandardCharsets.US_ASCII);
      count("agent " + status.substring(Math.min(9, status.length())));
      if (!status.endsWith("101")) {
        return;
      }
      for (int i = random.nextInt(6); i >= 0; i--) {
        frame(random, out);
      }
      out.flush();
    }
  }

  private static void frame(Random random, OutputStream out) throws IOException {
    var key = Base64.getEncoder().encodeToString(new byte[32]);
    var hello =
        """
        {"type":"Hello","version":5,"host":"x","boot":"b1","process":"p1","heartbeatKey":"%s","capacity":{"memoryMib":1024,"cpus":2,"hypervisor":"Q\\u001b[2J"},
         "agentVersion":"0","highestTerm":0,"libvirtUp":true,"domains":[]}\
        """
            .formatted(key);
    var text =
        switch (random.nextInt(10)) {
          case 0 -> hello;
          case 1 -> hello.replace("\"x\"", "\"y\"");
          case 2 -> hello.replace("[]", "[null]");
          case 3 -> hello.replace(key, "!!");
          case 4 -> hello.replaceAll("\"capacity.*?}", "\"capacity\":null");
          case 5 -> "[".repeat(100_000);
          case 6 ->
              "{\"type\":\"Progress\",\"version\":1,\"order\":1,\"guest\":\"g%d\",\"total\":1,\"remaining\":1,\"rate\":1}"
                  .formatted(random.nextInt());
          case 7 ->
              "{\"type\":\"AnswerFrame\",\"version\":1,\"order\":4611686018427387904,\"answer\":{\"type\":\"Done\"}}";
          case 8 ->
              "{\"type\":\"Domains\",\"version\":1,\"libvirtUp\":true,\"domains\":"
                  + "[".repeat(random.nextInt(900));
          default -> "\u0000";
        };
    var payload = mutatedSometimes(random, text.getBytes(StandardCharsets.UTF_8));
    int op = random.nextInt(3) > 0 ? 1 : random.nextInt(16);
    int first = (random.nextInt(8) > 0 ? 0x80 : 0) | (random.nextInt(10) > 0 ? 0 : 0x70) | op;
    long length = random.nextInt(10) > 0 ? payload.length : random.nextLong();
    int mask = random.nextInt(10) > 0 ? 0x80 : 0;
    var head = ByteBuffer.allocate(14).put((byte) first);
    if (length >= 0 && length < 126) {
      head.put((byte) (mask | length));
    } else if (length >= 0 && length < 65_536) {
      head.put((byte) (mask | 126)).putShort((short) length);
    } else {
      head.put((byte) (mask | 127)).putLong(length);
    }
    if (mask != 0) {
      head.putInt(0);
    }
    out.write(head.array(), 0, head.position());
    out.write(payload);
  }

  private static byte[] mutatedSometimes(Random random, byte[] bytes) {
    return random.nextInt(4) > 0 ? bytes : FuzzRequests.mutated(random, bytes);
  }

  // ---- the voters' port

  private void voter(Random random) throws IOException {
    int which = random.nextInt(6);
    if (which == 0) {
      try (var socket = LoneVoter.plain("127.0.0.1", voter.raft)) {
        noise(random, socket.getOutputStream());
      }
      count("voter port: no TLS");
      return;
    }
    var key =
        FuzzRequests.of(
            random, List.of("x", "voter-z", "voter-" + LoneVoter.NAME, "admin", "stranger"));
    try (var socket = voter.tls(key, voter.raft)) {
      var out = socket.getOutputStream();
      if (which == 1) {
        noise(random, out);
      } else {
        var claimed =
            FuzzRequests.of(random, List.of("a", "z", "x", "", "\u001b[2J", "n".repeat(3_000)));
        out.write(greeting(random, claimed));
        for (int i = random.nextInt(4); i >= 0; i--) {
          var message = message(random);
          int length = random.nextInt(6) > 0 ? message.length : random.nextInt();
          out.write(ByteBuffer.allocate(4).putInt(length).array());
          out.write(message);
        }
      }
      out.flush();
      socket.setSoTimeout(200);
      try {
        socket.getInputStream().readNBytes(1);
      } catch (SocketTimeoutException e) {
        // it waits for more: its own deadline ends that
      }
      count("voter port: " + key);
    }
  }

  private static void noise(Random random, OutputStream out) throws IOException {
    var bytes = new byte[random.nextInt(5_000)];
    random.nextBytes(bytes);
    out.write(bytes);
    out.flush();
  }

  private static byte[] greeting(Random random, String name) throws IOException {
    var body = new ByteArrayOutputStream();
    var out = new DataOutputStream(body);
    out.writeByte(random.nextInt(8) > 0 ? 1 : random.nextInt(256));
    out.writeUTF("haven");
    out.writeUTF(name);
    for (int i = 0; i < 2; i++) {
      out.writeLong(random.nextLong());
      out.writeLong(random.nextLong());
    }
    out.writeUTF(LoneVoter.NAME);
    var bytes = body.toByteArray();
    return ByteBuffer.allocate(4 + bytes.length).putInt(bytes.length).put(bytes).array();
  }

  private static byte[] message(Random random) throws IOException {
    var body = new ByteArrayOutputStream();
    var out = new DataOutputStream(body);
    out.writeByte(random.nextInt(13));
    for (int i = random.nextInt(12); i >= 0; i--) {
      switch (random.nextInt(5)) {
        case 0 -> out.writeLong(Long.MAX_VALUE);
        case 1 -> out.writeLong(random.nextInt(5));
        case 2 -> out.writeInt(-5);
        case 3 -> out.writeInt(2_000_000_000);
        default -> out.writeLong(UUID.nameUUIDFromBytes(new byte[] {1}).getMostSignificantBits());
      }
    }
    return body.toByteArray();
  }

  // ---- datagrams

  private void datagrams(Random random) throws IOException {
    try (var socket = new DatagramSocket()) {
      for (int i = 0; i < 50; i++) {
        byte[] bytes;
        if (random.nextBoolean()) {
          bytes =
              mutatedSometimes(
                  random,
                  new Heartbeat(
                          new HostId("x"),
                          new BootId("b1"),
                          new ProcessId("p1"),
                          random.nextLong(),
                          random.nextLong(),
                          "control",
                          0,
                          random.nextLong())
                      .sign(new byte[32]));
        } else {
          bytes = new byte[random.nextInt(2_000)];
          random.nextBytes(bytes);
        }
        int length = Math.min(bytes.length, 60_000);
        socket.send(
            new DatagramPacket(bytes, length, InetAddress.getLoopbackAddress(), voter.heartbeats));
      }
      count("50 datagrams");
    }
  }

  // ---- handshakes

  private void handshake(Random random) throws IOException {
    int port = random.nextBoolean() ? voter.api : voter.raft;
    var from = "127.0.0.%d".formatted(1 + random.nextInt(200));
    try (var socket = LoneVoter.plain(from, port)) {
      switch (random.nextInt(4)) {
        case 0 ->
            socket
                .getOutputStream()
                .write("GET /v1/status HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        case 1 -> noise(random, socket.getOutputStream());
        case 2 -> {
          socket.getOutputStream().write(new byte[] {22, 3, 1, -1, -1});
          noise(random, socket.getOutputStream());
        }
        default -> {} // says nothing
      }
      count("handshakes that are none");
    }
  }
}
