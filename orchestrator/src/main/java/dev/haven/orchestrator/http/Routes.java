package dev.haven.orchestrator.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.exc.InvalidTypeIdException;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.OperationId;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.ForceAlone;
import dev.haven.model.api.Mistakes;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import dev.haven.orchestrator.http.Response.Stop;
import dev.haven.orchestrator.port.ClusterApi;
import dev.haven.raft.port.ReplicatedLog;
import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import io.helidon.common.buffers.DataReader;
import io.helidon.http.HeaderNames;
import io.helidon.http.HeaderValues;
import io.helidon.http.RequestException;
import io.helidon.http.Status;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The REST routes, listed in docs/api.md. */
final class Routes implements Handler {
  /** A command is at most 1 MiB in the log; this leaves room for its JSON. */
  static final int BODY_MAX = 4 << 20;

  private static final Logger log = LoggerFactory.getLogger(Routes.class);

  /** Longer than the log takes to say that an outcome is unknown. */
  private static final Duration CHANGE_WITHIN = Duration.ofSeconds(20);

  /** Longer than the log waits for a newcomer to catch up. */
  private static final Duration MEMBERSHIP_WITHIN = Duration.ofSeconds(35);

  private static final Duration READ_WITHIN = Duration.ofSeconds(10);

  /** So that whoever passes a request on still hears the leader's own "unknown". */
  private static final Duration HOP = Duration.ofSeconds(3);

  /** What a client may send with a GET; nothing of it is looked at. */
  private static final int GET_BODY_MAX = 4 << 10;

  /** What every certificate of the cluster may ask for: an agent needs no more. */
  private static final Set<String> OPEN = Set.of("/v1/health", "/v1/leader", AgentUpgrade.PATH);

  private static final int EVENTS_DEFAULT = 1_000;
  private static final int EVENTS_MAX = 10_000;

  private final String voterName;
  private final Supplier<Map<String, Optional<String>>> voterApis;
  private final ClusterApi api;
  private final Forwarder forwarder;
  private final Links links;
  private final Deadlines deadlines;
  private final EventStreams streams;
  private final List<Route> routes;

  Routes(
      String voterName,
      Supplier<Map<String, Optional<String>>> voterApis,
      ClusterApi api,
      Forwarder forwarder,
      Links links,
      Deadlines deadlines) {
    this.voterName = voterName;
    this.voterApis = voterApis;
    this.api = api;
    this.forwarder = forwarder;
    this.links = links;
    this.deadlines = deadlines;
    this.streams = new EventStreams(api, deadlines);
    this.routes =
        List.of(
            new Route("POST", "/v1/commands", this::command),
            new Route("GET", "/v1/status", ask -> read(api.status())),
            new Route("GET", "/v1/export", this::export),
            new Route("GET", "/v1/guests/{guest}", this::guest),
            new Route("GET", "/v1/guests/{guest}/explain", this::explain),
            new Route("GET", "/v1/hosts/{host}/devices", this::devices),
            new Route("GET", "/v1/operations", ask -> read(status().operations())),
            new Route("GET", "/v1/operations/{operation}", this::operation),
            new Route("GET", "/v1/events", this::events),
            new Route("GET", EVENT_STREAM, ask -> Response.problem(500, "is answered elsewhere")),
            new Route("GET", "/v1/voters", ask -> read(status().voters())),
            new Route("POST", "/v1/voters", this::addVoter),
            new Route("DELETE", "/v1/voters/{voter}", this::removeVoter),
            new Route("POST", "/v1/voters/{voter}/alone", this::forceAlone),
            new Route("GET", "/v1/health", ask -> Response.ok(new Health(voterName, api.leader()))),
            new Route("GET", "/v1/leader", this::leader),
            new Route("GET", AgentUpgrade.PATH, this::agent));
  }

  private static final String EVENT_STREAM = "/v1/events/stream";

  /** {@code GET /v1/health}. @param name this voter's */
  record Health(String name, Optional<String> leader) {}

  /** {@code GET /v1/leader}. @param api host:port, where this voter knows it */
  record Leader(String leader, Optional<String> api) {}

  /**
   * {@code POST /v1/voters}.
   *
   * @param raft host:port of its log
   * @param api host:port of its HTTPS; without it nobody passes requests on to it
   * @param networks its address in each network
   * @param witness whether it is on a machine that runs no guests
   */
  record NewVoter(
      String name,
      String raft,
      Optional<String> api,
      Optional<Map<String, String>> networks,
      Optional<Boolean> witness) {}

  private interface Answering {
    Response answer(Ask ask);
  }

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

  /** A request that has found its route. */
  private record Ask(ServerRequest http, Caller caller, Peer peer, String name, byte[] body) {
    Optional<String> query(String key) {
      return http.query().first(key).asOptional();
    }

    String method() {
      return http.prologue().method().text();
    }

    String pathAndQuery() {
      var query = http.query().rawValue();
      return http.prologue().uriPath().rawPath() + (query.isEmpty() ? "" : "?" + query);
    }
  }

  @Override
  public void handle(ServerRequest request, ServerResponse response) throws IOException {
    var link =
        links
            .of(request.remotePeer().address())
            .orElseThrow(() -> new IOException("the connection has just ended"));
    Response answer;
    try {
      var ask = ask(request, link);
      if (ask.http.prologue().uriPath().path().equals(EVENT_STREAM)) {
        streams.serve(
            response,
            link,
            ask.caller.name(),
            since(ask, "Last-Event-ID"),
            (since, limit) -> events(ask, since, limit));
        // Helidon ends the response once we return, and would then wait for the next request.
        link.expectWithin(deadlines.goodbye());
        return;
      }
      answer = answer(ask);
    } catch (Stop e) {
      answer = e.response();
    } catch (CloseConnectionException e) {
      throw e;
    } catch (DataReader.InsufficientDataAvailableException | UncheckedIOException e) {
      throw new CloseConnectionException("the client went away within its request", e);
    } catch (RuntimeException e) {
      log.error(
          "{} {}", request.prologue().method().text(), request.prologue().uriPath().rawPath(), e);
      answer =
          Response.problem(500, "internal error, see the log of voter " + voterName + ": " + e);
    }
    send(answer, request, response, link);
  }

  /** Whether the client has asked for the end of the connection after this answer. */
  private static boolean closes(ServerRequest request) {
    return request
        .headers()
        .first(HeaderNames.CONNECTION)
        .filter(
            said ->
                Arrays.stream(said.split(",")).anyMatch(c -> c.strip().equalsIgnoreCase("close")))
        .isPresent();
  }

  private void send(
      Response answer, ServerRequest request, ServerResponse response, Links.Link link) {
    boolean closes = closes(request);
    boolean allRead = !request.content().hasEntity() || request.content().consumed();
    response.status(Status.create(answer.status()));
    response.header(HeaderNames.CONTENT_TYPE, "application/json");
    response.header(HeaderValues.create(HeaderNames.CACHE_CONTROL, "no-store"));
    answer
        .retryAfter()
        .ifPresent(
            after -> response.header(HeaderNames.RETRY_AFTER, String.valueOf(after.toSeconds())));
    if (answer.last() || closes) {
      response.header(HeaderValues.CONNECTION_CLOSE);
    }
    answer.location().ifPresent(where -> response.header(HeaderNames.LOCATION, where));
    answer.allow().ifPresent(methods -> response.header(HeaderNames.ALLOW, methods));
    link.writing(deadlines.response());
    response.send(answer.json());
    link.written();
    link.expectWithin(closes ? deadlines.goodbye() : deadlines.idle());
    // Helidon sends the header, and would still read what follows as the next request.
    if (answer.last()) {
      throw new CloseConnectionException("the rest of the request cannot be read");
    }
    if (closes && allRead) { // a body that nobody has read would have the answer lost
      throw new CloseConnectionException("the client has asked for it");
    }
  }

  /** Finds the route and reads the body, or stops with 403, 404, 405 or 413. */
  private Ask ask(ServerRequest request, Links.Link link) throws IOException {
    var peer = peer(request);
    var caller =
        request.remotePeer() instanceof LocalListener.LocalPeer local
            ? Caller.local(local.user(), voterName)
            : Caller.of(
                peer,
                request.headers().first(HeaderNames.create(Caller.LOCAL_USER)),
                voterApis.get().keySet());
    var asked = path(request);
    var path = segments(asked);
    var method = request.prologue().method().text();
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
    var body = body(request, method.equals("GET") ? GET_BODY_MAX : BODY_MAX);
    link.expectNothing();
    return new Ask(request, caller, peer, route.name(path), body);
  }

  private static String path(ServerRequest request) {
    try {
      return request.prologue().uriPath().path();
    } catch (IllegalArgumentException e) {
      throw new Stop(Response.lastProblem(400, "the path is not encoded as a URI's must be"));
    }
  }

  /** Helidon bounds it too, by {@code maxPayloadSize}. */
  private static byte[] body(ServerRequest request, int most) throws IOException {
    try {
      var body = request.content().inputStream().readNBytes(most + 1);
      if (body.length > most) {
        throw new Stop(Response.lastProblem(413, "a GET has no body"));
      }
      return body;
    } catch (RequestException e) {
      throw new Stop(
          e.status().code() == 413
              ? Response.lastProblem(413, "the body is larger than 4 MiB")
              : Response.lastProblem(400, "the body cannot be read: " + e.getMessage()));
    } catch (IllegalArgumentException e) {
      throw new Stop(Response.lastProblem(400, "the size of a chunk of the body is not one"));
    }
  }

  private static Peer peer(ServerRequest request) {
    if (request.remotePeer() instanceof LocalListener.LocalPeer local) {
      return new Peer(local.user(), Role.OPERATOR);
    }
    try {
      var chain =
          request
              .remotePeer()
              .tlsCertificates()
              .orElseThrow(() -> new SSLPeerUnverifiedException("no certificate"));
      if (chain[0] instanceof X509Certificate certificate) {
        return Peer.of(certificate);
      }
      throw new SSLPeerUnverifiedException("not an X.509 certificate");
    } catch (SSLPeerUnverifiedException e) {
      throw new Stop(Response.problem(403, String.valueOf(e.getMessage())));
    }
  }

  private Response answer(Ask ask) {
    var path = segments(ask.http.prologue().uriPath().path());
    var route =
        routes.stream()
            .filter(r -> r.matches(path) && r.method.equals(ask.method()))
            .findFirst()
            .orElseThrow();
    try {
      return route.answering.answer(ask);
    } catch (ReplicatedLog.NotLeader e) {
      return fromLeader(ask, e, ask.pathAndQuery());
    } catch (ReplicatedLog.Refused e) {
      return Response.unavailable("the leader does not take it now: " + e.getMessage());
    } catch (ReplicatedLog.OutcomeUnknown e) {
      return unknown(ask, String.valueOf(e.getMessage()));
    }
  }

  private Response fromLeader(Ask ask, ReplicatedLog.NotLeader refusal, String pathAndQuery) {
    var leader = refusal.leader();
    if (leader.isEmpty() || leader.get().equals(voterName)) {
      return Response.unavailable(
          "no voter leads at the moment, as far as voter %s knows (%s); %s"
              .formatted(
                  voterName, refusal.getMessage(), api.standing().orElse("ask again in a second")));
    }
    if (ask.caller.forwarded()) {
      return Response.unavailable(
          "the leadership is just passing from voter %s to %s; ask again in a second"
              .formatted(voterName, leader.get()));
    }
    if (!ask.caller.local()) {
      return voterApis
          .get()
          .getOrDefault(leader.get(), Optional.empty())
          .map(
              at ->
                  Response.elsewhere(
                      "https://" + at + ask.pathAndQuery(),
                      "voter %s leads; ask it at %s".formatted(leader.get(), at)))
          .orElseGet(
              () ->
                  Response.unavailable(
                      "voter %s leads, but this voter knows no address of its API"
                          .formatted(leader.get())));
    }
    var within =
        !isChange(ask)
            ? READ_WITHIN
            : pathAndQuery.startsWith("/v1/voters") ? MEMBERSHIP_WITHIN : CHANGE_WITHIN;
    try {
      return forwarder.forward(
          leader.get(), ask.method(), pathAndQuery, ask.body, ask.caller, within.plus(HOP));
    } catch (Forwarder.NotSent e) {
      return Response.unavailable(e.getMessage() + "; ask again in a second");
    } catch (IOException e) {
      return unknown(
          ask, "voter %s, which leads, did not answer: %s".formatted(leader.get(), e.getMessage()));
    }
  }

  /** 504. A timeout is never taken for "not done". */
  private static Response unknown(Ask ask, String why) {
    if (!isChange(ask)) {
      return Response.problem(504, "no answer: " + why + "; ask again");
    }
    return Response.problem(
        504,
        "nobody can say whether it was done: %s; %s"
            .formatted(
                why,
                ask.http.prologue().uriPath().path().equals("/v1/commands")
                    ? "send the same request again, with the same request id: it gets the answer"
                        + " of the first and is not done twice"
                    : "GET /v1/voters shows it"));
  }

  private static boolean isChange(Ask ask) {
    return !ask.method().equals("GET");
  }

  private Response command(Ask ask) {
    var request = parse(ask.body, CommandRequest.class);
    if (Redaction.wouldBeWritten(request.command())) {
      throw new Stop(
          Response.problem(
              400,
              "the XML has %s in place of a password; read it with ?secrets=true"
                  .formatted(Redaction.HIDDEN)));
    }
    var reply = await(api.command(request, ask.caller.name()), CHANGE_WITHIN);
    return Response.of(status(reply), reply);
  }

  private static int status(Reply reply) {
    return switch (reply) {
      case Reply.Accepted _ -> 200;
      case Reply.Refused refused ->
          switch (refused.reason()) {
            case UNKNOWN_NAME -> 404;
            case NAME_TAKEN, WRONG_STATE, NOT_SAFE, TOO_EARLY, FITS_NOWHERE -> 409;
            case INVALID -> 400;
          };
    };
  }

  private Response guest(Ask ask) {
    var guest = name(ask, GuestId::new);
    var detail = await(api.guest(guest), READ_WITHIN);
    return found(
        secrets(ask) ? detail : detail.map(Redaction::of), "guest " + guest, "GET /v1/status");
  }

  private Response export(Ask ask) {
    var all = await(api.export(), READ_WITHIN);
    return Response.ok(secrets(ask) ? all : Redaction.of(all));
  }

  /** Whether the caller asks for the passwords in guests' XML too. */
  private static boolean secrets(Ask ask) {
    boolean asked = ask.query("secrets").equals(Optional.of("true"));
    if (asked) {
      log.info("{} reads the secrets of {}", ask.caller.name(), ask.pathAndQuery());
    }
    return asked;
  }

  private Response explain(Ask ask) {
    var guest = name(ask, GuestId::new);
    return found(await(api.explain(guest), READ_WITHIN), "guest " + guest, "GET /v1/status");
  }

  private Response devices(Ask ask) {
    var host = name(ask, HostId::new);
    boolean now = ask.query("now").equals(Optional.of("true"));
    return found(
        await(api.devices(host, now), now ? CHANGE_WITHIN : READ_WITHIN),
        "host " + host,
        "GET /v1/status");
  }

  private Response operation(Ask ask) {
    var operation = name(ask, OperationId::new);
    return found(
        await(api.operation(operation), READ_WITHIN),
        "operation " + operation,
        "GET /v1/operations");
  }

  private Response events(Ask ask) {
    long since = since(ask, "").orElse(0);
    long limit = number("limit", ask.query("limit")).orElse(EVENTS_DEFAULT);
    if (limit < 1 || limit > EVENTS_MAX) {
      throw new Stop(
          Response.problem(400, "limit=%d: must be 1 to %d".formatted(limit, EVENTS_MAX)));
    }
    return Response.ok(await(api.events(since, (int) limit), READ_WITHIN));
  }

  /** Lines for a stream, from here or from the leader. Stops where neither has them now. */
  private List<Views.Event> events(Ask ask, long since, int limit) {
    try {
      return await(api.events(since, limit), READ_WITHIN);
    } catch (ReplicatedLog.NotLeader e) {
      var path = "/v1/events?since=%d&limit=%d".formatted(since, limit);
      var response = fromLeader(ask, e, path);
      if (!Forwarder.isSuccess(response)) {
        throw new Stop(response);
      }
      return List.of(parse(response.json(), Views.Event[].class));
    } catch (ReplicatedLog.Rejection e) {
      throw new Stop(Response.unavailable(e.getMessage() + "; ask again in a second"));
    }
  }

  private Views.Status status() {
    return await(api.status(), READ_WITHIN);
  }

  private Response addVoter(Ask ask) {
    var voter = parse(ask.body, NewVoter.class);
    var mistakes =
        Mistakes.voter(voter.name, voter.raft, voter.api, voter.networks.orElse(Map.of()));
    if (!mistakes.isEmpty()) {
      throw new Stop(Response.problem(400, String.join("\n", mistakes)));
    }
    await(
        api.addVoter(
            new ReplicatedLog.VoterAddress(
                voter.name,
                voter.raft,
                voter.api,
                voter.networks.orElse(Map.of()),
                voter.witness.orElse(false))),
        MEMBERSHIP_WITHIN);
    return Response.ok(
        new Reply.Accepted(
            "voter " + voter.name + " is a member now", Optional.empty(), List.of()));
  }

  private Response removeVoter(Ask ask) {
    await(api.removeVoter(ask.name), MEMBERSHIP_WITHIN);
    return Response.ok(
        new Reply.Accepted(
            "voter " + ask.name + " is no member any more", Optional.empty(), List.of()));
  }

  private Response forceAlone(Ask ask) {
    if (!ask.name.equals(voterName)) {
      return Response.unavailable(
          "this is voter %s; only voter %s itself can go on alone".formatted(voterName, ask.name));
    }
    var request = parse(ask.body, ForceAlone.class);
    var reply = await(api.forceAlone(request, ask.caller.name()), CHANGE_WITHIN);
    return Response.of(status(reply), reply);
  }

  private Response leader(Ask ask) {
    var leader = api.leader();
    if (leader.isEmpty()) {
      return Response.unavailable(
          "no voter leads at the moment, as far as voter %s knows".formatted(voterName));
    }
    return Response.ok(
        new Leader(leader.get(), voterApis.get().getOrDefault(leader.get(), Optional.empty())));
  }

  /** Met only when {@link AgentUpgrade} did not take the connection over. */
  private Response agent(Ask ask) {
    if (ask.peer.role() != Role.HOST) {
      return Response.problem(
          403,
          "the certificate is that of %s; agents connect with their host's (OU=host)"
              .formatted(ask.peer));
    }
    return Response.problem(426, AgentUpgrade.PATH + " is a WebSocket (version 13) for agents");
  }

  private static OptionalLong since(Ask ask, String header) {
    var resumed =
        header.isEmpty()
            ? Optional.<String>empty()
            : ask.http.headers().first(HeaderNames.create(header));
    return resumed.isPresent() ? number(header, resumed) : number("since", ask.query("since"));
  }

  private static OptionalLong number(String what, Optional<String> text) {
    if (text.isEmpty()) {
      return OptionalLong.empty();
    }
    try {
      long number = Long.parseLong(text.get());
      if (number >= 0) {
        return OptionalLong.of(number);
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw new Stop(
        Response.problem(
            400, "%s=%s: must be a whole number, 0 or more".formatted(what, text.get())));
  }

  private static <T> T name(Ask ask, Function<String, T> id) {
    try {
      return id.apply(ask.name);
    } catch (IllegalArgumentException e) {
      throw new Stop(Response.problem(404, "no such name: " + e.getMessage()));
    }
  }

  private static Response found(Optional<?> view, String what, String lists) {
    return view.map(Response::ok)
        .orElseGet(
            () -> Response.problem(404, "there is no %s; %s lists them".formatted(what, lists)));
  }

  private Response read(CompletableFuture<?> view) {
    return Response.ok(await(view, READ_WITHIN));
  }

  private static Response read(Object view) {
    return Response.ok(view);
  }

  /** Waits on the connection's own virtual thread. Fails with the log's own rejections. */
  private static <T> T await(CompletableFuture<T> future, Duration within) {
    try {
      return future.get(within.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof ReplicatedLog.Rejection rejection) {
        throw rejection;
      }
      throw new IllegalStateException(e.getCause());
    } catch (TimeoutException e) {
      throw new ReplicatedLog.OutcomeUnknown("no answer within " + within.toSeconds() + " s");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ReplicatedLog.OutcomeUnknown("this voter is stopping");
    }
  }

  private static <T> T parse(byte[] json, Class<T> type) {
    try {
      T value =
          Json.mapper()
              .readerFor(type)
              .with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
              .readValue(json);
      if (value == null) {
        throw new Stop(Response.problem(400, "the body is null; send JSON as docs/api.md says"));
      }
      return value;
    } catch (JsonProcessingException e) {
      throw new Stop(Response.problem(400, "the body cannot be read: " + explain(e, json)));
    } catch (IOException e) {
      throw new IllegalStateException("reading from memory failed", e);
    }
  }

  /** What is wrong, in which field, at which line and column; without the names of classes. */
  private static String explain(JsonProcessingException e, byte[] json) {
    if (new String(json, StandardCharsets.UTF_8).isBlank()) {
      return "it is empty";
    }
    var what =
        switch (e) {
          case InvalidTypeIdException type ->
              "there is no type \"%s\"; %s"
                  .formatted(
                      type.getTypeId(),
                      type.getOriginalMessage().replaceFirst("(?s).*(known type ids)", "$1"));
          case ValueInstantiationException value when value.getCause() != null ->
              String.valueOf(value.getCause().getMessage());
          default ->
              e.getOriginalMessage()
                  .replaceAll("`[a-z.]+\\.([A-Za-z$]+)[^`]*`", "$1")
                  .replaceAll("\\(class [^)]*\\)", "");
        };
    var field =
        e instanceof JsonMappingException mapping
            ? mapping.getPath().stream()
                .map(
                    step ->
                        step.getFieldName() == null
                            ? "[" + step.getIndex() + "]"
                            : step.getFieldName())
                .collect(Collectors.joining("."))
            : "";
    var at = e.getLocation();
    return (field.isEmpty() ? "" : field + ": ")
        + what
        + (at == null ? "" : " (line %d, column %d)".formatted(at.getLineNr(), at.getColumnNr()));
  }

  private static List<String> segments(String path) {
    return Arrays.asList(path.split("/", -1));
  }
}
