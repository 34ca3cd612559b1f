package dev.haven.agent;

import dev.haven.agent.Leaders.Leader;
import dev.haven.model.Json;
import dev.haven.model.config.VoterAddress;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.WireVersions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one connection to the leader: found, kept, and left for a newer leader at once.
 *
 * <pre>
 *            nobody known: each voter in turn         hello sent
 *   seeking ---------------------------------> open ------------> welcomed
 *      ^      the leader that answers name      |                    |
 *      '----------------------------------------+--------------------'
 *          not the leader, closed, silent, or heartbeat answers name a newer one
 * </pre>
 *
 * <p>One thread seeks, writes and pings; what arrives is handled on the client's own threads and
 * must not block.
 */
final class LeaderChannel implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(LeaderChannel.class);

  private static final Duration CONNECT_MIN = Duration.ofSeconds(2);
  private static final Duration CONNECT_MAX = Duration.ofSeconds(4);
  private static final Duration RETRY_MIN = Duration.ofMillis(100);
  private static final Duration RETRY_MAX = Duration.ofSeconds(2);

  /** Tries, over about a second, that one gets who was elected and does not lead yet. */
  private static final int ELECTED = 5;

  private static final Duration PING_EVERY = Duration.ofSeconds(1);

  /** Three pings lost. Counts only where pings were ever answered. */
  private static final Duration SILENT = Duration.ofMillis(3_500);

  private static final Duration WRITE = Duration.ofSeconds(5);

  /** A hello must be committed before it is welcome; a leader without a quorum never gets there. */
  private static final Duration WELCOME = Duration.ofSeconds(10);

  private static final Duration GOODBYE = Duration.ofSeconds(1);

  /** No frame is near this: a definition of a guest is a few KiB. */
  private static final int FRAME_MAX = 4 << 20;

  private final KnownVoters voters;
  private final Supplier<FromAgent.Hello> hello;
  private final Consumer<ToAgent> leader;
  private final Leaders leaders;
  private final OwnFaults faults;
  private final ExecutorService threads;
  private final HttpClient client;
  private final Thread thread;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition news = lock.newCondition();
  private final Outbox outbox = new Outbox();
  private boolean closed;
  private boolean renew;

  // used by the seeking thread alone
  private int turn;
  private @Nullable String failed;
  private @Nullable String hint;
  private int failures;
  private String lastTrouble = "";

  /**
   * @param hello made again for each connection; may take a moment, once
   * @param leader takes what the leader says besides the welcome; must not block
   * @param faults takes faults of Haven's own, and the connection goes on
   */
  LeaderChannel(
      KnownVoters voters,
      SSLContext tls,
      SSLParameters parameters,
      Supplier<FromAgent.Hello> hello,
      Consumer<ToAgent> leader,
      Leaders leaders,
      OwnFaults faults) {
    this.faults = faults;
    this.voters = voters;
    this.hello = hello;
    this.leader = leader;
    this.leaders = leaders;
    this.threads =
        Executors.newCachedThreadPool(Thread.ofPlatform().daemon().name("channel-", 1).factory());
    this.client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .sslContext(tls)
            .sslParameters(parameters)
            .executor(threads)
            .build();
    this.thread = Thread.ofPlatform().name("channel").unstarted(this::run);
    leaders.onChange(this::wake);
  }

  void start() {
    thread.start();
  }

  /** Says it to the leader, now or once there is one. Never blocks. */
  void send(FromAgent frame) {
    lock.lock();
    try {
      outbox.add(frame);
      news.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Connects again, because a hello would say something else now. */
  void renew() {
    lock.lock();
    try {
      renew = true;
      news.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void wake() {
    lock.lock();
    try {
      news.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void run() {
    try {
      while (!isClosed()) {
        var voter = pick();
        var session = new Session(voter, leaders.leader().term());
        End end;
        try {
          end = serve(session);
        } catch (RuntimeException e) {
          faults.met("speaking with its leader", e);
          end = new End.Broken("a fault of Haven's own: " + e);
        }
        if (isClosed()) {
          return;
        }
        ended(session, end);
      }
    } catch (InterruptedException e) {
      log.debug("the channel ends");
    }
  }

  /** Whom to try: who was named last, then who leads, then each in turn. */
  private VoterAddress pick() {
    var named =
        Optional.ofNullable(hint).or(() -> leaders.leader().voter().filter(v -> !v.equals(failed)));
    hint = null;
    var voters = this.voters.all();
    var known = named.flatMap(n -> voters.stream().filter(v -> v.name().equals(n)).findFirst());
    if (known.isPresent()) {
      return known.get();
    }
    for (int i = 0; i < voters.size(); i++) {
      var next = voters.get(Math.floorMod(turn++, voters.size()));
      if (!next.name().equals(failed)) {
        return next;
      }
    }
    return voters.getFirst();
  }

  private void ended(Session session, End end) throws InterruptedException {
    var name = session.voter.name();
    boolean served = session.welcomed;
    switch (end) {
      case End.Left(var why) -> {
        log.info("left voter {}: {}", name, why);
        failed = null;
        failures = 0;
      }
      case End.NotLeader(var leader) -> {
        failed = name;
        hint = leader.filter(l -> !l.equals(name)).orElse(null);
        if (served) {
          log.info(
              "voter {} leads no more; {}",
              name,
              leader.map(l -> "it names " + l).orElse("it names nobody"));
          failures = 0;
        }
        if (failures < ELECTED && leaders.leader().voter().equals(Optional.of(name))) {
          failed = null; // the voter asked meanwhile may be the one that died
        }
        if (hint == null || failures > 0) {
          retry(); // two voters that name each other must not keep us running in a circle
        }
        failures++;
      }
      case End.Rejected(var why) ->
          rejected(name, "voter %s rejects this host: %s".formatted(name, why));
      case End.NotUnderstood(var version) ->
          rejected(
              name,
              "voter %s speaks version %d, and this agent understands %s. Nothing reaches this agent; its guests go on unless their leases end. %s"
                  .formatted(
                      name,
                      version,
                      WireVersions.OURS.words(),
                      version > WireVersions.OURS.newest()
                          ? "Upgrade haven-agent on this host"
                          : "Upgrade voter " + name));
      case End.Broken(var why) -> {
        failed = name;
        if (served) {
          log.warn("connection to leader {} lost: {}", name, why);
          failures = 0;
        } else {
          trouble("voter %s: %s".formatted(name, why));
        }
        if (failures > 0) {
          retry();
        }
        failures++;
      }
    }
  }

  private void rejected(String name, String why) throws InterruptedException {
    failed = name;
    trouble(why);
    failures = Math.max(failures + 1, 8);
    retry();
  }

  /** Said once, and not again with each try. */
  private void trouble(String what) {
    int voters = this.voters.all().size();
    if (failures % voters == 0 && failures > 0 && failures % 60 != 0 && lastTrouble.equals(what)) {
      return;
    }
    if (failures < voters || failures % 60 == 0) {
      log.warn("{}", what);
    }
    lastTrouble = what;
  }

  /** Waits a while that grows with each failure, and not at all once another leader is named. */
  private void retry() throws InterruptedException {
    double grown = RETRY_MIN.toMillis() * Math.pow(1.5, Math.min(failures, 20));
    long millis = (long) Math.min(grown, RETRY_MAX.toMillis());
    millis = millis / 2 + ThreadLocalRandom.current().nextLong(millis / 2 + 1);
    long term = leaders.leader().term();
    long left = TimeUnit.MILLISECONDS.toNanos(millis);
    lock.lock();
    try {
      while (left > 0 && !closed) {
        var now = leaders.leader();
        if (now.term() > term && now.voter().isPresent()) {
          failed = null;
          failures = 0;
          return;
        }
        left = news.awaitNanos(left);
      }
    } finally {
      lock.unlock();
    }
  }

  private End serve(Session session) throws InterruptedException {
    var connected = connect(session);
    if (connected instanceof End end) {
      return end;
    }
    var socket = (WebSocket) connected;
    try {
      // the first one waits for libvirt: what becomes known meanwhile is in the one that is sent
      log.debug("libvirt was heard: {}", hello.get().libvirtUp());
      lock.lock();
      try {
        renew = false;
        outbox.helloSaid();
      } finally {
        lock.unlock();
      }
      var end = write(socket, session, hello.get());
      end = end != null ? end : talk(socket, session);
      if (end instanceof End.NotUnderstood) {
        closedForIt(socket);
      }
      return end;
    } finally {
      socket.abort();
    }
  }

  /** The voter is to know that this agent lives, and that an upgrade is missing. */
  private static void closedForIt(WebSocket socket) throws InterruptedException {
    try {
      socket
          .sendClose(WireVersions.CLOSED_FOR_IT, "")
          .get(GOODBYE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException | TimeoutException e) {
      log.debug("the voter was not told why the connection is closed: {}", e.toString());
    }
  }

  /**
   * @return a {@link WebSocket} or an {@link End}
   */
  private Object connect(Session session) throws InterruptedException {
    long allowed =
        Math.min(
            CONNECT_MIN.toMillis() << Math.min(failures / voters.all().size(), 4),
            CONNECT_MAX.toMillis());
    var attempt =
        client
            .newWebSocketBuilder()
            .connectTimeout(Duration.ofMillis(allowed))
            .buildAsync(URI.create("wss://" + session.voter.api() + "/v1/agent"), session);
    attempt.whenComplete((_, _) -> wake());
    long left = TimeUnit.MILLISECONDS.toNanos(allowed);
    lock.lock();
    try {
      while (!attempt.isDone()) {
        var newer = newer(session);
        if (closed || newer != null || left <= 0) {
          attempt.whenComplete( // cancelled, it would be opened all the same and never closed
              (socket, _) -> {
                if (socket != null) {
                  socket.abort();
                }
              });
          return newer != null ? newer : new End.Broken("no connection within " + allowed + " ms");
        }
        left = news.awaitNanos(left);
      }
    } finally {
      lock.unlock();
    }
    try {
      return attempt.join();
    } catch (CompletionException | CancellationException e) {
      return new End.Broken(ConnectionFailure.words(e));
    }
  }

  private @Nullable End newer(Session session) {
    Leader now = leaders.leader();
    return now.term() > session.term
            && now.voter().isPresent()
            && !now.voter().get().equals(session.voter.name())
        ? new End.Left("voter %s leads (term %d)".formatted(now.voter().get(), now.term()))
        : null;
  }

  private End talk(WebSocket socket, Session session) throws InterruptedException {
    long opened = System.nanoTime();
    long pingAt = opened + PING_EVERY.toNanos();
    while (true) {
      FromAgent frame = null;
      boolean ping = false;
      lock.lock();
      try {
        while (true) {
          long now = System.nanoTime();
          var end = session.end != null ? session.end : newer(session);
          if (end != null) {
            return end;
          }
          if (closed) {
            break;
          }
          if (renew) {
            return new End.Left("what this host has is known better now");
          }
          if (!session.welcomed && now - opened > WELCOME.toNanos()) {
            return new End.Broken("no welcome within " + WELCOME.toSeconds() + " s");
          }
          if (session.ponged && now - session.heardAt > SILENT.toNanos()) {
            return new End.Broken("silent for " + (now - session.heardAt) / 1_000_000 + " ms");
          }
          if (now - pingAt >= 0) {
            ping = true;
            pingAt = now + PING_EVERY.toNanos();
            break;
          }
          frame = outbox.next().orElse(null);
          if (frame != null) {
            break;
          }
          news.awaitNanos(pingAt - now);
        }
        if (closed) {
          socket.sendClose(WebSocket.NORMAL_CLOSURE, "the agent stops");
          return new End.Left("stopping");
        }
      } finally {
        lock.unlock();
      }
      var end =
          ping
              ? written(socket.sendPing(ByteBuffer.allocate(0)), session)
              : frame != null ? write(socket, session, frame) : null;
      if (end != null) {
        return end;
      }
    }
  }

  private @Nullable End write(WebSocket socket, Session session, FromAgent frame)
      throws InterruptedException {
    var end = written(socket.sendText(Json.text(frame), true), session);
    if (end != null) {
      lock.lock();
      try {
        outbox.back(frame);
      } finally {
        lock.unlock();
      }
    }
    return end;
  }

  /** One message at a time: the next may only follow when this one is on its way. */
  private @Nullable End written(CompletableFuture<WebSocket> sent, Session session)
      throws InterruptedException {
    if (!sent.isDone()) {
      sent.whenComplete((_, _) -> wake());
      long left = WRITE.toNanos();
      lock.lock();
      try {
        while (!sent.isDone()) {
          var newer = newer(session);
          if (newer != null) {
            return newer;
          }
          if (session.end != null) {
            return session.end;
          }
          if (left <= 0) {
            return new End.Broken("it takes nothing for " + WRITE.toSeconds() + " s");
          }
          left = news.awaitNanos(left);
        }
      } finally {
        lock.unlock();
      }
    }
    try {
      sent.join();
      return null;
    } catch (CompletionException | CancellationException e) {
      return new End.Broken(ConnectionFailure.words(e));
    }
  }

  private boolean isClosed() {
    lock.lock();
    try {
      return closed;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      news.signalAll();
    } finally {
      lock.unlock();
    }
    try {
      thread.join(Duration.ofSeconds(1));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    client.shutdownNow();
    threads.shutdownNow();
  }

  /** One connection, as the client's threads see it. */
  private final class Session implements WebSocket.Listener {
    final VoterAddress voter;
    private final StringBuilder text = new StringBuilder();

    // guarded by the lock
    long term;
    boolean welcomed;
    boolean ponged;
    long heardAt = System.nanoTime();
    @Nullable End end;

    /**
     * @param term known when it began: a leader of a later one is a reason to leave
     */
    Session(VoterAddress voter, long term) {
      this.voter = voter;
      this.term = term;
    }

    @Override
    public @Nullable CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
      text.append(data);
      if (text.length() > FRAME_MAX) {
        end(new End.Broken("a frame longer than " + FRAME_MAX + " characters"));
        socket.abort();
        return null;
      }
      heard(false);
      if (last) {
        var frame = text.toString();
        text.setLength(0);
        if (text.capacity() > 1 << 16) {
          text.trimToSize();
        }
        handle(frame);
      }
      socket.request(1);
      return null;
    }

    @Override
    public @Nullable CompletionStage<?> onPong(WebSocket socket, ByteBuffer message) {
      heard(true);
      socket.request(1);
      return null;
    }

    @Override
    public @Nullable CompletionStage<?> onClose(WebSocket socket, int status, String reason) {
      end(
          new End.Broken(
              "closed by it (%d%s)".formatted(status, reason.isEmpty() ? "" : ", " + reason)));
      return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
      end(new End.Broken(ConnectionFailure.words(error)));
    }

    private void heard(boolean pong) {
      lock.lock();
      try {
        heardAt = System.nanoTime();
        ponged |= pong;
      } finally {
        lock.unlock();
      }
    }

    private void end(End why) {
      lock.lock();
      try {
        if (end == null) {
          end = why;
        }
        news.signalAll();
      } finally {
        lock.unlock();
      }
    }

    private void handle(String json) {
      ToAgent frame;
      try {
        frame = Json.read(json, ToAgent.class);
      } catch (UncheckedIOException e) {
        unreadable(json, e);
        return;
      }
      switch (frame) {
        case ToAgent.OrderFrame order -> take(order);
        case ToAgent.Welcome welcome when !WireVersions.OURS.understands(welcome.version()) ->
            end(new End.NotUnderstood(welcome.version()));
        case ToAgent.Welcome welcome -> {
          log.info("connected to leader {} (term {})", voter.name(), welcome.term());
          lock.lock();
          try {
            welcomed = true;
            term = Math.max(term, welcome.term());
            news.signalAll();
          } finally {
            lock.unlock();
          }
          leaders.heard(welcome.term(), Optional.of(voter.name()));
        }
        case ToAgent.Leased leased -> take(leased);
        case ToAgent.TestWatchdog test -> take(test);
        case ToAgent.LookAtDisks look -> take(look);
        case ToAgent.Voters now -> named(now);
        case ToAgent.NotLeader no -> end(new End.NotLeader(no.leader()));
        case ToAgent.Rejected rejected -> end(new End.Rejected(rejected.reason()));
      }
    }

    /** One that this agent cannot bear would come again with each connection. */
    private void take(ToAgent frame) {
      try {
        leader.accept(frame);
      } catch (RuntimeException e) {
        faults.met("taking " + frame.getClass().getSimpleName() + " from its leader", e);
        if (frame instanceof ToAgent.OrderFrame order) {
          send(
              new FromAgent.AnswerFrame(
                  FromAgent.VERSION,
                  order.order(),
                  new Answer.Unknown("a fault in the agent: " + e)));
        }
      }
    }

    private void named(ToAgent.Voters now) {
      try {
        voters.named(
            now.voters().stream()
                .map(v -> new VoterAddress(v.name(), v.raft(), v.api(), v.networks()))
                .toList());
      } catch (IllegalArgumentException e) {
        log.warn("voter {} names voters that cannot be: {}", voter.name(), e.getMessage());
      }
    }

    /** From a newer voter, perhaps: said, answered where it has a number, and not fatal. */
    private void unreadable(String json, UncheckedIOException e) {
      var why = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
      log.warn("voter {} says something that this agent does not know: {}", voter.name(), why);
      try {
        var order = Json.mapper().readTree(json).path("order");
        if (order.canConvertToLong() && order.isNumber()) {
          send(
              new FromAgent.AnswerFrame(
                  FromAgent.VERSION,
                  order.asLong(),
                  new Answer.Failed("this agent does not know the order: " + why)));
        }
      } catch (IOException notJson) {
        log.debug("no JSON at all: {}", notJson.getMessage());
      }
    }
  }
}
