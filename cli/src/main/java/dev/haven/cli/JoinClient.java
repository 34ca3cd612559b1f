package dev.haven.cli;

import dev.haven.model.Json;
import dev.haven.model.config.Settings;
import dev.haven.model.wire.Join;
import dev.haven.tls.JoinTls;
import dev.haven.tls.TokenText;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.security.cert.CertificateException;
import java.time.Clock;
import java.time.Duration;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;

/** Asks a voter to be let in. Nothing is sent before the voter has shown the token's authority. */
final class JoinClient {
  private static final Duration CONNECT_WITHIN = Duration.ofSeconds(5);

  /** A new voter may take half a minute to catch up. */
  private static final Duration ANSWER_WITHIN = Duration.ofSeconds(45);

  private static final Duration PAUSE = Duration.ofSeconds(1);
  private static final int REDIRECTS_MAX = 5;
  private static final int TRIES = 3;

  private final Clock clock;
  private String door;

  /** This machine's own address on the way to the voter. */
  private String own = "";

  /**
   * @param address of any voter, with or without its port
   */
  JoinClient(String address, Clock clock) {
    this.clock = clock;
    boolean bareV6 = address.chars().filter(c -> c == ':').count() > 1 && !address.startsWith("[");
    boolean port = !bareV6 && address.matches(".*:[0-9]+");
    this.door = port ? address : Machine.place(address, Machine.JOIN_PORT);
    Settings.socketAddress(door);
  }

  /**
   * The address by which this machine reaches the voter: others reach it by that one too, most
   * likely.
   *
   * @throws Stop if nobody answers
   */
  String ownAddress() {
    if (own.isEmpty()) {
      try (var socket = connect()) {
        own = socket.getLocalAddress().getHostAddress();
      } catch (IOException e) {
        throw unreachable(e);
      }
    }
    return own;
  }

  /**
   * Asks until there is an answer.
   *
   * @throws Stop if it is refused, or nobody answers within that time
   */
  Join.Answer ask(TokenText token, Join.Request request, Duration within) {
    var end = System.nanoTime() + within.toNanos();
    int redirects = 0;
    while (true) {
      var answer = once(token, request);
      switch (answer) {
        case Join.Answer.Welcome w -> {
          return w;
        }
        case Join.Answer.Member m -> {
          return m;
        }
        case Join.Answer.Refused r -> throw new Stop(Exit.REFUSED, r.message());
        case Join.Answer.Elsewhere e -> {
          if (++redirects > REDIRECTS_MAX) {
            throw new Stop(Exit.UNREACHABLE, "the voters do not agree who leads; try again");
          }
          door = e.address();
        }
        case Join.Answer.NotNow n -> {
          if (System.nanoTime() - end >= 0) {
            throw new Stop(Exit.UNREACHABLE, n.message());
          }
          pause();
        }
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(PAUSE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Stop(Exit.INTERRUPTED, "interrupted");
    }
  }

  /** A voter opens its port a moment after the token was made. */
  private Socket connect() throws IOException {
    for (int i = 1; ; i++) {
      try {
        return connectOnce();
      } catch (ConnectException e) {
        if (i == TRIES) {
          throw e;
        }
        pause();
      }
    }
  }

  private Socket connectOnce() throws IOException {
    var at = Settings.socketAddress(door);
    var socket = new Socket();
    try {
      socket.connect(
          new InetSocketAddress(at.getHostString(), at.getPort()), (int) CONNECT_WITHIN.toMillis());
      return socket;
    } catch (IOException e) {
      socket.close();
      throw e;
    }
  }

  private Join.Answer once(TokenText token, Join.Request request) {
    boolean sent = false;
    try (var raw = connect();
        var socket =
            (SSLSocket)
                JoinTls.newcomer(token.authority(), clock)
                    .getSocketFactory()
                    .createSocket(raw, door, raw.getPort(), true)) {
      socket.setSSLParameters(new SSLParameters(null, new String[] {"TLSv1.3"}));
      socket.setSoTimeout((int) ANSWER_WITHIN.toMillis());
      socket.startHandshake();
      var message = Json.bytes(request);
      var out = new DataOutputStream(socket.getOutputStream());
      out.writeInt(message.length);
      out.write(message);
      out.flush();
      sent = true;
      var in = new DataInputStream(socket.getInputStream());
      int length = in.readInt();
      if (length < 2 || length > Join.ANSWER_MAX) {
        throw new IOException("an answer of %d bytes".formatted(length));
      }
      var bytes = in.readNBytes(length);
      if (bytes.length < length) {
        throw new EOFException();
      }
      return Json.read(bytes, Join.Answer.class);
    } catch (IOException e) {
      throw sent
          ? new Stop(
              Exit.UNKNOWN,
              "voter %s: its answer did not arrive (%s). Run the same command again: the token stays this machine's"
                  .formatted(door, e.getClass().getSimpleName()))
          : unreachable(e);
    }
  }

  private Stop unreachable(IOException e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof CertificateException certificate) {
        return new Stop(Exit.REFUSED, "%s: %s".formatted(door, certificate.getMessage()));
      }
    }
    var why =
        switch (e) {
          case ConnectException _ ->
              "does not answer (%s). A voter listens there only while a token is out: haven token list"
                  .formatted(e.getMessage());
          case SocketTimeoutException _ ->
              "does not answer; is the address right, and the port open in the firewalls between?";
          case UnknownHostException _ -> "there is no such name";
          case SSLException _ ->
              "speaks no TLS 1.3, so it is no voter (%s)".formatted(e.getMessage());
          case EOFException _ -> "ended the connection: too many want to join at once; try again";
          default -> "cannot be reached: " + e.getMessage();
        };
    return new Stop(Exit.UNREACHABLE, "%s: %s".formatted(door, why));
  }
}
