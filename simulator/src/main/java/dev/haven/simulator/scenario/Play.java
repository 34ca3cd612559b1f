package dev.haven.simulator.scenario;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Entry;
import dev.haven.core.ha.Explanations;
import dev.haven.core.ha.Guest;
import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Proof;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Command;
import dev.haven.simulator.Stage;
import dev.haven.simulator.scenario.Happening.When;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Plays a scenario from its beginning to its end. The same seed gives the same course. */
public final class Play {
  public static final long SEED = 1;

  private static final Duration LOOK = Duration.ofMillis(500);

  /** Nothing to do for so long is settled. */
  private static final Duration STILL = Duration.ofSeconds(3);

  /**
   * The same left to do for so long, such as a fence that fails again and again, is settled too.
   */
  private static final Duration STUCK = Duration.ofSeconds(60);

  private final Scenario scenario;
  private final long seed;
  private final Stage stage;
  private final List<Outcome.Line> timeline = new ArrayList<>();
  private final List<Outcome.Fence> fences = new ArrayList<>();
  private final List<Outcome.Move> moves = new ArrayList<>();
  private final Map<GuestId, HostId> lastOn = new HashMap<>();

  private Play(Scenario scenario, long seed) {
    this.scenario = scenario;
    this.seed = seed;
    stage =
        Stage.of(seed, scenario.policy(), scenario.hosts(), scenario.guests(), scenario.voters());
    for (var guest : stage.state().guests()) {
      guest.host().ifPresent(h -> lastOn.put(guest.id(), h));
    }
    stage.plays(
        new Stage.Audience() {
          @Override
          public void line(Duration at, String kind, String message) {
            timeline.add(new Outcome.Line(seconds(at), kind, message));
          }

          @Override
          public void applied(Duration at, Entry entry, ClusterState before, ClusterState after) {
            entry.changes().forEach(c -> changed(at, c));
          }
        });
  }

  /**
   * @param seed the file's own, or {@link #SEED}, if it is null
   */
  public static Outcome run(Scenario scenario, @Nullable Long seed) {
    return of(scenario, seed).outcome();
  }

  /** A scenario that is over. */
  static Play of(Scenario scenario, @Nullable Long seed) {
    var play = new Play(scenario, seed != null ? seed : scenario.seed().orElse(SEED));
    for (var event : scenario.events()) {
      switch (event.when()) {
        case When.At(var time) -> play.stage.runUntil(time);
        case When.After(var time) -> play.stage.runUntil(play.stage.time().plus(time));
        case When.Settled _ -> play.settle();
      }
      play.happens(event.what());
    }
    if (scenario.runFor().isPresent()) {
      play.stage.runUntil(scenario.runFor().get());
    } else {
      play.settle();
    }
    return play;
  }

  ClusterState state() {
    return stage.state();
  }

  private void changed(Duration at, Change change) {
    switch (change) {
      case Change.HostStateChanged c when c.state() instanceof HostState.Fenced f ->
          fenced(at, f.proof());
      case Change.HolderCleared c when c.proof() instanceof Proof.NewerBoot p -> fenced(at, p);
      case Change.GuestPlaced c -> moved(at, c.guest(), c.holding().host(), "restart");
      case Change.PhaseChanged c
          when c.phase() instanceof GuestPhase.Migrating m && m.step() == GuestPhase.Step.ARRIVED ->
          moved(at, c.guest(), m.target(), "migrate");
      case Change.OfHost _,
          Change.OfGuest _,
          Change.OfOperation _,
          Change.OfTrust _,
          Change.OfCluster _ -> {}
    }
  }

  private void fenced(Duration at, Proof proof) {
    var fence =
        new Outcome.Fence(
            seconds(at), proof.host(), dashed(proof.getClass().getSimpleName()), proof.evidence());
    if (!fences.contains(fence)) { // one for all its guests
      fences.add(fence);
    }
  }

  private void moved(Duration at, GuestId guest, HostId to, String kind) {
    var from = lastOn.put(guest, to);
    if (from != null && !from.equals(to)) {
      moves.add(new Outcome.Move(seconds(at), guest, from, to, kind));
    }
  }

  private static String dashed(String name) {
    return name.replaceAll("(?<=.)([A-Z])", "-$1").toLowerCase(Locale.ROOT);
  }

  private static double seconds(Duration time) {
    return time.toMillis() / 1000.0;
  }

  private void settle() {
    var began = stage.time();
    var since = began;
    List<String> before = List.of("");
    while (stage.time().minus(began).compareTo(scenario.settleWithin()) < 0) {
      var left = stage.unfinished();
      if (!left.equals(before)) {
        before = left;
        since = stage.time();
      }
      var lasted = stage.time().minus(since);
      if (lasted.compareTo(left.isEmpty() ? STILL : STUCK) >= 0) {
        return;
      }
      stage.runUntil(stage.time().plus(LOOK));
    }
  }

  private void happens(Happening happening) {
    switch (happening) {
      case Happening.Hosts h -> h.hosts().forEach(id -> stage.happens(h.event(), id));
      case Happening.Ports p ->
          p.hosts().forEach(id -> p.networks().forEach(n -> stage.port(id, n, p.up())));
      case Happening.Daemons d -> d.hosts().forEach(id -> stage.daemon(id, d.daemon(), d.up()));
      case Happening.Devices d -> d.hosts().forEach(id -> stage.device(id, d.mode()));
      case Happening.StartsFail s ->
          s.hosts().forEach(id -> stage.startsFail(id, s.guest(), s.times()));
      case Happening.MigrationsFail m -> stage.migrationsFail(m.guest(), m.times());
      case Happening.Guests g -> g.guests().forEach(id -> stage.guestBecomes(id, g.becomes()));
      case Happening.GuestsHang g -> g.guests().forEach(stage::guestHangs);
      case Happening.Commands c -> c.commands().forEach(this::ask);
      case Happening.NewHosts n ->
          n.hosts()
              .forEach(
                  h -> {
                    stage.machine(h);
                    ask(new Command.AddHost(h.spec()));
                  });
      case Happening.Load l -> load(l);
    }
  }

  private void ask(Command command) {
    stage.command(command, _ -> {});
  }

  private void load(Happening.Load l) {
    stage
        .state()
        .guest(l.guest())
        .map(Guest::spec)
        .ifPresent(
            s ->
                ask(
                    new Command.EditGuest(
                        new GuestSpec(
                            s.id(),
                            s.uuid(),
                            l.memoryMib().orElse(s.memoryMib()),
                            l.cpus().orElse(s.vcpus()),
                            s.priority(),
                            s.domainXml(),
                            s.labels(),
                            s.rules(),
                            s.restart(),
                            s.startAttempts(),
                            s.restarts(),
                            s.health()))));
  }

  // the end

  Outcome outcome() {
    var state = stage.state();
    var notRunning = new ArrayList<Outcome.NotRunning>();
    var guests = new ArrayList<Outcome.GuestEnd>();
    var served = new HashMap<HostId, Integer>();
    var moveCount = new HashMap<GuestId, Integer>();
    moves.forEach(m -> moveCount.merge(m.guest(), 1, Integer::sum));
    var availability = stage.availability();
    var places = stage.places();
    for (var guest : state.guests()) {
      var place = Optional.ofNullable(places.get(guest.id()));
      place.ifPresent(h -> served.merge(h, 1, Integer::sum));
      var lived = availability.get(guest.id());
      guests.add(
          new Outcome.GuestEnd(
              guest.id(),
              word(guest.phase()),
              guest.wanted(),
              place,
              lived == null ? 0 : seconds(lived.outage()),
              lived == null ? 0 : lived.outages(),
              moveCount.getOrDefault(guest.id(), 0),
              why(guest.phase())));
      if (guest.wanted() && !stage.serves(guest.id()) && fits(guest)) {
        notRunning.add(new Outcome.NotRunning(guest.id(), whyNot(guest, place)));
      }
    }
    var selfFenced = new ArrayList<Outcome.SelfFence>();
    stage.selfFenced((at, host) -> selfFenced.add(new Outcome.SelfFence(seconds(at), host)));
    var left = stage.unfinished();
    return new Outcome(
        Outcome.FORMAT,
        scenario.description(),
        seed,
        seconds(stage.time()),
        stage.violations().isEmpty() && notRunning.isEmpty(),
        left.isEmpty(),
        left,
        hosts(served),
        guests,
        fences,
        selfFenced,
        moves,
        stage.violations(),
        notRunning,
        state.alarms().stream().map(Alarm::message).toList(),
        Explanations.redundancy(state),
        timeline);
  }

  /**
   * @param served how many guests each host has
   */
  private List<Outcome.HostEnd> hosts(Map<HostId, Integer> served) {
    var hosts = new ArrayList<Outcome.HostEnd>();
    for (var host : stage.state().hosts()) {
      hosts.add(
          new Outcome.HostEnd(
              host.id(),
              word(host),
              stage.hasHost(host.id()) ? stage.machine(host.id()) : "on",
              host.cordoned(),
              served.getOrDefault(host.id(), 0)));
    }
    return hosts;
  }

  /** Whether some host could run it now. */
  private boolean fits(Guest guest) {
    return Explanations.explain(stage.state(), guest.id())
        .filter(hosts -> hosts.stream().anyMatch(h -> h.fits()))
        .isPresent();
  }

  private String whyNot(Guest guest, Optional<HostId> runsOn) {
    if (runsOn.isPresent()) {
      return "it runs on host %s, which nobody can reach".formatted(runsOn.get());
    }
    var state = stage.state();
    return state
        .alarm("guest-" + guest.id())
        .or(() -> guest.host().flatMap(h -> state.alarm("fencing-" + h)))
        .map(Alarm::message)
        .orElseGet(
            () ->
                guest
                    .host()
                    .flatMap(state::host)
                    .map(h -> "it is on host %s, which is %s".formatted(h.id(), word(h)))
                    .orElse(word(guest.phase()) + ": " + why(guest.phase())));
  }

  private static String word(Host host) {
    return host.state().getClass().getSimpleName().toLowerCase(Locale.ROOT);
  }

  private static String word(GuestPhase phase) {
    return phase.getClass().getSimpleName().toLowerCase(Locale.ROOT);
  }

  private static String why(GuestPhase phase) {
    return switch (phase) {
      case GuestPhase.Stopped p -> p.why();
      case GuestPhase.Waiting p -> p.why();
      case GuestPhase.Failed p -> p.why();
      case GuestPhase.Vacating p -> p.why();
      case GuestPhase.Migrating p -> p.why();
      case GuestPhase.Starting _, GuestPhase.Running _, GuestPhase.Stopping _ -> "";
    };
  }
}
