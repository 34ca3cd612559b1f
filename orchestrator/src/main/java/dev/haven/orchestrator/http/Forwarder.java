package dev.haven.orchestrator.http;

import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;

/**
 * Passes requests of this machine's own root on to the leader's API: there is no certificate with
 * which they could be sent there.
 *
 * <p>With the JDK's old client: it keeps connections alive, works on a virtual thread, and needs no
 * threads, selector or module of its own as {@code java.net.http} does, on a path that a healthy
 * cluster seldom takes.
 */
final class Forwarder {
  private static final Duration CONNECT_MAX = Duration.ofSeconds(2);

  /** Answers come from our own server, but its bug must not become our memory. */
  private static final int ANSWER_MAX = 64 << 20;

  /** One object, because the JDK finds a kept connection again by it. */
  private final SSLSocketFactory sockets;

  private final Supplier<Map<String, Optional<String>>> voterApis;

  Forwarder(SSLContext tls, Supplier<Map<String, Optional<String>>> voterApis) {
    this.sockets = tls.getSocketFactory();
    this.voterApis = voterApis;
  }

  /** The request did not reach the leader. */
  static final class NotSent extends IOException {
    private static final long serialVersionUID = 1L;

    NotSent(String message) {
      super(message);
    }
  }

  /**
   * @param leader the leading voter's name
   * @param pathAndQuery as the client sent it
   * @param body empty for none
   * @param within for the leader's answer
   * @throws NotSent if it certainly did not arrive
   * @throws IOException if nobody knows whether it was done
   */
  Response forward(
      String leader,
      String method,
      String pathAndQuery,
      byte[] body,
      Caller caller,
      Duration within)
      throws IOException {
    var api =
        voterApis
            .get()
            .getOrDefault(leader, Optional.empty())
            .orElseThrow(
                () ->
                    new NotSent(
                        "voter %s leads, but this voter knows no address of its API"
                            .formatted(leader)));
    var connection = connect(leader, api, method, pathAndQuery, body, caller, within);
    if (body.length > 0) {
      try (var out = connection.getOutputStream()) {
        out.write(body);
      }
    }
    int status = connection.getResponseCode();
    var retryAfter = Optional.ofNullable(connection.getHeaderField("Retry-After"));
    return new Response(
        status,
        read(status < 400 ? connection.getInputStream() : connection.getErrorStream()),
        retryAfter.map(seconds -> Duration.ofSeconds(Long.parseLong(seconds))),
        Optional.ofNullable(connection.getHeaderField("Allow")),
        false);
  }

  private HttpsURLConnection connect(
      String leader,
      String api,
      String method,
      String pathAndQuery,
      byte[] body,
      Caller caller,
      Duration within)
      throws NotSent {
    try {
      var url = URI.create("https://" + api + pathAndQuery).toURL();
      var connection = (HttpsURLConnection) url.openConnection(Proxy.NO_PROXY);
      connection.setSSLSocketFactory(sockets);
      connection.setConnectTimeout((int) CONNECT_MAX.toMillis());
      connection.setReadTimeout((int) within.toMillis());
      connection.setInstanceFollowRedirects(false);
      connection.setUseCaches(false);
      connection.setRequestMethod(method);
      connection.setRequestProperty("Accept", "application/json");
      connection.setRequestProperty(Caller.LOCAL_USER, caller.localUser());
      if (body.length > 0) {
        connection.setRequestProperty("Content-Type", "application/json");
        connection.setDoOutput(true);
        // Without it the JDK buffers the body and sends it a second time on some errors.
        connection.setFixedLengthStreamingMode(body.length);
      }
      connection.connect();
      var peer = Peer.of(connection.getSSLSession().orElseThrow());
      if (!peer.equals(new Peer(leader, Role.VOTER))) {
        connection.disconnect();
        throw new NotSent(
            "%s should be voter %s, but its certificate is that of %s"
                .formatted(api, leader, peer));
      }
      return connection;
    } catch (NotSent e) {
      throw e;
    } catch (IOException | IllegalArgumentException e) {
      throw new NotSent(
          "voter %s leads, but does not answer at %s: %s".formatted(leader, api, e.getMessage()));
    }
  }

  private static byte[] read(InputStream answer) throws IOException {
    if (answer == null) {
      return new byte[0];
    }
    try (answer) {
      var bytes = answer.readNBytes(ANSWER_MAX + 1);
      if (bytes.length > ANSWER_MAX) {
        throw new IOException("the leader's answer is longer than " + ANSWER_MAX + " bytes");
      }
      return bytes;
    }
  }

  static boolean isSuccess(Response response) {
    return response.status() == HttpURLConnection.HTTP_OK;
  }
}
