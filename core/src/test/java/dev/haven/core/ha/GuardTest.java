package dev.haven.core.ha;

import static dev.haven.core.ha.Hosts.A;
import static dev.haven.core.ha.Hosts.BOOT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.BootId;
import dev.haven.model.wire.LeaseLength;
import dev.haven.model.wire.PillWatch;
import dev.haven.model.wire.Watchdog;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** What a host's watchdog is worth as a proof. */
class GuardTest {
  private static final BootId OTHER = new BootId("boot-2");

  private static Watchdog dog(Watchdog.Kind kind, boolean reset, boolean enforcing, long toldAt) {
    return new Watchdog(
        kind,
        "dog",
        Duration.ofSeconds(10),
        reset,
        enforcing,
        toldAt == 0 ? Optional.empty() : Optional.of(toldAt),
        Optional.empty());
  }

  private static Guard asks(Guard guard, BootId boot, LeaseLength length) {
    var dog =
        new Watchdog(
            Watchdog.Kind.HARDWARE,
            "dog",
            Duration.ofSeconds(10),
            true,
            true,
            Optional.of(5L),
            Optional.empty(),
            Optional.of(length));
    return guard.heard(boot, Optional.of(dog));
  }

  private static ClusterState with(Guard guard, ClusterState state) {
    return state.apply(new Change.HostGuarded(A, guard));
  }

  private static Optional<Duration> bound(Guard guard) {
    return guard.bound(A, BOOT);
  }

  private static Guard heard(Guard guard, Watchdog dog) {
    return guard.heard(BOOT, Optional.of(dog));
  }

  private static Guard tested() {
    return heard(Guard.NONE, dog(Watchdog.Kind.HARDWARE, true, true, 5));
  }

  @Test
  void aWatchdogThatWasSeenToResetItsHostGivesABound() {
    assertThat(tested().bound(A, BOOT)).contains(Duration.ofSeconds(38));
    assertThat(tested().noProof(A, BOOT)).isEmpty();
    assertThat(tested().dependable(A)).isTrue();
  }

  @Test
  void aHostWithoutAWatchdogHasNoBound() {
    assertThat(Guard.NONE.bound(A, BOOT)).isEmpty();
    assertThat(Guard.NONE.dependable(A)).isFalse();
    assertThat(Guard.NONE.noProof(A, BOOT)).contains("it has no watchdog");
    assertThat(tested().heard(BOOT, Optional.empty()).noProof(A, BOOT))
        .as("it had one")
        .contains("it has no watchdog");
  }

  @Test
  void aWatchdogThatNobodySawResetTheHostIsToBeTestedFirst() {
    var untested = heard(Guard.NONE, dog(Watchdog.Kind.HARDWARE, false, true, 5));
    assertThat(untested.bound(A, BOOT)).isEmpty();
    assertThat(untested.noProof(A, BOOT).orElseThrow()).contains("haven watchdog test a");
    var again = heard(tested(), dog(Watchdog.Kind.HARDWARE, false, true, 6));
    assertThat(again.bound(A, BOOT)).as("seen once is enough").isPresent();
  }

  @Test
  void theKernelsOwnTimerCountsOnlyWhereAnOperatorTrustsIt() {
    var softdog = heard(Guard.NONE, dog(Watchdog.Kind.SOFTDOG, true, true, 5));
    assertThat(softdog.noProof(A, BOOT).orElseThrow()).contains("haven watchdog trust a");
    assertThat(softdog.trusting(true).bound(A, BOOT)).isPresent();
    assertThat(softdog.trusting(true).trusting(false).bound(A, BOOT)).isEmpty();
  }

  @Test
  void aBoundSaysNothingOfWhatWasPlacedUnderAnotherBoot() {
    assertThat(tested().bound(A, OTHER)).isEmpty();
    assertThat(tested().noProof(A, OTHER)).contains("its watchdog was not armed under this boot");
  }

  @Test
  void anAgentThatDoesNotEnforceLeasesGivesNoBound() {
    var lax = heard(tested(), dog(Watchdog.Kind.HARDWARE, false, false, 6));
    assertThat(lax.bound(A, BOOT)).isEmpty();
    assertThat(lax.dependable(A)).as("it is to begin with it").isTrue();
    assertThat(lax.noProof(A, BOOT)).contains("its agent does not enforce leases yet");
  }

  @Test
  void anOlderWordThatItEnforcesDoesNotOvertakeTheNewerThatItDoesNot() {
    var denied = heard(tested(), dog(Watchdog.Kind.HARDWARE, false, false, 7));
    for (long late : List.of(0L, 5L, 7L)) {
      var word = dog(Watchdog.Kind.HARDWARE, false, true, late);
      assertThat(heard(denied, word).bound(A, BOOT)).as("told at %d", late).isEmpty();
    }
    var later = heard(denied, dog(Watchdog.Kind.HARDWARE, false, true, 8));
    assertThat(later.bound(A, BOOT)).isPresent();
  }

  @Test
  void ofTwoDenialsTheLaterCountsWhicheverComesFirst() {
    var denied = heard(tested(), dog(Watchdog.Kind.HARDWARE, false, false, 9));
    var older = heard(denied, dog(Watchdog.Kind.HARDWARE, false, false, 7));
    assertThat(heard(older, dog(Watchdog.Kind.HARDWARE, false, true, 8)).bound(A, BOOT)).isEmpty();
  }

  @Test
  void whoeverLooksAtAPauseReliesOnNoBoundUntilTheAgentSaysSoAgain() {
    var paused = tested().notEnforcing(20);
    assertThat(paused.bound(A, BOOT)).isEmpty();
    assertThat(heard(paused, dog(Watchdog.Kind.HARDWARE, false, true, 20)).bound(A, BOOT))
        .isEmpty();
    assertThat(heard(paused, dog(Watchdog.Kind.HARDWARE, false, true, 21)).bound(A, BOOT))
        .isPresent();
  }

  private static Guard listening() {
    var dog =
        new Watchdog(
            Watchdog.Kind.HARDWARE,
            "dog",
            Duration.ofSeconds(10),
            true,
            true,
            Optional.empty(),
            Optional.of(PILLS));
    return heard(Guard.NONE, dog);
  }

  private static final PillWatch PILLS =
      new PillWatch(
          "a", new TreeSet<>(Set.of("disk-1", "disk-2", "disk-3")), 3, Duration.ofSeconds(5));

  private static Optional<String> no(Guard guard, String slot, long seconds, String... disks) {
    var pill = new Pill(slot, List.of(disks), Set.of(disks), Duration.ofSeconds(seconds));
    return guard.noPill(A, BOOT, pill);
  }

  @Test
  void aPillProvesWhatTheHostHadToReadInTime() {
    assertThat(no(listening(), "a", 16, "disk-1", "disk-2")).isEmpty();
    assertThat(no(listening(), "A", 16, "disk-1", "disk-2")).as("slots have no case").isEmpty();
  }

  @Test
  void aPillOnHalfOfTheDisksInAnotherSlotOrNotWaitedForProvesNothing() {
    assertThat(no(listening(), "b", 16, "disk-1", "disk-2").orElseThrow()).contains("slot b");
    assertThat(no(listening(), "a", 16, "disk-1", "disk-9").orElseThrow()).contains("1 of the 3");
    assertThat(no(listening(), "a", 15, "disk-1", "disk-2").orElseThrow()).contains("during 15 s");
  }

  @Test
  void aPillProvesNothingOfAHostThatDoesNotListenUnderThisBoot() {
    assertThat(no(tested(), "a", 16, "disk-1", "disk-2").orElseThrow()).contains("SBD disk");
    assertThat(listening().noPill(A, OTHER)).contains("its agent did not listen under this boot");
    assertThat(listening().noPill(A, BOOT)).isEmpty();
    var dog = listening().watchdog();
    var neverSeen =
        new Guard(
            Optional.of(BOOT), dog, Optional.empty(), false, Optional.empty(), Guard.Leasing.LONG);
    assertThat(neverSeen.noPill(A, BOOT).orElseThrow()).contains("haven watchdog test a");
  }

  @Test
  void aPillOnHalfOfAnEvenNumberOfDisksIsNotOnMoreThanHalf() {
    var two = new PillWatch("a", new TreeSet<>(Set.of("disk-1", "disk-2")), 2, PILLS.deaf());
    var dog = listening().watchdog().orElseThrow();
    var guard =
        listening()
            .heard(
                BOOT,
                Optional.of(
                    new Watchdog(
                        dog.kind(),
                        dog.identity(),
                        dog.timeout(),
                        true,
                        true,
                        Optional.empty(),
                        Optional.of(two))));
    assertThat(no(guard, "a", 16, "disk-1").orElseThrow()).contains("1 of the 2");
    assertThat(no(guard, "a", 16, "disk-1", "disk-2")).isEmpty();
  }

  @Test
  void anAgentMayRepeatThatItEnforces() {
    var again = heard(tested(), dog(Watchdog.Kind.HARDWARE, false, true, 5));
    assertThat(heard(again, dog(Watchdog.Kind.HARDWARE, false, true, 5)).bound(A, BOOT))
        .isPresent();
  }

  @Test
  void aWatchdogThatIsNotReliedOnForAWhileIsStillThere() {
    assertThat(tested().notEnforcing(20).dependable(A)).isTrue();
    assertThat(tested().notEnforcing(20).noProof(A, BOOT))
        .contains("its agent does not enforce leases yet");
  }

  @Test
  void aHostThatAsksForShortLeasesHasTheLongBoundUntilNothingIsLeftOfItsLongOnes() {
    var shortening = asks(tested(), BOOT, LeaseLength.SHORT);
    assertThat(shortening.leasing().granted()).isEqualTo(LeaseLength.SHORT);
    assertThat(bound(shortening)).contains(Duration.ofSeconds(38));
    assertThat(asks(shortening, BOOT, LeaseLength.SHORT)).as("said again").isEqualTo(shortening);
    assertThat(bound(shortening.shortened())).contains(Duration.ofSeconds(24));
    assertThat(bound(asks(shortening.shortened(), BOOT, LeaseLength.SHORT)))
        .contains(Duration.ofSeconds(24));
    assertThat(tested().shortened()).as("long ones are granted").isEqualTo(tested());
  }

  @Test
  void whateverMayBeNewsMakesTheBoundLongAtOnce() {
    var shortest = asks(tested(), BOOT, LeaseLength.SHORT).shortened();
    assertThat(bound(asks(shortest, BOOT, LeaseLength.LONG))).contains(Duration.ofSeconds(38));
    var older = dog(Watchdog.Kind.HARDWARE, true, true, 5);
    assertThat(bound(heard(shortest, older)))
        .as("an agent that does not ask")
        .contains(Duration.ofSeconds(38));
    assertThat(asks(shortest, OTHER, LeaseLength.SHORT).bound(A, OTHER))
        .as("a new boot")
        .contains(Duration.ofSeconds(38));
    var back = asks(asks(shortest, BOOT, LeaseLength.LONG), BOOT, LeaseLength.SHORT);
    assertThat(bound(back)).as("and from there as before").contains(Duration.ofSeconds(38));
  }

  @Test
  void noEntryShortensABoundWhileLongLeasesMayBeOut() {
    var state = Hosts.online(true, A);
    var shortening = asks(tested(), BOOT, LeaseLength.SHORT);
    var shortest = shortening.shortened();
    var otherBoot = asks(tested(), OTHER, LeaseLength.SHORT);
    for (var before : List.of(tested(), tested().notEnforcing(7), otherBoot)) {
      assertThatThrownBy(() -> with(shortest, with(before, state)))
          .as("after %s", before)
          .hasMessageContaining("long leases may be out");
    }
    assertThatThrownBy(() -> with(shortest, state)).hasMessageContaining("long leases may be out");
    var after = with(shortest, with(shortening, state));
    assertThat(bound(after.host(A).orElseThrow().guard().orElseThrow()))
        .contains(Duration.ofSeconds(24));
    assertThat(with(shortest.trusting(true), after)).as("as short as before").isNotNull();
  }

  @Test
  void anotherSideOfTheClusterMayHaveGrantedLongLeases() {
    var shortening = asks(tested(), BOOT, LeaseLength.SHORT);
    var state = with(shortening.shortened(), with(shortening, Hosts.online(true, A)));
    var afterwards = state.apply(new Change.GenerationBegun(state.generation() + 1));
    assertThat(bound(afterwards.host(A).orElseThrow().guard().orElseThrow()))
        .contains(Duration.ofSeconds(38));
  }

  @Test
  void whatWasFoundOfLongLeasesCountsForTheBootAndTheWordOfToday() {
    var shortening = asks(tested(), BOOT, LeaseLength.SHORT);
    var e = new Event.LeasesShortened(A, BOOT, Hosts.AT);
    var state = with(shortening, Hosts.online(true, A));
    assertThat(HaPolicy.decide(state, e).changes())
        .contains(new Change.HostGuarded(A, shortening.shortened()));
    var asksForLong = with(asks(shortening, BOOT, LeaseLength.LONG), state);
    assertThat(HaPolicy.decide(asksForLong, e).changes())
        .as("it asks for long ones again")
        .isEmpty();
    var stale = new Event.LeasesShortened(A, OTHER, Hosts.AT);
    assertThat(HaPolicy.decide(state, stale).changes()).as("of another boot").isEmpty();
  }
}
