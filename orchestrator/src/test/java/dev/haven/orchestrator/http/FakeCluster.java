package dev.haven.orchestrator.http;

import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Incident;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import dev.haven.orchestrator.port.ClusterApi;
import dev.haven.raft.port.ReplicatedLog;
import dev.haven.raft.port.ReplicatedLog.VoterAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** What one voter would say; several share what is committed. */
final class FakeCluster implements ClusterApi {
  private static final FencingDevice DEVICE =
      new FencingDevice("ipmi", "ipmi", Map.of("address", "10.0.0.1"));

  static final Instant BEGAN = Instant.parse("2026-11-21T12:00:00Z");

  /** What a quorum has. */
  static final class Committed {
    final List<Views.Event> events = new CopyOnWriteArrayList<>();
    final List<FakeCluster> voters = new CopyOnWriteArrayList<>();
    final List<String> commands = new CopyOnWriteArrayList<>();

    void happened(String subject, String message) {
      var event = new Views.Event(events.size() + 1L, BEGAN, Fact.Kind.DECISION, subject, message);
      events.add(event);
      voters.forEach(voter -> voter.followers.forEach(follower -> follower.accept(event)));
    }
  }

  final String name;
  final Committed committed;
  final List<Consumer<Views.Event>> followers = new CopyOnWriteArrayList<>();
  volatile Optional<String> leader;
  volatile @Nullable Error bug;
  volatile Optional<RuntimeException> fails = Optional.empty();
  volatile boolean silent;
  final Map<String, Reply.Refused> refusals = new ConcurrentHashMap<>();

  FakeCluster(String name, String leader, Committed committed) {
    this.name = name;
    this.leader = leader.isEmpty() ? Optional.empty() : Optional.of(leader);
    this.committed = committed;
    committed.voters.add(this);
  }

  private <T> CompletableFuture<T> answer(Supplier<T> answer) {
    if (silent) {
      return new CompletableFuture<>();
    }
    if (fails.isPresent()) {
      return CompletableFuture.failedFuture(fails.get());
    }
    if (!leader.equals(Optional.of(name))) {
      return CompletableFuture.failedFuture(
          new ReplicatedLog.NotLeader(leader, "voter " + name + " does not lead"));
    }
    return CompletableFuture.supplyAsync(answer);
  }

  @Override
  public CompletableFuture<Reply> command(CommandRequest request, String by) {
    return answer(
        () -> {
          committed.commands.add(by + ": " + request.command());
          if (request.command() instanceof Command.Cordon(var host)) {
            var refusal = refusals.get(host.value());
            if (refusal != null) {
              return refusal;
            }
          }
          return new Reply.Accepted("done", Optional.of(new OperationId("op-1")), List.of("one"));
        });
  }

  @Override
  public CompletableFuture<Views.Status> status() {
    var error = bug;
    if (error != null) {
      throw error;
    }
    return answer(
        () ->
            new Views.Status(
                "lab",
                7,
                3,
                leader,
                List.of(
                    new Views.Voter(name, "127.0.0.1:7702", Optional.empty(), true, true, 0, "")),
                List.of(),
                List.of(web()),
                List.of(evacuation()),
                List.of(),
                List.of(),
                Optional.empty()));
  }

  @Override
  public CompletableFuture<Reply> forceAlone(dev.haven.model.api.ForceAlone request, String by) {
    return answer(() -> new Reply.Accepted("alone", Optional.empty(), List.of()));
  }

  @Override
  public Optional<String> standing() {
    return Optional.empty();
  }

  private static Views.Guest web() {
    return new Views.Guest(
        new GuestId("web"),
        Views.Guest.State.RUNNING,
        true,
        Optional.of(new HostId("a")),
        Optional.empty(),
        4,
        "",
        128,
        1,
        0);
  }

  static final String DB_XML = "<domain><graphics type='vnc' passwd='VncPw123'/></domain>";

  static Views.GuestDetail db() {
    return new Views.GuestDetail(
        web(),
        new GuestSpec(
            new GuestId("db"),
            "11111111-2222-4333-8444-555555555555",
            64,
            1,
            0,
            DB_XML,
            Map.of(),
            List.of(),
            GuestSpec.Restart.ANYWHERE,
            3),
        List.of());
  }

  private static Views.Operation evacuation() {
    return new Views.Operation(
        new OperationId("op-1"),
        Views.Operation.Kind.EVACUATE,
        "a",
        Views.Operation.State.RUNNING,
        "",
        1,
        2,
        0,
        0,
        0,
        BEGAN,
        Optional.empty(),
        "admin");
  }

  @Override
  public CompletableFuture<Views.Export> export() {
    return answer(
        () ->
            new Views.Export(
                List.of(name), Map.of("silentAfter", "PT3S"), List.of(), List.of(db())));
  }

  @Override
  public CompletableFuture<Optional<Views.GuestDetail>> guest(GuestId id) {
    return answer(() -> id.value().equals("db") ? Optional.of(db()) : Optional.empty());
  }

  @Override
  public CompletableFuture<Optional<Views.Explanation>> explain(GuestId id) {
    return answer(
        () ->
            id.value().equals("web")
                ? Optional.of(new Views.Explanation(id, "runs on a", List.of()))
                : Optional.empty());
  }

  private static Incident powerLoss() {
    var began = Instant.parse("2026-11-30T10:00:00Z");
    return new Incident(
        412,
        Incident.Kind.HOST,
        "a",
        began,
        Optional.of(began.plusMillis(1600)),
        Optional.of(Fact.Verdict.POWER_LOSS),
        Optional.of(Fact.Evidence.POWER_READ_OFF),
        List.of(new Incident.Phase(began.plusMillis(1000), 1000, "suspect", "a", "silent")),
        List.of(
            new Incident.Down(
                new GuestId("web"),
                new HostId("a"),
                Optional.of(new HostId("b")),
                Optional.of(1200L),
                Optional.of(1600L))));
  }

  @Override
  public CompletableFuture<Views.Keys> keys() {
    return answer(() -> new Views.Keys(List.of()));
  }

  @Override
  public CompletableFuture<Views.Tokens> tokens() {
    return answer(() -> new Views.Tokens(Optional.empty(), List.of(), List.of()));
  }

  @Override
  public CompletableFuture<List<Incident>> incidents() {
    return answer(() -> List.of(powerLoss()));
  }

  @Override
  public CompletableFuture<Optional<Views.Operation>> operation(OperationId id) {
    return answer(() -> Optional.of(evacuation()).filter(operation -> operation.id().equals(id)));
  }

  @Override
  public CompletableFuture<Optional<List<Views.Device>>> devices(HostId id, boolean now) {
    return answer(
        () ->
            id.value().equals("a")
                ? Optional.of(
                    List.of(
                        new Views.Device(
                            DEVICE,
                            Views.Device.State.OK,
                            "on",
                            Optional.of(Duration.ofSeconds(3)),
                            "a person")))
                : Optional.empty());
  }

  @Override
  public CompletableFuture<List<Views.Event>> events(long since, int limit) {
    return answer(
        () ->
            new ArrayList<>(committed.events)
                .stream().filter(event -> event.index() > since).limit(limit).toList());
  }

  @Override
  public AutoCloseable follow(Consumer<Views.Event> listener) {
    followers.add(listener);
    return () -> followers.remove(listener);
  }

  @Override
  public CompletableFuture<Void> addVoter(VoterAddress voter) {
    return answer(
        () -> {
          committed.commands.add("add " + voter);
          return null;
        });
  }

  @Override
  public CompletableFuture<Void> removeVoter(String voter) {
    return answer(
        () -> {
          committed.commands.add("remove " + voter);
          return null;
        });
  }

  @Override
  public Optional<String> leader() {
    return leader;
  }
}
