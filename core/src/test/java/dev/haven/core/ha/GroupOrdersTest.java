package dev.haven.core.ha;

import static dev.haven.core.ha.Obedient.guest;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Operation.Kind;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.Policy;
import dev.haven.model.Rule;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * Orders about guests with rules: what is refused, in which order they go, when they are tried
 * again.
 */
class GroupOrdersTest {
  private static final Map<String, String> SHOP = Map.of("app", "shop");
  private static final Rule WITH_SHOP = new Rule.WithGuests("app", "shop", false, true);
  private static final Rule NOT_WITH_SHOP = new Rule.WithGuests("app", "shop", true, true);

  private static GuestSpec shop(String name, long memoryMib, int priority, Rule... more) {
    var rules = new ArrayList<Rule>(List.of(more));
    rules.add(WITH_SHOP);
    return guest(name, memoryMib, priority, SHOP, rules.toArray(Rule[]::new));
  }

  private static GuestSpec plain(String name, long memoryMib, int priority) {
    return guest(name, memoryMib, priority, Map.of());
  }

  private static Rule after(String guest) {
    return new Rule.After(Set.of(new GuestId(guest)));
  }

  private static Rule follows(String guest) {
    return new Rule.Follows(new GuestId(guest), true);
  }

  private static Command migrate(String guest, String to, boolean withGroup) {
    return new Command.Migrate(new GuestId(guest), Optional.of(new HostId(to)), withGroup);
  }

  private static String refusal(Reply reply) {
    assertThat(reply).isInstanceOf(Reply.Refused.class);
    return ((Reply.Refused) reply).message();
  }

  /** Types the migration that an alarm names as the way out. */
  private static Reply doAsItSays(Obedient cluster, String alarm) {
    var words = List.of(alarm.substring(alarm.indexOf("haven migrate ")).split(" "));
    assertThat(words).hasSizeGreaterThan(4);
    return cluster.command(
        migrate(
            words.get(2), words.get(4), words.size() > 5 && words.get(5).equals("--with-group")));
  }

  // relocate

  @Test
  void relocatedGuestsStopInTheReverseOfTheirStartOrder() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster
        .running(shop("db", 1024, 0), "a")
        .running(shop("log", 1024, 0, after("web")), "a")
        .running(shop("web", 1024, 0, after("db")), "a");
    assertThat(
            cluster.command(
                new Command.Relocate(
                    new GuestId("db"),
                    Optional.of(new HostId("b")),
                    Duration.ofSeconds(7),
                    Optional.of(true))))
        .isInstanceOf(Reply.Accepted.class);
    cluster.settle();
    assertThat(cluster.log)
        .containsExactly(
            "stop log@a", "stop web@a", "stop db@a", "start db@b", "start web@b", "start log@b");
    assertThat(cluster.state.operations())
        .allSatisfy(o -> assertThat(o.state()).isEqualTo(Operation.State.DONE));
  }

  @Test
  void noGuestIsRelocatedOutOfAGroupThatIsOnItsWay() {
    var cluster = Obedient.hosts(8192, "a", "b", "c");
    cluster.running(shop("db", 1024, 0), "a").running(shop("web", 1024, 0), "b");
    cluster.command(migrate("web", "a", false)); // they were parted: web comes to db
    cluster.settle();
    cluster.command(migrate("db", "b", true));
    var reply =
        cluster.command(
            new Command.Relocate(
                new GuestId("db"), Optional.of(new HostId("c")), Duration.ZERO, Optional.of(true)));
    refusal(reply);
    cluster.settle();
    assertThat(cluster.where("db")).isEqualTo("b");
    assertThat(cluster.where("web")).isEqualTo("b");
  }

  @Test
  void aRelocationThatIsCancelledBeforeItsGuestWasToldToStopSaysThatItRunsOn() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster
        .running(shop("db", 1024, 0), "a")
        .running(shop("web", 1024, 0, after("db")), "a")
        .command(
            new Command.Relocate(
                new GuestId("db"),
                Optional.of(new HostId("b")),
                Duration.ofSeconds(7),
                Optional.of(true)));
    var op =
        cluster.state.operations().stream()
            .filter(o -> o.kind().subject().equals("db"))
            .findFirst()
            .orElseThrow();
    assertThat(cluster.command(new Command.CancelOperation(op.id())))
        .isInstanceOfSatisfying(
            Reply.Accepted.class,
            r -> assertThat(r.message()).contains("guest db goes on running on host a"));
    assertThat(cluster.where("db")).isEqualTo("a");
  }

  @Test
  void noMemberMovesOnceAnotherOneHasToStay() {
    var cluster = Obedient.hosts(8192, "a", "b", "c");
    cluster.running(shop("db", 1024, 0), "a").running(shop("web", 1024, 0), "b");
    assertThat(cluster.command(migrate("db", "c", true))).isInstanceOf(Reply.Accepted.class);
    cluster.running(shop("log", 1024, 0), "a"); // while their target is asked
    cluster.settle();
    assertThat(cluster.log).doesNotContain("move web@c", "move db@c");
    assertThat(cluster.where("web")).isEqualTo("b");
  }

  @Test
  void roomThatIsKeptForOneThatWaitsItsTurnIsNotCalledFree() {
    var cluster = Obedient.hosts(6200, "a");
    for (var name : List.of("one", "other", "another", "last")) { // as many as start at once
      cluster.waiting(plain(name, 1000, 9));
    }
    cluster
        .waiting(plain("two", 1400, 5))
        .waiting(plain("three", 1400, 1))
        .happens(new Event.Tick(cluster.at));
    assertThat(cluster.alarm("guest-three").orElseThrow())
        .contains("most free: host a", "that room is kept for guest two, which starts there first")
        .doesNotContain("free with it there");
  }

  // rules that are broken

  @Test
  void theWayOutThatAnAlarmNamesIsAccepted() {
    for (int inA = 1; inA <= 2; inA++) {
      var cluster = Obedient.hosts(8192, "a", "b", "c");
      cluster
          .running(shop("db", 1024, 0), "a")
          .running(shop("log", 1024, 0), inA == 2 ? "a" : "b")
          .running(shop("web", 1024, 0), "b")
          .settle();
      for (var name : List.of("db", "log", "web")) {
        var alarm = cluster.alarm("rules-" + name);
        if (alarm.isPresent()) {
          var at = cluster.state;
          assertThat(doAsItSays(cluster, alarm.get()))
              .as(alarm.get())
              .isInstanceOf(Reply.Accepted.class);
          cluster.settle();
          assertThat(cluster.state.alarms()).as(alarm.get()).isEmpty();
          cluster.state = at;
        }
      }
      assertThat(cluster.alarm("rules-db")).isPresent();
    }
  }

  @Test
  void aStrictFollowerThatCannotFollowIsAnAlarm() {
    var cluster = Obedient.hosts(4096, "a", "b");
    cluster
        .running(plain("db", 1024, 0), "a")
        .running(plain("x", 2500, 0), "a")
        .running(guest("backup", 1024, 0, Map.of(), follows("db")), "b")
        .settle();
    assertThat(cluster.alarm("rules-backup").orElseThrow())
        .contains("guest backup runs on host b, and follows guest db, which runs on host a");
    cluster.command(new Command.StopGuest(new GuestId("x"), Duration.ZERO));
    cluster.settle();
    assertThat(cluster.where("backup")).isEqualTo("a");
    assertThat(cluster.alarm("rules-backup")).isEmpty();
  }

  @Test
  void aFollowerThatIsLostWithItsGuestStartsWhereThatOneStarts() {
    var cluster = Obedient.hosts(4096, "a", "b", "c");
    cluster
        .running(plain("db", 1024, 0), "a")
        .running(plain("x", 1024, 0), "c")
        .running(guest("backup", 2500, 9, Map.of(), follows("db")), "a")
        .dies("a")
        .settle();
    assertThat(cluster.where("backup")).isEqualTo(cluster.where("db")).isEqualTo("b");
    assertThat(cluster.log).noneMatch(l -> l.startsWith("move"));
  }

  /** How many operations of Haven's own there were after each of these waits, in seconds. */
  private static List<Long> tries(Obedient cluster, int... waits) {
    var tries = new ArrayList<Long>();
    for (int wait : waits) {
      cluster.at = cluster.at.plusSeconds(wait);
      cluster.settle();
      tries.add(cluster.state.operations().stream().filter(o -> !o.by().equals("admin")).count());
    }
    return tries;
  }

  @Test
  void aBrokenRuleWhoseMendFailsIsTriedAgainLaterAndLater() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster.state = cluster.state.with(Policy.DEFAULT.with(Policy.BrokenRules.MEND));
    cluster.movesFail.addAll(Set.of("db@b", "web@a"));
    cluster.running(shop("db", 1024, 0), "a").running(shop("web", 1024, 0), "b").settle();
    assertThat(cluster.alarm("rules-db").orElseThrow()).contains("is tried again not before");
    assertThat(tries(cluster, 0, 15, 20, 40, 25)).containsExactly(1L, 1L, 2L, 2L, 3L);
    cluster.movesFail.clear();
    assertThat(tries(cluster, 60, 70)).containsExactly(3L, 4L);
    assertThat(cluster.where("db")).isEqualTo(cluster.where("web"));
    assertThat(cluster.state.alarms()).isEmpty();
  }

  @Test
  void aFollowerWhoseMoveFailsIsTriedAgainLaterAndLater() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster.checksFail.add("backup@a");
    cluster
        .running(plain("db", 1024, 0), "a")
        .running(guest("backup", 1024, 0, Map.of(), follows("db")), "b")
        .settle();
    assertThat(tries(cluster, 0, 15, 20, 40, 25)).containsExactly(1L, 1L, 2L, 2L, 3L);
    assertThat(cluster.alarm("rules-backup").orElseThrow())
        .contains("no bridge br0", "is tried again not before");
    cluster.checksFail.clear();
    assertThat(tries(cluster, 125)).containsExactly(4L);
    assertThat(cluster.where("backup")).isEqualTo("a");
    assertThat(cluster.state.alarms()).isEmpty();
  }

  // room for important guests

  private static Obedient fragmented() {
    var cluster = Obedient.hosts(4096, "a", "b");
    cluster.state = cluster.state.with(Policy.DEFAULT.with(Policy.MakeRoom.MIGRATE));
    return cluster.running(plain("one", 1200, 1), "a").running(plain("two", 1200, 1), "b");
  }

  @Test
  void roomThatCannotBeMadeIsTriedAgainLaterAndLater() {
    var cluster = fragmented();
    cluster.checksFail.addAll(Set.of("one@b", "two@a"));
    cluster.waiting(plain("big", 3500, 5)).settle();
    assertThat(cluster.alarm("guest-big").orElseThrow())
        .contains("making room on host", "is tried again not before");
    assertThat(tries(cluster, 0, 15, 20, 40, 25)).containsExactly(1L, 1L, 2L, 2L, 3L);
    cluster.checksFail.clear();
    assertThat(tries(cluster, 125)).containsExactly(4L);
    assertThat(cluster.where("big")).isNotEqualTo("-");
    assertThat(cluster.alarm("guest-big")).isEmpty();
  }

  @Test
  void anImportantGuestForWhichRoomCanBeMadeIsNotRefusedAtItsCreation() {
    var cluster = fragmented();
    assertThat(cluster.command(new Command.CreateGuest(plain("low", 3500, 1), true)))
        .isInstanceOf(Reply.Refused.class);
    assertThat(cluster.command(new Command.CreateGuest(plain("big", 3500, 5), true)))
        .isInstanceOf(Reply.Accepted.class);
    cluster.settle();
    assertThat(cluster.where("big")).isNotEqualTo("-");
  }

  @Test
  void roomThatSomebodyElseTookMeanwhileKeepsNoGroupWaitingForEver() {
    var cluster = fragmented();
    cluster.waiting(shop("big", 1800, 5)).waiting(shop("small", 1700, 4));
    cluster.happens(new Event.Tick(cluster.at));
    var room =
        cluster.state.operations().stream()
            .filter(o -> o.kind() instanceof Kind.MakeRoom)
            .findFirst()
            .orElseThrow();
    var host = ((Kind.MakeRoom) room.kind()).host();
    // somebody describes a guest there, by hand, that leaves room for big and not for both
    cluster.running(plain("guest-by-hand", 1000, 9), host.value());
    cluster.settle();
    assertThat(cluster.state.operation(room.id()).orElseThrow().running()).isFalse();
    assertThat(cluster.alarm("guest-big")).isPresent();
  }

  // the way back, and operations that end others

  @Test
  void noGuestGoesBackToAHostWhereItMayNotBeAnyMore() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster
        .running(guest("db", 1024, 0, Map.of("app", "shop", "role", "db"), WITH_SHOP), "a")
        .running(guest("web", 1024, 0, SHOP, WITH_SHOP), "a");
    cluster.movesFail.add("web@b");
    cluster.command(migrate("db", "b", true));
    cluster.waiting(
        guest("rival", 1024, 0, Map.of(), new Rule.WithGuests("role", "db", true, true)));
    cluster.settle();
    assertThat(cluster.where("rival").equals(cluster.where("db")))
        .as("log %s", cluster.log)
        .isFalse();
  }

  @Test
  void anEvacuationThatIsCancelledEndsTheMovesOfItsGroups() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster.running(shop("db", 1024, 0), "a").running(shop("web", 1024, 0), "a");
    var op =
        ((Reply.Accepted) cluster.command(new Command.Evacuate(new HostId("a"))))
            .operation()
            .orElseThrow();
    assertThat(cluster.command(new Command.CancelOperation(op))).isInstanceOf(Reply.Accepted.class);
    cluster.settle();
    assertThat(cluster.where("db")).isEqualTo("a");
    assertThat(cluster.where("web")).isEqualTo("a");
  }

  @Test
  void anEvacuationMovesAFollowerAfterItsGuestToTheSameHost() {
    var cluster = Obedient.hosts(8192, "a", "b", "c");
    cluster
        .running(guest("backup", 1024, 9, Map.of(), follows("db")), "a")
        .running(plain("db", 1024, 0), "a");
    var reply = (Reply.Accepted) cluster.command(new Command.Evacuate(new HostId("a")));
    cluster.settle();
    assertThat(cluster.where("backup")).isEqualTo(cluster.where("db")).isEqualTo("b");
    assertThat(cluster.log).containsExactly("move db@b", "move backup@b");
    assertThat(reply.plan())
        .containsSubsequence("migrate guest db to host b", "migrate guest backup to host b");
  }

  @Test
  void aFollowerStaysWhereItsGuestStays() {
    var cluster = Obedient.hosts(8192, "a", "b", "c");
    cluster.movesFail.addAll(Set.of("db@b", "db@c"));
    cluster
        .running(guest("backup", 1024, 9, Map.of(), follows("db")), "a")
        .running(plain("db", 1024, 0), "a");
    var op =
        ((Reply.Accepted) cluster.command(new Command.Evacuate(new HostId("a"))))
            .operation()
            .orElseThrow();
    cluster.settle();
    assertThat(cluster.log).containsExactly("move db@b");
    assertThat(cluster.where("backup")).isEqualTo("a");
    var kind = (Kind.EvacuateHost) cluster.state.operation(op).orElseThrow().kind();
    assertThat(kind.failures())
        .containsEntry(new GuestId("backup"), "it follows guest db, which stays");
  }

  @Test
  void aGuestDoesNotMoveAgainstARuleThatIsEditedWhileItsTargetIsAsked() {
    for (boolean grouped : new boolean[] {false, true}) {
      var cluster = Obedient.hosts(8192, "a", "b");
      var onA = new Rule.OnHosts(Set.of(new HostId("a")), Map.of(), false, true);
      cluster.running(shop("db", 1024, 0), "a");
      if (grouped) {
        cluster.running(shop("web", 1024, 0), "a");
      }
      cluster.command(migrate("db", "b", grouped));
      cluster.command(new Command.EditGuest(shop("db", 1024, 0, onA)));
      cluster.settle();
      assertThat(cluster.log).isEmpty();
      assertThat(cluster.where("db")).isEqualTo("a");
      assertThat(cluster.state.operations())
          .singleElement()
          .satisfies(o -> assertThat(o.detail()).contains("may not take it any more"));
    }
  }

  @Test
  void guestsThatWouldFollowEachOtherAreRefused() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster
        .running(plain("db", 1024, 0), "a")
        .running(guest("backup", 1024, 0, Map.of(), follows("db")), "a");
    assertThat(
            refusal(
                cluster.command(
                    new Command.EditGuest(guest("db", 1024, 0, Map.of(), follows("backup"))))))
        .contains("guest db: would follow itself", "together:LABEL=VALUE");
    assertThat(
            refusal(
                cluster.command(
                    new Command.CreateGuest(
                        guest("x", 512, 0, Map.of(), follows("nobody")), true))))
        .contains("there is no guest nobody");
  }

  @Test
  void aMemberThatFitsNowhereAnywayKeepsItsGroupOnNoHost() {
    var cluster = Obedient.hosts(4096, "a", "b");
    cluster.running(shop("db", 2048, 0), "a").waiting(shop("web", 3000, 0)).settle();
    assertThat(cluster.where("web")).isEqualTo("-");
    cluster.command(new Command.Evacuate(new HostId("a")));
    cluster.settle();
    assertThat(cluster.where("db")).isEqualTo("b");
    cluster.command(new Command.Uncordon(new HostId("a")));
    assertThat(cluster.command(migrate("db", "a", false))).isInstanceOf(Reply.Accepted.class);
    cluster.settle();
    assertThat(cluster.where("db")).isEqualTo("a");
  }

  @Test
  void theAlarmOfAGroupEndsWithItsCause() {
    var cluster = Obedient.hosts(4096, "a", "b");
    cluster.waiting(shop("db", 2048, 0)).waiting(shop("web", 2048, 0)).settle();
    cluster.command(new Command.StopGuest(new GuestId("db"), Duration.ZERO));
    cluster.settle();
    assertThat(cluster.where("web")).isNotEqualTo("-");
    assertThat(cluster.state.alarms()).isEmpty();
    cluster.command(new Command.StartGuest(new GuestId("db")));
    cluster.settle();
    assertThat(cluster.where("web")).isNotEqualTo("-");
    assertThat(cluster.alarm("guest-db")).isPresent();
  }

  @Test
  void nobodyIsMigratedBesideAGuestFromWhichItStaysApart() {
    var cluster = Obedient.hosts(8192, "a", "b", "c");
    cluster
        .running(guest("db", 1024, 0, SHOP), "a")
        .running(guest("rival", 1024, 0, Map.of(), NOT_WITH_SHOP), "b")
        .running(guest("tail", 1024, 0, Map.of(), follows("db")), "a");
    assertThat(refusal(cluster.command(migrate("db", "b", false)))).contains("stays apart from");
    assertThat(refusal(cluster.command(migrate("rival", "a", false)))).contains("apart from app");
    assertThat(refusal(cluster.command(migrate("tail", "c", false)))).contains("where guest db");
    assertThat(
            refusal(
                cluster.command(
                    new Command.Relocate(
                        new GuestId("rival"), Optional.of(new HostId("a")), Duration.ZERO))))
        .contains("apart from app");
  }
}
