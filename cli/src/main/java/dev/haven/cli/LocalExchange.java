package dev.haven.cli;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.SocketTimeoutException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One HTTP request to a voter of this very machine, through its Unix socket, which no client of the
 * JDK can use. No more of HTTP/1.1 than our own server speaks: a length or chunks, one request for
 * each connection.
 */
final class LocalExchange implements Exchange {
  private static final int HEAD_MAX = 64 << 10;

  private final SocketChannel channel;
  private final Selector selector;
  private final ByteBuffer in = ByteBuffer.allocate(16 << 10).limit(0);
  private long patienceMillis;
  private int status;
  private InputStream body = InputStream.nullInputStream();

  private LocalExchange(SocketChannel channel, Selector selector, long patienceMillis) {
    this.channel = channel;
    this.selector = selector;
    this.patienceMillis = patienceMillis;
  }

  /**
   * Connects.
   *
   * @param patienceMillis how long each step may take
   * @throws IOException if nobody listens there or lets us in; then nothing was sent
   */
  static LocalExchange connect(Path socket, long patienceMillis) throws IOException {
    var channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
    try {
      channel.configureBlocking(false);
      var selector = Selector.open();
      channel.register(selector, SelectionKey.OP_READ);
      return new LocalExchange(channel, selector, patienceMillis);
    } catch (IOException e) {
      channel.close();
      throw e;
    }
  }

  /** Sends the request and reads the head of the answer. */
  void send(String method, String path, Map<String, String> headers, byte @Nullable [] content)
      throws IOException {
    var head = new StringBuilder(method).append(' ').append(path).append(" HTTP/1.1\r\n");
    head.append("Host: localhost\r\nConnection: close\r\n");
    headers.forEach((name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
    if (content != null) {
      head.append("Content-Length: ").append(content.length).append("\r\n");
    }
    write(head.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1));
    if (content != null) {
      write(content);
    }
    readHead();
  }

  private void readHead() throws IOException {
    var first = line().split(" ", 3);
    if (first.length < 2 || !first[0].startsWith("HTTP/1.") || !first[1].matches("\\d{3}")) {
      throw new IOException("what listens there is no voter: it does not speak HTTP");
    }
    status = Integer.parseInt(first[1]);
    long length = Long.MAX_VALUE; // until the connection ends
    boolean chunked = false;
    for (var line = line(); !line.isEmpty(); line = line()) {
      var colon = line.indexOf(':');
      var value = line.substring(colon + 1).strip();
      switch (line.substring(0, Math.max(0, colon)).toLowerCase(Locale.ROOT)) {
        case "content-length" -> length = Long.parseLong(value);
        case "transfer-encoding" -> chunked = value.equalsIgnoreCase("chunked");
        default -> {}
      }
    }
    body = new Body(length, chunked);
  }

  @Override
  public int status() {
    return status;
  }

  @Override
  public InputStream body() {
    return body;
  }

  @Override
  public void patience(long millis) {
    patienceMillis = millis;
  }

  @Override
  public void close() throws IOException {
    selector.close();
    channel.close();
  }

  private void write(byte[] bytes) throws IOException {
    var out = ByteBuffer.wrap(bytes);
    while (out.hasRemaining()) {
      if (channel.write(out) == 0) {
        await(SelectionKey.OP_WRITE);
      }
    }
  }

  /** Makes at least one byte be there. @return whether there is one, and not the end */
  private boolean fill() throws IOException {
    if (in.hasRemaining()) {
      return true;
    }
    int read = channel.read(in.clear());
    while (read == 0) {
      await(SelectionKey.OP_READ);
      read = channel.read(in);
    }
    in.flip();
    return read > 0;
  }

  private void await(int operation) throws IOException {
    channel.keyFor(selector).interestOps(operation);
    if (selector.select(Math.max(1, patienceMillis)) == 0) {
      throw new SocketTimeoutException("Read timed out");
    }
    selector.selectedKeys().clear();
  }

  private int read() throws IOException {
    if (!fill()) {
      throw new EOFException("it ended the connection in the middle of its answer");
    }
    return in.get() & 0xff;
  }

  private String line() throws IOException {
    var line = new StringBuilder();
    for (int c = read(); c != '\n'; c = read()) {
      if (line.length() > HEAD_MAX) {
        throw new IOException("what listens there is no voter: its line has no end");
      }
      line.append((char) c);
    }
    int length = line.length();
    if (length > 0 && line.charAt(length - 1) == '\r') {
      line.setLength(length - 1);
    }
    return line.toString();
  }

  private final class Body extends InputStream {
    private final boolean chunked;
    private long left;
    private boolean ended;

    Body(long length, boolean chunked) {
      this.chunked = chunked;
      this.left = chunked ? 0 : length;
    }

    @Override
    public int read() throws IOException {
      var one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      if (chunked && left == 0 && !ended) {
        left = Long.parseLong(line().split(";", 2)[0].strip(), 16);
        if (left == 0) {
          line(); // no trailers are sent
          ended = true;
        }
      }
      if (ended || left == 0 || !fill() && left == Long.MAX_VALUE) {
        return -1;
      }
      if (!in.hasRemaining()) {
        throw new EOFException("it ended the connection in the middle of its answer");
      }
      int taken = (int) Math.min(Math.min(length, in.remaining()), left);
      in.get(bytes, offset, taken);
      left -= left == Long.MAX_VALUE ? 0 : taken;
      if (chunked && left == 0) {
        line(); // the end of the chunk
      }
      return taken;
    }
  }
}
