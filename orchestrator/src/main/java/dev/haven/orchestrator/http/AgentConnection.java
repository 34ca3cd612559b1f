package dev.haven.orchestrator.http;

import com.fasterxml.jackson.core.JacksonException;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.WireVersions;
import java.io.ByteArrayOutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.OpCode;
import org.eclipse.jetty.websocket.core.exception.CloseException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is said on one agent's WebSocket.
 *
 * <pre>
 *   waiting for Hello --Hello, this voter leads--> joined --goodbye--> closing --> ended
 *        |  5 s, or anything else                    |  6 s of silence,     2 s
 *        '-------------------------------------------'  a full queue: ended at once
 * </pre>
 *
 * <p>One virtual thread takes each frame that has come and calls the listener, which may wait; only
 * then the next frame is asked for. Another one writes and is the only one that does: a thread that
 * wants to say something puts it into its bounded queue.
 */
final class AgentConnection implements FrameHandler {
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

  private final Links.Link link;
  private final String certifiedHost;
  private final AgentConnections agents;
  private final Deadlines deadlines;
  private final BlockingQueue<Outgoing> queue = new ArrayBlockingQueue<>(QUEUE_MAX);

  /** Holds one frame at most, as the next one is asked for later, and the end. */
  private final BlockingQueue<Incoming> incoming = new LinkedBlockingQueue<>();

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
  private @Nullable Greeting unproven;

  /** What a first frame leads to, once it is known to be no older than this connection. */
  private interface Greeting {
    void counts() throws InterruptedException;
  }

  /** What a first frame says in every version. */
  private record Spoken(int version, HostId host, BootId boot) {}

  AgentConnection(
      Links.Link link, String certifiedHost, AgentConnections agents, Deadlines deadlines) {
    this.deadlines = deadlines;
    this.link = link;
    this.certifiedHost = certifiedHost;
    this.agents = agents;
  }

  private sealed interface Outgoing {}

  private record Text(ToAgent frame) implements Outgoing {}

  private record Ping(byte[] payload) implements Outgoing {}

  private record Pong(byte[] payload) implements Outgoing {}

  private record Close() implements Outgoing {}

  /** The boot under which the agent said hello. Null before that. */
  @Nullable BootId boot() {
    var said = hello;
    return said == null ? null : said.boot();
  }

  String certifiedHost() {
    return certifiedHost;
  }

  boolean open() {
    return !closing;
  }

  /** The fingerprint of its certificate's key. */
  String key() {
    return link.key();
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
    queue.clear(); // this voter no longer leads, or has not admitted that host
    offer(new Text(frame));
    offer(new Close());
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

  private sealed interface Incoming {}

  private record Arrived(byte opCode, boolean last, byte[] payload) implements Incoming {}

  private record End() implements Incoming {}

  @Override
  public void onOpen(CoreSession session, Callback opened) {
    link.expectWithin(deadlines.hello());
    link.atEnd(() -> incoming.add(new End()));
    agents.opened(this);
    opened.succeeded();
    Thread.ofVirtual().name("agent " + certifiedHost).start(() -> serve(session));
  }

  @Override
  public void onFrame(Frame frame, Callback taken) {
    var payload = new byte[frame.getPayloadLength()];
    frame.getPayload().slice().get(payload);
    incoming.add(new Arrived(frame.getOpCode(), frame.isFin(), payload));
    taken.succeeded();
  }

  @Override
  public void onError(Throwable cause, Callback heard) {
    if (cause instanceof CloseException) {
      log.warn("host {}: its agent's WebSocket is wrong: {}", certifiedHost, cause.getMessage());
    } else {
      log.debug("host {}: its agent's connection ended: {}", certifiedHost, cause.getMessage());
    }
    heard.succeeded();
  }

  @Override
  public void onClosed(CloseStatus status, Callback heard) {
    incoming.add(new End());
    heard.succeeded();
  }

  private void serve(CoreSession session) {
    var writer =
        Thread.ofVirtual().name("agent " + certifiedHost + " writer").start(() -> write(session));
    try {
      read(session);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
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

  private void read(CoreSession session) throws InterruptedException {
    var message = new ByteArrayOutputStream();
    while (true) {
      session.demand();
      if (!(incoming.take() instanceof Arrived(var opCode, var last, var payload))) {
        return;
      }
      pace(payload.length);
      if (hello != null && !closing) {
        link.expectWithin(deadlines.silence());
      }
      switch (opCode) {
        case OpCode.CLOSE -> {
          closed(new CloseStatus(ByteBuffer.wrap(payload)).getCode());
          closing = true;
          link.expectWithin(deadlines.goodbye());
          incoming.take(); // Jetty answers it, and ends the connection then
          return;
        }
        case OpCode.PING -> offer(new Pong(payload));
        case OpCode.PONG -> answered(payload);
        case OpCode.BINARY -> {
          log.warn("host {}: its agent sent a binary message", certifiedHost);
          return;
        }
        default -> { // text, and its continuation: Jetty lets nothing else through
          if (message.size() + payload.length > MESSAGE_MAX) {
            log.warn("host {}: its agent sent a message above 4 MiB", certifiedHost);
            return;
          }
          message.writeBytes(payload);
          if (last) {
            said(message.toByteArray());
            message.reset();
          }
        }
      }
    }
  }

  /** An agent that says too much is read more slowly: its own sending waits then. */
  private void pace(int bytes) throws InterruptedException {
    var pause = agents.pause(certifiedHost, hello != null, bytes);
    if (pause.isPositive()) {
      link.expectNothing();
      Thread.sleep(pause);
      link.expectWithin(hello == null ? deadlines.hello() : deadlines.silence());
    }
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
      said.counts();
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
    var other = hello == null ? otherVersion(json) : Optional.<Spoken>empty();
    if (other.isPresent()) {
      greeted(() -> spokeOtherwise(other.get()));
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
          greeted(() -> agents.hello(this, said));
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

  /** An agent may not understand this voter either. */
  private void closed(int code) {
    var joined = hello;
    if (joined != null && code == WireVersions.CLOSED_FOR_IT) {
      log.warn("host {}: its agent does not understand this voter's version", certifiedHost);
      agents.spokeOtherwise(joined.host(), joined.boot(), joined.version());
    }
  }

  private void greeted(Greeting greeting) {
    unproven = greeting;
    random.nextBytes(asked);
    offer(new Ping(asked.clone()));
  }

  /** A hello of the certified host in a version that this voter does not understand. */
  private Optional<Spoken> otherVersion(byte[] json) {
    try {
      return Optional.of(Json.read(json, Spoken.class))
          .filter(said -> !WireVersions.OURS.understands(said.version()))
          .filter(said -> said.host().value().equals(certifiedHost));
    } catch (UncheckedIOException e) {
      return Optional.empty(); // what cannot be read is told below
    }
  }

  private void spokeOtherwise(Spoken said) {
    if (!agents.greetedOtherwise(this, said.host(), said.boot(), said.version())) {
      return;
    }
    log.warn(
        "host {}: its agent speaks version {}, and this voter understands {}",
        certifiedHost,
        said.version(),
        WireVersions.OURS.words());
    goodbye(
        new ToAgent.Rejected(
            ToAgent.VERSION,
            "this agent speaks version %d, and voter %s understands %s. %s"
                .formatted(
                    said.version(),
                    agents.voterName(),
                    WireVersions.OURS.words(),
                    WireVersions.OURS.wayOut(said.version(), certifiedHost))));
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

  private void write(CoreSession session) {
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
            write(session, new Frame(OpCode.PING));
            pinged = System.nanoTime();
          }
          case Text(var frame) ->
              write(session, new Frame(OpCode.TEXT, ByteBuffer.wrap(Json.bytes(frame))));
          case Ping(var payload) ->
              write(session, new Frame(OpCode.PING, ByteBuffer.wrap(payload)));
          case Pong(var payload) ->
              write(session, new Frame(OpCode.PONG, ByteBuffer.wrap(payload)));
          case Close() -> {
            write(session, CloseStatus.toFrame(CloseStatus.NORMAL));
            return;
          }
        }
      }
    } catch (InterruptedException e) {
      // the connection has ended
    } catch (ExecutionException | RuntimeException e) {
      log.debug("host {}: its agent's connection ended: {}", certifiedHost, e.getMessage());
      abort();
    }
  }

  private boolean waitedTooLong() {
    return System.nanoTime() - joinedNanos > deadlines.welcome().toNanos();
  }

  private void write(CoreSession session, Frame frame)
      throws InterruptedException, ExecutionException {
    link.writing(deadlines.silence());
    var done = new Callback.Completable();
    session.sendFrame(frame, done, false);
    done.get();
    link.written();
  }

  @Override
  public String toString() {
    return "host " + certifiedHost + " at " + link;
  }
}
