package dev.haven.core.ha;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import dev.haven.model.RequestId;
import dev.haven.model.Rule;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What people are told: what, where and the way out. */
class RefusalsTest {
  private static final ClusterState STATE =
      Hosts.running(Hosts.online(true, Hosts.A, Hosts.B), Hosts.WEB, Hosts.A);

  private static Decision ask(ClusterState state, Command command) {
    return HaPolicy.decide(
        state,
        new Event.CommandReceived(
            new RequestId("r"), "admin", command, Event.Outlook.NONE, Hosts.AT));
  }

  static Stream<Arguments> refusals() {
    var nobody = new GuestId("wep");
    return Stream.of(
        Arguments.of(
            new Command.StartGuest(nobody),
            "guest wep: unknown; did you mean web? haven guest list shows all"),
        Arguments.of(new Command.Cordon(new HostId("x")), "host x: unknown; there are a, b"),
        Arguments.of(
            new Command.CreateGuest(Hosts.guest(Hosts.WEB, 512), true),
            "guest web: exists already; choose another name, or change it: haven guest edit web"),
        Arguments.of(
            new Command.CreateGuest(Hosts.guest(new GuestId("big"), 9000), true),
            "guest big: 9000 MiB of memory fits on no host (most free: host b, 7168 MiB); give it"
                + " less, stop another, or add a host"),
        Arguments.of(
            new Command.Migrate(Hosts.WEB, Optional.of(Hosts.A)),
            "guest web: runs on host a already"),
        Arguments.of(
            new Command.Relocate(Hosts.WEB, Optional.of(Hosts.A), Duration.ZERO),
            "guest web: runs on host a already"),
        Arguments.of(
            new Command.Relocate(Hosts.WEB, Optional.of(Hosts.B), Duration.ofHours(2)),
            "guest web: a grace of PT2H is not between 0 and 1 h"),
        Arguments.of(
            new Command.CreateGuest(
                Hosts.guest(new GuestId("app"), 512, new Rule.After(Set.of(nobody))), true),
            "guest app: rule after:wep: there is no guest wep; create that one first"),
        Arguments.of(
            new Command.EditGuest(Hosts.guest(Hosts.WEB, 512, new Rule.After(Set.of(Hosts.WEB)))),
            "guest web: would wait for itself: web after web; take one of these rules away"),
        Arguments.of(
            new Command.RemoveGuest(Hosts.WEB),
            "guest web: is not off; stop it first: haven guest stop web"),
        Arguments.of(
            new Command.RemoveHost(Hosts.A),
            "host a: holds 1 guests (web); evacuate it first: haven evacuate a"),
        Arguments.of(
            new Command.StopGuest(Hosts.WEB, Duration.ofHours(2)),
            "guest web: a grace of PT2H is not between 0 and 1 h"),
        Arguments.of(
            new Command.ConfirmDead(Hosts.A, "yes", Optional.empty()),
            "host a: type exactly: host a is off and stays off"),
        Arguments.of(
            new Command.CancelOperation(new OperationId("op-9")),
            "operation op-9: unknown; haven op list shows all"));
  }

  @ParameterizedTest(name = "{1}")
  @MethodSource("refusals")
  void aRefusalSaysWhyAndChangesNothing(Command command, String sentence) {
    var decision = ask(STATE, command);
    assertThat(decision.reply().orElseThrow())
        .isInstanceOfSatisfying(
            Reply.Refused.class, r -> assertThat(r.message()).isEqualTo(sentence));
    assertThat(decision.changes()).isEmpty();
    assertThat(decision.actions()).isEmpty();
  }

  @Test
  void theSameRequestIsAnsweredAndNotDoneAgain() {
    var first = ask(STATE, new Command.Cordon(Hosts.B));
    var state =
        STATE
            .apply(
                new Entry(Entry.FORMAT, STATE.version(), Hosts.AT, first.changes(), first.facts()))
            .state();
    var again = ask(state, new Command.Cordon(Hosts.B));
    assertThat(again.reply()).isEqualTo(first.reply());
    assertThat(again.changes()).isEmpty();
  }
}
