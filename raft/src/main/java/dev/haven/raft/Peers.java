package dev.haven.raft;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.Collection;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The connections to the other voters. Belongs to the Raft thread but for what says otherwise. */
final class Peers {
  private static final Logger logger = LoggerFactory.getLogger(Peers.class);

  /** More strangers than this are not listened to. */
  private static final int MAX_LINKS = 32;

  private final VoterSettings settings;
  private final Transport transport;
  private final Patience patience;
  private final Halted.Switch halt;
  private final Map<String, Link> byName = new ConcurrentHashMap<>();

  private long nextDoubt;

  Peers(VoterSettings settings, Transport transport, Patience patience, Halted.Switch halt) {
    this.settings = settings;
    this.transport = transport;
    this.patience = patience;
    this.halt = halt;
  }

  /** Any thread. The connection to a voter, null if there is none. */
  @Nullable Link get(String name) {
    return byName.get(name);
  }

  /** Any thread. */
  Collection<Link> all() {
    return byName.values();
  }

  /** Any thread. Whether this voter said something within the last second. */
  boolean isHeard(String name, long now) {
    return byName.get(name) instanceof Link link
        && link.silentNanos(now) < TimeUnit.SECONDS.toNanos(1);
  }

  /**
   * Where nothing came for a second (longer where answers are late), another connection is made
   * beside the one that there is: a TCP connection that was cut for ten seconds may wait as long
   * again before it tries, while a new one works at once.
   */
  void care(long now) {
    long silent = (long) (TimeUnit.SECONDS.toNanos(1) * patience.factor(now));
    boolean doubt = now - nextDoubt >= 0;
    if (doubt) {
      nextDoubt = now + silent;
    }
    for (var link : byName.values()) {
      if (link.silentNanos(now) > silent) {
        link.clear();
        if (doubt) {
          link.doubt();
        }
      } else if (link.isStuck(now)) {
        link.doubt();
      }
    }
  }

  void send(String to, Wire message) {
    if (byName.get(to) instanceof Link link) {
      carry(link, Wire.encode(message));
    }
  }

  void sendAll(Wire message) {
    var bytes = Wire.encode(message);
    byName.values().forEach(link -> carry(link, bytes));
  }

  private void carry(Link link, byte[] bytes) {
    if (!halt.isHalted()) {
      settings.faults().carry(link.name(), () -> link.send(bytes));
    }
  }

  /** Any thread. Sends to everybody, or drops where a connection has no room. */
  void broadcast(byte[] datagram) {
    var bytes = Wire.encode(new Wire.Datagram(datagram));
    for (var link : byName.values()) {
      settings.faults().carry(link.name(), () -> link.sendOrDrop(bytes, HavenRaft.now()));
    }
  }

  /** Makes a connection to a voter, or a new one where its address has changed. */
  void link(String name, String raft) {
    if (name.equals(settings.name())) {
      return;
    }
    var old = byName.get(name);
    InetSocketAddress address;
    try {
      address = parse(raft);
    } catch (UnknownHostException | IllegalArgumentException e) {
      logger.warn("voter {}: address {} is not known: {}", name, raft, e.getMessage());
      return;
    }
    if (old != null && old.address().equals(address) || old == null && byName.size() >= MAX_LINKS) {
      return;
    }
    if (old != null) {
      old.close();
    }
    byName.put(name, new Link(name, address, transport, HavenRaft.now()).start());
  }

  void close() {
    byName.values().forEach(Link::close);
  }

  static InetSocketAddress parse(String address) throws UnknownHostException {
    int colon = address.lastIndexOf(':');
    if (colon < 0) {
      throw new IllegalArgumentException(address + " is not host:port");
    }
    return new InetSocketAddress(
        InetAddress.getByName(address.substring(0, colon)),
        Integer.parseInt(address.substring(colon + 1)));
  }

  static String print(InetSocketAddress address) {
    return address.getAddress().getHostAddress() + ":" + address.getPort();
  }
}
