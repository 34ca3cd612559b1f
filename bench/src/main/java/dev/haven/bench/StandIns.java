package dev.haven.bench;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.HeartbeatAnswer;
import dev.haven.model.wire.ToAgent;
import dev.haven.tls.TlsContext;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The process of the stand-ins: many agents that speak the real wire protocol, on a few threads.
 *
 * <pre>
 *   beats    one thread: each stand-in every 200 ms, spread evenly, to every voter in every network
 *   answers  one thread for each network
 *   frames   virtual threads; pings every second, reports every 5 s and 20 ms after a change
 *   plugs    an HTTP server that plays the power device of every host
 * </pre>
 *
 * <p>It measures by how much its own timers are late: a stand-in that beats late looks like a slow
 * voter. Each line of its input is a command, and is answered with a line of JSON; it ends with its
 * input.
 */
final class StandIns {
  private static final long BEAT = Duration.ofMillis(200).toNanos();
  private static final long PROBE = Duration.ofMillis(20).toNanos();
  private static final Duration REPORT = Duration.ofSeconds(5);
  private static final Duration REPORTS_APART = Duration.ofMillis(20);
  private static final Duration PING = Duration.ofSeconds(1);
  private static final Duration CONNECT = Duration.ofSeconds(10);
  private static final int AGAIN_MILLIS = 300;
  private static final int REJECTED_MILLIS = 2_000;

  /** A thousand handshakes at once would measure nothing but handshakes. */
  private static final int CONNECTING = 24;

  private static final int RECEIVE_BUFFER = 4 << 20;

  /**
   * What it plays.
   *
   * @param keys where {@code ca.pem} and each host's certificate are
   * @param networks names of the networks, in the order of the addresses
   * @param addresses the stand-ins' own in each network
   * @param hosts in their order
   * @param guests that each is meant to have
   * @param plugs the port of the power devices on 127.0.0.1
   */
  record Plan(
      String keys,
      List<VoterAt> voters,
      List<String> networks,
      List<String> addresses,
      List<HostAt> hosts,
      int guests,
      int plugs) {}

  /**
   * @param api {@code address:port}
   * @param heartbeats {@code address:port} in each network
   */
  record VoterAt(String name, String api, List<String> heartbeats) {}

  /**
   * @param address from which it opens its connection
   */
  record HostAt(String name, String address) {}

  /**
   * @param at when it fell silent
   * @param guests that it had
   */
  record Silenced(Instant at, int guests) {}

  private final Plan plan;
  private final Tally tally = new Tally();
  private final List<StandIn> all = new ArrayList<>();
  private final List<Channel> channels = new ArrayList<>();
  private final List<DatagramChannel> sockets = new ArrayList<>();
  private final List<List<InetSocketAddress>> voters = new ArrayList<>();
  private final ConcurrentLinkedQueue<StandIn> outOfTurn = new ConcurrentLinkedQueue<>();
  private final boolean[] off;
  private final boolean[] on;
  private final ExecutorService frames = Executors.newVirtualThreadPerTaskExecutor();
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("timer").factory());
  private final Semaphore connecting = new Semaphore(CONNECTING);
  private final Object leading = new Object();
  private long term = -1;
  private Optional<String> leader = Optional.empty();
  private volatile @Nullable Thread beats;

  private StandIns(Plan plan) throws IOException {
    this.plan = plan;
    this.off = new boolean[plan.hosts().size()];
    this.on = new boolean[plan.hosts().size()];
    for (int n = 0; n < plan.networks().size(); n++) {
      var network = n;
      var socket = DatagramChannel.open();
      socket.setOption(StandardSocketOptions.SO_RCVBUF, RECEIVE_BUFFER);
      socket.bind(new InetSocketAddress(plan.addresses().get(n), 0));
      sockets.add(socket);
      voters.add(plan.voters().stream().map(v -> at(v.heartbeats().get(network))).toList());
    }
    for (int i = 0; i < plan.hosts().size(); i++) {
      var channel = new Channel(i);
      channels.add(channel);
      all.add(channel.who);
    }
  }

  private static InetSocketAddress at(String address) {
    int colon = address.lastIndexOf(':');
    return new InetSocketAddress(
        address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
  }

  public static void main(String[] args) throws IOException {
    var standIns = new StandIns(Json.read(Files.readAllBytes(Path.of(args[0])), Plan.class));
    standIns.start();
    standIns.serve();
    System.exit(0); // whatever is still being said
  }

  private void start() throws IOException {
    var plugs = HttpServer.create(new InetSocketAddress("127.0.0.1", plan.plugs()), 0);
    plugs.setExecutor(frames);
    plugs.createContext("/", this::plug);
    plugs.start();
    for (int n = 0; n < sockets.size(); n++) {
      int network = n;
      Thread.ofPlatform().daemon().name("answers-" + n).start(() -> hear(network));
    }
    beats =
        Thread.ofPlatform()
            .daemon()
            .name("beats")
            .priority(Thread.MAX_PRIORITY)
            .start(this::beatAll);
    Thread.ofPlatform().daemon().name("probe").start(this::probe);
    for (var channel : channels) {
      frames.execute(channel::connect);
      long spread = ThreadLocalRandom.current().nextLong(REPORT.toMillis());
      timer.scheduleAtFixedRate(
          () -> frames.execute(channel.who::report),
          spread,
          REPORT.toMillis(),
          TimeUnit.MILLISECONDS);
      timer.scheduleAtFixedRate(
          () -> frames.execute(channel.who::ping),
          spread % PING.toMillis(),
          PING.toMillis(),
          TimeUnit.MILLISECONDS);
    }
  }

  /** The commands of the bench. */
  private void serve() throws IOException {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (var line = in.readLine(); line != null; line = in.readLine()) {
      var words = line.split(" ", 2);
      var answer =
          switch (words[0]) {
            case "mark" -> {
              tally.mark();
              yield counts(false);
            }
            case "counts" -> counts(false);
            case "orders" -> counts(true);
            case "ports" -> ports();
            case "silence" -> silence(Integer.parseInt(words[1]));
            case "switched-on" -> switchedOn(Integer.parseInt(words[1]));
            case "boot" -> {
              channels.get(Integer.parseInt(words[1])).boot();
              yield counts(false);
            }
            default -> throw new IOException("no command: " + line);
          };
      System.out.println(Json.text(answer));
      System.out.flush();
    }
  }

  private int[] ports() throws IOException {
    var ports = new int[sockets.size()];
    for (int i = 0; i < ports.length; i++) {
      ports[i] = ((InetSocketAddress) sockets.get(i).getLocalAddress()).getPort();
    }
    return ports;
  }

  private Tally.Counts counts(boolean orders) {
    return tally.counts(
        (int) all.stream().filter(StandIn::welcomed).count(),
        all.stream().filter(s -> !s.silent()).mapToInt(StandIn::guests).sum(),
        orders);
  }

  /** The host's power is gone, and its device says so from now on. */
  private Silenced silence(int number) {
    var who = all.get(number);
    synchronized (off) {
      off[number] = true;
    }
    who.silence();
    return new Silenced(Instant.now(), who.guests());
  }

  /** Whether its device has switched it on since it was off: then it may {@code boot}. */
  private boolean switchedOn(int number) {
    synchronized (off) {
      return on[number];
    }
  }

  private void plug(HttpExchange exchange) throws IOException {
    try (exchange) {
      var path = exchange.getRequestURI().getPath().split("/"); // /NUMBER/off
      int number = Integer.parseInt(path[1]);
      boolean is;
      synchronized (off) {
        switch (path[2]) {
          case "off" -> {
            off[number] = true;
            all.get(number).silence();
          }
          case "on" -> {
            on[number] = off[number];
            off[number] = false;
          }
          case "status" -> {}
          default -> throw new IOException("no such path");
        }
        is = off[number];
      }
      var bytes = "{\"output\":%s}".formatted(!is).getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(200, bytes.length);
      exchange.getResponseBody().write(bytes);
    }
  }

  private void beatAll() {
    long began = System.nanoTime();
    for (long k = 0; ; k++) {
      long due = began + k * BEAT / all.size();
      while (true) {
        var now = outOfTurn.poll();
        if (now != null) {
          beat(now);
          continue;
        }
        long left = due - System.nanoTime();
        if (left <= 0) {
          tally.lag(-left);
          break;
        }
        LockSupport.parkNanos(left);
      }
      beat(all.get((int) (k % all.size())));
    }
  }

  private void beat(StandIn who) {
    var datagrams = who.beat(plan.networks(), System.nanoTime());
    int sent = 0;
    int failed = 0;
    for (int n = 0; n < datagrams.length; n++) {
      for (int v = 0; v < datagrams[n].length; v++) {
        try {
          int bytes = sockets.get(n).send(ByteBuffer.wrap(datagrams[n][v]), voters.get(n).get(v));
          sent += bytes > 0 ? 1 : 0;
          failed += bytes > 0 ? 0 : 1;
        } catch (IOException e) {
          failed++; // a voter that does not listen yet
        }
      }
    }
    tally.sent(sent, failed);
  }

  private void hear(int network) {
    var buffer = ByteBuffer.allocate(Heartbeat.MAX_BYTES);
    var socket = sockets.get(network);
    var names = new HashMap<InetSocketAddress, Integer>();
    for (int v = 0; v < voters.get(network).size(); v++) {
      names.put(voters.get(network).get(v), v);
    }
    while (true) {
      try {
        buffer.clear();
        var from = socket.receive(buffer);
        int length = buffer.position();
        var voter = from instanceof InetSocketAddress a ? names.get(a) : null;
        long number = StandIn.numberOf(sequence(buffer.flip()));
        if (voter == null || number < 0 || number >= all.size()) {
          continue;
        }
        var who = all.get((int) number);
        var answer = HeartbeatAnswer.open(who.key(), buffer.array(), length);
        if (answer.isPresent()) {
          tally.answered();
          who.answered(network, voter, answer.get(), System.nanoTime());
          heard(answer.get().term(), answer.get().leader());
        }
      } catch (IOException e) {
        // a voter that does not listen yet, as the kernel tells it of an earlier beat
      }
    }
  }

  /**
   * Of the beat that is answered, before anybody knows whose key proves it; -1 if there is none.
   */
  private static long sequence(ByteBuffer answer) {
    try {
      int voter = answer.get(5); // the magic number and the version stand before it
      int leader = answer.get(6 + voter + 8);
      return answer.getLong(6 + voter + 8 + 1 + leader);
    } catch (IndexOutOfBoundsException e) {
      return -1;
    }
  }

  private void heard(long inTerm, Optional<String> who) {
    synchronized (leading) {
      if (inTerm < term || (inTerm == term && (leader.isPresent() || who.isEmpty()))) {
        return;
      }
      term = inTerm;
      leader = who;
    }
    who.ifPresent(name -> channels.forEach(channel -> channel.leadsNow(name)));
  }

  /** Whether also the threads that answer orders get their turn in time. */
  private void probe() {
    while (true) {
      LockSupport.parkNanos(PROBE);
      long asked = System.nanoTime();
      try {
        frames.submit(() -> tally.lag(System.nanoTime() - asked)).get();
      } catch (InterruptedException e) {
        return;
      } catch (java.util.concurrent.ExecutionException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  /** A stand-in's connection to the leader: found, and found again. */
  private final class Channel {
    final StandIn who;
    private final HttpClient client;
    private final AtomicInteger turn;
    private final AtomicInteger reports = new AtomicInteger();
    private @Nullable String hint;
    private @Nullable String at;
    private @Nullable WebSocket socket;
    private boolean first = true;

    Channel(int number) throws IOException {
      var host = plan.hosts().get(number);
      who =
          new StandIn(
              number,
              new HostId(host.name()),
              plan.networks().size(),
              plan.voters().size(),
              plan.guests(),
              tally,
              this::beatNow,
              this::reportSoon);
      turn = new AtomicInteger(number);
      var keys = Path.of(plan.keys());
      client =
          HttpClient.newBuilder()
              .version(HttpClient.Version.HTTP_1_1)
              .sslContext(
                  TlsContext.loadUnchecked(
                      keys.resolve("ca.pem"),
                      keys.resolve(host.name() + ".pem"),
                      keys.resolve(host.name() + ".key")))
              .sslParameters(TlsContext.parameters())
              .localAddress(InetAddress.getByName(host.address()))
              .executor(frames)
              .build();
    }

    private void beatNow() {
      outOfTurn.add(who);
      LockSupport.unpark(beats);
    }

    private void reportSoon() {
      if (reports.getAndIncrement() == 0) {
        timer.schedule(
            () -> {
              reports.set(0);
              frames.execute(who::report);
            },
            REPORTS_APART.toMillis(),
            TimeUnit.MILLISECONDS);
      }
    }

    void connect() {
      VoterAt voter;
      synchronized (this) {
        voter = next();
        at = voter.name();
        hint = null;
      }
      try {
        connecting.acquire();
        try {
          var opened =
              client
                  .newWebSocketBuilder()
                  .connectTimeout(CONNECT)
                  .buildAsync(
                      URI.create("wss://" + voter.api() + "/v1/agent"), new Listener(voter.name()))
                  .join();
          synchronized (this) {
            socket = opened;
          }
          who.connected(opened);
          if (opened.isInputClosed()) {
            ended(opened, AGAIN_MILLIS);
          }
        } finally {
          connecting.release();
        }
      } catch (CompletionException e) {
        again(AGAIN_MILLIS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    /** The host is switched on again: what was open is of its earlier life. */
    void boot() {
      synchronized (this) {
        var old = socket;
        socket = null;
        if (old != null) {
          old.abort();
        }
      }
      who.boot();
      frames.execute(this::connect);
    }

    private VoterAt next() {
      Optional<String> named;
      synchronized (leading) {
        named = Optional.ofNullable(hint).or(() -> leader);
      }
      return named
          .flatMap(n -> plan.voters().stream().filter(v -> v.name().equals(n)).findFirst())
          .orElseGet(
              () -> plan.voters().get(Math.floorMod(turn.getAndIncrement(), plan.voters().size())));
    }

    /** A newer leader is known: the connection to another voter is left at once. */
    synchronized void leadsNow(String name) {
      if (socket != null && !name.equals(at)) {
        hint = name;
        ended(socket, 1);
      }
    }

    private synchronized void ended(WebSocket with, int pause) {
      if (with == socket) { // each connection ends once
        socket = null;
        with.abort();
        who.disconnected();
        again(pause);
      }
    }

    private void again(int pause) {
      if (who.silent()) {
        return;
      }
      if (!first) {
        tally.reconnects();
      }
      long millis = pause / 2 + ThreadLocalRandom.current().nextLong(pause / 2 + 1L);
      timer.schedule(() -> frames.execute(this::connect), millis, TimeUnit.MILLISECONDS);
    }

    private void told(WebSocket with, String json) {
      ToAgent frame;
      try {
        frame = Json.read(json.getBytes(StandardCharsets.UTF_8), ToAgent.class);
      } catch (UncheckedIOException e) {
        tally.trouble(String.valueOf(e.getMessage()));
        return;
      }
      switch (frame) {
        case ToAgent.NotLeader no -> {
          synchronized (this) {
            hint = no.leader().orElse(null);
          }
          ended(with, AGAIN_MILLIS);
        }
        case ToAgent.Rejected no -> {
          tally.trouble(no.reason());
          ended(with, REJECTED_MILLIS);
        }
        case ToAgent.Welcome _ -> {
          synchronized (this) {
            first = false;
          }
          who.told(frame, System.nanoTime(), Instant.now());
        }
        case ToAgent.Leased _,
            ToAgent.OrderFrame _,
            ToAgent.TestWatchdog _,
            ToAgent.LookAtDisks _,
            ToAgent.Voters _ ->
            who.told(frame, System.nanoTime(), Instant.now());
      }
    }

    /** One connection, as the client's threads see it. */
    private final class Listener implements WebSocket.Listener {
      private final String voter;
      private final StringBuilder text = new StringBuilder();

      Listener(String voter) {
        this.voter = voter;
      }

      @Override
      public @Nullable CompletionStage<?> onText(WebSocket with, CharSequence part, boolean last) {
        text.append(part);
        if (last) {
          var json = text.toString();
          text.setLength(0);
          told(with, json);
        }
        with.request(1);
        return null;
      }

      @Override
      public @Nullable CompletionStage<?> onClose(WebSocket with, int code, String reason) {
        ended(with, AGAIN_MILLIS);
        return null;
      }

      @Override
      public void onError(WebSocket with, Throwable error) {
        tally.trouble("connection to voter %s: %s".formatted(voter, error));
        ended(with, AGAIN_MILLIS);
      }
    }
  }

  /** For the bench: what each stand-in's power device is asked by. */
  static Map<String, String> plug(int number, int port) {
    var base = "http://127.0.0.1:%d/%d/".formatted(port, number);
    return Map.of(
        "off", base + "off",
        "on", base + "on",
        "status", base + "status",
        "pointer", "/output",
        "offValue", "false",
        "onValue", "true",
        "accepted", "output",
        "insecure", "true");
  }
}
