package dev.haven.raft;

import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.security.cert.X509Certificate;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Frames between voters, over mutual TLS 1.3. Each voter dials the others and speaks on the
 * connection that it dialled; on one that it accepted it only listens.
 *
 * <p>Who speaks is who the certificate says: one name for the certificate's CN, the greeting and
 * every frame that follows, and the name that was dialled on the other side. A name that {@link
 * Hall#admits} does not know is turned away before its first frame is read. A frame that cannot be
 * judged ends its connection, and nothing else. docs/adr/0016-who-speaks-as-a-voter.md has the
 * reasons.
 *
 * <pre>
 *   greeting   format (1), cluster, name, log id, process id, name of the one that is greeted
 *   answer     0, or 1 and the reason; after the latter the connection ends
 *   frame      length (4, at most 2 MiB), bytes
 * </pre>
 *
 * Each connection has a thread of its own from its first byte to its last, so that neither a
 * handshake nor a stranger's silence stands in the way of the log.
 */
final class Transport implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Transport.class);

  /** Entries of a message, one of them as large as they may be, and what stands around them. */
  static final int FRAME_MAX = 2 << 20;

  /** How long a connection may take to be made; a voter's host is near or it is not there. */
  private static final int CONNECT_MILLIS = 300;

  /** Between warm voters it takes milliseconds; a slow processor, just booted, needs seconds. */
  private static final int HANDSHAKE_MILLIS = 10_000;

  /** Handshakes of addresses that no voter has. */
  private static final int STRANGERS_MAX = 48;

  private static final int PER_STRANGER_MAX = 8;

  /** Of one voter's address. */
  private static final int PER_VOTER_MAX = 8;

  /** The last one and the one that replaces it. */
  private static final int CONNECTIONS_PER_VOTER = 2;

  /** As long as one process speaks as a voter, another that claims its name is not believed. */
  private static final long ALIVE_NANOS = TimeUnit.SECONDS.toNanos(2);

  private static final int GREETING_MAX = 2048;
  private static final byte GREETING = 1;

  /** Who may come in, and who takes what is said. */
  interface Hall {
    /** Any thread. Whether a voter of this name is one, of ours, now. */
    boolean admits(String name);

    /** Any thread. The addresses of those that are admitted; handshakes from there come first. */
    Set<InetAddress> addresses();

    /** On the connection's thread. Whether a frame of so many bytes is to be heard, or skipped. */
    boolean hasRoom(Inbound from, int length);

    /**
     * On the connection's thread. Never blocks: the peer that speaks here must not be held up by
     * this voter's disk. What there is no room for is dropped.
     *
     * @throws IOException if the frame is not what a voter says: the connection ends
     */
    void hear(Inbound from, byte[] frame) throws IOException;
  }

  private final VoterSettings settings;
  private final UUID logId;
  private final UUID process = UUID.randomUUID();
  private final Hall hall;
  private final ServerSocket server;
  private final InetAddress local;
  private final Seldom seldom = new Seldom(log);
  private final Map<String, Deque<Inbound>> inbound = new HashMap<>();
  private final Set<Outbound> outbound = ConcurrentHashMap.newKeySet();

  /** The oldest first; guarded by itself. */
  private final List<Inbound> shaking = new ArrayList<>();

  private volatile boolean closed;

  /** Listens, and accepts nobody before {@link #open}. */
  Transport(VoterSettings settings, UUID logId, Hall hall) throws IOException {
    this.settings = settings;
    this.logId = logId;
    this.hall = hall;
    var address = Peers.parse(settings.listen());
    local = address.getAddress();
    server = new ServerSocket();
    try {
      server.setReuseAddress(true);
      if (settings.faults().socketBytes() > 0) {
        server.setReceiveBufferSize(settings.faults().socketBytes());
      }
      server.bind(address, 64);
    } catch (IOException e) {
      server.close();
      throw new IOException(
          "voter %s cannot listen on %s: %s"
              .formatted(settings.name(), settings.listen(), e.getMessage()),
          e);
    }
  }

  void open() {
    Thread.ofPlatform().daemon().name("haven-raft-accept").start(this::acceptAll);
  }

  // ---- those who dial us

  private void acceptAll() {
    while (!closed) {
      try {
        var socket = server.accept();
        var guest = new Inbound(socket);
        makeRoom(guest);
        Thread.ofPlatform()
            .daemon()
            .name("haven-raft-greeted")
            .stackSize(512 << 10)
            .start(guest::run);
      } catch (IOException e) {
        if (!closed) {
          seldom.warn("accept", "accepting a voter's connection failed: " + e.getMessage());
          pause();
        }
      } catch (OutOfMemoryError e) { // no more threads: the newest is the one that has to go
        seldom.warn("accept", "no thread for another connection: " + e.getMessage());
        pause();
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(20);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Strangers never take a voter's place, and the one that has waited longest is given up first.
   */
  private void makeRoom(Inbound guest) {
    var known = hall.addresses();
    var given = new ArrayList<Inbound>();
    synchronized (shaking) {
      boolean voters = known.contains(guest.address());
      var same = shaking.stream().filter(g -> g.address().equals(guest.address())).toList();
      if (same.size() >= (voters ? PER_VOTER_MAX : PER_STRANGER_MAX)) {
        given.add(same.getFirst());
      } else if (!voters) {
        var strangers = shaking.stream().filter(g -> !known.contains(g.address())).toList();
        if (strangers.size() >= STRANGERS_MAX) {
          given.add(strangers.getFirst());
        }
      }
      shaking.removeAll(given);
      shaking.add(guest);
    }
    given.forEach(Inbound::end);
  }

  /** A connection that somebody else has dialled. */
  final class Inbound {
    private final Socket plain;
    private final InetAddress address;
    private volatile Voters.Peer peer = new Voters.Peer("", new UUID(0, 0));
    private volatile long heard;
    private UUID process = new UUID(0, 0);

    Inbound(Socket plain) {
      this.plain = plain;
      this.address = plain.getInetAddress();
    }

    InetAddress address() {
      return address;
    }

    /** Whose certificate this is, and which log it says that it has. */
    Voters.Peer peer() {
      return peer;
    }

    /** Ends the connection because of what was said on it; the peer may dial again. */
    void drop(String why) {
      seldom.warn(
          "drop " + peer.name(),
          "voter %s at %s: %s; its connection is closed".formatted(peer.name(), address, why));
      end();
    }

    void end() {
      try {
        plain.close();
      } catch (IOException e) {
        log.debug("closing: {}", e.getMessage());
      }
    }

    private void run() {
      try {
        plain.setTcpNoDelay(true);
        plain.setSoTimeout(HANDSHAKE_MILLIS);
        settings.faults().beforeHandshake();
        var socket = serve(plain);
        var in = new DataInputStream(new BufferedInputStream(socket.getInputStream(), 64 << 10));
        var refusal = greet(socket, in);
        synchronized (shaking) {
          shaking.remove(this);
        }
        answer(socket.getOutputStream(), refusal);
        if (refusal.isPresent()) {
          throw new IOException(refusal.get());
        }
        plain.setSoTimeout(0);
        Thread.currentThread().setName("haven-raft-from-" + peer.name());
        listen(in);
      } catch (SocketException | EOFException e) {
        log.debug("{}: {}", address, e.getMessage());
      } catch (IOException e) {
        if (!closed) {
          seldom.warn(
              "in " + address,
              "%s%s is not listened to: %s"
                  .formatted(
                      address, peer.name().isEmpty() ? "" : " as voter " + peer.name(), reason(e)));
        }
      } catch (RuntimeException e) {
        seldom.warn("in " + address, "%s: its connection is closed: %s".formatted(address, e));
      } finally {
        synchronized (shaking) {
          shaking.remove(this);
        }
        left(this);
        end();
      }
    }

    private void listen(DataInputStream in) throws IOException {
      while (!closed) {
        int length = in.readInt();
        if (length < 1 || length > FRAME_MAX) {
          throw new IOException("a frame of %d bytes".formatted(length));
        }
        if (!hall.hasRoom(this, length)) {
          in.skipNBytes(length);
          heard = System.nanoTime();
          continue;
        }
        var frame = in.readNBytes(length);
        if (frame.length < length) {
          return; // it ended in the middle
        }
        heard = System.nanoTime();
        hall.hear(this, frame);
      }
    }

    /** Empty if it may speak. */
    private Optional<String> greet(Socket socket, DataInputStream in) throws IOException {
      var certified = certified(socket);
      var greeting = new DataInputStream(new ByteArrayInputStream(readSmall(in)));
      int format = greeting.readUnsignedByte();
      if (format != GREETING) {
        return Optional.of("a greeting of format %d".formatted(format));
      }
      var cluster = greeting.readUTF();
      var name = greeting.readUTF();
      var its = new UUID(greeting.readLong(), greeting.readLong());
      process = new UUID(greeting.readLong(), greeting.readLong());
      var greeted = greeting.readUTF();
      if (certified.isPresent() && !certified.get().equals(name)) {
        return Optional.of(
            "its certificate is voter %s's, and it says that it is %s"
                .formatted(certified.get(), name));
      }
      peer = new Voters.Peer(name, its);
      if (!cluster.equals(settings.cluster())) {
        return Optional.of("it is of cluster %s, not %s".formatted(cluster, settings.cluster()));
      }
      if (!greeted.equals(settings.name()) || name.equals(settings.name())) {
        return Optional.of(
            "voter %s was dialled as %s, by %s".formatted(settings.name(), greeted, name));
      }
      if (!hall.admits(name)) {
        return Optional.of("%s is no voter of this cluster, as far as it is known".formatted(name));
      }
      return came(this);
    }
  }

  /** Empty if this one counts now; otherwise another process is alive under the same name. */
  private Optional<String> came(Inbound guest) {
    var old = new ArrayList<Inbound>();
    synchronized (inbound) {
      var same = inbound.computeIfAbsent(guest.peer.name(), name -> new ArrayDeque<>());
      long now = System.nanoTime();
      for (var other : same) {
        if (!other.process.equals(guest.process) && now - other.heard < ALIVE_NANOS) {
          return Optional.of(
              "another process speaks as voter %s already, from %s: one of the two is a copy"
                  .formatted(guest.peer.name(), other.address));
        }
      }
      guest.heard = now;
      same.addLast(guest);
      while (same.size() > CONNECTIONS_PER_VOTER) {
        old.add(same.removeFirst());
      }
    }
    old.forEach(Inbound::end);
    return Optional.empty();
  }

  private void left(Inbound guest) {
    synchronized (inbound) {
      var same = inbound.get(guest.peer.name());
      if (same != null && same.remove(guest) && same.isEmpty()) {
        inbound.remove(guest.peer.name());
      }
    }
  }

  private Socket serve(Socket plain) throws IOException {
    if (settings.tls().isEmpty()) {
      return plain;
    }
    var factory = settings.tls().get().getSocketFactory();
    var socket = (SSLSocket) factory.createSocket(plain, InputStream.nullInputStream(), true);
    socket.setUseClientMode(false);
    prepare(socket, false);
    socket.startHandshake();
    return socket;
  }

  private static void prepare(SSLSocket socket, boolean checkAddress) {
    var parameters = socket.getSSLParameters();
    parameters.setProtocols(new String[] {"TLSv1.3"});
    parameters.setNeedClientAuth(true);
    if (checkAddress) {
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
    }
    socket.setSSLParameters(parameters);
  }

  /**
   * The voter that the certificate names; empty without TLS.
   *
   * @throws IOException if it is no voter's
   */
  private Optional<String> certified(Socket socket) throws IOException {
    if (!(socket instanceof SSLSocket secure)) {
      return Optional.empty();
    }
    var certificate = secure.getSession().getPeerCertificates()[0];
    return Optional.of(
        settings
            .voterOf()
            .apply((X509Certificate) certificate)
            .orElseThrow(() -> new IOException("its certificate is revoked, or no voter's")));
  }

  private static byte[] readSmall(DataInputStream in) throws IOException {
    int length = in.readInt();
    if (length < 1 || length > GREETING_MAX) {
      throw new IOException("a greeting of %d bytes".formatted(length));
    }
    var bytes = new byte[length];
    in.readFully(bytes);
    return bytes;
  }

  private static void answer(OutputStream out, Optional<String> refusal) throws IOException {
    var bytes = new ByteArrayOutputStream();
    var data = new DataOutputStream(bytes);
    data.writeByte(refusal.isEmpty() ? 0 : 1);
    data.writeUTF(refusal.orElse(""));
    write(out, bytes.toByteArray());
  }

  /** In one piece, so that it is one record and one packet if it is small. */
  private static void write(OutputStream out, byte[] frame) throws IOException {
    out.write(ByteBuffer.allocate(4 + frame.length).putInt(frame.length).put(frame).array());
    out.flush();
  }

  // ---- those whom we dial

  /** A connection that this voter has dialled; on it, it only speaks. */
  final class Outbound {
    private final Socket plain;
    private final InputStream in;
    private final OutputStream out;

    private Outbound(Socket plain, InputStream in, OutputStream out) {
      this.plain = plain;
      this.in = in;
      this.out = out;
    }

    /** One thread at a time. Blocks as long as the other side does not read. */
    void send(byte[] frame) throws IOException {
      write(out, frame);
    }

    /** Returns when the other side has ended it, or we have. */
    void awaitEnd() {
      try {
        while (in.read() >= 0) {
          // it says nothing here, and what does not belong here is no reason to go
        }
      } catch (IOException e) {
        log.debug("ended: {}", e.getMessage());
      }
    }

    void end() {
      outbound.remove(this);
      try {
        plain.close(); // not the TLS socket: it would wait for the thread that is writing
      } catch (IOException e) {
        log.debug("closing: {}", e.getMessage());
      }
    }
  }

  /**
   * Blocks until the other one has said that it listens.
   *
   * @throws IOException if it is not there, not the one that was dialled, or turns us away
   */
  Outbound dial(String name, InetSocketAddress address) throws IOException {
    var plain = new Socket();
    try {
      if (!local.isAnyLocalAddress()) {
        plain.bind(new InetSocketAddress(local, 0));
      }
      plain.setTcpNoDelay(true);
      if (settings.faults().socketBytes() > 0) {
        plain.setSendBufferSize(settings.faults().socketBytes());
      }
      plain.connect(address, CONNECT_MILLIS);
      plain.setSoTimeout(HANDSHAKE_MILLIS);
      settings.faults().beforeHandshake();
      var socket = plain;
      if (settings.tls().isPresent()) {
        var factory = settings.tls().get().getSocketFactory();
        var host = address.getAddress().getHostAddress();
        var secure = (SSLSocket) factory.createSocket(plain, host, address.getPort(), true);
        prepare(secure, true);
        secure.startHandshake();
        socket = secure;
      }
      var certified = certified(socket);
      if (certified.isPresent() && !certified.get().equals(name)) {
        throw new IOException(
            "voter %s was dialled, and voter %s is there".formatted(name, certified.get()));
      }
      write(socket.getOutputStream(), greeting(name));
      var answer =
          new DataInputStream(
              new ByteArrayInputStream(readSmall(new DataInputStream(socket.getInputStream()))));
      if (answer.readByte() != 0) {
        throw new IOException("turned away: " + answer.readUTF());
      }
      plain.setSoTimeout(0);
      var made = new Outbound(plain, socket.getInputStream(), socket.getOutputStream());
      outbound.add(made);
      if (closed) {
        made.end();
      }
      return made;
    } catch (IOException | RuntimeException e) {
      plain.close();
      throw e;
    }
  }

  private byte[] greeting(String to) throws IOException {
    var bytes = new ByteArrayOutputStream();
    var data = new DataOutputStream(bytes);
    data.writeByte(GREETING);
    data.writeUTF(settings.cluster());
    data.writeUTF(settings.name());
    data.writeLong(logId.getMostSignificantBits());
    data.writeLong(logId.getLeastSignificantBits());
    data.writeLong(process.getMostSignificantBits());
    data.writeLong(process.getLeastSignificantBits());
    data.writeUTF(to);
    return bytes.toByteArray();
  }

  /** Says, seldom, why a voter cannot be reached, unless it is simply not there. */
  void unreachable(String name, IOException why) {
    if (why instanceof SSLException
        || String.valueOf(why.getMessage()).startsWith("turned away")
        || String.valueOf(why.getMessage()).contains("was dialled")) {
      seldom.warn("out " + name, "voter %s: %s".formatted(name, reason(why)));
    } else {
      log.debug("voter {}: {}", name, why.getMessage());
    }
  }

  private static String reason(IOException e) {
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }

  /** Ends what somebody says who is no voter any more. */
  void turnOut() {
    var gone = new ArrayList<Inbound>();
    synchronized (inbound) {
      inbound.forEach(
          (name, all) -> {
            if (!hall.admits(name)) {
              gone.addAll(all);
            }
          });
    }
    gone.forEach(Inbound::end);
  }

  @Override
  public void close() {
    closed = true;
    try {
      server.close();
    } catch (IOException e) {
      log.debug("closing: {}", e.getMessage());
    }
    var all = new ArrayList<Inbound>();
    synchronized (shaking) {
      all.addAll(shaking);
    }
    synchronized (inbound) {
      inbound.values().forEach(all::addAll);
    }
    all.forEach(Inbound::end);
    List.copyOf(outbound).forEach(Outbound::end);
  }
}
