package dev.haven.orchestrator.http;

import com.fasterxml.jackson.core.JacksonException;
import dev.haven.model.BootId;
import dev.haven.model.Json;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.ToAgent;
import io.helidon.common.buffers.BufferData;
import io.helidon.common.buffers.DataReader;
import io.helidon.common.concurrency.limits.Limit;
import io.helidon.webserver.ConnectionContext;
import io.helidon.webserver.ServerConnectionException;
import io.helidon.webserver.spi.ServerConnection;
import io.helidon.websocket.ClientWsFrame;
import io.helidon.websocket.WsCloseCodes;
import io.helidon.websocket.WsCloseException;
import io.helidon.websocket.WsOpCode;
import java.io.ByteArrayOutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One agent's WebSocket (RFC 6455).
 *
 * <pre>
 *   waiting for Hello --Hello, this voter leads--> joined --goodbye--> closing --> ended
 *        |  5 s, or anything else                    |  6 s of silence,     2 s
 *        '-------------------------------------------'  a full queue: ended at once
 * </pre>
 *
 * <p>Helidon's thread reads and calls the listener; one virtual thread of our own writes and is the
 * only one that does. Whoever wants to say something puts it into the bounded queue between them.
 */
final class AgentConnection implements ServerConnection {
  /** A host's whole inventory of orders fits; more waiting means that the agent does not read. */
  static final int QUEUE_MAX = 256;

  /** A hello or a report of a thousand domains fits. */
  static final int MESSAGE_MAX = 4 << 20;

  /** Everything else an agent says is short. */
  static final int SHORT_MAX = 256 << 10;

  /** What waits until a hello counts, in all. */
  private static final int EARLY_MAX = MESSAGE_MAX;

  private static final int HEARTBEAT_KEY_BYTES = 32;

  private static final Logger log = LoggerFactory.getLogger(AgentConnection.class);

  private final ConnectionContext connection;
  private final Links.Link link;
  private final String certifiedHost;
  private final AgentConnections agents;
  private final Deadlines deadlines;
  private final BlockingQueue<Outgoing> queue = new ArrayBlockingQueue<>(QUEUE_MAX);
  private final CountDownLatch ended = new CountDownLatch(1);
  private volatile FromAgent.@Nullable Hello hello;
  private volatile long joinedNanos;
  private volatile boolean welcomed;
  private volatile boolean closing;

  // of the reading thread
  private static final SecureRandom random = new SecureRandom();
  private final byte[] asked = new byte[16];
  private final List<byte[]> early = new ArrayList<>();
  private int earlyBytes;
  private FromAgent.@Nullable Hello unproven;

  AgentConnection(
      ConnectionContext connection,
      Links.Link link,
      String certifiedHost,
      AgentConnections agents,
      Deadlines deadlines) {
    this.deadlines = deadlines;
    this.connection = connection;
    this.link = link;
    this.certifiedHost = certifiedHost;
    this.agents = agents;
  }

  private sealed interface Outgoing {}

  private record Text(ToAgent frame) implements Outgoing {}

  private record Ping(byte[] payload) implements Outgoing {}

  private record Pong(byte[] payload) implements Outgoing {}

  private record Close(int code) implements Outgoing {}

  /** The boot under which the agent said hello. Null before that. */
  @Nullable BootId boot() {
    var said = hello;
    return said == null ? null : said.boot();
  }

  boolean open() {
    return !closing;
  }

  boolean welcomed() {
    return welcomed && !closing;
  }

  /** Never blocks. False if the agent does not drain its queue; then the connection is closed. */
  boolean send(ToAgent frame) {
    if (closing) {
      return false;
    }
    if (frame instanceof ToAgent.Welcome) {
      welcomed = true;
    }
    return offer(new Text(frame));
  }

  /** Says this as the last thing, before whatever still waits, and closes. Never blocks. */
  void goodbye(ToAgent frame) {
    closing = true;
    link.expectWithin(deadlines.goodbye());
    queue.clear(); // whatever waited was ordered by a leader that is none, or for a host that is
    // none
    offer(new Text(frame));
    offer(new Close(WsCloseCodes.NORMAL_CLOSE));
  }

  /** Closes at once, without a word. Never blocks. */
  void abort() {
    closing = true;
    link.close();
  }

  /** Whether the connection has ended and its host's {@code left} was called, within that time. */
  boolean awaitEnd(Duration within) throws InterruptedException {
    return ended.await(within.toMillis(), TimeUnit.MILLISECONDS);
  }

  @Override
  public void handle(Limit limit) {
    var writer = Thread.ofVirtual().name("agent " + certifiedHost).start(this::write);
    link.expectWithin(deadlines.hello());
    try {
      read();
      writer.join(deadlines.goodbye()); // else the close frame would be cut off
    } catch (WsCloseException e) {
      log.warn("host {}: its agent's WebSocket is wrong: {}", certifiedHost, e.getMessage());
    } catch (DataReader.InsufficientDataAvailableException
        | ServerConnectionException
        | UncheckedIOException e) {
      log.debug("host {}: its agent's connection ended: {}", certifiedHost, e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // the server stops
    } catch (RuntimeException e) {
      log.error("host {}: its agent's connection is closed", certifiedHost, e);
    } finally {
      abort();
      writer.interrupt();
      try {
        agents.left(this, hello);
      } finally {
        ended.countDown();
      }
    }
  }

  private void read() throws InterruptedException {
    var message = new ByteArrayOutputStream();
    boolean continued = false;
    while (true) {
      var frame = frame();
      pace(frame.payloadLength());
      if (hello != null && !closing) {
        link.expectWithin(deadlines.silence());
      }
      switch (frame.opCode()) {
        case CLOSE -> {
          if (!closing) {
            closing = true;
            queue.clear();
            offer(new Close(WsCloseCodes.NORMAL_CLOSE));
          }
          return;
        }
        case PING -> offer(new Pong(bytes(frame)));
        case PONG -> answered(bytes(frame));
        case TEXT, CONTINUATION -> {
          if (continued != (frame.opCode() == WsOpCode.CONTINUATION)) {
            throw new WsCloseException("a message in a message", WsCloseCodes.PROTOCOL_ERROR);
          }
          if (message.size() + frame.payloadLength() > MESSAGE_MAX) {
            throw new WsCloseException("a message above 4 MiB", WsCloseCodes.TOO_BIG);
          }
          message.writeBytes(bytes(frame));
          continued = !frame.fin();
          if (!continued) {
            said(message.toByteArray());
            message.reset();
          }
        }
        case BINARY -> throw new WsCloseException("a binary message", WsCloseCodes.CANNOT_ACCEPT);
      }
    }
  }

  /** An agent that says too much is read more slowly: its own sending waits then. */
  private void pace(long bytes) throws InterruptedException {
    var pause = agents.pause(certifiedHost, hello != null, (int) Math.min(bytes, MESSAGE_MAX));
    if (pause.isPositive()) {
      link.expectNothing();
      Thread.sleep(pause);
      link.expectWithin(hello == null ? deadlines.hello() : deadlines.silence());
    }
  }

  private ClientWsFrame frame() {
    try {
      return ClientWsFrame.read(connection, connection.dataReader(), MESSAGE_MAX);
    } catch (IllegalArgumentException e) {
      throw new WsCloseException(String.valueOf(e.getMessage()), WsCloseCodes.PROTOCOL_ERROR);
    }
  }

  private static byte[] bytes(ClientWsFrame frame) {
    var payload = frame.payloadData();
    var bytes = new byte[payload.available()];
    payload.read(bytes);
    return bytes;
  }

  /**
   * A hello counts once its agent has answered a question that was asked after it: what lay in a
   * buffer while this voter stood still may be of a boot that is long over, and would be taken for
   * a newer one.
   */
  private void answered(byte[] question) throws InterruptedException {
    var said = unproven;
    if (said != null && Arrays.equals(question, asked)) {
      unproven = null;
      agents.hello(this, said);
      for (var frame : early) {
        if (!closing) {
          said(frame);
        }
      }
      early.clear();
      earlyBytes = 0;
    }
  }

  private void said(byte[] json) throws InterruptedException {
    if (closing) {
      return; // it has not read our goodbye yet
    }
    if (unproven != null) {
      earlyBytes += json.length;
      if (early.size() >= QUEUE_MAX || earlyBytes > EARLY_MAX) {
        log.warn("host {}: its agent says too much before its hello counts", certifiedHost);
        abort();
        return;
      }
      early.add(json);
      return;
    }
    FromAgent frame;
    try {
      frame = Json.read(json, FromAgent.class);
    } catch (UncheckedIOException e) {
      var why = e.getCause() instanceof JacksonException said ? said.getOriginalMessage() : e;
      log.warn("host {}: its agent sent what cannot be read: {}", certifiedHost, why);
      goodbye(new ToAgent.Rejected(ToAgent.VERSION, "your message cannot be read: " + why));
      return;
    }
    if (json.length > SHORT_MAX
        && !(frame instanceof FromAgent.Hello || frame instanceof FromAgent.Domains)) {
      log.warn("host {}: its agent sent a frame of {} bytes", certifiedHost, json.length);
      goodbye(new ToAgent.Rejected(ToAgent.VERSION, "your message is above 256 KiB"));
      return;
    }
    var joined = hello;
    switch (frame) {
      case FromAgent.Hello said when joined == null -> {
        if (!said.host().value().equals(certifiedHost)) {
          log.warn("host {}: its agent says that it is host {}", certifiedHost, said.host());
          goodbye(
              new ToAgent.Rejected(
                  ToAgent.VERSION,
                  "your certificate is host %s's, but you say that you are host %s"
                      .formatted(certifiedHost, said.host())));
        } else if (!isKey(said.heartbeatKey())) {
          log.warn("host {}: its agent's heartbeat key is none", certifiedHost);
          goodbye(
              new ToAgent.Rejected(
                  ToAgent.VERSION, "heartbeatKey must be 32 bytes, written in Base64"));
        } else {
          unproven = said;
          random.nextBytes(asked);
          offer(new Ping(asked.clone()));
        }
      }
      case FromAgent.Hello said ->
          goodbye(
              new ToAgent.Rejected(
                  ToAgent.VERSION, "a second hello; open a new connection, host " + said.host()));
      case FromAgent.Domains _,
          FromAgent.Guarded _,
          FromAgent.AnswerFrame _,
          FromAgent.DisksSeen _,
          FromAgent.Progress _ -> {
        if (joined == null) {
          goodbye(new ToAgent.Rejected(ToAgent.VERSION, "the first frame must be a hello"));
        } else {
          agents.said(joined, frame);
        }
      }
    }
  }

  private static boolean isKey(String base64) {
    try {
      return Base64.getDecoder().decode(base64).length == HEARTBEAT_KEY_BYTES;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  /** Its hello is held: nothing is expected of it meanwhile. On the reading thread. */
  void waits() {
    link.expectNothing();
  }

  /** From now on the listener has its hello, and gets a {@code left}. On the reading thread. */
  void joined(FromAgent.Hello said) {
    joinedNanos = System.nanoTime();
    hello = said;
    if (!closing) {
      link.expectWithin(deadlines.silence());
    }
  }

  private boolean offer(Outgoing outgoing) {
    if (queue.offer(outgoing)) {
      return true;
    }
    log.warn(
        "host {}: its agent does not read, {} frames wait; closing its connection",
        certifiedHost,
        QUEUE_MAX);
    abort();
    return false;
  }

  private void write() {
    long pinged = System.nanoTime();
    try {
      while (true) {
        long untilPing = deadlines.ping().toNanos() - (System.nanoTime() - pinged);
        var next = untilPing > 0 ? queue.poll(untilPing, TimeUnit.NANOSECONDS) : null;
        switch (next) {
          case null -> {
            if (hello != null && !welcomed && !closing && waitedTooLong()) {
              log.info("host {}: nobody decides its agent's hello; closing", certifiedHost);
              abort();
              return;
            }
            write(WsOpCode.PING, new byte[0]);
            pinged = System.nanoTime();
          }
          case Text(var frame) -> write(WsOpCode.TEXT, Json.bytes(frame));
          case Ping(var payload) -> write(WsOpCode.PING, payload);
          case Pong(var payload) -> write(WsOpCode.PONG, payload);
          case Close(var code) -> {
            write(WsOpCode.CLOSE, new byte[] {(byte) (code >> 8), (byte) code});
            return;
          }
        }
      }
    } catch (InterruptedException e) {
      // the connection has ended
    } catch (RuntimeException e) {
      log.debug("host {}: its agent's connection ended: {}", certifiedHost, e.getMessage());
      abort();
    }
  }

  private boolean waitedTooLong() {
    return System.nanoTime() - joinedNanos > deadlines.welcome().toNanos();
  }

  private void write(WsOpCode kind, byte[] payload) {
    var frame = ByteBuffer.allocate(10 + payload.length);
    frame.put((byte) (0x80 | kind.code()));
    if (payload.length < 126) {
      frame.put((byte) payload.length);
    } else if (payload.length < 1 << 16) {
      frame.put((byte) 126).putShort((short) payload.length);
    } else {
      frame.put((byte) 127).putLong(payload.length);
    }
    frame.put(payload);
    link.writing(deadlines.silence());
    connection.dataWriter().writeNow(BufferData.create(frame.array(), 0, frame.position()));
    link.written();
  }

  /** Never idle for Helidon: {@link Links} knows better. */
  @Override
  public Duration idleTime() {
    return Duration.ZERO;
  }

  /** The server stops. */
  @Override
  public void close(boolean interrupt) {
    abort();
  }

  @Override
  public String toString() {
    return "host " + certifiedHost + " at " + link;
  }
}
