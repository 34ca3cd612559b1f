package dev.haven.core.ha;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.AgentPing;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.Definition;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestHealth;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HealthCheck;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.ProcessId;
import dev.haven.model.RequestId;
import dev.haven.model.RestartLimits;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.GoingDown;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.PillWatch;
import dev.haven.model.wire.Watchdog;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The courses that the cluster exists for, decision by decision. */
class DecisionsTest {
  private static final Instant AT = Instant.parse("2026-11-21T00:00:00Z");
  private static final HostId A = new HostId("a");
  private static final HostId B = new HostId("b");
  private static final HostId C = new HostId("c");
  private static final GuestId WEB = new GuestId("web");

  private ClusterState state = ClusterState.EMPTY;
  private final List<Action> actions = new ArrayList<>();
  private final List<Action.Resume> ahead = new ArrayList<>();
  private int request;

  @BeforeEach
  void threeHosts() {
    for (var host : List.of(A, B, C)) {
      command(new Command.AddHost(spec(host)));
      join(host, "boot-1");
    }
    actions.clear();
  }

  private static HostSpec spec(HostId id) {
    return new HostSpec(
        id,
        Optional.empty(),
        "qemu+tcp://" + id + "/system",
        List.of(
            new Network(
                "control",
                "10.0.1." + (id.value().charAt(0) - 'a' + 1),
                List.of(Network.Role.CONTROL)),
            new Network(
                "migration",
                "10.0.2." + (id.value().charAt(0) - 'a' + 1),
                List.of(Network.Role.MIGRATION))),
        List.of(List.of(new FencingDevice("bmc-" + id, "ipmi", Map.of()))),
        Map.of(),
        Optional.empty(),
        1024,
        4);
  }

  private static GuestSpec guest(String name, long memoryMib) {
    return new GuestSpec(
        new GuestId(name),
        "uuid-" + name,
        memoryMib,
        1,
        0,
        "<domain/>",
        Map.of(),
        List.of(),
        GuestSpec.Restart.ANYWHERE,
        3);
  }

  private Decision happens(Event event) {
    var decision = HaPolicy.decide(state, event);
    var outcome =
        state.apply(
            new Entry(Entry.FORMAT, state.version(), AT, decision.changes(), decision.facts()));
    assertThat(outcome).isInstanceOf(ClusterState.Outcome.Applied.class);
    state = outcome.state();
    actions.addAll(decision.actions());
    assertThat(decision.actions()).containsAll(decision.ahead());
    ahead.addAll(decision.ahead());
    return decision;
  }

  private Reply command(Command command) {
    return happens(
            new Event.CommandReceived(
                new RequestId("r" + request++), "admin", command, Event.Outlook.NONE, AT))
        .reply()
        .orElseThrow();
  }

  @Test
  void anAgentThatCannotKeepLibvirtFromStartingGuestsRaisesAnAlarmUntilItCan() {
    join(A, "boot-1", List.of("libvirt-guests.service may start guests of its own"));
    assertThat(state.alarm("hazard-" + A).orElseThrow().message())
        .contains("libvirt-guests.service");
    join(A, "boot-1", List.<String>of());
    assertThat(state.alarm("hazard-" + A)).isEmpty();
  }

  @Test
  void aHostThatCouldNotPauseAllItsGuestsInTimeRaisesAnAlarmUntilItCan() {
    joinWarning("about 60 of its 100 guests can be paused in the 15 s");
    assertThat(state.alarm("readiness-" + A).orElseThrow().message())
        .startsWith("host a: about 60 of its 100 guests");
    assertThat(state.alarm("hazard-" + A)).as("its leases are relied on").isEmpty();
    join(A, "boot-1");
    assertThat(state.alarm("readiness-" + A)).isEmpty();
  }

  private void joinWarning(String... warnings) {
    happens(
        new Event.AgentJoined(
            new FromAgent.Hello(
                1,
                A,
                new BootId("boot-1"),
                new ProcessId(A + "boot-1"),
                "a2V5",
                Optional.empty(),
                new Capacity(8192, 8, "test"),
                "1",
                0,
                Optional.empty(),
                true,
                List.of(),
                Optional.empty(),
                List.of(),
                List.of(warnings)),
            Silences.OLDER_BOOT_IS_SILENT,
            AT));
  }

  private void join(HostId host, String boot, DomainReport... domains) {
    join(host, boot, List.of(), domains);
  }

  private void join(HostId host, String boot, List<String> hazards, DomainReport... domains) {
    happens(
        new Event.AgentJoined(
            new FromAgent.Hello(
                1,
                host,
                new BootId(boot),
                new ProcessId(host + boot),
                "a2V5",
                Optional.empty(),
                new Capacity(8192, 8, "test"),
                "1",
                0,
                Optional.empty(),
                true,
                List.of(domains),
                Optional.empty(),
                hazards),
            Silences.OLDER_BOOT_IS_SILENT,
            AT));
  }

  private void answer(HostId host, Order order, Answer answer) {
    happens(new Event.OrderAnswered(host, new BootId("boot-1"), order, answer, AT));
  }

  private Action.Start onlyStart() {
    var starts =
        actions.stream()
            .filter(Action.Start.class::isInstance)
            .map(Action.Start.class::cast)
            .toList();
    assertThat(starts).hasSize(1);
    return starts.getFirst();
  }

  private Order onlyMove() {
    var moves =
        actions.stream()
            .filter(x -> x instanceof Action.Send s && s.order() instanceof Order.MigrateOut)
            .map(x -> ((Action.Send) x).order())
            .distinct()
            .toList();
    assertThat(moves).hasSize(1);
    return moves.getFirst();
  }

  private HostId running(String name) {
    assertThat(command(new Command.CreateGuest(guest(name, 1024), true)))
        .isInstanceOf(Reply.Accepted.class);
    var start = onlyStart();
    actions.clear();
    answer(
        start.vacancy().holding().host(),
        new Order.StartGuest(start.guest(), start.vacancy().holding().epoch(), "<domain/>"),
        new Answer.Done(""));
    return start.vacancy().holding().host();
  }

  private Event.HostSilent silent(
      HostId host, Duration lasted, Event.Echo kernel, Event.Power power) {
    return new Event.HostSilent(
        host,
        new BootId("boot-1"),
        new Event.Silence(lasted, 2, kernel, power, "test " + kernel + power),
        AT);
  }

  private Event.FencingConfirmed off(HostId host, String contradiction) {
    return off(host, contradiction, List.of());
  }

  private Event.FencingConfirmed off(HostId host, String contradiction, List<String> unidentified) {
    return new Event.FencingConfirmed(
        host,
        new BootId("boot-1"),
        1,
        new Proof.PowerReadOff(host, new BootId("boot-1"), List.of("bmc says off"), AT),
        unidentified,
        contradiction,
        new TreeMap<>(),
        AT);
  }

  private GuestPhase phase() {
    return state.guest(WEB).orElseThrow().phase();
  }

  @Test
  void aGuestIsRestartedElsewhereOnceItsHostIsReadOff() {
    var home = running("web");
    happens(silent(home, Duration.ofMillis(1000), Event.Echo.SILENT, Event.Power.ALL_OFF));
    assertThat(actions).anyMatch(x -> x instanceof Action.FenceHost f && f.host().equals(home));
    assertThat(actions).noneMatch(Action.Start.class::isInstance);
    actions.clear();
    happens(off(home, ""));
    var start = onlyStart();
    assertThat(start.vacancy().holding().host()).isNotEqualTo(home);
    assertThat(start.vacancy().holding().epoch()).isEqualTo(new Epoch(2));
    assertThat(start.vacancy().proofs()).hasSize(1);
    answer(
        start.vacancy().holding().host(),
        new Order.StartGuest(WEB, new Epoch(2), "<domain/>"),
        new Answer.Done(""));
    assertThat(phase())
        .isEqualTo(
            new GuestPhase.Running(
                new Holding(start.vacancy().holding().host(), new BootId("boot-1"), new Epoch(2))));
  }

  @Test
  void silenceAloneNeitherFencesNorStarts() {
    var home = running("web");
    happens(silent(home, Duration.ofMillis(2900), Event.Echo.SILENT, Event.Power.ON));
    happens(silent(home, Duration.ofSeconds(29), Event.Echo.ANSWERS, Event.Power.ON));
    assertThat(actions).isEmpty();
    assertThat(state.host(home).orElseThrow().state()).isInstanceOf(HostState.Suspect.class);
    happens(new Event.HostHeard(home, new BootId("boot-1"), AT));
    assertThat(state.host(home).orElseThrow().online()).isTrue();
    assertThat(state.alarms()).isEmpty();
  }

  @Test
  void aContradictedReadingStartsNothing() {
    var home = running("web");
    happens(silent(home, Duration.ofSeconds(3), Event.Echo.SILENT, Event.Power.ON));
    actions.clear();
    happens(off(home, "its agent was heard 5 ms ago"));
    assertThat(actions).noneMatch(Action.Start.class::isInstance);
    assertThat(state.alarms()).anyMatch(a -> a.level() == Alarm.Level.CRITICAL);
    assertThat(state.guest(WEB).orElseThrow().holders()).containsKey(home);
  }

  @Test
  void aBootThatAHostHasLeftIsNoNewerOne() {
    for (var host : List.of(A, B, C)) {
      join(host, "boot-2");
    }
    command(new Command.CreateGuest(guest("web", 1024), true));
    var home = onlyStart().vacancy().holding().host();
    join(home, "boot-1"); // a hello that was very late, or a second machine
    assertThat(state.guest(WEB).orElseThrow().holders()).containsOnlyKeys(home);
    assertThat(state.alarm("twins-" + home)).isPresent();
    join(home, "boot-2");
    assertThat(state.alarm("twins-" + home)).isEmpty();
  }

  @Test
  void aNewerBootIsProofAndTheReturningHostTakesItsPlaceAgain() {
    var home = running("web");
    join(home, "boot-2");
    var start = onlyStart();
    assertThat(start.vacancy().proofs().getFirst()).isInstanceOf(Proof.NewerBoot.class);
    assertThat(state.host(home).orElseThrow().online()).isTrue();
  }

  @Test
  void aMigrationRunsOnTheTargetOnlyAfterTheSourceGaveItsWord() {
    var home = running("web");
    assertThat(command(new Command.Migrate(WEB, Optional.empty())))
        .isInstanceOf(Reply.Accepted.class);
    var m = (GuestPhase.Migrating) phase();
    assertThat(state.guest(WEB).orElseThrow().holders()).containsOnlyKeys(home);
    answer(m.target(), new Order.Precheck(WEB, m.to().epoch(), "<domain/>"), new Answer.Done(""));
    assertThat(state.guest(WEB).orElseThrow().holders()).containsOnlyKeys(home, m.target());
    var move = onlyMove();
    assertThat(actions).noneMatch(Action.Resume.class::isInstance);
    answer(
        home,
        move,
        new Answer.Migrated(Duration.ofSeconds(1), Optional.of(Duration.ofMillis(10)), "gone"));
    assertThat(ahead)
        .as("what the intent has committed already need not wait for another commit")
        .singleElement()
        .satisfies(r -> assertThat(r.vacancy().holding().host()).isEqualTo(m.target()));
    assertThat(actions)
        .anyMatch(
            x -> x instanceof Action.Resume r && r.vacancy().holding().host().equals(m.target()));
    answer(m.target(), new Order.ResumeGuest(WEB, m.to().epoch(), true), new Answer.Done(""));
    assertThat(phase()).isEqualTo(new GuestPhase.Running(m.to()));
    assertThat(state.operations()).allMatch(o -> o.state() == Operation.State.DONE);
  }

  @Test
  void aRelocatedGuestStartsThereOnlyAfterTheWordFromHere() {
    var home = running("web");
    var there = List.of(A, B, C).stream().filter(h -> !h.equals(home)).toList().getLast();
    actions.clear();
    command(new Command.Relocate(WEB, Optional.of(there), Duration.ofSeconds(30)));
    assertThat(actions).noneMatch(Action.Start.class::isInstance);
    assertThat(state.guest(WEB).orElseThrow().wanted()).isTrue();
    answer(
        home,
        new Order.StopGuest(WEB, new Epoch(1), Duration.ofSeconds(30)),
        new Answer.Gone("shut off", Optional.empty()));
    var start = onlyStart();
    assertThat(start.vacancy().holding().host()).isEqualTo(there);
    assertThat(start.vacancy().proofs().getFirst()).isInstanceOf(Proof.AgentsWord.class);
    answer(there, new Order.StartGuest(WEB, new Epoch(2), "<domain/>"), new Answer.Done("started"));
    assertThat(state.operations()).allMatch(o -> o.state() == Operation.State.DONE);
  }

  @Test
  void aRelocationThatIsCancelledLeavesNobodyOff() {
    var home = running("web");
    var there = List.of(A, B, C).stream().filter(h -> !h.equals(home)).toList().getLast();
    command(new Command.Relocate(WEB, Optional.of(there), Duration.ofSeconds(30)));
    var op = state.operations().stream().filter(Operation::running).findFirst().orElseThrow();
    command(new Command.CancelOperation(op.id()));
    actions.clear();
    answer(
        home,
        new Order.StopGuest(WEB, new Epoch(1), Duration.ofSeconds(30)),
        new Answer.Gone("shut off", Optional.empty()));
    onlyStart();
  }

  @Test
  void nothingGoesAheadOfItsCommitWhenTheTargetWasLostMeanwhile() {
    var home = running("web");
    command(new Command.Migrate(WEB, Optional.empty()));
    var m = (GuestPhase.Migrating) phase();
    answer(m.target(), new Order.Precheck(WEB, m.to().epoch(), "<domain/>"), new Answer.Done(""));
    var move = onlyMove();
    state =
        state.apply(
            new Change.HolderCleared(
                WEB,
                m.target(),
                new Proof.AgentsWord(
                    m.target(), m.to().boot(), WEB, m.to().epoch(), "shut off", AT)));
    answer(home, move, new Answer.Migrated(Duration.ofSeconds(1), Optional.empty(), "gone"));
    assertThat(ahead).isEmpty();
  }

  @Test
  void aFailedMigrationLeavesTheGuestWhereItIsAndCleansTheTarget() {
    var home = running("web");
    command(new Command.Migrate(WEB, Optional.empty()));
    var m = (GuestPhase.Migrating) phase();
    answer(m.target(), new Order.Precheck(WEB, m.to().epoch(), "<domain/>"), new Answer.Done(""));
    var move = onlyMove();
    answer(home, move, new Answer.Failed("libvirt refused"));
    answer(
        m.target(),
        new Order.ConfirmGone(WEB, m.to().epoch(), true),
        new Answer.Gone("undefined", Optional.empty()));
    // a migration that broke late leaves it paused at its source
    assertThat(actions)
        .anyMatch(x -> x instanceof Action.Resume r && r.vacancy().holding().host().equals(home));
    answer(home, new Order.ResumeGuest(WEB, new Epoch(1), false), new Answer.Done("ran already"));
    assertThat(phase())
        .isEqualTo(new GuestPhase.Running(new Holding(home, new BootId("boot-1"), new Epoch(1))));
    assertThat(state.guest(WEB).orElseThrow().holders()).containsOnlyKeys(home);
    assertThat(
            state.operations().stream().filter(o -> o.kind() instanceof Operation.Kind.MoveGuest))
        .singleElement()
        .satisfies(o -> assertThat(o.state()).isEqualTo(Operation.State.FAILED));
  }

  @Test
  void aKilledGuestIsRestartedAfterItsAgentsWord() {
    var home = running("web");
    happens(
        new Event.DomainsReported(
            home,
            new BootId("boot-1"),
            true,
            List.of(
                new DomainReport(
                    "web", DomainState.OFF_CRASHED, new Epoch(1), false, "shut off (failed)")),
            AT));
    assertThat(actions)
        .containsExactly(
            new Action.Send(
                home, new BootId("boot-1"), new Order.ConfirmGone(WEB, new Epoch(1), false)));
    actions.clear();
    answer(
        home,
        new Order.ConfirmGone(WEB, new Epoch(1), false),
        new Answer.Gone("shut off (failed)", Optional.empty()));
    assertThat(onlyStart().vacancy().holding().epoch()).isEqualTo(new Epoch(2));
  }

  private void reports(HostId host, String name, DomainState guestIs, int epoch) {
    happens(
        new Event.DomainsReported(
            host,
            new BootId("boot-1"),
            true,
            List.of(new DomainReport(name, guestIs, new Epoch(epoch), false, "paused (io_error)")),
            AT));
  }

  @Test
  void storageThatFailsAGuestOnTwoHostsIsAnAlarmAndNoFurtherFailover() {
    var home = running("web");
    reports(home, "web", DomainState.PAUSED_IO_ERROR, 1);
    var order = new Order.ConfirmGone(WEB, new Epoch(1), true);
    assertThat(actions).containsExactly(new Action.Send(home, new BootId("boot-1"), order));
    actions.clear();
    answer(home, order, new Answer.Gone("shut off (destroyed)", Optional.empty()));
    var next = onlyStart().vacancy().holding().host();
    assertThat(next).isNotEqualTo(home);
    answer(next, new Order.StartGuest(WEB, new Epoch(2), "<domain/>"), new Answer.Done("started"));
    actions.clear();

    reports(next, "web", DomainState.PAUSED_IO_ERROR, 2);
    reports(next, "web", DomainState.PAUSED_IO_ERROR, 2);
    assertThat(actions).isEmpty();
    assertThat(phase()).isInstanceOf(GuestPhase.Running.class);
    assertThat(state.alarms())
        .singleElement()
        .satisfies(a -> assertThat(a.id()).isEqualTo("storage-web"))
        .satisfies(a -> assertThat(a.message()).contains("failed on host " + home + " too"));
    reports(next, "web", DomainState.RUNNING, 2);
    assertThat(state.alarms()).isEmpty();
  }

  @ParameterizedTest(name = "{0} and {1}: {2}")
  @CsvSource({
    "<source file='/srv/guests/web.qcow2'/>, <source file='/srv/guests/db.raw'/>, true",
    "<source file='/srv/guests/web.qcow2'/>, <source file='/srv/other/db.raw'/>, false",
    "<source dev='/dev/vg0/web'/>, <source dev='/dev/vg0/db'/>, true",
    "<source dev='/dev/drbd0'/>, <source dev='/dev/drbd1'/>, false",
    "<source dev='/dev/disk/by-id/lun-1'/>, <source dev='/dev/disk/by-id/lun-2'/>, false",
    "<source protocol='rbd' name='pool/web'/>, <source protocol='rbd' name='pool/db'/>, true"
  })
  void whatHoldsTheDisksOfTwoGuestsIsKnownFromTheirDefinitions(
      String one, String other, boolean shared) {
    var disk = "<domain><devices><disk type='x'>%s<target dev='vda'/></disk></devices></domain>";
    assertThat(
            Collections.disjoint(
                Disks.storage(Definition.read(disk.formatted(one))),
                Disks.storage(Definition.read(disk.formatted(other)))))
        .isEqualTo(!shared);
  }

  private Decision unhealthy(HostId home, int epoch) {
    return happens(
        new Event.DomainsReported(
            home,
            new BootId("boot-1"),
            true,
            List.of(
                new DomainReport("web", DomainState.RUNNING, new Epoch(epoch), false, "running")
                    .with(
                        Optional.of(
                            new GuestHealth(
                                GuestHealth.Verdict.UNHEALTHY,
                                "its guest agent has missed 3 pings in a row")))),
            AT));
  }

  private void checked(GuestSpec.Restart restart, Optional<RestartLimits> limits, boolean then) {
    var s = guest("web", 1024);
    command(
        new Command.EditGuest(
            new GuestSpec(
                s.id(),
                s.uuid(),
                s.memoryMib(),
                s.vcpus(),
                s.priority(),
                s.domainXml(),
                s.labels(),
                s.rules(),
                restart,
                s.startAttempts(),
                limits,
                Optional.of(new HealthCheck(Optional.of(AgentPing.DEFAULT), then)))));
    actions.clear();
  }

  @Test
  void anUnhealthyGuestIsAnAlarmUnlessItAsksForARestart() {
    var home = running("web");
    checked(GuestSpec.Restart.ANYWHERE, Optional.empty(), false);
    assertThat(state.pings(home)).containsEntry(WEB, AgentPing.DEFAULT);
    unhealthy(home, 1);
    assertThat(actions).isEmpty();
    assertThat(state.alarm("guest-web").orElseThrow().message())
        .contains("is unhealthy on host " + home, "missed 3 pings");
    happens(
        new Event.DomainsReported(
            home,
            new BootId("boot-1"),
            true,
            List.of(new DomainReport("web", DomainState.RUNNING, new Epoch(1), false, "running")),
            AT));
    assertThat(state.alarms()).isEmpty();
  }

  @Test
  void anUnhealthyGuestIsDestroyedByOrderAndStartsOnlyAfterTheAgentsWordUnderTheNextEpoch() {
    var home = running("web");
    checked(GuestSpec.Restart.ANYWHERE, Optional.empty(), true);
    unhealthy(home, 1);
    var order = new Order.ConfirmGone(WEB, new Epoch(1), true);
    assertThat(actions).containsExactly(new Action.Send(home, new BootId("boot-1"), order));
    actions.clear();
    unhealthy(home, 1); // said again before the order arrived
    assertThat(actions).isEmpty();
    answer(home, order, new Answer.Gone("shut off (destroyed)", Optional.empty()));
    assertThat(onlyStart().vacancy().holding().epoch()).isEqualTo(new Epoch(2));
    assertThat(onlyStart().vacancy().holding().host()).isEqualTo(home);
  }

  @Test
  void anUnhealthyGuestThatMayNotBeRestartedOnceMoreRunsOnWithAnAlarm() {
    var home = running("web");
    checked(
        GuestSpec.Restart.ANYWHERE,
        Optional.of(new RestartLimits(0, Duration.ofMinutes(10), 0, false)),
        true);
    unhealthy(home, 1);
    assertThat(actions).isEmpty();
    assertThat(phase()).isInstanceOf(GuestPhase.Running.class);
    assertThat(state.alarm("guest-web").orElseThrow())
        .matches(a -> a.level() == Alarm.Level.CRITICAL)
        .matches(a -> a.message().contains("as often as it may be"));
  }

  @Test
  void nothingFollowsForAGuestThatIsStoppedOrMovedMeanwhile() {
    var home = running("web");
    checked(GuestSpec.Restart.ANYWHERE, Optional.empty(), true);
    command(new Command.Migrate(WEB, Optional.empty()));
    actions.clear();
    unhealthy(home, 1);
    assertThat(actions).isEmpty();
    assertThat(phase()).isInstanceOf(GuestPhase.Migrating.class);
    answer(
        home,
        new Order.Precheck(WEB, new Epoch(2), "<domain/>"),
        new Answer.Failed("no room")); // of no interest here
    command(new Command.StopGuest(WEB, Duration.ofSeconds(30)));
    actions.clear();
    unhealthy(home, 1);
    assertThat(actions).noneMatch(a -> a.toString().contains("destroy=true"));
    assertThat(state.guest(WEB).orElseThrow().wanted()).isFalse();
  }

  @Test
  void aGuestThatItsWatchdogHasResetIsToldOfAndLeftAlone() {
    var home = running("web");
    checked(GuestSpec.Restart.ANYWHERE, Optional.empty(), true);
    happens(
        new Event.DomainsReported(
            home,
            new BootId("boot-1"),
            true,
            List.of(
                new DomainReport("web", DomainState.RUNNING, new Epoch(1), false, "running")
                    .with(
                        Optional.of(
                            new GuestHealth(
                                GuestHealth.Verdict.RESET,
                                "its watchdog fired at noon, and QEMU has reset it")))),
            AT));
    assertThat(actions).isEmpty();
    assertThat(state.alarm("guest-web").orElseThrow().message()).contains("QEMU has reset it");
  }

  @Test
  void aGuestThatPowersItselfOffStaysOff() {
    var home = running("web");
    happens(
        new Event.DomainsReported(
            home,
            new BootId("boot-1"),
            true,
            List.of(
                new DomainReport(
                    "web", DomainState.OFF_SHUTDOWN, new Epoch(1), false, "shut off (shutdown)")),
            AT));
    answer(
        home,
        new Order.ConfirmGone(WEB, new Epoch(1), false),
        new Answer.Gone("shut off (shutdown)", Optional.empty()));
    assertThat(phase()).isInstanceOf(GuestPhase.Stopped.class);
  }

  @Test
  void aGuestThatDoesNotStartThreeTimesIsLeftFailedWithTheReason() {
    command(new Command.CreateGuest(guest("web", 1024), true));
    for (int i = 0; i < 3; i++) {
      var start = onlyStart();
      actions.clear();
      answer(
          start.vacancy().holding().host(),
          new Order.StartGuest(WEB, start.vacancy().holding().epoch(), "<domain/>"),
          new Answer.Gone("shut off", Optional.of("no such disk")));
    }
    assertThat(phase()).isInstanceOf(GuestPhase.Failed.class);
    assertThat(state.alarms())
        .singleElement()
        .satisfies(a -> assertThat(a.message()).contains("no such disk"));
  }

  @Test
  void anEvacuationEmptiesTheHostAndCordonsIt() {
    var home = running("web");
    assertThat(command(new Command.Evacuate(home))).isInstanceOf(Reply.Accepted.class);
    var m = (GuestPhase.Migrating) phase();
    answer(m.target(), new Order.Precheck(WEB, m.to().epoch(), "<domain/>"), new Answer.Done(""));
    var move = onlyMove();
    answer(home, move, new Answer.Migrated(Duration.ofSeconds(1), Optional.empty(), "gone"));
    answer(m.target(), new Order.ResumeGuest(WEB, m.to().epoch(), true), new Answer.Done(""));
    assertThat(state.host(home).orElseThrow().cordoned()).isTrue();
    assertThat(state.operations()).allMatch(o -> o.state() == Operation.State.DONE);
    assertThat(state.unsettled()).isEmpty();
  }

  @Test
  void anOperatorsWordIsRefusedWhileTheHostShowsLife() {
    var home = running("web");
    var sentence = Command.ConfirmDead.sentence(home);
    happens(silent(home, Duration.ofSeconds(9), Event.Echo.SILENT, Event.Power.UNREACHABLE));
    happens(new Event.FencingFailed(home, new BootId("boot-1"), 1, "unreachable", AT));
    actions.clear();
    var alive = new Event.Outlook(false, Event.Echo.ANSWERS, Event.Power.ON, Duration.ZERO);
    var refused =
        happens(
            new Event.CommandReceived(
                new RequestId("x"),
                "admin",
                new Command.ConfirmDead(home, sentence, Optional.empty()),
                alive,
                AT));
    assertThat(refused.reply().orElseThrow()).isInstanceOf(Reply.Refused.class);
    assertThat(actions).isEmpty();
    var early =
        happens(
            new Event.CommandReceived(
                new RequestId("early"),
                "admin",
                new Command.ConfirmDead(home, sentence, Optional.empty()),
                new Event.Outlook(
                    false, Event.Echo.SILENT, Event.Power.UNREACHABLE, Duration.ofMillis(11_200)),
                AT));
    assertThat(early.reply().orElseThrow())
        .isInstanceOfSatisfying(
            Reply.Refused.class, r -> assertThat(r.message()).contains("lease for 12 s more"));
    assertThat(actions).isEmpty();
    happens(
        new Event.CommandReceived(
            new RequestId("y"),
            "admin",
            new Command.ConfirmDead(
                home, sentence, Optional.of(Command.ConfirmDead.override(home))),
            alive,
            AT));
    assertThat(onlyStart().vacancy().holding().host()).isNotEqualTo(home);
  }

  @Test
  void anOperatorsWordIsRefusedOnceTheHostIsHeardAgain() {
    var home = running("web");
    happens(silent(home, Duration.ofSeconds(9), Event.Echo.SILENT, Event.Power.UNREACHABLE));
    happens(new Event.FencingFailed(home, new BootId("boot-1"), 1, "unreachable", AT));
    happens(new Event.HostHeard(home, new BootId("boot-1"), AT)); // while it was looked at
    actions.clear();
    var late =
        happens(
            new Event.CommandReceived(
                new RequestId("late"),
                "admin",
                new Command.ConfirmDead(
                    home,
                    Command.ConfirmDead.sentence(home),
                    Optional.of(Command.ConfirmDead.override(home))),
                new Event.Outlook(false, Event.Echo.SILENT, Event.Power.UNREACHABLE, Duration.ZERO),
                AT));
    assertThat(late.reply().orElseThrow())
        .isInstanceOfSatisfying(
            Reply.Refused.class, r -> assertThat(r.message()).contains("its agent is heard"));
    assertThat(actions).isEmpty();
    assertThat(state.guest(WEB).orElseThrow().holders()).containsOnlyKeys(home);
  }

  /** Whatever the guest is doing when the host that was proven off is heard. */
  @ParameterizedTest
  @ValueSource(strings = {"waits", "failed", "stopped"})
  void aHostThatLivesHoldsItsGuestsAgainWhateverTheyDo(String doing) {
    var home = running("web");
    var others = Set.of(A, B, C).stream().filter(h -> !h.equals(home)).toList();
    if (doing.equals("failed")) {
      happens(silent(home, Duration.ofSeconds(9), Event.Echo.SILENT, Event.Power.ON));
      happens(off(home, ""));
      for (int i = 0; i < 3; i++) {
        var p = (GuestPhase.Starting) phase();
        answer(
            p.host(),
            new Order.StartGuest(WEB, p.epoch(), "<domain/>"),
            new Answer.Gone("off", Optional.of("no such bridge")));
      }
      assertThat(phase()).isInstanceOf(GuestPhase.Failed.class);
    } else {
      others.forEach(h -> command(new Command.Cordon(h)));
      if (doing.equals("stopped")) {
        command(new Command.StopGuest(WEB, Duration.ofSeconds(30)));
      }
      happens(silent(home, Duration.ofSeconds(9), Event.Echo.SILENT, Event.Power.ON));
      happens(off(home, ""));
      assertThat(state.guest(WEB).orElseThrow().holders()).isEmpty();
    }
    actions.clear();
    happens(new Event.HostHeard(home, new BootId("boot-1"), AT));
    var web = state.guest(WEB).orElseThrow();
    assertThat(web.holders())
        .containsEntry(home, new Holding(home, new BootId("boot-1"), new Epoch(1)));
    assertThat(state.alarm("two-lives-" + home)).isPresent();
    assertThat(actions)
        .as("its agent is asked; a guest that its owner stopped is destroyed, another goes on")
        .contains(
            new Action.Send(
                home,
                new BootId("boot-1"),
                new Order.ConfirmGone(WEB, new Epoch(1), doing.equals("stopped"))))
        .noneMatch(Action.Start.class::isInstance);
    others.forEach(h -> command(new Command.Uncordon(h)));
    happens(new Event.HostHeard(home, new BootId("boot-1"), AT));
    assertThat(actions).noneMatch(Action.Start.class::isInstance);
  }

  @Test
  void theStateSurvivesASnapshot() {
    running("web");
    var copy =
        ClusterState.of(
            dev.haven.model.Json.read(
                dev.haven.model.Json.bytes(state.snapshot()), ClusterState.Snapshot.class));
    assertThat(copy.snapshot()).isEqualTo(state.snapshot());
    assertThat(copy.load(state.guest(WEB).orElseThrow().host().orElseThrow()))
        .isEqualTo(state.load(state.guest(WEB).orElseThrow().host().orElseThrow()));
  }

  @Test
  void anEmptyHostThatIsCordonedIsLeftAloneAndOneWithAGuestIsFencedAsEver() {
    var home = webRuns();
    var empty = home.equals(A) ? B : A;
    command(new Command.Cordon(empty));
    happens(silent(empty, Duration.ofMinutes(5), Event.Echo.SILENT, Event.Power.ON));
    happens(silent(empty, Duration.ofMinutes(5), Event.Echo.ANSWERS, Event.Power.ON));
    happens(silent(empty, Duration.ofMinutes(5), Event.Echo.SILENT, Event.Power.ALL_OFF));
    assertThat(actions).isEmpty();
    assertThat(state.host(empty).orElseThrow().state()).isInstanceOf(HostState.Suspect.class);

    command(new Command.Cordon(home));
    happens(silent(home, Duration.ofSeconds(4), Event.Echo.SILENT, Event.Power.ON));
    assertThat(actions).anyMatch(x -> x instanceof Action.FenceHost f && f.host().equals(home));
  }

  @Test
  void aHostThatIsHeardAndCannotBeToldAnythingIsNotFencedButTold() {
    happens(new Event.AgentChecked(A, false, AT));
    assertThat(state.alarm("unconnected-a").orElseThrow().level()).isEqualTo(Alarm.Level.WARNING);
    guarded(A, watchdog(true, true));
    happens(new Event.AgentChecked(A, false, AT));
    assertThat(state.alarm("unconnected-a").orElseThrow())
        .matches(a -> a.level() == Alarm.Level.CRITICAL)
        .matches(a -> a.message().contains("its guests pause if no lease reaches it"));
    assertThat(actions).isEmpty();
    happens(new Event.AgentChecked(A, true, AT));
    assertThat(state.alarm("unconnected-a")).isEmpty();
  }

  private static Watchdog watchdog(boolean reset, boolean enforcing) {
    return watchdog(reset, enforcing, Optional.empty());
  }

  private static Watchdog watchdog(boolean reset, boolean enforcing, Optional<Long> toldAt) {
    return new Watchdog(
        Watchdog.Kind.HARDWARE,
        "iTCO_wdt",
        Duration.ofSeconds(10),
        reset,
        enforcing,
        toldAt,
        Optional.empty());
  }

  private void guarded(HostId host, Watchdog watchdog) {
    happens(new Event.WatchdogReported(host, new BootId("boot-1"), Optional.of(watchdog), AT));
  }

  private void silentAndUnreachable(HostId host) {
    happens(
        new Event.HostSilent(
            host,
            new BootId("boot-1"),
            new Event.Silence(
                Duration.ofSeconds(4), 2, Event.Echo.SILENT, Event.Power.UNREACHABLE, "nothing"),
            AT));
    happens(new Event.FencingFailed(host, new BootId("boot-1"), 1, "it does not answer", AT));
  }

  private void boundRunsOut(HostId host, Duration bound, String contradiction) {
    happens(new Event.BoundRanOut(host, new BootId("boot-1"), bound, contradiction, AT));
  }

  private HostId webRuns() {
    command(new Command.CreateGuest(guest("web", 1024), true));
    var start = onlyStart();
    answer(
        start.vacancy().holding().host(),
        new Order.StartGuest(WEB, start.vacancy().holding().epoch(), "<domain/>"),
        new Answer.Done("started"));
    actions.clear();
    return start.vacancy().holding().host();
  }

  @Test
  void whereTheDeviceDiedWithTheHostItsBoundIsTheProof() {
    var home = webRuns();
    guarded(home, watchdog(true, true));
    silentAndUnreachable(home);
    boundRunsOut(home, Duration.ofSeconds(37), "");
    assertThat(state.guest(WEB).orElseThrow().holders()).containsKey(home);
    boundRunsOut(home, Duration.ofSeconds(38), "");
    assertThat(state.host(home).orElseThrow().state()).isInstanceOf(HostState.Fenced.class);
    assertThat(onlyStart().vacancy().proofs()).hasOnlyElementsOfType(Proof.BoundRunOut.class);
    assertThat(onlyStart().vacancy().holding().host()).isNotEqualTo(home);
  }

  private static DomainReport pausedWithoutLease(Epoch epoch) {
    return new DomainReport("web", DomainState.PAUSED_NO_LEASE, epoch, false, "no lease");
  }

  @Test
  void aGuestThatIsPausedOnAHostThatIsBackGoesOnThereIfItStartedNowhereElse() {
    var home = webRuns();
    for (var other : List.of(A, B, C)) { // no room but at home
      if (!other.equals(home)) {
        command(new Command.Cordon(other));
      }
    }
    guarded(home, watchdog(true, true));
    silentAndUnreachable(home);
    boundRunsOut(home, Duration.ofSeconds(38), "");
    assertThat(phase()).isInstanceOf(GuestPhase.Waiting.class);
    actions.clear();
    join(home, "boot-1", pausedWithoutLease(new Epoch(1)));
    answer(
        home,
        new Order.ConfirmGone(WEB, new Epoch(1), false),
        new Answer.StillThere(pausedWithoutLease(new Epoch(1))));
    assertThat(phase())
        .isEqualTo(new GuestPhase.Running(new Holding(home, new BootId("boot-1"), new Epoch(1))));
    assertThat(state.leased(home)).containsEntry(WEB, new Epoch(1)); // and so its agent resumes it
    assertThat(actions)
        .noneMatch(
            a ->
                a instanceof Action.Send s
                    && s.order() instanceof Order.ConfirmGone o
                    && o.destroy());
  }

  /** Each is one sentence of what makes the bound a proof. */
  @Test
  void theBoundIsNoProofUnlessAllOfItHolds() {
    var home = webRuns();
    var bound = Duration.ofMinutes(5);
    silentAndUnreachable(home);
    boundRunsOut(home, bound, ""); // no watchdog
    guarded(home, watchdog(false, true));
    boundRunsOut(home, bound, ""); // never seen to reset it
    guarded(home, watchdog(true, false));
    boundRunsOut(home, bound, ""); // its agent does not enforce leases
    guarded(
        home,
        new Watchdog(
            Watchdog.Kind.SOFTDOG,
            "Software Watchdog",
            Duration.ofSeconds(10),
            true,
            true,
            Optional.empty(),
            Optional.empty()));
    boundRunsOut(home, bound, ""); // the kernel's own timer, without an operator's word
    guarded(home, watchdog(true, true));
    boundRunsOut(home, bound, "its kernel answered"); // a sign of life
    happens(new Event.BoundRanOut(home, new BootId("boot-0"), bound, "", AT)); // another boot
    assertThat(state.guest(WEB).orElseThrow().holders()).containsKey(home);
    assertThat(actions).noneMatch(Action.Start.class::isInstance);
    boundRunsOut(home, bound, "");
    assertThat(actions).anyMatch(Action.Start.class::isInstance);
  }

  private static Watchdog listening(boolean reset, Duration deaf, String... disks) {
    return new Watchdog(
        Watchdog.Kind.HARDWARE,
        "iTCO_wdt",
        Duration.ofSeconds(5),
        reset,
        false,
        Optional.empty(),
        Optional.of(new PillWatch("a", new TreeSet<>(List.of(disks)), 3, deaf)));
  }

  private void poisoned(HostId host, String slot, Duration waited, String life, String... disks) {
    happens(
        new Event.HostPoisoned(
            host,
            new BootId("boot-1"),
            1,
            new Pill(slot, List.of("/dev/x"), Set.of(disks), waited),
            life,
            new TreeMap<>(),
            AT));
  }

  @Test
  void aHostThatListensIsGoneWhenItsPillWasWaitedFor() {
    var home = webRuns();
    guarded(home, listening(true, Duration.ofSeconds(4), "1", "2", "3"));
    silentAndUnreachable(home);
    poisoned(home, "A", Duration.ofSeconds(10), "", "1", "3");
    assertThat(onlyStart().vacancy().proofs()).hasOnlyElementsOfType(Proof.PoisonPill.class);
    assertThat(onlyStart().vacancy().holding().host()).isNotEqualTo(home);
  }

  /** Each is one sentence of what makes a poison pill a proof. */
  @Test
  void aPillIsNoProofUnlessAllOfItHolds() {
    var home = webRuns();
    var wait = Duration.ofSeconds(10);
    var deaf = Duration.ofSeconds(4);
    silentAndUnreachable(home);
    poisoned(home, "a", wait, "", "1", "2", "3"); // no watchdog, nobody listens
    guarded(home, listening(false, deaf, "1", "2", "3"));
    poisoned(home, "a", wait, "", "1", "2", "3"); // its watchdog was never seen to reset it
    guarded(home, watchdog(true, true));
    poisoned(home, "a", wait, "", "1", "2", "3"); // nobody listens
    guarded(home, listening(true, deaf, "1", "2", "3"));
    poisoned(home, "b", wait, "", "1", "2", "3"); // another slot
    poisoned(home, "a", wait, "", "1", "4", "5"); // one disk of three
    poisoned(home, "a", Duration.ofSeconds(9), "", "1", "2"); // deaf for 4 s, and 5 s more
    poisoned(home, "a", wait, "it was heard", "1", "2"); // a sign of life
    guarded(home, listening(true, deaf, "1"));
    poisoned(home, "a", wait, "", "1", "2"); // of three disks it could read one only
    guarded(home, listening(true, deaf, "1", "2", "3"));
    happens( // another boot
        new Event.HostPoisoned(
            home,
            new BootId("boot-0"),
            1,
            new Pill("a", List.of("/dev/x"), Set.of("1", "2"), wait),
            "",
            new TreeMap<>(),
            AT));
    assertThat(state.guest(WEB).orElseThrow().holders()).containsKey(home);
    assertThat(actions).noneMatch(Action.Start.class::isInstance);
    poisoned(home, "a", wait, "", "1", "2");
    assertThat(actions).anyMatch(Action.Start.class::isInstance);
  }

  @Test
  void aHostWhosePillWouldProveNothingIsToldOfBeforeItIsNeeded() {
    var spec = spec(new HostId("d"));
    command(
        new Command.AddHost(
            new HostSpec(
                spec.id(),
                Optional.empty(),
                spec.migrationUri(),
                spec.networks(),
                List.of(List.of(new FencingDevice("pill-d", "sbd", Map.of()))),
                Map.of(),
                Optional.empty(),
                1024,
                4)));
    join(spec.id(), "boot-1");
    assertThat(state.alarms())
        .singleElement()
        .satisfies(a -> assertThat(a.message()).contains("would prove nothing", "agent.yaml"));
    guarded(spec.id(), listening(true, Duration.ofSeconds(4), "1", "2", "3"));
    assertThat(state.alarms()).isEmpty();
  }

  @Test
  void aDeviceThatTellsNoIdentityCountsOnlyOnceItWasSeenToCutThisHost() {
    var home = webRuns();
    var plug = List.of("bmc-" + home);
    happens(silent(home, Duration.ofMillis(1000), Event.Echo.SILENT, Event.Power.ALL_OFF));
    happens(off(home, "", plug));
    assertThat(state.guest(WEB).orElseThrow().holders()).containsKey(home);
    assertThat(state.alarms())
        .singleElement()
        .satisfies(a -> assertThat(a.message()).contains("haven fence test " + home));

    join(home, "boot-1", new DomainReport("web", DomainState.RUNNING, new Epoch(1), false, ""));
    assertThat(command(new Command.TestFencing(home, 1)))
        .isInstanceOfSatisfying(
            Reply.Refused.class, r -> assertThat(r.message()).contains("must be empty"));
    command(new Command.StopGuest(WEB, Duration.ZERO));
    answer(
        home,
        new Order.StopGuest(WEB, new Epoch(1), Duration.ZERO),
        new Answer.Gone("off", Optional.empty()));
    command(new Command.Cordon(home));
    actions.clear();
    assertThat(command(new Command.TestFencing(home, 1))).isInstanceOf(Reply.Accepted.class);
    assertThat(actions).anyMatch(Action.FenceHost.class::isInstance);
    happens(new Event.HostHeard(home, new BootId("boot-1"), AT)); // until its power is gone
    happens(off(home, "", plug));
    assertThat(actions).contains(new Action.PowerOn(home));
    join(home, "boot-2");
    assertThat(state.operations())
        .last()
        .satisfies(o -> assertThat(o.state()).isEqualTo(Operation.State.DONE));
    command(new Command.Uncordon(home));

    happens(
        new Event.HostSilent(
            home,
            new BootId("boot-2"),
            new Event.Silence(
                Duration.ofMillis(1000), 2, Event.Echo.SILENT, Event.Power.ALL_OFF, "off"),
            AT));
    happens(
        new Event.FencingConfirmed(
            home,
            new BootId("boot-2"),
            1,
            new Proof.PowerReadOff(home, new BootId("boot-2"), List.of("plug says off"), AT),
            plug,
            "",
            new TreeMap<>(),
            AT));
    assertThat(state.host(home).orElseThrow().state()).isInstanceOf(HostState.Fenced.class);
  }

  @Test
  void aTestThatCutsAnotherMachineSwitchesItOnAgainAndSaysSo() {
    command(new Command.Cordon(A));
    command(new Command.TestFencing(A, 1));
    actions.clear();
    happens(off(A, "it was heard since", List.of("bmc-a")));
    assertThat(actions).contains(new Action.PowerOn(A));
    assertThat(state.operations())
        .last()
        .satisfies(
            o -> {
              assertThat(o.state()).isEqualTo(Operation.State.FAILED);
              assertThat(o.detail()).contains("another machine");
            });
    assertThat(state.host(A).orElseThrow().state()).isInstanceOf(HostState.Suspect.class);
  }

  @Test
  void aTestProvesNothingWhenTheHostBootedBeforeItWasReadOffOrTheDeviceFailed() {
    command(new Command.Cordon(A));
    command(new Command.TestFencing(A, 1));
    join(A, "boot-2");
    command(new Command.TestFencing(A, 1));
    happens(new Event.FencingFailed(A, new BootId("boot-2"), 1, "it does not answer", AT));
    happens(new Event.HostHeard(A, new BootId("boot-2"), AT));
    assertThat(state.host(A).orElseThrow().online()).isTrue();
    assertThat(state.host(A).orElseThrow().seenToCut()).isEmpty();
    assertThat(state.operations()).allMatch(o -> o.state() == Operation.State.FAILED);
    assertThat(command(new Command.TestFencing(A, 2))).isInstanceOf(Reply.Refused.class);
  }

  @Test
  void aHostThatPausedItsGuestsMayComeBackUnderTheSameBootWithoutThem() {
    var home = webRuns();
    guarded(home, watchdog(true, true));
    silentAndUnreachable(home);
    boundRunsOut(home, Duration.ofSeconds(38), "");
    var start = onlyStart();
    answer(
        start.vacancy().holding().host(),
        new Order.StartGuest(WEB, start.vacancy().holding().epoch(), "<domain/>"),
        new Answer.Done("started"));
    actions.clear();
    join(
        home, "boot-1", new DomainReport("web", DomainState.PAUSED, new Epoch(1), false, "paused"));
    assertThat(state.host(home).orElseThrow().online()).isTrue();
    assertThat(state.alarms()).isEmpty();
    assertThat(actions)
        .contains(
            new Action.Send(
                home, new BootId("boot-1"), new Order.ConfirmGone(WEB, new Epoch(2), true)));
  }

  @Test
  void aGuestOfARemovedOnesNameBeginsAboveItsEpochs() {
    var home = webRuns();
    command(new Command.StopGuest(WEB, Duration.ZERO));
    answer(
        home,
        new Order.StopGuest(WEB, new Epoch(1), Duration.ZERO),
        new Answer.Gone("off", Optional.empty()));
    command(new Command.RemoveGuest(WEB));
    actions.clear();
    command(new Command.CreateGuest(guest("web", 1024), true));
    assertThat(onlyStart().vacancy().holding().epoch()).isEqualTo(new Epoch(2));
  }

  @Test
  void aLockedDiskIsWaitedForAndIsNoFailureOfTheGuests() {
    command(new Command.CreateGuest(guest("web", 1024), true));
    for (int i = 1; i <= 5; i++) {
      var start = onlyStart();
      actions.clear();
      answer(
          start.vacancy().holding().host(),
          new Order.StartGuest(WEB, start.vacancy().holding().epoch(), "<domain/>"),
          new Answer.Gone(
              "off",
              Optional.of("Failed to get \"write\" lock"),
              Optional.of(Answer.Cause.DISK_LOCKED)));
      assertThat(actions).as("not at once").noneMatch(Action.Start.class::isInstance);
      happens(new Event.Tick(AT.plusSeconds(9)));
      assertThat(actions).noneMatch(Action.Start.class::isInstance);
      happens(new Event.Tick(AT.plusSeconds(10)));
    }
    assertThat(state.guest(WEB).orElseThrow().failedStarts()).isZero();
    assertThat(state.alarm("guest-web").map(Alarm::message)).isEmpty(); // being started again
  }

  @Test
  void ofTwoCopiesTheOlderIsPausedAndWaitsForSomebodyToLook() {
    var home = webRuns();
    // the guest moved on; somebody brought the old copy up again
    command(new Command.StopGuest(WEB, Duration.ZERO));
    answer(
        home,
        new Order.StopGuest(WEB, new Epoch(1), Duration.ZERO),
        new Answer.Gone("off", Optional.empty()));
    command(new Command.Cordon(home));
    command(new Command.StartGuest(WEB));
    var start = onlyStart();
    answer(
        start.vacancy().holding().host(),
        new Order.StartGuest(WEB, new Epoch(2), "<domain/>"),
        new Answer.Done("started"));
    actions.clear();
    var running = new DomainReport("web", DomainState.RUNNING, new Epoch(1), false, "running");
    var paused = new DomainReport("web", DomainState.PAUSED, new Epoch(1), false, "paused");
    var boot = new BootId("boot-1");
    happens(new Event.DomainsReported(home, boot, true, List.of(running), AT));
    assertThat(actions)
        .containsExactly(new Action.Send(home, boot, new Order.PauseGuest(WEB, new Epoch(1))));
    actions.clear();
    happens(new Event.DomainsReported(home, boot, true, List.of(paused), AT));
    assertThat(actions).as("it is not destroyed").isEmpty();
    assertThat(state.alarms()).anyMatch(a -> a.message().contains("TWO COPIES"));
    happens(new Event.DomainsReported(home, boot, true, List.of(), AT));
    assertThat(state.alarms()).isEmpty();
  }

  @Test
  void whilePausedNobodyIsFencedAndNoBoundCounts() {
    var home = webRuns();
    guarded(home, watchdog(true, true));
    command(new Command.Pause("the switch gets a new firmware", Optional.empty()));
    silentAndUnreachable(home);
    boundRunsOut(home, Duration.ofMinutes(5), "");
    assertThat(actions).isEmpty();
    assertThat(state.host(home).orElseThrow().state()).isInstanceOf(HostState.Suspect.class);
    assertThat(state.alarm("paused").orElseThrow().message())
        .contains("new firmware", "not acknowledged", home.value());
    guarded(home, watchdog(true, false));
    assertThat(state.alarm("paused").orElseThrow().message()).doesNotContain("not acknowledged");
    command(new Command.Resume());
    assertThat(state.alarm("paused")).isEmpty();
    // nothing is relied on until the agent says so again
    silentAndUnreachable(home);
    boundRunsOut(home, Duration.ofMinutes(5), "");
    assertThat(state.guest(WEB).orElseThrow().holders()).containsKey(home);
    guarded(home, watchdog(true, true, Optional.of(state.version())));
    boundRunsOut(home, Duration.ofMinutes(5), "");
    assertThat(state.guest(WEB).orElseThrow().holders()).doesNotContainKey(home);
  }

  @Test
  void whatAnAgentSaidBeforeAPauseDoesNotCountAfterIt() {
    var home = webRuns();
    var early = watchdog(true, true, Optional.of(state.version()));
    guarded(home, early);
    command(new Command.Pause("work", Optional.empty()));
    guarded(home, early); // on its way when the pause began
    command(new Command.Resume());
    guarded(home, early); // on its way during all of it; its agent has not enforced since
    silentAndUnreachable(home);
    boundRunsOut(home, Duration.ofMinutes(5), "");
    assertThat(state.guest(WEB).orElseThrow().holders()).containsKey(home);
  }

  @Test
  void whatAnAgentWasToldBeforeAForcedStartDoesNotCountAfterAPauseOfTheNewCluster() {
    var home = webRuns();
    var early = watchdog(true, true, Optional.of(state.version() + 10_000)); // by a longer log
    guarded(home, early);
    happens(new Event.LeaderElected(1_000_009, 1_000, Event.Quorum.NONE, AT));
    command(new Command.Pause("work", Optional.empty()));
    command(new Command.Resume());
    guarded(home, early); // on its way during all of it
    silentAndUnreachable(home);
    boundRunsOut(home, Duration.ofMinutes(5), "");
    assertThat(state.guest(WEB).orElseThrow().holders()).containsKey(home);
  }

  @Test
  void whatAnAgentWasToldBeforeAForcedStartDoesNotOvertakeWhatTheNewClusterTellsIt() {
    var home = webRuns();
    guarded(home, watchdog(true, false, Optional.of(state.version() + 10_000)));
    happens(new Event.LeaderElected(1_000_009, 1_000, Event.Quorum.NONE, AT));
    guarded(home, watchdog(true, true, Optional.of(state.version())));
    silentAndUnreachable(home);
    boundRunsOut(home, Duration.ofMinutes(5), "");
    assertThat(state.guest(WEB).orElseThrow().holders()).doesNotContainKey(home);
  }

  @Test
  void aWordThatItEnforcesLeasesIsOvertakenByALaterOneThatItDoesNot() {
    var home = webRuns();
    guarded(home, watchdog(true, true, Optional.of(7L)));
    guarded(home, watchdog(true, false, Optional.of(9L)));
    guarded(home, watchdog(true, true, Optional.of(7L))); // was on its way for long
    silentAndUnreachable(home);
    boundRunsOut(home, Duration.ofMinutes(5), "");
    assertThat(state.guest(WEB).orElseThrow().holders()).containsKey(home);
    guarded(home, watchdog(true, true, Optional.of(10L)));
    boundRunsOut(home, Duration.ofMinutes(5), "");
    assertThat(state.guest(WEB).orElseThrow().holders()).doesNotContainKey(home);
  }

  @Test
  void aPauseEndsByItself() {
    command(new Command.Pause("work", Optional.of(Duration.ofHours(1))));
    happens(new Event.Tick(AT.plusSeconds(3_599)));
    assertThat(state.pause()).isPresent();
    happens(new Event.Tick(AT.plusSeconds(3_600)));
    assertThat(state.pause()).isEmpty();
  }

  private Event.FencedAlone alone(HostId host, String boot, boolean wasOff, String contradiction) {
    return new Event.FencedAlone(
        host,
        new BootId(boot),
        wasOff,
        new Proof.PowerReadOff(host, new BootId(boot), List.of("bmc says off"), AT),
        contradiction,
        new TreeMap<>(),
        AT);
  }

  @Test
  void whatTheOnlyVoterLeftHasProvenBeforeItWasTheOnlyOneStartsTheGuests() {
    var home = running("web");
    happens(new Event.LeaderElected(7, 2, Event.Quorum.NONE, AT));
    assertThat(state.generation()).isEqualTo(2);
    happens(alone(home, "boot-1", false, ""));
    assertThat(state.host(home).orElseThrow().state()).isInstanceOf(HostState.Fenced.class);
    assertThat(onlyStart().vacancy().holding().host()).isNotEqualTo(home);
    assertThat(actions).contains(new Action.PowerOn(home));
  }

  @Test
  void aProofOfAnEarlierBootOrAContradictedOneStartsNothing() {
    var home = running("web");
    happens(alone(home, "boot-0", true, ""));
    happens(alone(home, "boot-1", true, "its kernel answers"));
    assertThat(actions).isEmpty();
    assertThat(state.host(home).orElseThrow().online()).isTrue();
    assertThat(state.alarm("fencing-" + home)).isPresent();
  }

  @Test
  void aForcedGenerationBeginsAboveAllEpochsThatAnotherSideCanHaveGiven() {
    running("web");
    happens(new Event.LeaderElected(7, 2, Event.Quorum.NONE, AT));
    var before = state.guest(WEB).orElseThrow().epoch().value();
    happens(new Event.LeaderElected(8, 1000, Event.Quorum.NONE, AT));
    assertThat(state.guest(WEB).orElseThrow().epoch().value()).isEqualTo(before + 1_000_000);
    assertThat(state.leased(state.guest(WEB).orElseThrow().host().orElseThrow()).values())
        .as("what runs goes on under its epoch")
        .containsExactly(new Epoch(before));
  }

  /** The agent of a host that goes down says how its guest web is. */
  private void goesDown(HostId host, GoingDown how, DomainState web) {
    happens(
        new Event.DomainsReported(
            host,
            new BootId("boot-1"),
            true,
            List.of(new DomainReport("web", web, new Epoch(1), false, "shut off (shutdown)")),
            Optional.of(how),
            AT));
  }

  private void silentFor(HostId host, Duration time) {
    happens(silent(host, time, Event.Echo.SILENT, Event.Power.ALL_OFF));
  }

  @ParameterizedTest
  @CsvSource({"OFF_SHUTDOWN", "OFF_DESTROYED", "OFF_CRASHED", "OFF", "OFF_BY_HOST"})
  void aGuestThatEndsWhileItsHostGoesDownStartsElsewhereOnItsAgentsWord(DomainState end) {
    var home = webRuns();
    goesDown(home, GoingDown.REBOOT, end);
    assertThat(actions).noneMatch(Action.Start.class::isInstance); // what it says is no proof
    answer(
        home,
        new Order.ConfirmGone(WEB, new Epoch(1), false),
        new Answer.Gone("shut off", Optional.empty()));
    assertThat(onlyStart().vacancy().holding().host()).isNotEqualTo(home);
    assertThat(state.guest(WEB).orElseThrow().wanted()).isTrue();
    assertThat(state.guest(WEB).orElseThrow().crashes()).isEmpty();
  }

  @Test
  void aHostThatGoesDownAsPlannedIsNotFencedOnceItsGuestsAreAccountedFor() {
    var home = webRuns();
    goesDown(home, GoingDown.POWER_OFF, DomainState.OFF_SHUTDOWN);
    answer(
        home,
        new Order.ConfirmGone(WEB, new Epoch(1), false),
        new Answer.Gone("shut off", Optional.empty()));
    actions.clear();
    silentFor(home, Duration.ofSeconds(4));
    silentFor(home, Duration.ofDays(3));
    assertThat(actions).noneMatch(Action.FenceHost.class::isInstance);
    assertThat(state.alarms()).isEmpty();
    join(home, "boot-2");
    assertThat(state.host(home).orElseThrow().shutdown()).isEmpty();
  }

  @Test
  void aRebootThatTakesLongerThanFiveMinutesIsASilenceLikeAnyOther() {
    goesDown(A, GoingDown.REBOOT, DomainState.OFF);
    silentFor(A, Duration.ofSeconds(299));
    assertThat(actions).isEmpty();
    silentFor(A, Duration.ofSeconds(300));
    assertThat(actions).hasOnlyElementsOfType(Action.FenceHost.class).hasSize(1);
  }

  @Test
  void aHostThatGoesDownWithAGuestThatIsNotAccountedForIsFenced() {
    var home = webRuns();
    goesDown(home, GoingDown.POWER_OFF, DomainState.RUNNING);
    silentFor(home, Duration.ofSeconds(4));
    assertThat(actions).hasOnlyElementsOfType(Action.FenceHost.class).hasSize(1);
  }

  @Test
  void aShutdownThatIsCalledOffIsForgotten() {
    goesDown(A, GoingDown.REBOOT, DomainState.OFF);
    happens(new Event.DomainsReported(A, new BootId("boot-1"), true, List.of(), AT));
    silentFor(A, Duration.ofSeconds(4));
    assertThat(actions).hasOnlyElementsOfType(Action.FenceHost.class).hasSize(1);
  }

  @Test
  void aHostThatIsBackHasNoLeaseForAGuestWhoseStartElsewhereMayHaveLeft() {
    var home = webRuns();
    guarded(home, watchdog(true, true));
    silentAndUnreachable(home);
    boundRunsOut(home, Duration.ofSeconds(38), "");
    var start = onlyStart();
    join(home, "boot-1", pausedWithoutLease(new Epoch(1)));
    assertThat(state.guest(WEB).orElseThrow().holders()).containsKey(home);
    assertThat(state.leased(home)).isEmpty();
    assertThat(state.leased(start.vacancy().holding().host())).containsKey(WEB);
    // it was ordered to end it, and that may come late: it does not go on there after all
    join(start.vacancy().holding().host(), "boot-2");
    assertThat(phase())
        .isInstanceOfSatisfying(
            GuestPhase.Vacating.class,
            v -> {
              assertThat(v.host()).isEqualTo(home);
              assertThat(v.destroy()).isTrue();
            });
  }
}
