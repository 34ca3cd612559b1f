package dev.haven.orchestrator.http;

import dev.haven.model.BootId;
import dev.haven.model.GuestDisk;
import dev.haven.model.HostId;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import dev.haven.orchestrator.port.ClusterApi;
import dev.haven.orchestrator.port.HostAgents;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The agents' WebSockets, at most one that counts for each host: the newest. */
final class AgentConnections implements HostAgents {
  private static final Logger log = LoggerFactory.getLogger(AgentConnections.class);

  /** For an older connection's thread to come back from the listener. */
  private static final Duration OLDER_ENDS_WITHIN = Duration.ofSeconds(5);

  /** A host's agent says a few things a second; when a hundred guests start, a few hundred. */
  private static final double FRAMES_PER_SECOND = 200;

  private static final double FRAMES_AT_ONCE = 2_000;
  private static final double BYTES_PER_SECOND = 4 << 20;
  private static final double BYTES_AT_ONCE = 16 << 20;

  /**
   * One that counts, and one that takes its place. Each may hold a few messages of 4 MiB while they
   * are read, and a witness has 32 MiB of heap.
   */
  static final int SOCKETS_OF_ONE = 2;

  /** Each hello is an entry of the log, and every voter writes it to its disk. */
  private static final double HELLOS_PER_SECOND = 0.5;

  private static final double HELLOS_AT_ONCE = 10;

  private static final Duration HELD_STEP = Duration.ofMillis(650);

  /** Its agent waits for 10 s for its welcome. */
  private static final int HELD_STEPS = 12;

  private final String voterName;
  private final ClusterApi api;
  private final Listener listener;
  private final Deadlines deadlines;
  private final ConcurrentHashMap<HostId, AgentConnection> newest = new ConcurrentHashMap<>();

  /** One hello of a host at a time. As many as there are certified hosts. */
  private final ConcurrentHashMap<HostId, ReentrantLock> joining = new ConcurrentHashMap<>();

  /** The WebSockets of each certificate, the oldest first. */
  private final ConcurrentHashMap<String, List<AgentConnection>> sockets =
      new ConcurrentHashMap<>();

  /** What each certified host may say, over all its connections. */
  private final ConcurrentHashMap<Speaker, Allowances> allowances = new ConcurrentHashMap<>();

  /**
   * Whose words are counted together.
   *
   * @param known has joined, or is the machine on record: somebody else with the key of that host
   *     uses up nothing of what it may say
   */
  private record Speaker(String host, boolean known) {}

  private record Allowances(Allowance frames, Allowance bytes, Allowance hellos) {
    static Allowances full() {
      long now = System.nanoTime();
      return new Allowances(
          new Allowance(FRAMES_PER_SECOND, FRAMES_AT_ONCE, now),
          new Allowance(BYTES_PER_SECOND, BYTES_AT_ONCE, now),
          new Allowance(HELLOS_PER_SECOND, HELLOS_AT_ONCE, now));
    }
  }

  AgentConnections(String voterName, ClusterApi api, Listener listener, Deadlines deadlines) {
    this.voterName = voterName;
    this.api = api;
    this.listener = listener;
    this.deadlines = deadlines;
  }

  @Override
  public boolean send(
      HostId host, BootId boot, long order, long term, long generation, Order what) {
    var connection = newest.get(host);
    return connection != null
        && boot.equals(connection.boot())
        && connection.send(new ToAgent.OrderFrame(ToAgent.VERSION, order, term, generation, what));
  }

  @Override
  public void leased(HostId host, BootId boot, ToAgent.Leased leased) {
    tell(host, boot, leased);
  }

  @Override
  public void testWatchdog(HostId host, BootId boot, long term) {
    tell(host, boot, new ToAgent.TestWatchdog(ToAgent.VERSION, term));
  }

  private void tell(HostId host, BootId boot, ToAgent frame) {
    var connection = newest.get(host);
    if (connection != null && boot.equals(connection.boot())) {
      connection.send(frame);
    }
  }

  @Override
  public boolean lookAtDisks(HostId host, long question, List<GuestDisk> disks) {
    var connection = newest.get(host);
    return connection != null
        && connection.welcomed()
        && connection.send(new ToAgent.LookAtDisks(ToAgent.VERSION, question, disks));
  }

  @Override
  public Optional<String> keyOf(HostId host) {
    var connection = newest.get(host);
    return connection != null && connection.welcomed()
        ? Optional.of(connection.key())
        : Optional.empty();
  }

  @Override
  public boolean connected(HostId host) {
    var connection = newest.get(host);
    return connection != null && connection.welcomed();
  }

  @Override
  public void welcome(HostId host, long term, long generation) {
    var connection = newest.get(host);
    if (connection != null) {
      connection.send(new ToAgent.Welcome(ToAgent.VERSION, term, generation));
    }
  }

  @Override
  public void voters(HostId host, List<ToAgent.Voter> voters) {
    var connection = newest.get(host);
    if (connection != null) {
      connection.send(new ToAgent.Voters(ToAgent.VERSION, voters));
    }
  }

  @Override
  public void reject(HostId host, String reason) {
    var connection = newest.get(host);
    if (connection != null) {
      log.warn("host {}: its agent is turned away: {}", host, reason);
      connection.goodbye(new ToAgent.Rejected(ToAgent.VERSION, reason));
    }
  }

  @Override
  public void dismissAll() {
    newest.values().forEach(this::dismiss);
  }

  private void dismiss(AgentConnection connection) {
    var leader = api.leader().filter(name -> !name.equals(voterName));
    connection.goodbye(new ToAgent.NotLeader(ToAgent.VERSION, leader));
  }

  private boolean leading() {
    return api.leader().filter(voterName::equals).isPresent();
  }

  /** On the connection's reading thread. */
  void hello(AgentConnection connection, FromAgent.Hello hello) throws InterruptedException {
    if (!leading()) {
      dismiss(connection);
      return;
    }
    var host = hello.host();
    if (!mayGreet(connection, listener.knows(hello)) || !mayJoin(connection, hello)) {
      return;
    }
    var lock = joining.computeIfAbsent(host, _ -> new ReentrantLock());
    lock.lockInterruptibly();
    try {
      var older = newest.get(host);
      if (older != null) {
        log.info("host {}: its agent has a new connection; closing the older one", host);
        older.abort();
        if (!older.awaitEnd(OLDER_ENDS_WITHIN)) {
          connection.goodbye(
              new ToAgent.Rejected(
                  ToAgent.VERSION, "your older connection is still being closed; try again"));
          return;
        }
      }
      newest.put(host, connection);
      // Looked at again, after the put: a dismissAll in between has met it, or this does.
      if (!leading()) {
        newest.remove(host, connection);
        dismiss(connection);
        return;
      }
      connection.joined(hello);
      listener.hello(hello);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Waits while a hello is held; an older connection of the host goes on meanwhile.
   *
   * @return false if the connection is over
   */
  private boolean mayJoin(AgentConnection connection, FromAgent.Hello hello)
      throws InterruptedException {
    for (int i = 0; connection.open(); i++) {
      if (!leading()) {
        dismiss(connection);
        return false;
      }
      var why = listener.held(hello);
      if (why.isEmpty()) {
        return true;
      }
      if (i == HELD_STEPS) { // it asks again, and is then counted from when it first asked
        log.warn("host {}: the hello of its agent is held: {}", hello.host(), why.get());
        connection.goodbye(new ToAgent.Rejected(ToAgent.VERSION, why.get()));
        return false;
      }
      connection.waits();
      Thread.sleep(HELD_STEP);
    }
    return false;
  }

  AgentConnection accept(Links.Link link, String host) {
    return new AgentConnection(link, host, this, deadlines);
  }

  /**
   * A WebSocket has opened. One more than {@link #SOCKETS_OF_ONE} of a certificate ends the oldest
   * that has not joined: a host that has joined is not pushed out by somebody with the same key.
   */
  void opened(AgentConnection connection) {
    var crowd = new ArrayList<AgentConnection>();
    sockets.compute(
        connection.certifiedHost(),
        (_, before) -> {
          var all = new ArrayList<>(before == null ? List.<AgentConnection>of() : before);
          while (all.size() >= SOCKETS_OF_ONE) {
            var oldest =
                all.stream().filter(c -> c.boot() == null).findFirst().orElse(all.getFirst());
            all.remove(oldest);
            crowd.add(oldest);
          }
          all.add(connection);
          return List.copyOf(all);
        });
    for (var one : crowd) {
      log.warn(
          "host {}: a new WebSocket, and it has {} already: one of them ends",
          connection.certifiedHost(),
          SOCKETS_OF_ONE);
      one.abort();
    }
  }

  /** Waits until every agent that said hello has left; their connections are closed already. */
  void awaitEnd() throws InterruptedException {
    for (var connection : newest.values()) {
      connection.awaitEnd(OLDER_ENDS_WITHIN);
    }
  }

  private Allowances allowances(String host, boolean known) {
    return allowances.computeIfAbsent(new Speaker(host, known), _ -> Allowances.full());
  }

  /** How long nothing more may be read from that host, which has just said so many bytes. */
  Duration pause(String host, boolean joined, int bytes) {
    var allowances = allowances(host, joined);
    long now = System.nanoTime();
    var frames = allowances.frames().take(1, now);
    var size = allowances.bytes().take(bytes, now);
    return frames.compareTo(size) > 0 ? frames : size;
  }

  String voterName() {
    return voterName;
  }

  /**
   * An agent said hello, and this voter does not understand it.
   *
   * @return false if it has said too many, and the connection is over
   */
  boolean greetedOtherwise(AgentConnection connection, HostId host, BootId boot, int version) {
    if (!mayGreet(connection, listener.isOnRecord(host, boot))) {
      return false;
    }
    spokeOtherwise(host, boot, version);
    return true;
  }

  void spokeOtherwise(HostId host, BootId boot, int version) {
    listener.spokeOtherwise(host, boot, version);
  }

  private boolean mayGreet(AgentConnection connection, boolean known) {
    var host = connection.certifiedHost();
    if (allowances(host, known).hellos().tryTake(1, System.nanoTime())) {
      return true;
    }
    log.warn("host {}: its agent says hello again and again; it has to wait", host);
    connection.goodbye(
        new ToAgent.Rejected(ToAgent.VERSION, "too many hellos; wait for a few seconds"));
    return false;
  }

  void said(FromAgent.Hello by, FromAgent frame) {
    listener.said(by.host(), by.boot(), frame);
  }

  private void forget(AgentConnection connection) {
    sockets.computeIfPresent(
        connection.certifiedHost(),
        (_, all) -> {
          var left = all.stream().filter(c -> c != connection).toList();
          return left.isEmpty() ? null : left;
        });
  }

  /** The connection has ended. @param hello what it had said, if the listener has heard it */
  void left(AgentConnection connection, FromAgent.@Nullable Hello hello) {
    forget(connection);
    if (hello != null) {
      newest.remove(hello.host(), connection);
      listener.left(hello.host(), hello.boot());
    }
  }
}
