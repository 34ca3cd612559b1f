package dev.haven.core.lead;

import static dev.haven.core.lead.OneVoter.A;
import static dev.haven.core.lead.OneVoter.BOOT;
import static dev.haven.core.lead.OneVoter.PROCESS;
import static dev.haven.core.lead.OneVoter.hello;
import static dev.haven.core.lead.OneVoter.millis;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Action;
import dev.haven.core.ha.Change;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.HostState;
import dev.haven.model.BootId;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What leaves for an agent, and what becomes of what it says. */
class AgentTalkTest {
  private static final Instant AT = Instant.parse("2026-11-29T00:00:00Z");
  private static final GuestId WEB = new GuestId("web");
  private static final BootId NEWER = new BootId("boot-2");

  private final OneVoter voter = new OneVoter();
  private final List<Order> sent = new ArrayList<>();
  private final List<Long> numbers = new ArrayList<>();
  private final List<LeasedLists.Telling> told = new ArrayList<>();
  private final List<Event> found = new ArrayList<>();
  private boolean connected = true;

  private final AgentTalk talk =
      new AgentTalk(
          voter.watch,
          voter::state,
          new AgentTalk.Links() {
            @Override
            public boolean send(HostId host, BootId boot, long number, long term, Order order) {
              if (connected) {
                sent.add(order);
                numbers.add(number);
              }
              return connected;
            }

            @Override
            public void tell(LeasedLists.Telling telling) {
              told.add(telling);
            }

            @Override
            public void found(Event event) {
              found.add(event);
            }
          });

  @BeforeEach
  void itLeads() {
    voter.watch.elected(0);
    talk.elected(3);
  }

  private Action.Start start() {
    var spec =
        new GuestSpec(
            WEB,
            "uuid-web",
            512,
            1,
            0,
            "<domain/>",
            Map.of(),
            List.of(),
            GuestSpec.Restart.ANYWHERE,
            3);
    return (Action.Start)
        voter
            .happens(
                new Event.CommandReceived(
                    new RequestId("r"),
                    "admin",
                    new Command.CreateGuest(spec, true),
                    Event.Outlook.NONE,
                    AT))
            .getFirst();
  }

  private void answers(BootId boot, long number) {
    talk.said(
        A,
        boot,
        new FromAgent.AnswerFrame(FromAgent.VERSION, number, new Answer.Done("started")),
        AT);
  }

  @Test
  void anOrderIsSentOnceAndAnsweredOnceByTheBootThatItWentTo() {
    var start = start();
    talk.start(start, 3, millis(1_000), AT);
    talk.start(start, 3, millis(2_000), AT);
    assertThat(sent).hasSize(1).allMatch(o -> o instanceof Order.StartGuest);
    assertThat(talk.starts(start)).isTrue();
    answers(NEWER, numbers.getFirst());
    answers(BOOT, numbers.getFirst() + 1);
    assertThat(found).isEmpty();
    answers(BOOT, numbers.getFirst());
    answers(BOOT, numbers.getFirst());
    assertThat(found).hasSize(1).allMatch(e -> e instanceof Event.OrderAnswered);
    assertThat(talk.starts(start)).isFalse();
  }

  @Test
  void anOrderThatDidNotGetThroughIsSentWithTheNextTry() {
    var start = start();
    connected = false;
    talk.start(start, 3, millis(1_000), AT);
    connected = true;
    talk.start(start, 3, millis(1_100), AT);
    assertThat(sent).hasSize(1);
  }

  @Test
  void whatWasOnItsWayToAnEarlierConnectionIsSentAgain() {
    var start = start();
    talk.start(start, 3, millis(1_000), AT);
    talk.greets(hello(BOOT, PROCESS), millis(1_100), AT);
    talk.start(start, 3, millis(1_200), AT);
    talk.left(A);
    talk.start(start, 3, millis(1_300), AT);
    assertThat(sent).hasSize(3);
  }

  @Test
  void anAgentThatWasTakenInIsToldWhatItMayRunAndAgainWhenThatChanges() {
    assertThat(talk.decided(hello(BOOT, PROCESS))).isTrue();
    assertThat(told).hasSize(1);
    var before = voter.state;
    start();
    talk.applied(before, voter.state);
    assertThat(told).hasSize(2);
    assertThat(told.getLast().host()).isEqualTo(A);
    talk.left(A);
    talk.applied(before, voter.state);
    assertThat(told).as("nobody is connected").hasSize(2);
    assertThat(talk.hosts()).isEmpty();
  }

  @Test
  void onlyTheProcessAndTheBootThatTheStateNamesAreTakenIn() {
    assertThat(talk.decided(hello(BOOT, new ProcessId("q")))).isFalse();
    assertThat(talk.decided(hello(NEWER, PROCESS))).isFalse();
    voter.state =
        voter.state.apply(new Change.HostStateChanged(A, new HostState.Suspect(AT, "silent")));
    assertThat(talk.decided(hello(BOOT, PROCESS))).as("it is not online").isFalse();
    assertThat(told).isEmpty();
  }

  @Test
  void aNewerBootIsHeldWhileTheOlderOneMayRunAndTheLeaderHearsOfIt() {
    voter.watch.step(voter.state.hosts(), millis(900));
    voter.beats(1_000);
    var why = talk.held(hello(NEWER, new ProcessId("q")), millis(1_500), AT);
    assertThat(why.orElseThrow()).startsWith("held: ");
    assertThat(found).hasSize(1).allMatch(e -> e instanceof Event.HelloHeld);
    assertThat(voter.watch.asking().boots(A, millis(1_600)))
        .as("its silence may be a reboot")
        .isTrue();
    assertThat(talk.held(hello(BOOT, new ProcessId("q")), millis(1_500), AT))
        .as("an agent that was restarted")
        .isEmpty();
  }

  @Test
  void aFollowerTellsNobodyAnything() {
    talk.decided(hello(BOOT, PROCESS));
    talk.deposed();
    var before = voter.state;
    start();
    talk.applied(before, voter.state);
    assertThat(told).hasSize(1);
  }

  private List<Event> looks(Unconnected unconnected, boolean linked, long ms) {
    return unconnected.look(voter.state, _ -> linked, voter.watch, millis(ms), AT);
  }

  @Test
  void anAgentIsMissingOnceItsHostIsHeardForHalfAMinuteWithoutIt() {
    var unconnected = new Unconnected();
    voter.beats(0);
    assertThat(looks(unconnected, false, 0)).isEmpty();
    voter.beats(29_900);
    assertThat(looks(unconnected, false, 30_000)).isEmpty();
    var missing = looks(unconnected, false, 30_001);
    assertThat(missing).containsExactly(new Event.AgentChecked(A, false, AT));
    missing.forEach(voter::happens);
    assertThat(voter.state.alarm("unconnected-a")).isPresent();
    assertThat(looks(unconnected, true, 35_000))
        .containsExactly(new Event.AgentChecked(A, true, AT));
    voter.beats(39_900);
    assertThat(looks(unconnected, false, 40_000))
        .as("counted from when it was last connected")
        .isEmpty();
  }

  /**
   * Where no quorum is heard, a host that lost its power is not silent yet, but it has no guests.
   */
  @Test
  void ofAHostThatIsNotHeardNobodySaysThatItsGuestsGoOn() {
    var unconnected = new Unconnected();
    voter.beats(0);
    looks(unconnected, false, 0);
    assertThat(looks(unconnected, false, 40_000)).isEmpty();
    voter.beats(44_900);
    assertThat(looks(unconnected, false, 45_000)).as("counted from its return").isEmpty();
    voter.beats(75_000);
    var missing = looks(unconnected, false, 75_001);
    missing.forEach(voter::happens);
    assertThat(voter.state.alarm("unconnected-a")).isPresent();
    assertThat(looks(unconnected, false, 90_000))
        .as("it went silent")
        .containsExactly(new Event.AgentChecked(A, true, AT));
  }
}
