package dev.haven.core.ha;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.ProcessId;
import dev.haven.model.RequestId;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import dev.haven.model.wire.FromAgent;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A machine that says it is host a, on which guest web runs. */
class NewcomersTest {
  private static final String OURS = "4c4c4544-0034-3010-8048-b4c04f4d4232";
  private static final String OTHER = "4c4c4544-0034-3010-8048-b4c04f4d9999";
  private static final String OF_MANY = "03000200-0400-0500-0006-000700080009";
  private static final BootId NEWER = new BootId("boot-2");

  private ClusterState state =
      Hosts.running(Hosts.online(true, Hosts.A, Hosts.B), Hosts.WEB, Hosts.A)
          .apply(new Change.HostIdentified(Hosts.A, Optional.of(OURS)));

  private Decision happens(Event event) {
    var decision = HaPolicy.decide(state, event);
    var outcome =
        state.apply(
            new Entry(
                Entry.FORMAT, state.version(), Hosts.AT, decision.changes(), decision.facts()));
    assertThat(outcome).isInstanceOf(ClusterState.Outcome.Applied.class);
    state = outcome.state();
    return decision;
  }

  private static FromAgent.Hello hello(BootId boot, Optional<String> uuid) {
    return new FromAgent.Hello(
        1,
        Hosts.A,
        boot,
        new ProcessId("newcomer"),
        "a2V5",
        uuid,
        new Capacity(8192, 8, "test"),
        "1",
        0,
        Optional.empty(),
        true,
        List.of());
  }

  private static Event.Newcomer asks(double held, double unheard) {
    return new Event.Newcomer(
        Duration.ofMillis((long) (held * 1000)),
        unheard < 0 ? Optional.empty() : Optional.of(Duration.ofMillis((long) (unheard * 1000))),
        unheard >= 0 && unheard < 2);
  }

  private boolean takenIn() {
    return state.host(Hosts.A).orElseThrow().boot().equals(Optional.of(NEWER));
  }

  /** Seconds that it has asked, seconds that the older boot is unheard, -1: too few can say. */
  @ParameterizedTest
  @CsvSource({
    "0,   60,  false", // it has only just asked
    "2.5, 60,  false", // what the others say may be older than its hello and 2 s
    "2.6, 4,   true",
    "60,  3.9, false", // heard 1.9 s before the hello or later
    "60,  0.1, false", // it runs
    "60,  -1,  false", // no majority of the other voters can say
  })
  void aNewerBootIsOneWhenTheOlderIsSilentBeforeAndAfterItsHello(
      double held, double unheard, boolean in) {
    happens(new Event.AgentJoined(hello(NEWER, Optional.of(OURS)), asks(held, unheard), Hosts.AT));
    assertThat(takenIn()).isEqualTo(in);
    assertThat(state.guest(Hosts.WEB).orElseThrow().holders().get(Hosts.A))
        .as("nothing is proven while it is held")
        .matches(h -> in ? h == null || h.boot().equals(NEWER) : h.boot().equals(Hosts.BOOT));
  }

  @ParameterizedTest
  @CsvSource({"10.5, 60, false", "10.6, 19, false", "10.6, 20, true"})
  void whereNoUuidTellsMachinesApartItTakesFiveTimesAsLong(
      double held, double unheard, boolean in) {
    state = state.apply(new Change.HostIdentified(Hosts.A, Optional.of("none")));
    happens(
        new Event.AgentJoined(hello(NEWER, Optional.of(OF_MANY)), asks(held, unheard), Hosts.AT));
    assertThat(takenIn()).isEqualTo(in);
  }

  @Test
  void aCloneWithAnotherUuidIsHeldForGoodAndSomebodyIsTold() {
    for (var uuid : List.of(Optional.of(OTHER), Optional.<String>empty(), Optional.of(OF_MANY))) {
      happens(new Event.AgentJoined(hello(NEWER, uuid), asks(600, 600), Hosts.AT));
      happens(new Event.HelloHeld(hello(NEWER, uuid), asks(600, 600), Hosts.AT));
      assertThat(takenIn()).isFalse();
    }
    happens(new Event.HelloHeld(hello(NEWER, Optional.of(OTHER)), asks(0, 600), Hosts.AT));
    assertThat(state.alarm("identity-a").orElseThrow())
        .matches(a -> a.level() == Alarm.Level.CRITICAL)
        .matches(a -> a.message().contains("haven host accept a --uuid " + OTHER));
    assertThat(state.guest(Hosts.WEB).orElseThrow().holders()).containsOnlyKeys(Hosts.A);
  }

  @Test
  void afterTheExchangeOfABoardAnOperatorAcceptsTheNewUuid() {
    happens(new Event.HelloHeld(hello(NEWER, Optional.of(OTHER)), asks(9, 60), Hosts.AT));
    assertThat(accept("4c4c4544").orElseThrow()).isInstanceOf(Reply.Refused.class);
    assertThat(accept(OTHER.toUpperCase(java.util.Locale.ROOT)).orElseThrow())
        .isInstanceOf(Reply.Accepted.class);
    assertThat(state.alarm("identity-a")).isEmpty();
    happens(new Event.AgentJoined(hello(NEWER, Optional.of(OTHER)), asks(9, 60), Hosts.AT));
    assertThat(takenIn()).isTrue();
  }

  private int request;

  private Optional<Reply> accept(String uuid) {
    return happens(
            new Event.CommandReceived(
                new RequestId("r" + request++),
                "admin",
                new Command.AcceptHost(Hosts.A, uuid),
                Event.Outlook.NONE,
                Hosts.AT))
        .reply();
  }

  @Test
  void aHostThatIsProvenOffAlreadyIsTakenInAtOnce() {
    state =
        state.apply(
            new Change.HostStateChanged(
                Hosts.A, new HostState.Fenced(Hosts.BOOT, Hosts.off(Hosts.A, Hosts.BOOT))));
    happens(
        new Event.AgentJoined(hello(NEWER, Optional.of(OTHER)), Event.Newcomer.UNKNOWN, Hosts.AT));
    assertThat(takenIn()).as("but only that machine").isFalse();
    happens(
        new Event.AgentJoined(hello(NEWER, Optional.of(OURS)), Event.Newcomer.UNKNOWN, Hosts.AT));
    assertThat(takenIn()).isTrue();
  }

  @Test
  void twoMachinesWithOneKeyAreToldApartAndTheNewcomerIsNamed() {
    happens(new Event.HelloHeld(hello(NEWER, Optional.of(OURS)), asks(0.7, 0.1), Hosts.AT));
    assertThat(state.alarm("twins-a")).as("a fast reboot looks like that").isEmpty();
    happens(new Event.HelloHeld(hello(NEWER, Optional.of(OURS)), asks(3, 0.1), Hosts.AT));
    assertThat(state.alarm("twins-a").orElseThrow().level()).isEqualTo(Alarm.Level.CRITICAL);
    // the true host's agent finds the leader again
    happens(
        new Event.AgentJoined(
            hello(Hosts.BOOT, Optional.of(OURS)), Event.Newcomer.UNKNOWN, Hosts.AT));
    assertThat(state.alarm("twins-a")).isEmpty();
    assertThat(state.host(Hosts.A).orElseThrow().online()).isTrue();
  }

  @Test
  void aVoterThatHasOnlyJustBegunIsNoSignOfTwoMachines() {
    var asks =
        new Event.Newcomer(Duration.ofSeconds(30), Optional.of(Duration.ofMillis(100)), false);
    happens(new Event.HelloHeld(hello(NEWER, Optional.of(OURS)), asks, Hosts.AT));
    assertThat(state.alarm("twins-a")).isEmpty();
    assertThat(takenIn()).isFalse();
  }

  @Test
  void whereTooFewVotersCanSayTheWayOutIsNamedAfterAMinute() {
    happens(new Event.HelloHeld(hello(NEWER, Optional.of(OURS)), asks(59, -1), Hosts.AT));
    assertThat(state.alarm("identity-a")).isEmpty();
    happens(new Event.HelloHeld(hello(NEWER, Optional.of(OURS)), asks(60, -1), Hosts.AT));
    assertThat(state.alarm("identity-a").orElseThrow().message())
        .contains("haven fence a --confirm-dead");
  }

  @Test
  void aVoterOnAHostThatIsProvenOffKeepsNobodyFromJoining() {
    var voters = List.of("a", "b", "witness");
    assertThat(Newcomers.witnesses(state, voters)).isEqualTo(voters);
    var proven =
        state.apply(
            new Change.HostStateChanged(
                Hosts.B, new HostState.Fenced(Hosts.BOOT, Hosts.off(Hosts.B, Hosts.BOOT))));
    assertThat(Newcomers.witnesses(proven, voters)).containsExactly("a", "witness");
  }
}
