package dev.haven.core.ha;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.lead.LongWaits;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.ProcessId;
import dev.haven.model.RequestId;
import dev.haven.model.Rule;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whatever comes no further is told, with the last answer and a way out. */
class StuckTest {
  private static final Instant AT = Instant.parse("2026-11-21T00:00:00Z");
  private static final GuestId WEB = new GuestId("web");
  private static final GuestId DB = new GuestId("db");
  private static final BootId BOOT = new BootId("boot-1");

  private ClusterState state = ClusterState.EMPTY;
  private Event.Quorum quorum = Event.Quorum.NONE;
  private final List<Action> actions = new ArrayList<>();
  private final LongWaits waits = new LongWaits();
  private Duration clock = Duration.ZERO;
  private int request;

  @BeforeEach
  void threeHosts() {
    for (var name : List.of("a", "b", "c")) {
      command(
          new Command.AddHost(
              new HostSpec(
                  new HostId(name),
                  Optional.empty(),
                  "qemu+tcp://" + name + "/system",
                  List.of(
                      new Network(
                          "control",
                          "10.0.1." + (name.charAt(0) - 'a' + 1),
                          List.of(Network.Role.CONTROL))),
                  List.of(List.of(new FencingDevice("bmc-" + name, "ipmi", Map.of()))),
                  Map.of(),
                  Optional.empty(),
                  1024,
                  4)));
      join(new HostId(name), BOOT);
    }
  }

  private Decision happens(Event event) {
    waits.heard(event);
    var decision = HaPolicy.decide(state, event);
    var outcome =
        state.apply(
            new Entry(Entry.FORMAT, state.version(), AT, decision.changes(), decision.facts()));
    assertThat(outcome).isInstanceOf(ClusterState.Outcome.Applied.class);
    state = outcome.state();
    actions.addAll(decision.actions());
    return decision;
  }

  private Reply command(Command command) {
    return happens(
            new Event.CommandReceived(
                new RequestId("r" + request++), "admin", command, Event.Outlook.NONE, now()))
        .reply()
        .orElseThrow();
  }

  private Instant now() {
    return AT.plus(clock);
  }

  private void join(HostId host, BootId boot) {
    happens(
        new Event.AgentJoined(
            new FromAgent.Hello(
                1,
                host,
                boot,
                new ProcessId(host + "-" + boot),
                "a2V5",
                Optional.empty(),
                new Capacity(65536, 64, "test"),
                "1",
                0,
                Optional.empty(),
                true,
                List.of()),
            Silences.OLDER_BOOT_IS_SILENT,
            now()));
  }

  /** Second after second goes by, and each of them this is answered once more. */
  private void passes(Duration time, Runnable each) {
    var until = clock.plus(time);
    while (clock.compareTo(until) < 0) {
      clock = clock.plusSeconds(1);
      each.run();
      happens(new Event.Tick(waits.lasting(state, clock.toNanos()), quorum, now()));
    }
  }

  private void create(String name, Rule... rules) {
    command(
        new Command.CreateGuest(
            new GuestSpec(
                new GuestId(name),
                "uuid-" + name,
                512,
                1,
                0,
                "<domain/>",
                Map.of("app", "shop"),
                List.of(rules),
                GuestSpec.Restart.ANYWHERE,
                3),
            true));
  }

  private GuestPhase phase(GuestId guest) {
    return state.guest(guest).orElseThrow().phase();
  }

  private GuestPhase.Starting starting(GuestId guest) {
    return (GuestPhase.Starting) phase(guest);
  }

  private void startAnswers(GuestId guest, Answer answer) {
    var p = starting(guest);
    happens(
        new Event.OrderAnswered(
            p.host(),
            p.boot(),
            new Order.StartGuest(guest, p.epoch(), "<domain/>"),
            answer,
            now()));
  }

  private void goneAnswers(GuestId guest, Answer answer) {
    if (phase(guest) instanceof GuestPhase.Vacating p) {
      happens(
          new Event.OrderAnswered(
              p.host(), p.boot(), new Order.ConfirmGone(guest, p.epoch(), true), answer, now()));
    }
  }

  private String alarm(GuestId guest) {
    return state.alarm("guest-" + guest).map(Alarm::message).orElse("");
  }

  private Answer inTheKernel() {
    var guest = state.guest(WEB).orElseThrow();
    return new Answer.StillThere(
        new DomainReport(
            "web",
            DomainState.PAUSED,
            guest.epoch(),
            true,
            "Failed to terminate process 4711 with SIGKILL: Device or resource busy"));
  }

  @Test
  void aGuestThatLibvirtCannotEndIsToldAfterAMinuteWithTheLastAnswer() {
    create("web");
    startAnswers(WEB, new Answer.Unknown("no answer from libvirtd within 60000 ms"));
    passes(Duration.ofSeconds(50), () -> goneAnswers(WEB, inTheKernel()));
    assertThat(alarm(WEB)).isEmpty();
    passes(Duration.ofSeconds(20), () -> goneAnswers(WEB, inTheKernel()));
    assertThat(alarm(WEB))
        .contains("SIGKILL: Device or resource busy", "more than 1 min", "haven op list");
  }

  @Test
  void aRunningGuestThatNobodyLetsRunIsToldWithTheWayOut() {
    create("web");
    startAnswers(WEB, new Answer.Done(""));
    passes(Duration.ofSeconds(10), () -> reported(DomainState.INCOMING));
    assertThat(alarm(WEB)).as("as in the moment after it has arrived").isEmpty();
    passes(Duration.ofSeconds(10), () -> reported(DomainState.RUNNING));
    passes(Duration.ofSeconds(10), () -> reported(DomainState.INCOMING));
    assertThat(alarm(WEB)).isEmpty();
    passes(Duration.ofSeconds(20), () -> reported(DomainState.INCOMING));
    assertThat(alarm(WEB))
        .contains("paused on host", "no note that it ever ran there", "virsh resume web");
    reported(DomainState.RUNNING);
    assertThat(alarm(WEB)).isEmpty();
  }

  private void reported(DomainState state) {
    var p = (GuestPhase.Running) phase(WEB);
    happens(
        new Event.DomainsReported(
            p.host(),
            p.boot(),
            true,
            List.of(new DomainReport("web", state, p.epoch(), false, "paused")),
            now()));
  }

  @Test
  void aGuestWhoseStartsAreAllUnclearIsGivenUpAsOneThatFailsToStart() {
    create("web");
    for (int i = 0; i < 3; i++) {
      startAnswers(WEB, new Answer.Unknown("no lease names guest web"));
      goneAnswers(WEB, new Answer.Gone("off", Optional.empty()));
    }
    assertThat(phase(WEB)).isInstanceOf(GuestPhase.Failed.class);
    assertThat(alarm(WEB))
        .contains("failed to start 3 times", "no lease names", "haven guest start");
  }

  @Test
  void aStartWithoutAnyAnswerIsTold() {
    create("web");
    passes(Duration.ofMinutes(4), () -> {});
    assertThat(alarm(WEB)).contains("starting on host", "more than 3 min");
    startAnswers(WEB, new Answer.Done(""));
    assertThat(alarm(WEB)).isEmpty();
  }

  private GuestPhase.Migrating arrived() {
    create("web");
    startAnswers(WEB, new Answer.Done(""));
    command(new Command.Migrate(WEB, Optional.empty()));
    var m = (GuestPhase.Migrating) phase(WEB);
    happens(
        new Event.OrderAnswered(
            m.target(),
            m.to().boot(),
            new Order.Precheck(WEB, m.to().epoch(), "<domain/>"),
            new Answer.Done(""),
            now()));
    happens(
        new Event.OrderAnswered(
            m.source(),
            m.from().boot(),
            new Order.MigrateOut(WEB, m.from().epoch(), m.to().epoch(), m.target(), "", "", 0),
            new Answer.Migrated(Duration.ofSeconds(1), Optional.empty(), "gone"),
            now()));
    return m;
  }

  private void resumeAnswers(GuestPhase.Migrating m, Answer answer) {
    happens(
        new Event.OrderAnswered(
            m.target(),
            m.to().boot(),
            new Order.ResumeGuest(WEB, m.to().epoch(), true),
            answer,
            now()));
  }

  @Test
  void aGuestThatHasArrivedPausedAndIsNeverLetRunIsTold() {
    var m = arrived();
    passes(
        Duration.ofMinutes(4),
        () -> resumeAnswers(m, new Answer.Unknown("its migration does not end")));
    assertThat(alarm(WEB)).contains("paused on host " + m.target(), "its migration does not end");
  }

  @Test
  void nobodyIsFencedForAnAgentWhoseDiskTakesNoNote() {
    create("web");
    startAnswers(WEB, new Answer.NotNoted("term 6 cannot be noted on disk"));
    actions.clear();
    passes(
        Duration.ofMinutes(10),
        () -> goneAnswers(WEB, new Answer.NotNoted("term 6 cannot be noted on disk")));
    assertThat(alarm(WEB)).contains("term 6 cannot be noted on disk");
    assertThat(actions).noneMatch(Action.FenceHost.class::isInstance);
    assertThat(state.operations().stream().map(Operation::kind))
        .noneMatch(Operation.Kind.FenceStuck.class::isInstance);
  }

  @Test
  void aGuestThatHasArrivedIsNotEndedBecauseADiskTakesNoNote() {
    var m = arrived();
    passes(
        Duration.ofMinutes(4),
        () -> resumeAnswers(m, new Answer.NotNoted("term 6 cannot be noted on disk")));
    assertThat(phase(WEB)).as("asked again").isInstanceOf(GuestPhase.Migrating.class);
    assertThat(alarm(WEB)).contains("term 6 cannot be noted on disk");
    resumeAnswers(m, new Answer.Done("runs"));
    assertThat(phase(WEB)).isInstanceOf(GuestPhase.Running.class);
  }

  @Test
  void aGuestThatWaitsForOneThatIsStoppedSaysSo() {
    create("db");
    startAnswers(DB, new Answer.Done(""));
    create("web", new Rule.After(Set.of(DB)));
    startAnswers(WEB, new Answer.Done(""));
    var db = (GuestPhase.Running) phase(DB);
    var web = (GuestPhase.Running) phase(WEB);
    happens(
        new Event.DomainsReported(
            db.host(),
            db.boot(),
            true,
            List.of(
                new DomainReport("db", DomainState.OFF_SHUTDOWN, db.epoch(), false, "shut down"),
                new DomainReport("web", DomainState.RUNNING, web.epoch(), false, "runs")),
            now()));
    happens(
        new Event.OrderAnswered(
            db.host(),
            db.boot(),
            new Order.ConfirmGone(DB, db.epoch(), false),
            new Answer.Gone("off", Optional.empty()),
            now()));
    join(web.host(), new BootId("boot-2"));
    assertThat(phase(WEB)).isInstanceOf(GuestPhase.Waiting.class);
    assertThat(alarm(WEB)).contains("waits for guest db, which is stopped: haven guest start db");
    command(new Command.StopGuest(WEB, Duration.ZERO));
    assertThat(alarm(WEB)).isEmpty();
  }

  @Test
  void aGuestThatDoesNotStopIsToldAndNobodyIsFencedForIt() {
    create("web");
    startAnswers(WEB, new Answer.Done(""));
    command(new Command.StopGuest(WEB, Duration.ZERO));
    actions.clear();
    passes(Duration.ofMinutes(10), () -> {});
    assertThat(alarm(WEB)).contains("stopping on host");
    assertThat(actions).noneMatch(Action.FenceHost.class::isInstance);
  }

  /** A guest whose QEMU hangs in the kernel on its host, beside another one that is well. */
  private HostId hangs() {
    create("web");
    var home = starting(WEB).host();
    startAnswers(WEB, new Answer.Done(""));
    create("db"); // where there is most room: anywhere
    startAnswers(DB, new Answer.Done(""));
    if (!((GuestPhase.Running) phase(DB)).host().equals(home)) {
      moves(DB, home);
    }
    var p = (GuestPhase.Running) phase(WEB);
    happens(
        new Event.DomainsReported(
            home,
            p.boot(),
            true,
            List.of(
                new DomainReport(
                    "web", DomainState.PAUSED_IO_ERROR, p.epoch(), false, "paused (I/O error)"),
                new DomainReport(
                    "db",
                    DomainState.RUNNING,
                    ((GuestPhase.Running) phase(DB)).epoch(),
                    false,
                    "runs")),
            now()));
    assertThat(phase(WEB)).isInstanceOf(GuestPhase.Vacating.class);
    actions.clear();
    return home;
  }

  private void moves(GuestId guest, HostId to) {
    command(new Command.Migrate(guest, Optional.of(to)));
    migrates(guest);
  }

  /** Its migration goes as it should. */
  private void migrates(GuestId guest) {
    if (!(phase(guest) instanceof GuestPhase.Migrating m)) {
      return;
    }
    happens(
        new Event.OrderAnswered(
            m.target(),
            m.to().boot(),
            new Order.Precheck(guest, m.to().epoch(), "<domain/>"),
            new Answer.Done(""),
            now()));
    happens(
        new Event.OrderAnswered(
            m.source(),
            m.from().boot(),
            new Order.MigrateOut(guest, m.from().epoch(), m.to().epoch(), m.target(), "", "", 0),
            new Answer.Migrated(Duration.ofSeconds(1), Optional.empty(), "gone"),
            now()));
    happens(
        new Event.OrderAnswered(
            m.target(),
            m.to().boot(),
            new Order.ResumeGuest(guest, m.to().epoch(), true),
            new Answer.Done(""),
            now()));
  }

  private List<HostId> fenced() {
    return actions.stream()
        .filter(Action.FenceHost.class::isInstance)
        .map(a -> ((Action.FenceHost) a).host())
        .distinct()
        .toList();
  }

  @Test
  void aHostThatCannotEndAGuestIsEmptiedOfTheOthersAndThenFenced() {
    var home = hangs();
    passes(Duration.ofSeconds(70), () -> goneAnswers(WEB, inTheKernel()));
    assertThat(fenced()).isEmpty();
    assertThat(phase(DB)).isInstanceOf(GuestPhase.Migrating.class);
    assertThat(alarm(WEB)).contains("emptied of the other guests and then fenced");
    migrates(DB);
    passes(Duration.ofSeconds(2), () -> goneAnswers(WEB, inTheKernel()));
    assertThat(fenced()).containsExactly(home);
    assertThat(state.host(home).orElseThrow().state())
        .isInstanceOfSatisfying(
            HostState.Fencing.class, f -> assertThat(f.cause()).isEqualTo(HostState.Cause.STUCK));
    happens(
        new Event.HostHeard(home, BOOT, now())); // it is well but for that, and fenced all the same
    happens(
        new Event.FencingConfirmed(
            home,
            BOOT,
            1,
            new Proof.PowerReadOff(home, BOOT, List.of("bmc says off, twice"), now()),
            List.of(),
            "",
            new java.util.TreeMap<>(),
            now()));
    assertThat(starting(WEB).host()).isNotEqualTo(home);
    assertThat(((GuestPhase.Running) phase(DB)).host()).isNotEqualTo(home);
    assertThat(state.host(home).orElseThrow().cordoned()).isFalse();
  }

  @Test
  void aNewLeaderGoesOnWithItOnceItHasSeenTheHangItself() {
    hangs();
    passes(Duration.ofSeconds(70), () -> goneAnswers(WEB, inTheKernel()));
    migrates(DB);
    waits.elected();
    happens(new Event.LeaderElected(2, 1, Event.Quorum.NONE, now()));
    passes(Duration.ofSeconds(30), () -> goneAnswers(WEB, inTheKernel()));
    assertThat(fenced()).isEmpty();
    passes(Duration.ofSeconds(40), () -> goneAnswers(WEB, inTheKernel()));
    assertThat(fenced()).hasSize(1);
  }

  @Test
  void noHostIsFencedForAGuestThatIsToStop() {
    hangs();
    command(new Command.StopGuest(WEB, Duration.ZERO));
    passes(Duration.ofMinutes(10), () -> goneAnswers(WEB, inTheKernel()));
    assertThat(fenced()).isEmpty();
    assertThat(alarm(WEB)).contains("not to run");
  }

  @Test
  void noHostIsFencedWhileASecondOneHasTroubleWithTheSameStorage() {
    var home = hangs();
    var other = List.of("a", "b", "c").stream().map(HostId::new).filter(h -> !h.equals(home));
    moves(DB, other.findFirst().orElseThrow());
    var db = (GuestPhase.Running) phase(DB);
    happens(
        new Event.DomainsReported(
            db.host(),
            db.boot(),
            true,
            List.of(
                new DomainReport(
                    "db", DomainState.PAUSED_IO_ERROR, db.epoch(), false, "I/O error")),
            now()));
    passes(Duration.ofMinutes(5), () -> goneAnswers(WEB, inTheKernel()));
    assertThat(fenced()).isEmpty();
    assertThat(alarm(WEB)).contains("has trouble with that storage too", "haven fence");
  }

  @Test
  void noHostIsFencedForAGuestWhileItsVoterIsNeeded() {
    var home = hangs();
    var down = List.of("a", "b", "c").stream().filter(h -> !h.equals(home.value())).findFirst();
    var heard = new java.util.TreeSet<>(List.of("a", "b", "c"));
    heard.remove(down.orElseThrow());
    quorum = new Event.Quorum(java.util.Set.of("a", "b", "c"), heard);
    passes(Duration.ofMinutes(5), () -> goneAnswers(WEB, inTheKernel()));
    assertThat(fenced()).isEmpty();
    assertThat(alarm(WEB)).contains("is needed to commit the proof", "haven fence");
  }

  @Test
  void noHostIsFencedUnderAPolicyThatOnlyTells() {
    command(new Command.SetPolicy("stuck-destroy", "alarm"));
    hangs();
    passes(Duration.ofMinutes(5), () -> goneAnswers(WEB, inTheKernel()));
    assertThat(fenced()).isEmpty();
    assertThat(alarm(WEB)).contains("the policy stuck-destroy is alarm");
    assertThat(command(new Command.SetPolicy("stuck-destroy", "maybe")))
        .isInstanceOfSatisfying(
            Reply.Refused.class, r -> assertThat(r.message()).contains("fence | alarm"));
  }

  @Test
  void aHostIsNotFencedIfAGuestCannotLeaveIt() {
    hangs();
    passes(
        Duration.ofMinutes(5),
        () -> {
          goneAnswers(WEB, inTheKernel());
          if (phase(DB) instanceof GuestPhase.Migrating m) {
            happens(
                new Event.OrderAnswered(
                    m.target(),
                    m.to().boot(),
                    new Order.Precheck(DB, m.to().epoch(), "<domain/>"),
                    new Answer.Failed("it has a device of the host"),
                    now()));
          }
        });
    assertThat(fenced()).isEmpty();
    assertThat(state.operations())
        .anySatisfy(
            o -> assertThat(o.detail()).contains("cannot leave it", "a device of the host"));
    // and it is not tried again before an hour is over
    assertThat(alarm(WEB)).contains("one such fence an hour");
  }

  @Test
  void aGuestThatGoesAfterAllSavesItsHost() {
    var home = hangs();
    passes(Duration.ofSeconds(70), () -> goneAnswers(WEB, inTheKernel()));
    goneAnswers(WEB, new Answer.Gone("destroyed", Optional.empty()));
    migrates(DB);
    passes(Duration.ofMinutes(2), () -> {});
    assertThat(fenced()).isEmpty();
    assertThat(state.host(home).orElseThrow().cordoned()).isFalse();
    assertThat(starting(WEB)).isNotNull();
  }

  @Test
  void aGuestWhoseDiskWasLockedIsTriedAgainAlsoIfTheClockWasSetBack() {
    create("web");
    startAnswers(
        WEB, new Answer.Gone("off", Optional.of("no lock"), Optional.of(Answer.Cause.DISK_LOCKED)));
    assertThat(phase(WEB)).isInstanceOf(GuestPhase.Waiting.class);
    happens(new Event.Tick(now().minusSeconds(3_600)));
    assertThat(phase(WEB)).isInstanceOf(GuestPhase.Starting.class);
  }

  @Test
  void aForcedClusterGivesNoEpochThatTheOtherSideMayHaveGivenAlsoToGuestsThatMove() {
    create("web");
    startAnswers(WEB, new Answer.Done(""));
    create("db");
    startAnswers(DB, new Answer.Done(""));
    command(new Command.Migrate(WEB, Optional.empty())); // being checked
    command(new Command.Migrate(DB, Optional.empty()));
    var m = (GuestPhase.Migrating) phase(DB);
    happens(
        new Event.OrderAnswered(
            m.target(),
            m.to().boot(),
            new Order.Precheck(DB, m.to().epoch(), "<domain/>"),
            new Answer.Done(""),
            now()));
    happens(new Event.LeaderElected(9, 1_000, Event.Quorum.NONE, now()));
    assertThat(state.generation()).isEqualTo(1_000);
    assertThat(phase(WEB)).isInstanceOf(GuestPhase.Running.class);
    for (var guest : List.of(WEB, DB)) {
      assertThat(state.guest(guest).orElseThrow().epoch().value()).isGreaterThan(1_000_000);
    }
    // the move goes on under the epochs that both agents know
    happens(
        new Event.OrderAnswered(
            m.source(),
            m.from().boot(),
            new Order.MigrateOut(DB, m.from().epoch(), m.to().epoch(), m.target(), "", "", 0),
            new Answer.Migrated(Duration.ofSeconds(1), Optional.empty(), "gone"),
            now()));
    happens(
        new Event.OrderAnswered(
            m.target(),
            m.to().boot(),
            new Order.ResumeGuest(DB, m.to().epoch(), true),
            new Answer.Done(""),
            now()));
    assertThat(phase(DB)).isEqualTo(new GuestPhase.Running(m.to()));
    command(new Command.Migrate(WEB, Optional.empty()));
    assertThat(((GuestPhase.Migrating) phase(WEB)).to().epoch().value()).isGreaterThan(1_000_000);
  }

  /** A guest that hangs in the kernel on its host, beside one that must be where it is. */
  private HostId hangsBeside(Rule bond) {
    create("web");
    var home = starting(WEB).host();
    startAnswers(WEB, new Answer.Done(""));
    create("db", bond);
    startAnswers(DB, new Answer.Done(""));
    assertThat(((GuestPhase.Running) phase(DB)).host()).isEqualTo(home);
    var p = (GuestPhase.Running) phase(WEB);
    happens(
        new Event.DomainsReported(
            home,
            p.boot(),
            true,
            List.of(
                new DomainReport(
                    "web", DomainState.PAUSED_IO_ERROR, p.epoch(), false, "paused (I/O error)"),
                new DomainReport(
                    "db",
                    DomainState.RUNNING,
                    ((GuestPhase.Running) phase(DB)).epoch(),
                    false,
                    "runs")),
            now()));
    actions.clear();
    return home;
  }

  @Test
  void oneThatFollowsTheStuckGuestLeavesBeforeTheHostIsFenced() {
    var home = hangsBeside(new Rule.Follows(WEB, true));
    passes(
        Duration.ofMinutes(2),
        () -> {
          goneAnswers(WEB, inTheKernel());
          migrates(DB);
        });
    assertThat(((GuestPhase.Running) phase(DB)).host()).isNotEqualTo(home);
    assertThat(fenced()).containsExactly(home);
    happens(
        new Event.FencingConfirmed(
            home,
            BOOT,
            1,
            new Proof.PowerReadOff(home, BOOT, List.of("bmc says off, twice"), now()),
            List.of(),
            "",
            new java.util.TreeMap<>(),
            now()));
    startAnswers(WEB, new Answer.Done(""));
    passes(Duration.ofMinutes(2), () -> migrates(DB));
    assertThat(((GuestPhase.Running) phase(DB)).host())
        .isEqualTo(((GuestPhase.Running) phase(WEB)).host());
  }

  private static List<Rule> bonds() {
    return List.of(new Rule.Follows(WEB, true), new Rule.WithGuests("app", "shop", false, true));
  }

  @ParameterizedTest
  @MethodSource("bonds")
  void theWayOutThatTheAlarmNamesMovesAlsoOneThatMustBeWhereTheStuckGuestIs(Rule bond) {
    command(new Command.SetPolicy("stuck-destroy", "alarm"));
    var home = hangsBeside(bond);
    passes(Duration.ofMinutes(2), () -> goneAnswers(WEB, inTheKernel()));
    assertThat(alarm(WEB)).contains("haven evacuate " + home);
    assertThat(command(new Command.Evacuate(home)))
        .isInstanceOfSatisfying(
            Reply.Accepted.class,
            r ->
                assertThat(r.plan())
                    .anySatisfy(p -> assertThat(p).startsWith("migrate guest db to host ")));
    passes(
        Duration.ofMinutes(1),
        () -> {
          goneAnswers(WEB, inTheKernel());
          migrates(DB);
        });
    assertThat(((GuestPhase.Running) phase(DB)).host()).isNotEqualTo(home);
  }

  @Test
  void aFollowerLeavesAnEvacuatedHostWhileItsGuestStops() {
    create("web");
    var home = starting(WEB).host();
    startAnswers(WEB, new Answer.Done(""));
    create("db", new Rule.Follows(WEB, true));
    startAnswers(DB, new Answer.Done(""));
    command(new Command.StopGuest(WEB, Duration.ofMinutes(5)));
    command(new Command.Evacuate(home));
    passes(Duration.ofMinutes(1), () -> migrates(DB));
    assertThat(phase(WEB)).isInstanceOf(GuestPhase.Stopping.class);
    assertThat(((GuestPhase.Running) phase(DB)).host()).isNotEqualTo(home);
  }

  @Test
  void aVoterThatIsNotHeardForASecondOnlyDefersTheFence() {
    var all = Set.of("a", "b", "c");
    quorum = new Event.Quorum(all, all);
    var home = hangs();
    passes(Duration.ofSeconds(70), () -> goneAnswers(WEB, inTheKernel()));
    quorum = new Event.Quorum(all, Set.of(home.value(), home.value().equals("b") ? "a" : "b"));
    passes(Duration.ofSeconds(5), () -> goneAnswers(WEB, inTheKernel()));
    migrates(DB);
    passes(Duration.ofSeconds(5), () -> goneAnswers(WEB, inTheKernel()));
    assertThat(fenced()).isEmpty();
    assertThat(state.operations().stream().filter(Operation::running))
        .anySatisfy(o -> assertThat(o.detail()).contains("is needed to commit the proof"));
    quorum = new Event.Quorum(all, all);
    passes(Duration.ofSeconds(2), () -> goneAnswers(WEB, inTheKernel()));
    assertThat(fenced()).containsExactly(home);
  }
}
