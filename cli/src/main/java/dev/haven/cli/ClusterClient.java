package dev.haven.cli;

import dev.haven.model.Json;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.Reply;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.function.Supplier;
import javax.net.ssl.HostnameVerifier;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * The cluster as a client sees it: any voter takes any request, or says who leads, and the leader
 * is asked then. What one voter cannot answer is asked of the next until the timeout; a command
 * keeps its {@link RequestId}, so it is applied once.
 *
 * <p>{@link HttpsURLConnection} because it is the quickest to start: see docs/benchmarks.md.
 */
final class ClusterClient {
  /** In a local network; a host without power does not even refuse. */
  private static final Duration CONNECT_MAX = Duration.ofMillis(700);

  /** A hung voter must not use up the time that the others have. */
  private static final Duration FIRST_ANSWER_MAX = Duration.ofSeconds(3);

  /**
   * A newcomer may take long to catch up, and the voter that waits for it is the one to wait for.
   */
  private static final Duration MEMBERSHIP_MAX = Duration.ofSeconds(40);

  /** The leader looks at the host for up to 3 s before it takes an operator's word. */
  private static final Duration FIRST_ANSWER_MAX_CONFIRM_DEAD = Duration.ofSeconds(6);

  /** HTTP's status of a voter that does not lead. */
  private static final int ELSEWHERE = 307;

  private static final int REDIRECTS_MAX = 2;

  private static final Duration PAUSE = Duration.ofMillis(200);

  /**
   * Asked only about a certificate that the JDK finds to be for another address. Without one of our
   * own the JDK looks at the address while it checks the chain, and for that it parses all public
   * authorities, 30 ms.
   */
  private static final HostnameVerifier NO_OTHER_NAME = (_, _) -> false;

  private final List<URI> voters;
  private final Supplier<SSLContext> tls;
  private @Nullable SSLSocketFactory sockets;
  private final Duration timeout;
  private final Runnable onCertificateTrouble;
  private int preferred;

  /**
   * @param voters {@code https://address:port} or {@code unix:/path}
   * @param tls asked for by the first voter that is not on this machine
   * @param onCertificateTrouble called before we give up where a handshake failed
   */
  ClusterClient(
      List<URI> voters, Supplier<SSLContext> tls, Duration timeout, Runnable onCertificateTrouble) {
    this.voters = List.copyOf(voters);
    this.tls = tls;
    this.timeout = timeout;
    this.onCertificateTrouble = onCertificateTrouble;
  }

  record Answer(int status, byte[] body) {
    <T> T as(Class<T> type) {
      return Json.read(body, type);
    }
  }

  /** A way to fail that may pass, at one voter. */
  private record Failure(String why, boolean maybeDone, boolean certificate) {}

  <T> T get(String path, Class<T> type) {
    return get(path).as(type);
  }

  /** An answer of 2xx. @throws Stop for everything else */
  Answer get(String path) {
    return checked(exchange("GET", path, null, null, FIRST_ANSWER_MAX));
  }

  /** Asks the cluster for a change, or what it would do. @throws Stop unless it was accepted */
  Reply.Accepted command(Command command, boolean dryRun) {
    var request = new CommandRequest(newRequest(), command, dryRun);
    var firstAnswerMax =
        command instanceof Command.ConfirmDead ? FIRST_ANSWER_MAX_CONFIRM_DEAD : FIRST_ANSWER_MAX;
    var answer =
        exchange("POST", "/v1/commands", Json.bytes(request), request.request(), firstAnswerMax);
    if (answer.status() < 300 || answer.status() < 500 && isReply(answer.body())) {
      return switch (answer.as(Reply.class)) {
        case Reply.Accepted accepted -> accepted;
        case Reply.Refused refused when refused.reason() == Reply.Reason.TOO_EARLY ->
            throw new TooEarly(refused.message());
        case Reply.Refused refused -> throw new Stop(Exit.REFUSED, refused.message());
      };
    }
    throw problem(answer);
  }

  /** Changes who votes. @throws Stop unless it was done */
  Answer changeVoters(String method, String path, byte @Nullable [] body) {
    return checked(exchange(method, path, body, newRequest(), MEMBERSHIP_MAX));
  }

  /**
   * Reads server-sent events until {@code each} says that it has had enough, the connection ends or
   * nothing, not even a comment, comes for 30 s.
   *
   * @param each given the data of one event
   * @return whether it had enough
   * @throws Stop if no voter answers, or it refuses
   */
  boolean stream(String path, Predicate<String> each) {
    var enough = new boolean[1];
    checked(
        attempt(
            "GET",
            path,
            null,
            exchange -> {
              if (exchange.status() >= 300) {
                return whole(exchange);
              }
              enough[0] = events(exchange, each);
              return new Answer(exchange.status(), new byte[0]);
            },
            null,
            FIRST_ANSWER_MAX));
    return enough[0];
  }

  private static boolean events(Exchange exchange, Predicate<String> each) throws IOException {
    exchange.patience(30_000);
    try (var lines =
        new BufferedReader(new InputStreamReader(exchange.body(), StandardCharsets.UTF_8))) {
      var data = new StringBuilder();
      for (var line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith("data:")) {
          data.append(line.substring(5).strip());
        } else if (line.isEmpty() && !data.isEmpty()) {
          if (each.test(data.toString())) {
            return true;
          }
          data.setLength(0);
        }
      }
    } catch (SocketTimeoutException e) {
      // the caller asks again from where it is
    }
    return false;
  }

  private static boolean isReply(byte[] body) {
    try {
      return Json.mapper().readTree(body).has("type");
    } catch (IOException e) {
      return false;
    }
  }

  private static Answer checked(Answer answer) {
    if (answer.status() < 300) {
      return answer;
    }
    throw problem(answer);
  }

  private static Stop problem(Answer answer) {
    return new Stop(answer.status() < 500 ? Exit.REFUSED : Exit.FAILED, message(answer));
  }

  private static String message(Answer answer) {
    try {
      var tree = Json.mapper().readTree(answer.body());
      if (tree != null && tree.hasNonNull("message")) {
        return tree.get("message").asText();
      }
    } catch (IOException e) {
      // not ours: a proxy in between, perhaps
    }
    return "HTTP status " + answer.status();
  }

  private Answer exchange(
      String method,
      String path,
      byte @Nullable [] body,
      @Nullable RequestId request,
      Duration firstAnswerMax) {
    return attempt(method, path, body, ClusterClient::whole, request, firstAnswerMax);
  }

  private static Answer whole(Exchange exchange) throws IOException {
    try (var in = exchange.body()) {
      return new Answer(exchange.status(), in.readAllBytes());
    }
  }

  private interface Reading {
    Answer read(Exchange exchange) throws IOException;
  }

  private Answer attempt(
      String method,
      String path,
      byte @Nullable [] body,
      Reading reading,
      @Nullable RequestId request,
      Duration firstAnswerMax) {
    var longest = timeout.compareTo(firstAnswerMax) > 0 ? timeout : firstAnswerMax;
    var end = System.nanoTime() + longest.toNanos();
    Map<URI, String> reasons = new LinkedHashMap<>();
    boolean maybeDone = false;
    boolean certificateTrouble = false;
    for (int pass = 0; ; pass++) {
      boolean onlyCertificates = true;
      for (int i = 0; i < voters.size(); i++) {
        int index = (preferred + i) % voters.size();
        var voter = voters.get(index);
        long left = Math.max(1, (end - System.nanoTime()) / 1_000_000);
        long answerMax = pass == 0 ? Math.min(left, firstAnswerMax.toMillis()) : left;
        var result = once(voter, method, path, body, request, left, answerMax, reading);
        if (result.answer() != null) {
          preferred = index;
          return result.answer();
        }
        var failure = result.failure();
        if (failure != null) {
          reasons.put(voter, failure.why());
          maybeDone |= failure.maybeDone();
          onlyCertificates &= failure.certificate();
          certificateTrouble |= failure.certificate();
        }
        if (System.nanoTime() >= end) {
          break;
        }
      }
      if (onlyCertificates || System.nanoTime() + PAUSE.toNanos() >= end) {
        if (certificateTrouble) {
          onCertificateTrouble.run();
        }
        throw unreachable(reasons, maybeDone ? request : null, onlyCertificates);
      }
      pause();
    }
  }

  /** One of the two. No sealed type: its first switch would take 10 ms of every start. */
  private record Result(@Nullable Answer answer, @Nullable Failure failure) {}

  private Result once(
      URI voter,
      String method,
      String path,
      byte @Nullable [] body,
      @Nullable RequestId request,
      long connectMax,
      long answerMax,
      Reading reading) {
    boolean sent = false;
    try {
      var headers = new LinkedHashMap<String, String>();
      headers.put("Accept", "application/json, text/event-stream");
      if (request != null) {
        headers.put("Haven-Request", request.value());
      }
      if (body != null) {
        headers.put("Content-Type", "application/json");
      }
      Answer answer;
      if (CliConfig.isLocal(voter)) {
        try (var exchange = LocalExchange.connect(Path.of(voter.getPath()), answerMax)) {
          sent = request != null;
          exchange.send(method, path, headers, body);
          answer = reading.read(exchange);
        }
      } else {
        var resource = voter.resolve(path);
        HttpsURLConnection connection;
        int redirects = 0;
        do {
          connection = connect(resource, method, headers, body, connectMax, answerMax);
          sent = request != null;
          if (body != null) {
            try (var out = connection.getOutputStream()) {
              out.write(body);
            }
          }
          if (connection.getResponseCode() != ELSEWHERE) {
            break;
          }
          sent = false; // a voter that does not lead does nothing but say who does
          resource = leader(connection.getHeaderField("Location"));
        } while (++redirects <= REDIRECTS_MAX);
        answer = reading.read(new TlsExchange(connection, connection.getResponseCode()));
      }
      int status = answer.status();
      // The voter answers, but knows no leader, fell over the request, or the leader just changes.
      if (status >= 500 || status == ELSEWHERE) {
        return new Result(null, new Failure(message(answer), sent && status != 503, false));
      }
      return new Result(answer, null);
    } catch (IOException e) {
      return new Result(null, failure(e, sent));
    } catch (UncheckedIOException e) {
      return new Result(null, new Failure("sent no JSON: " + e.getMessage(), sent, false));
    }
  }

  /** Where the voter says that the leader is: it has to show that it is a voter, as any other. */
  private static URI leader(@Nullable String location) throws IOException {
    try {
      if (location != null && location.startsWith("https://")) {
        return new URI(location);
      }
    } catch (URISyntaxException e) {
      // said below
    }
    throw new IOException("says that the leader is at '" + location + "', which is no address");
  }

  private HttpsURLConnection connect(
      URI resource,
      String method,
      Map<String, String> headers,
      byte @Nullable [] body,
      long connectMax,
      long answerMax)
      throws IOException {
    var connection = (HttpsURLConnection) resource.toURL().openConnection();
    connection.setSSLSocketFactory(tls());
    connection.setHostnameVerifier(NO_OTHER_NAME);
    connection.setConnectTimeout((int) Math.min(connectMax, CONNECT_MAX.toMillis()));
    connection.setReadTimeout((int) Math.min(answerMax, Integer.MAX_VALUE));
    connection.setInstanceFollowRedirects(false); // the JDK sends no body a second time
    connection.setRequestMethod(method);
    headers.forEach(connection::setRequestProperty);
    if (body != null) {
      connection.setDoOutput(true);
      connection.setFixedLengthStreamingMode(body.length);
    }
    connection.connect();
    return connection;
  }

  private SSLSocketFactory tls() {
    if (sockets == null) {
      sockets = tls.get().getSocketFactory();
      // the JDK's own default reads all public authorities for every first connection, 90 ms
      HttpsURLConnection.setDefaultSSLSocketFactory(sockets);
    }
    return sockets;
  }

  private record TlsExchange(HttpsURLConnection connection, int status) implements Exchange {
    @Override
    public InputStream body() throws IOException {
      var in = status < 400 ? connection.getInputStream() : connection.getErrorStream();
      return in == null ? InputStream.nullInputStream() : in;
    }

    @Override
    public void patience(long millis) {
      connection.setReadTimeout((int) millis);
    }

    @Override
    public void close() {
      connection.disconnect();
    }
  }

  private static Failure failure(IOException e, boolean sent) {
    var text = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    if (e instanceof AccessDeniedException) {
      return new Failure("only root may use it; ask through an address instead", false, false);
    }
    if (e instanceof SSLException) {
      return certificateFailure(text, sent);
    }
    if (text.contains("HTTPS hostname")) {
      return new Failure("its certificate is for another address", false, true);
    }
    var why =
        switch (e) {
          case ConnectException _ -> text.contains("refused") ? "connection refused" : text;
          case NoRouteToHostException _ -> "no route to it";
          case UnknownHostException _ -> "this name is not known here";
          case SocketTimeoutException _ ->
              text.contains("onnect") ? "no sign of life" : "took the request but did not answer";
          default -> text;
        };
    boolean connected =
        !(e instanceof ConnectException
            || e instanceof NoRouteToHostException
            || e instanceof UnknownHostException
            || e instanceof SocketTimeoutException && text.contains("onnect"));
    return new Failure(why, sent && connected, false);
  }

  private static Failure certificateFailure(String text, boolean sent) {
    if (text.contains("Received fatal alert")) {
      return new Failure(
          "refuses our certificate ("
              + text.substring(text.indexOf(':') + 1).strip()
              + "); is it this cluster's?",
          false,
          true);
    }
    if (text.contains("PKIX") || text.contains("certification path")) {
      return new Failure(
          "its certificate is not from the authority in our configuration; is it this cluster?",
          false,
          true);
    }
    return new Failure(text, sent, false);
  }

  private Stop unreachable(
      Map<URI, String> reasons, @Nullable RequestId maybeDone, boolean onlyCertificates) {
    var lines = new ArrayList<String>();
    reasons.forEach((voter, why) -> lines.add("  " + name(voter) + ": " + why));
    var list = String.join("\n", lines);
    if (maybeDone != null) {
      return new Stop(
          Exit.UNKNOWN,
          """
          it was sent, but no answer came within %s: it may have been done or not.
          %s
          See what became of it with: haven op list, haven events --since 5m\
          """
              .formatted(Units.duration(timeout), list));
    }
    return new Stop(
        Exit.UNREACHABLE,
        onlyCertificates
            ? "no voter could be talked to:\n" + list
            : "no voter answered within %s; tried\n%s".formatted(Units.duration(timeout), list));
  }

  private static String name(URI voter) {
    return voter.getAuthority() == null ? voter.getPath() : voter.getAuthority();
  }

  private static void pause() {
    try {
      Thread.sleep(PAUSE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Stop(Exit.INTERRUPTED, "interrupted");
    }
  }

  private static RequestId newRequest() {
    return new RequestId(UUID.randomUUID().toString());
  }
}
