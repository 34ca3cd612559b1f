package dev.haven.orchestrator.http;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.ForceAlone;
import dev.haven.model.api.Mistakes;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import dev.haven.model.wire.WireVersions;
import dev.haven.orchestrator.http.Response.Stop;
import dev.haven.orchestrator.port.ClusterApi;
import dev.haven.raft.port.ReplicatedLog;
import dev.haven.tls.Role;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What each route answers: from this voter, or from the leader where only that one may. */
final class Answers {
  private static final Logger log = LoggerFactory.getLogger(Answers.class);

  /** Longer than the log takes to say that an outcome is unknown. */
  private static final Duration CHANGE_WITHIN = Duration.ofSeconds(20);

  /** Longer than the log waits for a newcomer to catch up. */
  private static final Duration MEMBERSHIP_WITHIN = Duration.ofSeconds(35);

  private static final Duration READ_WITHIN = Duration.ofSeconds(10);

  /** So that a voter that passes a request on still hears the leader's own "unknown". */
  private static final Duration HOP = Duration.ofSeconds(3);

  private static final int EVENTS_DEFAULT = 1_000;
  private static final int EVENTS_MAX = 10_000;

  private final String voterName;
  private final Supplier<Map<String, Optional<String>>> voterApis;
  private final ClusterApi api;
  private final Forwarder forwarder;

  Answers(
      String voterName,
      Supplier<Map<String, Optional<String>>> voterApis,
      ClusterApi api,
      Forwarder forwarder) {
    this.voterName = voterName;
    this.voterApis = voterApis;
    this.api = api;
    this.forwarder = forwarder;
  }

  /**
   * {@code GET /v1/health}.
   *
   * @param name this voter's
   * @param agents the versions of agents that this voter understands
   */
  record Health(String name, Optional<String> leader, WireVersions agents) {}

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

  /** One route's answer. */
  interface Answering {
    Response answer(Ask ask);
  }

  /** That answer, or the leader's, or why there is none at the moment. */
  Response answer(Answering route, Ask ask) {
    try {
      return route.answer(ask);
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
    if (ask.caller().forwarded()) {
      return Response.unavailable(
          "the leadership is just passing from voter %s to %s; ask again in a second"
              .formatted(voterName, leader.get()));
    }
    if (!ask.caller().local()) {
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
          leader.get(), ask.method(), pathAndQuery, ask.body(), ask.caller(), within.plus(HOP));
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
                ask.path().equals("/v1/commands")
                    ? "send the same request again, with the same request id: it gets the answer"
                        + " of the first and is not done twice"
                    : "GET /v1/voters shows it"));
  }

  private static boolean isChange(Ask ask) {
    return !ask.method().equals("GET");
  }

  Response command(Ask ask) {
    var request = JsonBody.parse(ask.body(), CommandRequest.class);
    if (request.command() instanceof Command.OfVoter) {
      throw new Stop(Response.problem(400, "only voters say that to each other, and not here"));
    }
    if (Redaction.wouldBeWritten(request.command())) {
      throw new Stop(
          Response.problem(
              400,
              "the XML has %s in place of a password; read it with ?secrets=true"
                  .formatted(Redaction.HIDDEN)));
    }
    var reply = ClusterApi.await(api.command(request, ask.caller().name()), CHANGE_WITHIN);
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

  Response guest(Ask ask) {
    var guest = name(ask, GuestId::new);
    var detail = ClusterApi.await(api.guest(guest), READ_WITHIN);
    return found(
        secrets(ask) ? detail : detail.map(Redaction::of),
        "guest " + guest,
        "haven status (GET /v1/status)");
  }

  Response export(Ask ask) {
    var all = ClusterApi.await(api.export(), READ_WITHIN);
    return Response.ok(secrets(ask) ? all : Redaction.of(all));
  }

  /** Whether the caller asks for the passwords in guests' XML too. */
  private static boolean secrets(Ask ask) {
    boolean asked = ask.query("secrets").equals(Optional.of("true"));
    if (asked) {
      log.info("{} reads the secrets of {}", ask.caller().name(), ask.pathAndQuery());
    }
    return asked;
  }

  Response explain(Ask ask) {
    var guest = name(ask, GuestId::new);
    return found(
        ClusterApi.await(api.explain(guest), READ_WITHIN),
        "guest " + guest,
        "haven status (GET /v1/status)");
  }

  Response devices(Ask ask) {
    var host = name(ask, HostId::new);
    boolean now = ask.query("now").equals(Optional.of("true"));
    return found(
        ClusterApi.await(api.devices(host, now), now ? CHANGE_WITHIN : READ_WITHIN),
        "host " + host,
        "haven status (GET /v1/status)");
  }

  Response operation(Ask ask) {
    var operation = name(ask, OperationId::new);
    return found(
        ClusterApi.await(api.operation(operation), READ_WITHIN),
        "operation " + operation,
        "haven op list (GET /v1/operations)");
  }

  Response tokens(Ask ask) {
    return Response.ok(ClusterApi.await(api.tokens(), READ_WITHIN));
  }

  Response keys(Ask ask) {
    return Response.ok(ClusterApi.await(api.keys(), READ_WITHIN));
  }

  Response incidents(Ask ask) {
    return Response.ok(ClusterApi.await(api.incidents(), READ_WITHIN));
  }

  Response incident(Ask ask) {
    var all = ClusterApi.await(api.incidents(), READ_WITHIN);
    if (ask.name().equals("last")) {
      return found(
          all.reversed().stream().findFirst(), "incident", "haven incidents (GET /v1/incidents)");
    }
    var id = number("the number of an incident", Optional.of(ask.name())).orElseThrow();
    return found(
        all.stream().filter(i -> i.id() == id).findFirst(),
        "incident " + id,
        "haven incidents (GET /v1/incidents)");
  }

  Response events(Ask ask) {
    long since = since(ask, "").orElse(0);
    long limit = number("limit", ask.query("limit")).orElse(EVENTS_DEFAULT);
    if (limit < 1 || limit > EVENTS_MAX) {
      throw new Stop(
          Response.problem(400, "limit=%d: must be 1 to %d".formatted(limit, EVENTS_MAX)));
    }
    return Response.ok(ClusterApi.await(api.events(since, (int) limit), READ_WITHIN));
  }

  /** Lines for a stream, from here or from the leader. Stops where neither has them now. */
  List<Views.Event> events(Ask ask, long since, int limit) {
    try {
      return ClusterApi.await(api.events(since, limit), READ_WITHIN);
    } catch (ReplicatedLog.NotLeader e) {
      var path = "/v1/events?since=%d&limit=%d".formatted(since, limit);
      var response = fromLeader(ask, e, path);
      if (!Forwarder.isSuccess(response)) {
        throw new Stop(response);
      }
      return List.of(JsonBody.parse(response.json(), Views.Event[].class));
    } catch (ReplicatedLog.Rejection e) {
      throw new Stop(Response.unavailable(e.getMessage() + "; ask again in a second"));
    }
  }

  private Views.Status status() {
    return ClusterApi.await(api.status(), READ_WITHIN);
  }

  Response addVoter(Ask ask) {
    var voter = JsonBody.parse(ask.body(), NewVoter.class);
    var mistakes =
        Mistakes.voter(voter.name, voter.raft, voter.api, voter.networks.orElse(Map.of()));
    if (!mistakes.isEmpty()) {
      throw new Stop(Response.problem(400, String.join("\n", mistakes)));
    }
    ClusterApi.await(
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

  Response removeVoter(Ask ask) {
    ClusterApi.await(api.removeVoter(ask.name()), MEMBERSHIP_WITHIN);
    return Response.ok(
        new Reply.Accepted(
            "voter " + ask.name() + " is no member any more", Optional.empty(), List.of()));
  }

  Response forceAlone(Ask ask) {
    if (!ask.name().equals(voterName)) {
      return Response.unavailable(
          "this is voter %s; only voter %s itself can go on alone"
              .formatted(voterName, ask.name()));
    }
    var request = JsonBody.parse(ask.body(), ForceAlone.class);
    var reply = ClusterApi.await(api.forceAlone(request, ask.caller().name()), CHANGE_WITHIN);
    return Response.of(status(reply), reply);
  }

  Response status(Ask ask) {
    return Response.ok(status());
  }

  Response operations(Ask ask) {
    return Response.ok(status().operations());
  }

  Response voters(Ask ask) {
    return Response.ok(status().voters());
  }

  Response health(Ask ask) {
    return Response.ok(new Health(voterName, api.leader(), WireVersions.OURS));
  }

  Response leader(Ask ask) {
    var leader = api.leader();
    if (leader.isEmpty()) {
      return Response.unavailable(
          "no voter leads at the moment, as far as voter %s knows".formatted(voterName));
    }
    return Response.ok(
        new Leader(leader.get(), voterApis.get().getOrDefault(leader.get(), Optional.empty())));
  }

  /** Met only when {@link AgentUpgrade} did not take the connection over. */
  Response agent(Ask ask) {
    if (ask.peer().role() != Role.HOST) {
      return Response.problem(
          403,
          "the certificate is that of %s; agents connect with their host's (OU=host)"
              .formatted(ask.peer()));
    }
    return Response.problem(426, AgentUpgrade.PATH + " is a WebSocket (version 13) for agents");
  }

  static OptionalLong since(Ask ask, String header) {
    var resumed = header.isEmpty() ? Optional.<String>empty() : ask.header(header);
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
      return id.apply(ask.name());
    } catch (IllegalArgumentException e) {
      throw new Stop(Response.problem(404, "no such name: " + e.getMessage()));
    }
  }

  private static Response found(Optional<?> view, String what, String lists) {
    return view.map(Response::ok)
        .orElseGet(() -> Response.problem(404, "there is no %s; see %s".formatted(what, lists)));
  }
}
