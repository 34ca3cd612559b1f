package dev.haven.orchestrator.http;

import dev.haven.orchestrator.http.Answers.Answering;
import dev.haven.orchestrator.http.Response.Stop;
import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.eclipse.jetty.http.HttpException;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpHeaderValue;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.io.EofException;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The REST routes, listed in docs/api.md. Each request has a virtual thread, so whatever happens
 * here may wait.
 */
final class Routes extends Handler.Abstract {
  /** A command is at most 1 MiB in the log; this leaves room for its JSON. */
  static final int BODY_MAX = 4 << 20;

  private static final Logger log = LoggerFactory.getLogger(Routes.class);

  /** What a client may send with a GET; nothing of it is looked at. */
  private static final int GET_BODY_MAX = 4 << 10;

  /** What every certificate of the cluster may ask for: an agent needs no more. */
  private static final Set<String> OPEN = Set.of("/v1/health", "/v1/leader", AgentUpgrade.PATH);

  private final String voterName;
  private final Supplier<Map<String, Optional<String>>> voterApis;
  private final Answers answers;
  private final EventStreams streams;
  private final AgentUpgrade upgrade;
  private final Links links;
  private final Deadlines deadlines;
  private final List<Route> routes;

  Routes(
      String voterName,
      Supplier<Map<String, Optional<String>>> voterApis,
      Answers answers,
      EventStreams streams,
      AgentUpgrade upgrade,
      Links links,
      Deadlines deadlines) {
    this.voterName = voterName;
    this.voterApis = voterApis;
    this.answers = answers;
    this.streams = streams;
    this.upgrade = upgrade;
    this.links = links;
    this.deadlines = deadlines;
    this.routes =
        List.of(
            new Route("POST", "/v1/commands", answers::command),
            new Route("GET", "/v1/status", answers::status),
            new Route("GET", "/v1/export", answers::export),
            new Route("GET", "/v1/guests/{guest}", answers::guest),
            new Route("GET", "/v1/guests/{guest}/explain", answers::explain),
            new Route("GET", "/v1/hosts/{host}/devices", answers::devices),
            new Route("GET", "/v1/operations", answers::operations),
            new Route("GET", "/v1/operations/{operation}", answers::operation),
            new Route("GET", "/v1/tokens", answers::tokens),
            new Route("GET", "/v1/keys", answers::keys),
            new Route("GET", "/v1/incidents", answers::incidents),
            new Route("GET", "/v1/incidents/{incident}", answers::incident),
            new Route("GET", "/v1/events", answers::events),
            new Route("GET", EVENT_STREAM, _ -> Response.problem(500, "is answered elsewhere")),
            new Route("GET", "/v1/voters", answers::voters),
            new Route("POST", "/v1/voters", answers::addVoter),
            new Route("DELETE", "/v1/voters/{voter}", answers::removeVoter),
            new Route("POST", "/v1/voters/{voter}/alone", answers::forceAlone),
            new Route("GET", "/v1/health", answers::health),
            new Route("GET", "/v1/leader", answers::leader),
            new Route("GET", AgentUpgrade.PATH, answers::agent));
  }

  private static final String EVENT_STREAM = "/v1/events/stream";

  private record Route(String method, List<String> path, Answering answering) {
    Route(String method, String path, Answering answering) {
      this(method, segments(path), answering);
    }

    boolean matches(List<String> asked) {
      if (asked.size() != path.size()) {
        return false;
      }
      for (int i = 0; i < asked.size(); i++) {
        if (!isName(path.get(i)) && !path.get(i).equals(asked.get(i))) {
          return false;
        }
      }
      return true;
    }

    static boolean isName(String segment) {
      return segment.startsWith("{");
    }

    /** What stands in the asked path where this one has a name in braces; empty if it has none. */
    String name(List<String> asked) {
      for (int i = 0; i < path.size(); i++) {
        if (isName(path.get(i))) {
          return asked.get(i);
        }
      }
      return "";
    }
  }

  @Override
  public boolean handle(
      Request request, org.eclipse.jetty.server.Response response, Callback callback) {
    var link = links.of(request.getConnectionMetaData().getConnection().getEndPoint());
    if (link.isEmpty()) {
      callback.failed(new IOException("the connection has just ended"));
      return true;
    }
    if (link.get().isRevoked()) {
      link.get().close();
      callback.failed(new EofException("the key was revoked"));
      return true;
    }
    try {
      handle(request, response, callback, link.get());
    } catch (IOException | UncheckedIOException | EventStreams.Gone e) {
      link.get().close();
      callback.failed(new EofException(e)); // Jetty would log another one as a fault of ours
    }
    return true;
  }

  private void handle(
      Request request,
      org.eclipse.jetty.server.Response response,
      Callback callback,
      Links.Link link)
      throws IOException {
    Response answer;
    try {
      var found = find(request, link);
      var ask = found.ask;
      if (ask.path().equals(AgentUpgrade.PATH)
          && upgrade.upgraded(request, response, callback, link)) {
        return;
      }
      if (ask.path().equals(EVENT_STREAM)) {
        streams.serve(
            response,
            link,
            ask.caller().name(),
            Answers.since(ask, "Last-Event-ID"),
            (since, limit) -> answers.events(ask, since, limit));
        link.expectWithin(deadlines.goodbye());
        callback.succeeded();
        return;
      }
      answer = answers.answer(found.route.answering, ask);
    } catch (Stop e) {
      answer = refused(e.response(), request, link);
    } catch (EventStreams.Gone | UncheckedIOException e) {
      throw e;
    } catch (RuntimeException e) {
      log.error("{} {}", request.getMethod(), request.getHttpURI().getPath(), e);
      answer =
          Response.problem(500, "internal error, see the log of voter " + voterName + ": " + e);
    }
    send(answer, request, response, link);
    callback.succeeded();
  }

  /** Reads what the client still sends and keeps none of it, so that the connection can go on. */
  private Response refused(Response answer, Request request, Links.Link link) throws IOException {
    if (answer.last()) {
      return answer;
    }
    try {
      link.expectWithin(deadlines.body());
      body(request, BODY_MAX, "the body is larger than 4 MiB", OutputStream.nullOutputStream());
      return answer;
    } catch (Stop e) {
      return e.response();
    }
  }

  private void send(
      Response answer, Request request, org.eclipse.jetty.server.Response response, Links.Link link)
      throws IOException {
    response.setStatus(answer.status());
    var headers = response.getHeaders();
    headers.put(HttpHeader.CONTENT_TYPE, "application/json");
    headers.put(HttpHeader.CACHE_CONTROL, "no-store");
    answer.retryAfter().ifPresent(after -> headers.put(HttpHeader.RETRY_AFTER, after.toSeconds()));
    if (answer.last()) {
      headers.put(HttpHeader.CONNECTION, HttpHeaderValue.CLOSE);
    }
    answer.location().ifPresent(where -> headers.put(HttpHeader.LOCATION, where));
    answer.allow().ifPresent(methods -> headers.put(HttpHeader.ALLOW, methods));
    link.writing(deadlines.response());
    Content.Sink.write(response, true, ByteBuffer.wrap(answer.json()));
    link.written();
    link.expectWithin(
        request.getConnectionMetaData().isPersistent() ? deadlines.idle() : deadlines.goodbye());
  }

  private record Found(Route route, Ask ask) {}

  /** Finds the route and reads the body, or stops with 400, 403, 404, 405 or 413. */
  private Found find(Request request, Links.Link link) throws IOException {
    if (request.getConnectionMetaData().getHttpVersion() != HttpVersion.HTTP_1_1) {
      throw new Stop(Response.lastProblem(400, "this server speaks HTTP/1.1 only"));
    }
    var peer = peer(request, link);
    var caller =
        link.localUser()
            .map(user -> Caller.local(user, voterName))
            .orElseGet(
                () ->
                    Caller.of(
                        peer,
                        Optional.ofNullable(request.getHeaders().get(Caller.LOCAL_USER)),
                        voterApis.get().keySet()));
    var asked = path(request);
    var path = segments(asked);
    var method = request.getMethod();
    var here = routes.stream().filter(route -> route.matches(path)).toList();
    if (here.isEmpty()) {
      throw new Stop(
          Response.problem(404, "no such path: " + asked + "; docs/api.md lists them all"));
    }
    var route =
        here.stream().filter(candidate -> candidate.method.equals(method)).findFirst().orElse(null);
    if (route == null) {
      var allow = here.stream().map(Route::method).collect(Collectors.joining(", "));
      throw new Stop(
          Response.wrongMethod("%s takes %s, not %s".formatted(asked, allow, method), allow));
    }
    if (!caller.operator() && !OPEN.contains(asked)) {
      throw new Stop(
          Response.lastProblem(
              403,
              "the certificate is that of %s; anything but %s needs an operator's (OU=operator)"
                  .formatted(peer, String.join(", ", new TreeSet<>(OPEN)))));
    }
    link.expectWithin(deadlines.body());
    var body = body(request, method.equals("GET"));
    link.expectNothing();
    return new Found(route, new Ask(request, caller, peer, route.name(path), body));
  }

  /** Decoded, without what a URI's encoding leaves out of it. */
  static String path(Request request) {
    var path = request.getHttpURI().getDecodedPath();
    return path == null ? "" : path;
  }

  private static byte[] body(Request request, boolean get) throws IOException {
    var body = new ByteArrayOutputStream();
    body(
        request,
        get ? GET_BODY_MAX : BODY_MAX,
        get ? "a GET has no body" : "the body is larger than 4 MiB",
        body);
    return body.toByteArray();
  }

  private static void body(Request request, int most, String tooLong, OutputStream into)
      throws IOException {
    if (request.getLength() > most) {
      throw new Stop(Response.lastProblem(413, tooLong));
    }
    int length = 0;
    try (var in = Content.Source.asInputStream(request)) {
      var piece = new byte[8192];
      // Not readNBytes: its last call asks for 0 bytes, and Jetty waits for the next piece there.
      for (int n = in.read(piece); n >= 0; n = in.read(piece)) {
        length += n;
        if (length > most) {
          throw new Stop(Response.lastProblem(413, tooLong));
        }
        into.write(piece, 0, n);
      }
    } catch (IOException | HttpException.RuntimeException e) {
      if (e instanceof HttpException || e.getCause() instanceof HttpException) {
        throw new Stop(Response.lastProblem(400, "the body cannot be read: " + e.getMessage()));
      }
      throw e;
    }
  }

  private static Peer peer(Request request, Links.Link link) {
    if (link.localUser().isPresent()) {
      return new Peer(link.localUser().get(), Role.OPERATOR);
    }
    try {
      var tls = request.getConnectionMetaData().getConnection().getEndPoint().getSslSessionData();
      if (tls == null) {
        throw new SSLPeerUnverifiedException("no certificate");
      }
      return Peer.of(tls.sslSession());
    } catch (SSLPeerUnverifiedException e) {
      throw new Stop(Response.problem(403, String.valueOf(e.getMessage())));
    }
  }

  private static List<String> segments(String path) {
    return Arrays.asList(path.split("/", -1));
  }
}
