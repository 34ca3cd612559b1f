package dev.haven.agent;

import dev.haven.model.Json;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.ToAgent;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.Locale;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;

/** One voter's end of the agents' WebSocket, as small as RFC 6455 allows, with mutual TLS. */
public final class FakeLeader implements AutoCloseable {
  public final LinkedBlockingQueue<FromAgent> heard = new LinkedBlockingQueue<>();
  private final SSLServerSocket server;
  private final Thread thread;

  /** What a hello is answered with. */
  public volatile ToAgent greeting = new ToAgent.Welcome(ToAgent.VERSION, 1, 1);

  /** Says nothing any more, not even a pong. */
  volatile boolean dead;

  /** With which codes agents closed their connections. */
  final LinkedBlockingQueue<Integer> closedWith = new LinkedBlockingQueue<>();

  final AtomicInteger pongs = new AtomicInteger();
  private volatile @Nullable SSLSocket current;

  public FakeLeader(SSLContext tls, int port) throws IOException {
    server =
        (SSLServerSocket)
            tls.getServerSocketFactory()
                .createServerSocket(port, 10, InetAddress.getByName("127.0.0.1"));
    server.setNeedClientAuth(true);
    thread = Thread.ofPlatform().daemon().name("fake leader").start(this::accept);
  }

  public int port() {
    return server.getLocalPort();
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        var socket = (SSLSocket) server.accept();
        Thread.ofPlatform().daemon().start(() -> serve(socket));
      } catch (IOException e) {
        return;
      }
    }
  }

  private void serve(SSLSocket socket) {
    try (socket) {
      socket.setTcpNoDelay(true);
      var in = new DataInputStream(new java.io.BufferedInputStream(socket.getInputStream()));
      upgrade(in, socket.getOutputStream());
      current = socket;
      var text = new StringBuilder();
      while (true) {
        int first = in.readUnsignedByte();
        int second = in.readUnsignedByte();
        int length = second & 0x7f;
        if (length == 126) {
          length = in.readUnsignedShort();
        } else if (length == 127) {
          length = Math.toIntExact(in.readLong());
        }
        var mask = in.readNBytes(4);
        var payload = in.readNBytes(length);
        for (int i = 0; i < length; i++) {
          payload[i] ^= mask[i & 3];
        }
        switch (first & 0x0f) {
          case 0, 1 -> {
            text.append(new String(payload, StandardCharsets.UTF_8));
            if ((first & 0x80) != 0) {
              var frame = Json.read(text.toString(), FromAgent.class);
              text.setLength(0);
              if (frame instanceof FromAgent.Hello) {
                say(greeting);
              }
              heard.add(frame);
            }
          }
          case 8 -> {
            closedWith.add(payload.length < 2 ? 0 : (payload[0] & 0xff) << 8 | payload[1] & 0xff);
            return;
          }
          case 9 -> {
            frame(0x8a, payload);
            pongs.incrementAndGet();
          }
          default -> {}
        }
      }
    } catch (IOException e) {
      // the agent has left
    }
  }

  private static void upgrade(DataInputStream in, OutputStream out) throws IOException {
    var key = "";
    for (var line = line(in); !line.isEmpty(); line = line(in)) {
      if (line.toLowerCase(Locale.ROOT).startsWith("sec-websocket-key:")) {
        key = line.substring(line.indexOf(':') + 1).strip();
      }
    }
    try {
      var sha = MessageDigest.getInstance("SHA-1");
      var accept =
          Base64.getEncoder()
              .encodeToString(
                  sha.digest(
                      (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
                          .getBytes(StandardCharsets.US_ASCII)));
      out.write(
          ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  + "Sec-WebSocket-Accept: "
                  + accept
                  + "\r\n\r\n")
              .getBytes(StandardCharsets.US_ASCII));
      out.flush();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String line(DataInputStream in) throws IOException {
    var line = new StringBuilder();
    for (int c = in.readUnsignedByte(); c != '\n'; c = in.readUnsignedByte()) {
      line.append((char) c);
    }
    return line.toString().strip();
  }

  public void say(ToAgent frame) throws IOException {
    say(Json.text(frame), Integer.MAX_VALUE);
  }

  /**
   * @param part at most so many bytes in one frame
   */
  synchronized void say(String text, int part) throws IOException {
    var bytes = text.getBytes(StandardCharsets.UTF_8);
    for (int from = 0; from < bytes.length; ) {
      int to = (int) Math.min(bytes.length, (long) from + part);
      int code = (from == 0 ? 1 : 0) | (to == bytes.length ? 0x80 : 0);
      frame(code, java.util.Arrays.copyOfRange(bytes, from, to));
      from = to;
    }
  }

  private synchronized void frame(int first, byte[] payload) throws IOException {
    var socket = current;
    if (dead || socket == null) {
      return;
    }
    var out = new java.io.ByteArrayOutputStream();
    out.write(first);
    if (payload.length < 126) {
      out.write(payload.length);
    } else if (payload.length < 1 << 16) {
      out.write(126);
      out.write(payload.length >> 8);
      out.write(payload.length);
    } else {
      out.write(127);
      for (int shift = 56; shift >= 0; shift -= 8) {
        out.write((int) ((long) payload.length >> shift) & 0xff);
      }
    }
    out.writeBytes(payload);
    socket.getOutputStream().write(out.toByteArray());
    socket.getOutputStream().flush();
  }

  /** The next frame of this kind within 20 s; others before it are skipped. */
  public <T extends FromAgent> T next(Class<T> kind) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (true) {
      var frame = heard.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
      if (frame == null) {
        throw new AssertionError("no " + kind.getSimpleName() + " within 20 s");
      }
      if (kind.isInstance(frame)) {
        return kind.cast(frame);
      }
    }
  }

  /** Cuts the connection without a word. */
  void cut() throws IOException {
    var socket = current;
    if (socket != null) {
      socket.close();
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
    cut();
    thread.interrupt();
  }
}
