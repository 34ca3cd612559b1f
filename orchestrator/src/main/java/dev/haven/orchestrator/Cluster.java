package dev.haven.orchestrator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Explanations;
import dev.haven.core.ha.Guard;
import dev.haven.core.ha.Guest;
import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Operation;
import dev.haven.core.ha.Suspicion;
import dev.haven.model.Definition;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.MachineTypes;
import dev.haven.model.OperationId;
import dev.haven.model.PolicySettings;
import dev.haven.model.api.AuditLine;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.FactWords;
import dev.haven.model.api.ForceAlone;
import dev.haven.model.api.Incident;
import dev.haven.model.api.Mistakes;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import dev.haven.orchestrator.alone.PairFailover;
import dev.haven.orchestrator.detect.FailureDetector;
import dev.haven.orchestrator.port.ClusterApi;
import dev.haven.orchestrator.port.PowerDevices;
import dev.haven.orchestrator.view.Incidents;
import dev.haven.raft.port.ReplicatedLog;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Function;
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

  private final String self;
  private final String name;
  private final ReplicatedLog raft;
  private final StateKeeper keeper;
  private final Loop loop;
  private final WorldEffects effects;
  private final FailureDetector detector;
  private final Optional<PairFailover> pairFailover;
  private final SealedSecrets secrets;
  private final ForcedStart forcedStart;
  private final Map<Object, Consumer<Views.Event>> followers = new ConcurrentHashMap<>();

  Cluster(
      String self,
      String name,
      ReplicatedLog raft,
      StateKeeper keeper,
      Loop loop,
      WorldEffects effects,
      FailureDetector detector,
      Optional<PairFailover> pairFailover,
      SealedSecrets secrets) {
    this.self = self;
    this.name = name;
    this.raft = raft;
    this.keeper = keeper;
    this.loop = loop;
    this.effects = effects;
    this.detector = detector;
    this.pairFailover = pairFailover;
    this.secrets = secrets;
    forcedStart = new ForcedStart(self, raft, detector);
    keeper.onApplied(this::tellFollowers);
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
      command = pinned(sealed(request.command()));
    } catch (IllegalArgumentException e) {
      return CompletableFuture.completedFuture(
          new Reply.Refused(Reply.Reason.INVALID, String.valueOf(e.getMessage())));
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
      definition = definition(request, command);
    } catch (IllegalArgumentException e) {
      return CompletableFuture.completedFuture(
          new Reply.Refused(Reply.Reason.INVALID, String.valueOf(e.getMessage())));
    }
    return definition.thenCompose(defined -> command(request, command, by, defined));
  }

  private CompletableFuture<Reply> command(
      CommandRequest request, Command command, String by, Optional<Definition> definition) {
    long began = System.nanoTime();
    return outlook(request)
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

  /**
   * Of the guest that is described, with what hosts find its disks to be.
   *
   * @throws IllegalArgumentException if its domain XML cannot be read
   */
  private CompletableFuture<Optional<Definition>> definition(
      CommandRequest request, Command command) {
    var spec =
        switch (command) {
          case Command.CreateGuest c -> Optional.of(c.guest());
          case Command.EditGuest c -> Optional.of(c.guest());
          default -> Optional.<GuestSpec>empty();
        };
    boolean answered = keeper.state().answer(request.request()).isPresent(); // it is a repeat
    if (answered || spec.isEmpty()) {
      return CompletableFuture.completedFuture(Optional.empty());
    }
    Definition read;
    try {
      read = Definition.read(spec.get().domainXml());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "guest %s: %s".formatted(spec.get().id(), e.getMessage()), e);
    }
    return effects.lookAtDisks(read).thenApply(Optional::of);
  }

  /**
   * A guest keeps the machine for which it was installed: the alias in its domain XML gives way to
   * the type that it had, or else to the newest one that every host offers.
   *
   * @throws IllegalArgumentException if no host offers the type that it names, or hosts have none
   *     in common
   */
  private Command pinned(Command command) {
    return switch (command) {
      case Command.CreateGuest c -> new Command.CreateGuest(pinned(c.guest()), c.start());
      case Command.EditGuest c -> new Command.EditGuest(pinned(c.guest()));
      default -> command;
    };
  }

  private GuestSpec pinned(GuestSpec spec) {
    var machine = Definition.ofAny(spec.domainXml()).machine();
    var offered =
        keeper.state().hosts().stream()
            .flatMap(h -> h.capacity().machines().stream())
            .filter(m -> !m.isEmpty())
            .toList();
    if (machine.isEmpty() || offered.isEmpty()) {
      return spec.with(spec.domainXml(), machine.filter(m -> !MachineTypes.isAlias(m)));
    }
    var named = machine.get();
    if (!MachineTypes.isAlias(named)) {
      if (offered.stream().noneMatch(m -> m.contains(named))) {
        throw new IllegalArgumentException(
            "guest %s: no host offers the machine type %s; name one that haven host show shows, or an alias such as q35"
                .formatted(spec.id(), named));
      }
      return spec.with(spec.domainXml(), machine);
    }
    var before = keeper.state().definition(spec.id()).machine();
    var to =
        before
            .filter(b -> MachineTypes.pinned(named, List.of(List.of(b))).isPresent())
            .or(() -> MachineTypes.pinned(named, offered))
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "guest %s: its machine type %s is another one on each host, and they have none in common; name a versioned one and the hosts that offer it"
                            .formatted(spec.id(), named)));
    return spec.with(MachineTypes.replaced(spec.domainXml(), named, to), Optional.of(to));
  }

  /** Before it comes near the log. */
  private Command sealed(Command command) {
    return command instanceof Command.AddHost c
        ? new Command.AddHost(secrets.seal(c.host()))
        : command;
  }

  /** Only a declaration of death needs to know what is known of the host. */
  private CompletableFuture<Event.Outlook> outlook(CommandRequest request) {
    boolean answered = keeper.state().answer(request.request()).isPresent(); // it is a repeat
    if (answered || !(request.command() instanceof Command.ConfirmDead c)) {
      return CompletableFuture.completedFuture(Event.Outlook.NONE);
    }
    var host = keeper.state().host(c.host());
    if (host.isEmpty()) {
      return CompletableFuture.completedFuture(Event.Outlook.NONE);
    }
    var found = new CompletableFuture<Event.Outlook>();
    Thread.ofVirtual()
        .name("outlook-" + c.host())
        .start(
            () -> {
              try {
                found.complete(detector.outlook(host.get()));
              } catch (InterruptedException | RuntimeException e) {
                found.completeExceptionally(
                    new ReplicatedLog.Refused(
                        "host " + c.host() + " could not be looked at: " + e));
              }
            });
    return found;
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
              voters(leadership),
              s.hosts().stream().map(h -> host(s, h)).toList(),
              s.guests().stream().map(g -> guest(s, g)).toList(),
              s.operations().stream().map(this::operation).toList(),
              s.alarms().stream()
                  .map(
                      a ->
                          new Views.Alarm(
                              a.id(),
                              a.level().name().toLowerCase(Locale.ROOT),
                              a.subject(),
                              a.message(),
                              a.since()))
                  .toList(),
              redundancy(s),
              alone());
        });
  }

  /** How two voters without a third stand. */
  private Optional<String> alone() {
    var alone = raft.alone();
    if (!alone.absent().isEmpty()) {
      return Optional.of(
          "alone: generation %d, without voter %s, which is admitted again when it is back"
              .formatted(alone.generation(), String.join(", ", alone.absent())));
    }
    return alone
        .other()
        .map(ReplicatedLog.Alone.Other::name)
        .map(
            other ->
                "together: generation %d; %s"
                    .formatted(
                        alone.generation(),
                        keeper
                                .state()
                                .host(new HostId(other))
                                .filter(h -> !h.spec().fencing().isEmpty())
                                .isPresent()
                            ? "voter %s goes on alone if voter %s is lost and proven off"
                                .formatted(self, other)
                            : "voter %s cannot go on alone: there is no host %s with a fencing device"
                                .formatted(self, other)));
  }

  @Override
  public Optional<String> standing() {
    return pairFailover
        .map(PairFailover::words)
        .filter(words -> !words.isEmpty())
        .or(this::waiting);
  }

  /** One of two that may not go on by itself. */
  private Optional<String> waiting() {
    var voters = raft.members().voters();
    return voters.size() != 2 || raft.alone().other().isPresent()
        ? Optional.empty()
        : voters.stream()
            .filter(v -> !v.self() && !v.reachable())
            .findFirst()
            .map(
                v ->
                    "it waits for voter %s, which may have gone on without it; if that one is gone for good: haven voter force-alone %s"
                        .formatted(v.name(), self));
  }

  private List<Views.Voter> voters(ReplicatedLog.Leadership leadership) {
    long last = raft.status().lastIndex();
    return raft.members().voters().stream()
        .map(
            m ->
                new Views.Voter(
                    m.name(),
                    m.raft(),
                    m.api(),
                    leadership.leader().equals(Optional.of(m.name())),
                    m.reachable(),
                    m.self()
                        ? 0
                        : m.matchIndex().isPresent()
                            ? Math.max(0, last - m.matchIndex().getAsLong())
                            : -1,
                    m.counts()
                        ? m.witness() ? "witness: runs no guests" : ""
                        : "does not count: its log is not the one that was admitted; remove it and"
                            + " add it anew"))
        .toList();
  }

  private List<String> redundancy(ClusterState s) {
    var lines = new java.util.ArrayList<String>();
    var voters = raft.members().voters();
    long up = voters.stream().filter(m -> m.reachable() && m.counts()).count();
    if (voters.size() < 3) {
      lines.add(
          voters.size() == 1
              ? "there is one voter: if it dies, nothing is decided until it is back"
              : raft.alone().other().isPresent()
                  ? "there are two voters: if one dies, the other goes on alone once it has proven"
                      + " it off; a third makes that quicker and sure: haven voter add --witness"
                  : "there are two voters and no ping targets: if one dies, nothing is decided"
                      + " until it is back; add a third (haven voter add --witness), or give both"
                      + " alone: {pingTargets: [ADDRESS]}");
    } else if (up <= voters.size() / 2 + 1 && up < voters.size()) {
      lines.add(
          "%d of %d voters are up: if another dies, nothing is decided until it is back"
              .formatted(up, voters.size()));
    }
    lines.addAll(redundancy.of(s));
    return lines;
  }

  private Views.Host host(ClusterState s, Host h) {
    var load = s.load(h.id());
    return new Views.Host(
        h.id(),
        switch (h.state()) {
          case HostState.Expected _ -> "expected";
          case HostState.Online _ -> "online";
          case HostState.Suspect _ -> "suspect";
          case HostState.Fencing _ -> "fencing";
          case HostState.Fenced _ -> "fenced";
        },
        h.cordoned(),
        waiting(h),
        detector.lastHeard(h.id()),
        h.capacity().brief(),
        load.reservedMib(),
        load.vcpus(),
        load.guests().size(),
        devices(h),
        h.boot().map(Object::toString),
        h.agent().map(Host.Agent::version),
        bound(h),
        SealedSecrets.shown(h.spec()));
  }

  /** What the host's bound is, or why it is no proof. */
  private Optional<String> bound(Host h) {
    if (detector.watch().twoAlone()) {
      return Optional.of("no proof: it is none between two hosts without a third voter");
    }
    return h.boot()
        .map(
            boot -> {
              var guard = h.guard().orElse(Guard.NONE);
              return guard
                  .bound(h.id(), boot)
                  .map(b -> b.toSeconds() + " s")
                  .orElseGet(() -> "no proof: " + guard.noProof(h.id(), boot).orElse(""));
            });
  }

  /** For people: until when a silent host is waited for, beside everything else. */
  private String until(Host h) {
    return detector
        .watch()
        .boundLeft(h, System.nanoTime())
        .map(
            left ->
                left.isPositive()
                    ? "; its guests start elsewhere in %d s at the latest, by its watchdog"
                        .formatted(left.toSeconds() + 1)
                    : "; its watchdog has had its time")
        .orElseGet(
            () ->
                bound(h)
                    .map(
                        b ->
                            "; its bound is "
                                + b
                                + ", so without a proof it is waited for without end")
                    .orElse(""));
  }

  private Optional<String> waiting(Host h) {
    return switch (h.state()) {
      case HostState.Expected _ -> Optional.of("for its agent to join");
      case HostState.Online _ -> h.shutdown().map(Host.Shutdown::words);
      case HostState.Suspect x when h.shutdown().isPresent() ->
          Optional.of(
              "%s since %s, silent since %s"
                  .formatted(
                      h.shutdown().get().words(),
                      h.shutdown().get().since().truncatedTo(ChronoUnit.SECONDS),
                      x.since().truncatedTo(ChronoUnit.SECONDS)));
      case HostState.Suspect x ->
          Optional.of(
              "silent since %s: %s%s"
                  .formatted(
                      x.since().truncatedTo(ChronoUnit.SECONDS),
                      x.evidence(),
                      Suspicion.leftAlone(keeper.state(), h)
                          ? "; cordoned and empty, so it is left alone"
                          : until(h)));
      case HostState.Fencing x ->
          Optional.of(
              x.bootLeft(Instant.now()).isPresent()
                  ? "it was off (%s), and somebody has switched it on: it has %s to boot before its power is cut again; to cut it now: haven fence %s"
                      .formatted(x.lastFailure(), words(x.bootLeft(Instant.now()).get()), h.id())
                  : x.lastFailure().isEmpty()
                      ? "its power is being cut: " + x.cause().words()
                      : "attempt %d to cut its power; before: %s. Its guests stay put until a device says off, it boots anew, or you have made sure and say: haven fence %s --confirm-dead%s"
                          .formatted(x.attempt(), x.lastFailure(), h.id(), until(h)));
      case HostState.Fenced x -> Optional.of("to come back; " + x.proof().evidence());
    };
  }

  /** {@code 9 min 40 s}. */
  private static String words(Duration time) {
    return "%d min %d s".formatted(time.toMinutes(), time.toSecondsPart());
  }

  private String devices(Host h) {
    if (h.spec().fencing().isEmpty()) {
      return "none";
    }
    var found = effects.health(h.id());
    return found.isEmpty()
        ? "not checked yet"
        : String.join("; ", found.stream().map(PowerDevices.Health::words).toList());
  }

  private static Views.Guest guest(ClusterState s, Guest g) {
    var hostState = g.host().flatMap(s::host).map(Host::state);
    var silent = hostState.filter(x -> !(x instanceof HostState.Online)).isPresent();
    var state =
        switch (g.phase()) {
          case GuestPhase.Stopped _ -> "stopped";
          case GuestPhase.Waiting _ -> "waiting";
          case GuestPhase.Starting _ -> "starting";
          case GuestPhase.Running _ -> silent ? "unknown" : "running";
          case GuestPhase.Stopping _ -> "stopping";
          case GuestPhase.Vacating _ -> "restarting";
          case GuestPhase.Migrating _ -> "migrating";
          case GuestPhase.Failed _ -> "failed";
        };
    var detail =
        switch (g.phase()) {
          case GuestPhase.Stopped p -> p.why();
          case GuestPhase.Waiting p -> p.why();
          case GuestPhase.Starting p -> "on host " + p.host();
          case GuestPhase.Running p ->
              silent ? "host %s is silent; it may well be running".formatted(p.host()) : "";
          case GuestPhase.Stopping _ -> "";
          case GuestPhase.Vacating p -> p.why();
          case GuestPhase.Migrating p -> p.step().name().toLowerCase(Locale.ROOT) + ": " + p.why();
          case GuestPhase.Failed p -> p.why();
        };
    return new Views.Guest(
        g.id(),
        state,
        g.wanted(),
        g.host(),
        g.phase() instanceof GuestPhase.Migrating m ? Optional.of(m.target()) : Optional.empty(),
        g.epoch().value(),
        s.alarm("guest-" + g.id())
            .map(a -> a.message())
            .filter(_ -> detail.isEmpty())
            .orElse(detail),
        g.spec().memoryMib(),
        g.spec().vcpus(),
        g.spec().priority());
  }

  private static String with(ClusterState s, GuestId id) {
    var together = Explanations.together(s, id);
    return together.isEmpty() ? "" : "; " + together + ", so each host is judged for all of them";
  }

  /** Of all these migrations. */
  private Optional<dev.haven.model.wire.FromAgent.Progress> progress(
      java.util.Set<GuestId> guests) {
    return guests.stream()
        .map(effects::progress)
        .flatMap(Optional::stream)
        .reduce(
            (a, b) ->
                new dev.haven.model.wire.FromAgent.Progress(
                    a.version(),
                    a.order(),
                    a.guest(),
                    a.total() + b.total(),
                    a.remaining() + b.remaining(),
                    a.rate() + b.rate()));
  }

  private Views.Operation operation(Operation o) {
    var moving =
        o.running()
            ? switch (o.kind()) {
              case Operation.Kind.MoveGuest k -> effects.progress(k.guest());
              case Operation.Kind.MoveGroup k -> progress(k.from().keySet());
              case Operation.Kind.MakeRoom k -> progress(k.leaving());
              case Operation.Kind.EvacuateHost k ->
                  progress(keeper.state().load(k.host()).guests());
              case Operation.Kind.RelocateGuest _,
                  Operation.Kind.StartGuest _,
                  Operation.Kind.StopGuest _,
                  Operation.Kind.FenceHost _,
                  Operation.Kind.FenceStuck _,
                  Operation.Kind.TestFencing _ ->
                  Optional.<dev.haven.model.wire.FromAgent.Progress>empty();
            }
            : Optional.<dev.haven.model.wire.FromAgent.Progress>empty();
    return new Views.Operation(
        o.id(),
        switch (o.kind()) {
          case Operation.Kind.MoveGuest _ -> "migrate";
          case Operation.Kind.MoveGroup _ -> "migrate group";
          case Operation.Kind.MakeRoom _ -> "make room";
          case Operation.Kind.RelocateGuest _ -> "relocate";
          case Operation.Kind.EvacuateHost _ -> "evacuate";
          case Operation.Kind.StartGuest _ -> "start";
          case Operation.Kind.StopGuest _ -> "stop";
          case Operation.Kind.FenceHost _ -> "fence";
          case Operation.Kind.FenceStuck _ -> "free";
          case Operation.Kind.TestFencing _ -> "fence test";
        },
        o.kind().subject(),
        o.state().name().toLowerCase(Locale.ROOT),
        o.detail(),
        o.done(),
        o.total(),
        moving.map(p -> p.total() - p.remaining()).orElse(0L),
        moving.map(dev.haven.model.wire.FromAgent.Progress::total).orElse(0L),
        moving.map(dev.haven.model.wire.FromAgent.Progress::rate).orElse(0L),
        o.began(),
        o.ended(),
        o.by());
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
              s.hosts().stream().map(h -> host(s, h)).toList(),
              s.guests().stream().map(g -> detail(s, g)).toList());
        });
  }

  private Views.GuestDetail detail(ClusterState s, Guest g) {
    return new Views.GuestDetail(
        guest(s, g),
        g.spec(),
        List.copyOf(g.holders().keySet()),
        g.host().flatMap(host -> effects.guestHealth(host, g.id())));
  }

  @Override
  public CompletableFuture<Optional<Views.GuestDetail>> guest(GuestId id) {
    return read(s -> s.guest(id).map(g -> detail(s, g)));
  }

  @Override
  public CompletableFuture<Optional<Views.Explanation>> explain(GuestId id) {
    return read(
        s ->
            Explanations.explain(s, id)
                .map(
                    verdicts ->
                        new Views.Explanation(
                            id,
                            s.guest(id)
                                .flatMap(Guest::host)
                                .map(h -> "guest %s is on host %s".formatted(id, h) + with(s, id))
                                .orElse(
                                    "guest %s is on no host%s"
                                        .formatted(
                                            id,
                                            s.guest(id).map(Guest::phase).orElse(null)
                                                    instanceof GuestPhase.Waiting w
                                                ? ": " + w.why()
                                                : with(s, id))),
                            verdicts.stream()
                                .map(
                                    v ->
                                        new Views.Candidate(
                                            v.host(), v.fits(), v.score(), v.reasons()))
                                .toList())));
  }

  @Override
  public CompletableFuture<Optional<Views.Operation>> operation(OperationId id) {
    return read(s -> s.operation(id).map(this::operation));
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
                                    .map(d -> device(h, d))
                                    .toList())));
  }

  private Views.Device device(Host host, dev.haven.model.FencingDevice device) {
    var shown = new dev.haven.model.FencingDevice(device.name(), device.kind(), Map.of());
    var age = effects.healthAge(host.id());
    var found =
        effects.health(host.id()).stream()
            .filter(f -> f.device().equals(device.name()))
            .findFirst();
    if (found.isEmpty()) {
      return new Views.Device(shown, "unchecked", "not checked yet", age, "");
    }
    var check = found.get();
    if (!check.problem().isEmpty()) {
      return new Views.Device(shown, "problem", check.problem(), age, check.behaviour());
    }
    return check.unidentified() && !host.seenToCut(device)
        ? new Views.Device(
            shown,
            "untested",
            check.words()
                + "; its word does not count before: haven fence test %s --off-and-on"
                    .formatted(host.id()),
            age,
            check.behaviour())
        : new Views.Device(shown, "ok", check.words(), age, check.behaviour());
  }

  @Override
  public CompletableFuture<List<Views.Event>> events(long since, int limit) {
    return read(
        s ->
            s.audit().stream()
                .filter(l -> l.index() > since)
                .limit(limit)
                .map(Cluster::event)
                .toList());
  }

  private static Views.Event event(AuditLine line) {
    var fact = line.fact();
    return new Views.Event(
        line.index(),
        line.at(),
        fact.kind().word(),
        fact.subject(),
        FactWords.of(fact),
        Optional.of(fact));
  }

  @Override
  public AutoCloseable follow(Consumer<Views.Event> listener) {
    var key = new Object();
    followers.put(key, listener);
    return () -> followers.remove(key);
  }

  private void tellFollowers(ClusterState before, ClusterState after) {
    if (followers.isEmpty()) {
      return;
    }
    long known = before.audit().isEmpty() ? 0 : before.audit().getLast().index();
    var audit = after.audit();
    for (int i = audit.size() - 1; i >= 0; i--) {
      if (audit.get(i).index() <= known) {
        audit = audit.subList(i + 1, audit.size());
        break;
      }
    }
    for (var line : audit) {
      var event = event(line);
      followers.values().forEach(f -> f.accept(event));
    }
  }

  @Override
  public CompletableFuture<Void> addVoter(ReplicatedLog.VoterAddress voter) {
    return raft.addVoter(voter).thenRun(effects::votersChanged);
  }

  @Override
  public CompletableFuture<Void> removeVoter(String voter) {
    return raft.removeVoter(voter).thenRun(effects::votersChanged);
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
