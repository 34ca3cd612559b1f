package dev.haven.core.ha;

import static dev.haven.core.ha.Obedient.guest;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.Policy;
import dev.haven.model.Rule;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What an operator sees of guests that stay together, apart, or where another one is. */
class GroupsTest {
  private static final Map<String, String> SHOP = Map.of("app", "shop");
  private static final Rule WITH_SHOP = new Rule.WithGuests("app", "shop", false, true);

  private static GuestSpec shop(String name, long memoryMib, int priority, Rule... more) {
    var rules = new java.util.ArrayList<Rule>(java.util.List.of(more));
    rules.add(WITH_SHOP);
    return guest(name, memoryMib, priority, SHOP, rules.toArray(Rule[]::new));
  }

  private static Rule on(String host) {
    return new Rule.OnHosts(Set.of(new HostId(host)), Map.of(), false, true);
  }

  private static String refusal(Reply reply) {
    assertThat(reply).isInstanceOf(Reply.Refused.class);
    return ((Reply.Refused) reply).message();
  }

  @Test
  void aGroupThatFitsOnNoHostWaitsAsAWholeAndTheAlarmNamesWhatIsMissing() {
    var cluster = Obedient.hosts(4096, "a", "b");
    cluster.waiting(shop("db", 2048, 0)).waiting(shop("web", 2048, 0)).settle();
    assertThat(cluster.log).isEmpty();
    assertThat(cluster.alarm("guest-db"))
        .contains(
            "guests db, web, which stay together: 4096 MiB of memory fit on no host (most free:"
                + " host b, 4096 MiB: 176 MiB short); give them less, stop another, or add a host");
  }

  @Test
  void aPartialGroupStartsItsMostImportantMembersThatFitOnOneHost() {
    var cluster = Obedient.hosts(4096, "a", "b");
    cluster
        .waiting(shop("db", 2048, 5, new Rule.Partial()))
        .waiting(shop("log", 3000, 0))
        .waiting(shop("web", 1500, 3))
        .settle();
    assertThat(cluster.where("db")).isEqualTo(cluster.where("web")).isNotEqualTo("-");
    assertThat(cluster.where("log")).isEqualTo("-");
    assertThat(cluster.alarm("guest-log")).isPresent();
  }

  @Test
  void theRuleOfOneMemberCountsForAll() {
    var cluster = Obedient.hosts(8192, "a", "b", "c");
    cluster.waiting(shop("db", 1024, 0)).waiting(shop("web", 1024, 0, on("c"))).settle();
    assertThat(cluster.where("db")).isEqualTo("c");
    assertThat(cluster.where("web")).isEqualTo("c");
  }

  @Test
  void aMemberThatFailsToStartKeepsNoOtherDown() {
    var cluster = Obedient.hosts(8192, "a", "b", "c");
    for (var host : java.util.List.of("a", "b", "c")) {
      cluster.startsFail.add("web@" + host);
    }
    cluster.waiting(shop("db", 1024, 0)).waiting(shop("web", 1024, 0)).settle();
    assertThat(cluster.where("db")).isNotEqualTo("-");
    assertThat(cluster.guest("web").phase()).isInstanceOf(GuestPhase.Failed.class);
    assertThat(cluster.alarm("guest-web").orElseThrow()).contains("failed to start 3 times");
    assertThat(cluster.alarm("guest-db")).isEmpty();
  }

  @Test
  void aMemberThatCannotRestartWhereItsGroupRunsTakesItAlongLive() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster.startsFail.add("web@a");
    cluster.running(shop("db", 1024, 0), "a").waiting(shop("web", 1024, 0)).settle();
    assertThat(cluster.where("db")).isEqualTo("b");
    assertThat(cluster.where("web")).isEqualTo("b");
    assertThat(cluster.log).contains("move db@b").noneMatch(l -> l.startsWith("stop"));
  }

  @Test
  void aGuestThatNoLongerFitsBesideItsGroupIsNoReasonToStopIt() {
    var cluster = Obedient.hosts(4096, "a", "b");
    cluster.running(shop("db", 2048, 0), "a").running(guest("x", 1500, 0, Map.of()), "a");
    assertThat(cluster.command(new Command.CreateGuest(shop("web", 1024, 0), true)))
        .isInstanceOf(Reply.Accepted.class);
    cluster.settle();
    assertThat(cluster.where("db")).isEqualTo("b");
    assertThat(cluster.where("web")).isEqualTo("b");
  }

  /** Guest web fits only where db would have to go too, and db does not get there. */
  private static Obedient takenAlongInVain(Set<String> checks, Set<String> moves) {
    var cluster = Obedient.hosts(4096, "a", "b");
    cluster.running(shop("db", 2048, 0), "a").running(guest("x", 1500, 0, Map.of()), "a");
    cluster.checksFail.addAll(checks);
    cluster.movesFail.addAll(moves);
    cluster.command(new Command.CreateGuest(shop("web", 1024, 0), true));
    return cluster.settle();
  }

  @Test
  void aMoveForAWaitingMemberThatFailsEndsAndIsTriedAgainLaterAndLater() {
    for (var cluster :
        java.util.List.of(
            takenAlongInVain(Set.of("db@b"), Set.of()),
            takenAlongInVain(Set.of(), Set.of("db@b")))) {
      assertThat(cluster.state.operations().stream().filter(MoveGroups::is))
          .singleElement()
          .satisfies(o -> assertThat(o.state()).isEqualTo(Operation.State.FAILED));
      assertThat(cluster.alarm("guest-web").orElseThrow())
          .contains(
              "moving it to host b did not work",
              "tried again not before",
              "haven migrate db --to b --with-group");
      for (int wait : new int[] {30, 60, 120}) {
        long before = MoveGroups.count(cluster);
        cluster.at = cluster.at.plusSeconds(wait - 15);
        cluster.settle();
        assertThat(MoveGroups.count(cluster)).as("before %d s are over", wait).isEqualTo(before);
        cluster.at = cluster.at.plusSeconds(15);
        cluster.settle();
        assertThat(MoveGroups.count(cluster)).as("after %d s", wait).isEqualTo(before + 1);
      }
      cluster.checksFail.clear();
      cluster.movesFail.clear();
      cluster.at = cluster.at.plusSeconds(240);
      cluster.settle();
      assertThat(cluster.where("db")).isEqualTo("b");
      assertThat(cluster.where("web")).isEqualTo("b");
      assertThat(cluster.alarm("guest-web")).isEmpty();
      assertThat(cluster.state.operations()).noneMatch(Operation::running);
    }
  }

  @Test
  void aClockThatIsSetBackDoesNotKeepAGroupWaiting() {
    var cluster = takenAlongInVain(Set.of(), Set.of("db@b"));
    cluster.movesFail.clear();
    cluster.at = cluster.at.minusSeconds(3600);
    cluster.settle();
    assertThat(cluster.where("web")).isEqualTo("b");
  }

  @Test
  void aCancelledMoveOfAGroupEndsAndIsNotBegunAgainAtOnce() {
    var cluster = Obedient.hosts(4096, "a", "b");
    cluster.running(shop("db", 2048, 0), "a").running(guest("x", 1500, 0, Map.of()), "a");
    cluster.command(new Command.CreateGuest(shop("web", 1024, 0), true));
    var op = cluster.state.operations().stream().filter(MoveGroups::is).findFirst().orElseThrow();
    assertThat(cluster.command(new Command.CancelOperation(op.id())))
        .isInstanceOf(Reply.Accepted.class);
    cluster.settle();
    assertThat(MoveGroups.count(cluster)).isEqualTo(1);
    assertThat(cluster.state.operation(op.id()).orElseThrow().state())
        .isEqualTo(Operation.State.CANCELLED);
    assertThat(cluster.where("db")).isEqualTo("a");
    assertThat(cluster.alarm("guest-web").orElseThrow()).contains("tried again not before");
  }

  @Test
  void theStateRefusesASecondMoveOfTheSameGuestsWhileOneGoesOn() {
    var cluster = Obedient.hosts(4096, "a", "b");
    cluster.running(shop("db", 2048, 0), "a").running(guest("x", 1500, 0, Map.of()), "a");
    cluster.command(new Command.CreateGuest(shop("web", 1024, 0), true));
    var op = cluster.state.operations().stream().filter(MoveGroups::is).findFirst().orElseThrow();
    var second =
        new Operation(
            cluster.state.nextOperation(),
            op.kind(),
            cluster.at,
            "test",
            Operation.State.RUNNING,
            "",
            0,
            1,
            Optional.empty());
    assertThatThrownBy(() -> cluster.state.apply(new Change.OperationBegun(second)))
        .hasMessageContaining("moves guests that operation " + op.id() + " moves already");
  }

  private static final class MoveGroups {
    static boolean is(Operation op) {
      return op.kind() instanceof Operation.Kind.MoveGroup;
    }

    static long count(Obedient cluster) {
      return cluster.state.operations().stream().filter(MoveGroups::is).count();
    }
  }

  @Test
  void aGroupOfWhichOneCannotLeaveStaysAltogether() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster.running(shop("db", 1024, 0), "a").running(shop("web", 1024, 0), "a");
    cluster.checksFail.add("web@b");
    cluster.command(new Command.Migrate(new GuestId("db"), Optional.empty(), true));
    cluster.settle();
    assertThat(cluster.log).as("nothing moves before all are checked").isEmpty();
    assertThat(cluster.where("db")).isEqualTo("a");
    assertThat(cluster.state.operations())
        .singleElement()
        .satisfies(o -> assertThat(o.detail()).contains("guest web", "no bridge br0"));
  }

  @Test
  void whatHasMovedGoesBackIfAnotherMemberDoesNotGetThrough() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster.running(shop("db", 1024, 0), "a").running(shop("web", 1024, 0), "a");
    cluster.movesFail.add("web@b");
    cluster.command(new Command.Migrate(new GuestId("db"), Optional.empty(), true));
    cluster.settle();
    assertThat(cluster.log).contains("move db@b", "move db@a");
    assertThat(cluster.where("db")).isEqualTo("a");
    assertThat(cluster.where("web")).isEqualTo("a");
  }

  @Test
  void whatCannotGoBackKeepsTheOthersThatHaveMovedThereBesideIt() {
    var cluster = Obedient.hosts(8192, "a", "b");
    for (var name : java.util.List.of("db", "log", "web")) {
      cluster.running(shop(name, 1024, 0), "a");
    }
    cluster.movesFail.add("log@b");
    cluster.movesFail.add("db@a");
    cluster.checksLate.put("web@a", 20);
    cluster.command(new Command.Migrate(new GuestId("db"), Optional.of(new HostId("b")), true));
    cluster.settle();
    assertThat(cluster.where("log")).isEqualTo("a");
    assertThat(cluster.where("web")).as("%s", cluster.log).isEqualTo(cluster.where("db"));
  }

  private static Policy oneMigrationAtATime() {
    var p = Policy.DEFAULT;
    return new Policy(
        p.powerLossAfter(),
        p.silentAfter(),
        p.silentAfterOneNetwork(),
        p.agentGoneAfter(),
        p.startsPerHost(),
        1,
        1,
        p.bandwidthMibPerSecond(),
        p.powerOnAfterFence(),
        p.stuckDestroy(),
        p.brokenRules(),
        p.makeRoom());
  }

  @Test
  void whoHasArrivedGoesBackIfTheOthersMayNoLongerFollow() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster.running(shop("db", 1024, 0), "a").running(shop("web", 1024, 0), "a");
    cluster.state = cluster.state.apply(new Change.PolicyChanged(oneMigrationAtATime()));
    cluster.meanwhile.put(
        "db", () -> cluster.starting(shop("new", 1024, 0), "a")); // where web still is
    cluster.command(new Command.Migrate(new GuestId("db"), Optional.of(new HostId("b")), true));
    cluster.settle();
    assertThat(cluster.where("db")).as("%s", cluster.log).isEqualTo(cluster.where("web"));
  }

  @Test
  void aMoveThatWouldPartAGroupIsRefusedWithTheWayOut() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster.running(shop("db", 1024, 0), "a").running(shop("web", 1024, 0), "a");
    assertThat(
            refusal(
                cluster.command(
                    new Command.Migrate(new GuestId("web"), Optional.of(new HostId("b"))))))
        .isEqualTo(
            "guest web: must stay together with db, and this would part them; to move all of them:"
                + " haven migrate web --to b --with-group");
    assertThat(
            refusal(
                cluster.command(
                    new Command.Relocate(
                        new GuestId("web"), Optional.empty(), Duration.ofSeconds(1)))))
        .contains("haven relocate web --with-group");
  }

  @Test
  void aMemberThatIsStartedWhileTheTargetIsAskedKeepsItsGroupThere() {
    var cluster = Obedient.hosts(8192, "a", "b", "c");
    cluster.running(shop("db", 1024, 0), "a").running(shop("web", 1024, 0), "a");
    comesBackFromAMove(cluster, cluster.guest("db"), "c");
    cluster.command(new Command.StopGuest(new GuestId("db"), Duration.ofMinutes(1)));
    cluster.command(new Command.Migrate(new GuestId("web"), Optional.of(new HostId("b"))));
    cluster.command(new Command.StartGuest(new GuestId("db")));
    cluster.settle();
    assertThat(cluster.where("web")).isEqualTo(cluster.where("db"));
  }

  /** Its move is called off, and the target is asked whether it is rid of it. */
  private static void comesBackFromAMove(Obedient cluster, Guest guest, String target) {
    var from = (GuestPhase.Running) guest.phase();
    var moving =
        new GuestPhase.Migrating(
            from.holding(),
            new Holding(new HostId(target), from.boot(), guest.epoch().next()),
            GuestPhase.Step.CHECKING,
            "asked for",
            Optional.empty());
    cluster.state =
        cluster
            .state
            .apply(new Change.PhaseChanged(guest.id(), moving))
            .apply(new Change.MigrationBegun(guest.id()))
            .apply(
                new Change.PhaseChanged(
                    guest.id(), moving.at(GuestPhase.Step.UNDOING, "called off")));
  }

  @Test
  void guestsThatMustBeTogetherAndApartAreRefused() {
    var cluster = Obedient.hosts(8192, "a", "b").running(shop("db", 1024, 0), "a");
    assertThat(
            refusal(
                cluster.command(
                    new Command.CreateGuest(
                        shop("web", 512, 0, new Rule.WithGuests("app", "shop", true, true)),
                        true))))
        .contains("must stay together", "take one of these rules away");
  }

  @Test
  void aGroupThatFitsElsewhereAltogetherIsNotCountedAsHomeless() {
    var cluster = Obedient.hosts(4096, "a", "b", "c");
    cluster
        .running(shop("db", 1500, 0), "a")
        .running(shop("web", 1500, 0), "a")
        .running(guest("x", 1500, 0, Map.of()), "b");
    assertThat(Explanations.redundancy(cluster.state)).noneMatch(l -> l.contains("fit nowhere"));
    cluster.running(guest("y", 1500, 0, Map.of()), "c");
    assertThat(Explanations.redundancy(cluster.state))
        .contains("if host a dies, 2 of its 2 guests fit nowhere else");
    assertThat(Explanations.explain(cluster.state, new GuestId("db")).orElseThrow())
        .filteredOn(v -> !v.fits())
        .allSatisfy(v -> assertThat(v.reasons().getFirst()).startsWith("all 2 together need"));
  }

  @Test
  void aStrictRuleThatIsBrokenByAnEditIsAnAlarmThatNamesTheWayOut() {
    var cluster = Obedient.hosts(8192, "a", "b").running(guest("web", 1024, 0, Map.of()), "a");
    var reply = cluster.command(new Command.EditGuest(guest("web", 1024, 0, Map.of(), on("b"))));
    assertThat(((Reply.Accepted) reply).message()).contains("against its rule 'on b'");
    cluster.settle();
    assertThat(cluster.where("web")).isEqualTo("a");
    assertThat(cluster.alarm("rules-web"))
        .contains(
            "guest web runs on host a against its rule 'on b'; to mend it: haven migrate web"
                + " --to b");
    cluster.command(new Command.Migrate(new GuestId("web"), Optional.empty()));
    cluster.settle();
    assertThat(cluster.alarm("rules-web")).isEmpty();
  }

  @Test
  void aBrokenRuleIsMendedLiveWhereThePolicySaysSo() {
    var cluster = Obedient.hosts(8192, "a", "b", "c");
    cluster.state = cluster.state.with(Policy.DEFAULT.with(Policy.BrokenRules.MEND));
    cluster
        .running(shop("db", 1024, 0), "a")
        .running(shop("web", 1024, 0), "b")
        .running(shop("log", 1024, 0), "b")
        .settle();
    assertThat(cluster.where("db")).isEqualTo("b");
    assertThat(cluster.log).containsExactly("move db@b");
    assertThat(cluster.state.alarms()).isEmpty();
  }

  @Test
  void guestsThatStayApartAreMendedByMovingOneOfThem() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster.state = cluster.state.with(Policy.DEFAULT.with(Policy.BrokenRules.MEND));
    cluster
        .running(
            guest("one", 1024, 0, SHOP, new Rule.WithGuests("app", "shop", true, true), on("a")),
            "a")
        .running(guest("two", 1024, 0, SHOP), "a")
        .settle();
    assertThat(cluster.where("one")).isEqualTo("a");
    assertThat(cluster.where("two")).isEqualTo("b");
  }

  @Test
  void aFollowerMovesAfterItsGuestAndHoldsNothingBack() {
    var cluster = Obedient.hosts(8192, "a", "b");
    cluster
        .running(guest("db", 1024, 0, Map.of()), "a")
        .running(
            guest("backup", 1024, 0, Map.of(), new Rule.Follows(new GuestId("db"), true)), "a");
    assertThat(cluster.command(new Command.Migrate(new GuestId("db"), Optional.empty())))
        .isInstanceOf(Reply.Accepted.class);
    cluster.settle();
    assertThat(cluster.where("db")).isEqualTo("b");
    assertThat(cluster.where("backup")).isEqualTo("b");
    assertThat(
            refusal(
                cluster.command(
                    new Command.Migrate(new GuestId("backup"), Optional.of(new HostId("a"))))))
        .contains("rule: where guest db runs");
  }

  @Test
  void roomIsKeptForAMemberThatStartsLater() {
    var cluster = Obedient.hosts(4096, "a", "b");
    var after = new Rule.After(Set.of(new GuestId("db")));
    cluster.waiting(shop("db", 1024, 0)).waiting(shop("web", 2500, 0, after));
    cluster.happens(new Event.Tick(cluster.at)); // db starts; web waits for it
    var home = cluster.guest("db").host().orElseThrow();
    assertThat(
            refusal(
                cluster.command(
                    new Command.CreateGuest(
                        guest("x", 2048, 0, Map.of(), on(home.value())), true))))
        .contains("host a: needs 2136 MiB with QEMU's overhead, 401 MiB free");
    cluster.settle();
    assertThat(cluster.where("web")).isEqualTo(home.value());
  }

  /** Two hosts of 4 GiB; the two small guests are on different ones. */
  private static Obedient fragmented(Policy.MakeRoom policy) {
    var cluster = Obedient.hosts(4096, "a", "b");
    cluster.state = cluster.state.with(Policy.DEFAULT.with(policy));
    return cluster
        .running(guest("one", 1200, 1, Map.of()), "a")
        .running(guest("two", 1200, 1, Map.of()), "b");
  }

  @Test
  void anImportantGuestGetsRoomByMigratingALessImportantOne() {
    var cluster = fragmented(Policy.MakeRoom.MIGRATE);
    cluster.waiting(guest("big", 3500, 5, Map.of())).settle();
    assertThat(cluster.where("big")).isEqualTo("a");
    assertThat(cluster.where("one")).isEqualTo("b");
    assertThat(cluster.where("two")).isEqualTo("b");
    assertThat(cluster.state.operations())
        .singleElement()
        .satisfies(o -> assertThat(o.state()).isEqualTo(Operation.State.DONE));
  }

  @Test
  void nobodyMovesForAGuestThatIsNoMoreImportantOrWhereThePolicySaysNo() {
    for (var cluster :
        java.util.List.of(
            fragmented(Policy.MakeRoom.STOP).waiting(guest("big", 3500, 1, Map.of())),
            fragmented(Policy.MakeRoom.OFF).waiting(guest("big", 3500, 5, Map.of())))) {
      cluster.settle();
      assertThat(cluster.where("big")).isEqualTo("-");
      assertThat(cluster.log).isEmpty();
    }
  }

  @Test
  void aLessImportantGuestIsStoppedOnlyWhereThePolicySaysSo() {
    for (var policy : java.util.List.of(Policy.MakeRoom.MIGRATE, Policy.MakeRoom.STOP)) {
      var cluster = fragmented(policy).running(guest("three", 2000, 2, Map.of()), "a");
      cluster.waiting(guest("big", 3500, 5, Map.of())).settle();
      boolean stops = policy == Policy.MakeRoom.STOP;
      assertThat(cluster.where("big")).isEqualTo(stops ? "b" : "-");
      assertThat(cluster.where("three")).as("it need not leave").isEqualTo("a");
      assertThat(cluster.where("two")).isEqualTo(stops ? "-" : "b");
      assertThat(cluster.guest("two").wanted()).isTrue();
    }
  }
}
