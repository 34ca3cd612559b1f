package dev.haven.orchestrator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Explanations;
import dev.haven.model.Definition;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.JoinToken;
import dev.haven.model.Json;
import dev.haven.model.KnownKey;
import dev.haven.model.OperationId;
import dev.haven.model.PolicySettings;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.ForceAlone;
import dev.haven.model.api.Incident;
import dev.haven.model.api.Mistakes;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import dev.haven.orchestrator.alone.PairFailover;
import dev.haven.orchestrator.detect.FailureDetector;
import dev.haven.orchestrator.port.ClusterApi;
import dev.haven.orchestrator.view.Incidents;
import dev.haven.raft.port.ReplicatedLog;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The cluster as clients see it: commands become events for the loop, reads go through the log and
 * show hard and soft state together.
 */
final class Cluster implements ClusterApi {
  private static final Logger log = LoggerFactory.getLogger(Cluster.class);

  /** Of 1,000 hosts it takes more than a second. */
  private final OncePerState<List<String>> redundancy =
      new OncePerState<>(Explanations::redundancy);

  private final String name;
  private final ReplicatedLog raft;
  private final StateKeeper keeper;
  private final Loop loop;
  private final WorldEffects effects;
  private final FailureDetector detector;
  private final Optional<PairFailover> pairFailover;
  private final ForcedStart forcedStart;
  private final CommandFront front;
  private final HostViews hosts;
  private final GuestViews guests;
  private final OperationViews operations;
  private final VoterViews voters;
  private final Function<ClusterState, Views.Tokens> tokens;
  private final EventFanOut followers = new EventFanOut();

  Cluster(
      String self,
      String name,
      ReplicatedLog raft,
      StateKeeper keeper,
      Loop loop,
      WorldEffects effects,
      FailureDetector detector,
      Optional<PairFailover> pairFailover,
      SealedSecrets secrets,
      Function<ClusterState, Views.Tokens> tokens) {
    this.name = name;
    this.raft = raft;
    this.keeper = keeper;
    this.loop = loop;
    this.effects = effects;
    this.detector = detector;
    this.pairFailover = pairFailover;
    this.tokens = tokens;
    forcedStart = new ForcedStart(self, raft, detector);
    front = new CommandFront(keeper::state, effects, detector, secrets);
    hosts = new HostViews(effects, detector);
    guests = new GuestViews(effects);
    operations = new OperationViews(effects);
    voters = new VoterViews(self, raft);
    keeper.onApplied(followers::tell);
    keeper.onApplied(effects::applied);
  }

  @Override
  public CompletableFuture<Reply> command(CommandRequest request, String by) {
    var leadership = raft.leadership();
    if (!leadership.ready()) {
      return CompletableFuture.failedFuture(
          new ReplicatedLog.NotLeader(leadership.leader(), "this voter does not lead"));
    }
    Command command;
    try {
      command = whole(front.pinned(front.sealed(request.command())));
    } catch (IllegalArgumentException e) {
      return CompletableFuture.completedFuture(
          new Reply.Refused(Reply.Reason.INVALID, String.valueOf(e.getMessage())));
    }
    if (command instanceof Command.RevokeKey c && isOfMember(c.key())) {
      return CompletableFuture.completedFuture(
          new Reply.Refused(
              Reply.Reason.NOT_SAFE,
              "voter %s: is a member, and as far as is known works with this key; first: haven voter remove %s"
                  .formatted(c.key().name(), c.key().name())));
    }
    var mistakes = new ArrayList<>(Mistakes.of(command));
    if (mistakes.isEmpty() && command instanceof Command.AddHost c) {
      mistakes.addAll(effects.mistakes(c.host()));
    }
    if (!mistakes.isEmpty()) {
      return CompletableFuture.completedFuture(
          new Reply.Refused(Reply.Reason.INVALID, String.join("\n", mistakes)));
    }
    CompletableFuture<Optional<Definition>> definition;
    try {
      definition = front.definition(request, command);
    } catch (IllegalArgumentException e) {
      return CompletableFuture.completedFuture(
          new Reply.Refused(Reply.Reason.INVALID, String.valueOf(e.getMessage())));
    }
    return definition.thenCompose(defined -> command(request, command, by, defined));
  }

  private CompletableFuture<Reply> command(
      CommandRequest request, Command command, String by, Optional<Definition> definition) {
    long began = System.nanoTime();
    return front
        .outlook(request)
        .thenCompose(
            outlook -> {
              var at = Instant.now();
              detector.watch().proofTimes().commanded(keeper.state(), command, at, began);
              return loop.ask(
                  new Event.CommandReceived(
                      request.request(), by, command, outlook, detector.quorum(), definition, at),
                  request.dryRun());
            })
        .thenApply(d -> reply(d, request.dryRun()));
  }

  /** What only the leader knows: whether a host's agent is connected by another key. */
  private Command whole(Command command) {
    return command instanceof Command.RevokeKey c
        ? new Command.RevokeKey(c.key(), effects.isReplaced(c.key()))
        : command;
  }

  /** A voter that joined again has a newer key on record; it was no member when that was made. */
  private boolean isOfMember(KnownKey key) {
    var onRecord = keeper.state().keys();
    var since =
        onRecord.stream()
            .filter(k -> k.key().equals(key.key()))
            .findFirst()
            .map(KnownKey::since)
            .orElse(Instant.MIN);
    return key.role().equals("voter")
        && raft.members().voters().stream().anyMatch(m -> m.name().equals(key.name()))
        && onRecord.stream()
            .noneMatch(k -> k.sameHolder(key) && k.revoked().isEmpty() && k.since().isAfter(since));
  }

  private static Reply reply(Decision decision, boolean dryRun) {
    var reply = decision.reply().orElseThrow();
    return dryRun && reply instanceof Reply.Accepted a
        ? new Reply.Accepted("would be done: " + a.message(), Optional.empty(), a.plan())
        : reply;
  }

  private <T> CompletableFuture<T> read(Function<ClusterState, T> view) {
    return raft.barrier()
        .thenApplyAsync(_ -> view.apply(keeper.state()), Thread::startVirtualThread);
  }

  @Override
  public CompletableFuture<Views.Status> status() {
    return read(
        s -> {
          var leadership = raft.leadership();
          return new Views.Status(
              name,
              s.version(),
              leadership.term(),
              leadership.leader(),
              voters.voters(leadership),
              s.hosts().stream().map(h -> hosts.host(s, h)).toList(),
              s.guests().stream().map(g -> GuestViews.guest(s, g)).toList(),
              s.operations().stream().map(o -> operations.operation(s, o)).toList(),
              List.copyOf(s.alarms()),
              Stream.concat(voters.redundancy().stream(), redundancy.of(s).stream()).toList(),
              voters.alone(s));
        });
  }

  @Override
  public Optional<String> standing() {
    return pairFailover
        .map(PairFailover::words)
        .filter(words -> !words.isEmpty())
        .or(voters::waiting);
  }

  @Override
  public CompletableFuture<Views.Export> export() {
    return read(
        s -> {
          var policy = new TreeMap<String, String>();
          Json.mapper()
              .valueToTree(s.policy())
              .properties()
              .forEach(e -> policy.put(e.getKey(), e.getValue().asText()));
          // told under the names that a person sets them by
          List.of("stuckDestroy", "brokenRules", "makeRoom").forEach(policy::remove);
          PolicySettings.all()
              .forEach(setting -> policy.put(setting.name(), setting.get().apply(s.policy())));
          return new Views.Export(
              raft.members().voters().stream().map(m -> m.name()).toList(),
              policy,
              s.hosts().stream().map(h -> hosts.host(s, h)).toList(),
              s.guests().stream().map(g -> guests.detail(s, g)).toList());
        });
  }

  @Override
  public CompletableFuture<Optional<Views.GuestDetail>> guest(GuestId id) {
    return read(s -> s.guest(id).map(g -> guests.detail(s, g)));
  }

  @Override
  public CompletableFuture<Optional<Views.Explanation>> explain(GuestId id) {
    return read(s -> GuestViews.explain(s, id));
  }

  @Override
  public CompletableFuture<Optional<Views.Operation>> operation(OperationId id) {
    return read(s -> s.operation(id).map(o -> operations.operation(s, o)));
  }

  @Override
  public CompletableFuture<Views.Tokens> tokens() {
    return read(tokens);
  }

  @Override
  public CompletableFuture<Views.Keys> keys() {
    return read(s -> new Views.Keys(List.copyOf(s.keys())));
  }

  @Override
  public CompletableFuture<List<Incident>> incidents() {
    return read(s -> Incidents.of(s.audit()));
  }

  @Override
  public CompletableFuture<Optional<List<Views.Device>>> devices(HostId id, boolean now) {
    var looked =
        now
            ? CompletableFuture.runAsync(
                () -> keeper.state().host(id).ifPresent(effects::checkDevices),
                task -> Thread.ofVirtual().name("device-check-" + id).start(task))
            : CompletableFuture.completedFuture(null);
    return looked.thenCompose(
        _ ->
            read(
                s ->
                    s.host(id)
                        .map(
                            h ->
                                h.spec().fencing().stream()
                                    .flatMap(List::stream)
                                    .map(d -> hosts.device(h, d))
                                    .toList())));
  }

  @Override
  public CompletableFuture<List<Views.Event>> events(long since, int limit) {
    return read(
        s ->
            s.audit().stream()
                .filter(l -> l.index() > since)
                .limit(limit)
                .map(EventFanOut::event)
                .toList());
  }

  @Override
  public AutoCloseable follow(Consumer<Views.Event> listener) {
    return followers.follow(listener);
  }

  @Override
  public CompletableFuture<Void> addVoter(ReplicatedLog.VoterAddress voter) {
    return raft.addVoter(voter).thenRun(effects::votersChanged);
  }

  @Override
  public CompletableFuture<Void> removeVoter(String voter) {
    var members = raft.members().voters();
    var back =
        keeper.state().tokens().stream()
            .filter(
                t -> t.role().votes() && t.use().filter(u -> u.name().equals(voter)).isPresent())
            .filter(_ -> members.stream().anyMatch(m -> m.name().equals(voter)))
            .map(t -> command(revoking(t), "voter " + name))
            .toArray(CompletableFuture<?>[]::new);
    return CompletableFuture.allOf(back)
        .thenCompose(_ -> raft.removeVoter(voter))
        .thenRun(effects::votersChanged);
  }

  /** By its token, a voter that is removed would make itself a member again. */
  private static CommandRequest revoking(JoinToken token) {
    return new CommandRequest(
        new RequestId(UUID.randomUUID().toString()), new Command.RevokeToken(token.id()), false);
  }

  @Override
  public CompletableFuture<Reply> forceAlone(ForceAlone request, String by) {
    return forcedStart.forceAlone(request, by);
  }

  @Override
  public Optional<String> leader() {
    var leadership = raft.leadership();
    return leadership.self() && !leadership.ready() ? Optional.empty() : leadership.leader();
  }
}
