package dev.haven.orchestrator.ha;

import static org.assertj.core.api.Assertions.assertThat;

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
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import dev.haven.orchestrator.vigil.LongWaits;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Whatever comes no further is told, with the last answer and a way out. */
class StuckTest {
  private static final Instant AT = Instant.parse("2026-11-21T00:00:00Z");
  private static final GuestId WEB = new GuestId("web");
  private static final GuestId DB = new GuestId("db");
  private static final BootId BOOT = new BootId("boot-1");

  private ClusterState state = ClusterState.EMPTY;
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
            new Entry(Entry.FORMAT, state.version(), AT, decision.changes(), decision.notes()));
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
            now()));
  }

  /** Second after second goes by, and each of them this is answered once more. */
  private void passes(Duration time, Runnable each) {
    var until = clock.plus(time);
    while (clock.compareTo(until) < 0) {
      clock = clock.plusSeconds(1);
      each.run();
      happens(new Event.Tick(waits.lasting(state, clock.toNanos()), now()));
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
                Map.of(),
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
        .contains("SIGKILL: Device or resource busy", "more than 1 min", "haven fence");
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

  @Test
  void aGuestThatHasArrivedPausedAndIsNeverLetRunIsTold() {
    create("web");
    startAnswers(WEB, new Answer.Done(""));
    command(new Command.Migrate(WEB, Optional.empty()));
    var m = (GuestPhase.Migrating) phase(WEB);
    happens(
        new Event.OrderAnswered(
            m.target(),
            m.targetBoot(),
            new Order.Precheck(WEB, m.targetEpoch(), "<domain/>"),
            new Answer.Done(""),
            now()));
    happens(
        new Event.OrderAnswered(
            m.source(),
            m.sourceBoot(),
            new Order.MigrateOut(WEB, m.sourceEpoch(), m.targetEpoch(), m.target(), "", "", 0),
            new Answer.Migrated(Duration.ofSeconds(1), Optional.empty(), "gone"),
            now()));
    passes(
        Duration.ofMinutes(4),
        () ->
            happens(
                new Event.OrderAnswered(
                    m.target(),
                    m.targetBoot(),
                    new Order.ResumeGuest(WEB, m.targetEpoch(), true),
                    new Answer.Unknown("its migration does not end"),
                    now())));
    assertThat(alarm(WEB)).contains("paused on host " + m.target(), "its migration does not end");
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
}
