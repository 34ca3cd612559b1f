package dev.haven.agent;

import dev.haven.agent.guest.HostLeases;
import dev.haven.model.Network;
import dev.haven.model.config.VoterAddress;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.HeartbeatAnswer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells every voter over every network that this host lives, and hears from the answers who leads.
 *
 * <p>It has a thread of its own that waits for nothing but the clock and its sockets: a host whose
 * libvirt hangs still lives.
 */
final class Heartbeats implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Heartbeats.class);
  static final Duration EVERY = Duration.ofMillis(200);

  /** A network whose address has just appeared is found within this. */
  private static final Duration BIND_AGAIN = Duration.ofSeconds(1);

  /** An answer to an older beat than these says nothing about who leads now. */
  private static final int ANSWERS_WITHIN_BEATS = 25;

  private static final Duration STOOD_STILL = Duration.ofSeconds(1);

  private final AgentIdentity identity;
  private final Leaders leaders;
  private final HostLeases leases;
  private final LongSupplier digest;
  private final OwnFaults faults;
  private final List<Way> ways = new ArrayList<>();
  private final Selector selector;
  private final ByteBuffer in = ByteBuffer.allocateDirect(Heartbeat.MAX_BYTES + 1);
  private final ByteBuffer out = ByteBuffer.allocateDirect(Heartbeat.MAX_BYTES);
  private final byte[] datagram = new byte[Heartbeat.MAX_BYTES + 1];
  private final Thread thread;
  private volatile boolean closed;
  private volatile boolean now;
  private long sequence;

  /**
   * @param sequence of the beat that it answered
   */
  private record Challenge(long sequence, long value) {}

  /** One network and the voters in it. */
  private static final class Way {
    final String network;
    final InetSocketAddress own;
    volatile List<InetSocketAddress> voters;

    /** What each voter wants to see in the next beat, of the heartbeats' thread. */
    final Map<InetSocketAddress, Challenge> challenges = new HashMap<>();

    @Nullable DatagramChannel channel;
    long bindAt;
    boolean dead;

    Way(String network, InetSocketAddress own, List<InetSocketAddress> voters) {
      this.network = network;
      this.own = own;
      this.voters = voters;
    }
  }

  /**
   * @param port of the voters
   * @param digest of the host's guests, as last seen; must not block
   * @param faults takes faults of Haven's own, and the heart beats on
   * @throws UnknownHostException if an address is a name that cannot be looked up
   */
  Heartbeats(
      AgentIdentity identity,
      List<Network> networks,
      KnownVoters voters,
      int port,
      Leaders leaders,
      HostLeases leases,
      LongSupplier digest,
      OwnFaults faults)
      throws IOException {
    this.faults = faults;
    this.identity = identity;
    this.leaders = leaders;
    this.leases = leases;
    this.digest = digest;
    for (var network : networks) {
      var own = new InetSocketAddress(InetAddress.getByName(network.address()), 0);
      ways.add(new Way(network.name(), own, in(network.name(), voters.all(), port)));
    }
    voters.onChange(all -> goTo(all, port));
    this.selector = Selector.open();
    this.thread =
        Thread.ofPlatform().name("heartbeats").priority(Thread.MAX_PRIORITY).unstarted(this::run);
  }

  private static List<InetSocketAddress> in(String network, List<VoterAddress> voters, int port)
      throws UnknownHostException {
    var all = new ArrayList<InetSocketAddress>();
    for (var voter : voters) {
      var address = voter.networks().get(network);
      if (address != null) {
        all.add(new InetSocketAddress(InetAddress.getByName(address), port));
      }
    }
    return List.copyOf(all);
  }

  private void goTo(List<VoterAddress> voters, int port) {
    for (var way : ways) {
      try {
        way.voters = in(way.network, voters, port);
      } catch (UnknownHostException e) {
        log.warn("network {}: heartbeats stay as they were: {}", way.network, e.getMessage());
      }
    }
  }

  void start() {
    thread.start();
  }

  /** Beats once more at once: the answer brings a lease for what this host was just given. */
  void beatNow() {
    now = true;
    selector.wakeup();
  }

  private void run() {
    RealTime.thread();
    var clock = new BootClock();
    long next = clock.nanos();
    try {
      while (!closed) {
        long now = clock.nanos();
        if (this.now) {
          this.now = false;
          beat(now);
        }
        if (now >= next) {
          if (now - next > STOOD_STILL.toNanos()) {
            log.warn(
                "no heartbeat for {} ms: this process or its host stood still",
                (now - next) / 1_000_000);
          }
          next = Math.max(next + EVERY.toNanos(), now + EVERY.toNanos() / 2);
          beat(now);
          now = clock.nanos();
        }
        selector.select(this::read, Math.max(1, (next - now + 999_999) / 1_000_000));
      }
    } catch (IOException e) {
      throw new IllegalStateException("the heartbeats' selector is broken", e);
    }
  }

  private void beat(long now) throws IOException {
    sequence++;
    leases.table().sent(sequence, now);
    long guests = guests();
    for (var way : ways) {
      if (!bound(way, now)) {
        continue;
      }
      for (var voter : way.voters) {
        var challenge = way.challenges.get(voter);
        var beat =
            new Heartbeat(
                identity.host(),
                identity.boot(),
                identity.process(),
                sequence,
                now,
                way.network,
                guests,
                challenge == null ? 0 : challenge.value());
        out.clear();
        out.put(beat.sign(identity.key())).flip();
        send(way, voter);
      }
    }
  }

  /** A digest that cannot be had must not cost the heartbeat: this host lives. */
  private long guests() {
    try {
      return digest.getAsLong();
    } catch (RuntimeException e) {
      faults.met("making the digest of its guests", e);
      return 0;
    }
  }

  private boolean bound(Way way, long now) throws IOException {
    if (way.channel != null) {
      return true;
    }
    if (now < way.bindAt) {
      return false;
    }
    var channel = DatagramChannel.open();
    try {
      channel.bind(way.own);
      channel.configureBlocking(false);
      channel.register(selector, SelectionKey.OP_READ, way);
      way.channel = channel;
      return true;
    } catch (IOException e) {
      channel.close();
      way.bindAt = now + BIND_AGAIN.toNanos();
      dead(way, "its address " + way.own.getAddress().getHostAddress() + " cannot be used", e);
      return false;
    }
  }

  private void send(Way way, InetSocketAddress voter) {
    var channel = way.channel;
    if (channel == null) {
      return;
    }
    try {
      out.rewind();
      channel.send(out, voter);
      if (way.dead) {
        way.dead = false;
        log.info("network {}: heartbeats go out again", way.network);
      }
    } catch (IOException e) {
      dead(way, "heartbeats cannot be sent to " + voter.getAddress().getHostAddress(), e);
      if (!channel.isOpen()) {
        way.channel = null;
      }
    }
  }

  private static void dead(Way way, String what, IOException e) {
    if (!way.dead) {
      way.dead = true;
      log.warn("network {}: {} ({}); tried again all the time", way.network, what, e.getMessage());
    }
  }

  private void read(SelectionKey key) {
    var way = (Way) key.attachment();
    var channel = way.channel;
    if (channel == null) {
      return;
    }
    try {
      while (true) {
        in.clear();
        var from = channel.receive(in);
        if (from == null) {
          return;
        }
        in.flip();
        int length = in.remaining();
        in.get(datagram, 0, length);
        heard(way, from, length);
      }
    } catch (IOException e) {
      dead(way, "answers cannot be read", e);
    }
  }

  private void heard(Way way, SocketAddress from, int length) {
    try {
      HeartbeatAnswer.open(identity.key(), datagram, length)
          .filter(a -> a.sequence() <= sequence && a.sequence() > sequence - ANSWERS_WITHIN_BEATS)
          .ifPresent(answer -> answered(way, from, answer));
    } catch (RuntimeException e) {
      faults.met("reading the answer to a heartbeat", e);
    }
  }

  private void answered(Way way, SocketAddress from, HeartbeatAnswer answer) {
    if (from instanceof InetSocketAddress voter && way.voters.contains(voter)) {
      way.challenges.merge(
          voter,
          new Challenge(answer.sequence(), answer.challenge()),
          (old, next) -> next.sequence() >= old.sequence() ? next : old);
    }
    leaders.heard(answer.term(), answer.leader());
    if (answer.surrendered() && answer.voter().equals(identity.host().value())) {
      leases.table().surrendered(new BootClock().nanos());
    }
    answer.lease().ifPresent(g -> leases.granted(answer.term(), answer.sequence(), g));
  }

  @Override
  public void close() {
    closed = true;
    selector.wakeup();
    try {
      thread.join(Duration.ofSeconds(1));
      for (var way : ways) {
        if (way.channel != null) {
          way.channel.close();
        }
      }
      selector.close();
    } catch (IOException e) {
      log.debug("closing: {}", e.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
