package dev.haven.core.ha;

import static dev.haven.core.ha.Hosts.A;
import static dev.haven.core.ha.Hosts.AT;
import static dev.haven.core.ha.Hosts.B;
import static dev.haven.core.ha.Hosts.BOOT;
import static dev.haven.core.ha.Hosts.WEB;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** What each kind of proof takes away, and what it cannot. */
class ProofTest {
  private static final BootId OTHER = new BootId("boot-2");
  private static final GuestId DB = new GuestId("db");
  private static final Holding SECOND = new Holding(A, BOOT, new Epoch(2));
  private static final Holding ELSEWHERE = new Holding(B, BOOT, new Epoch(2));

  private static final Proof OFF = Hosts.off(A, BOOT);
  private static final Proof PILL =
      new Proof.PoisonPill(A, BOOT, List.of("/dev/sbd"), Duration.ofSeconds(20), "armed", AT);
  private static final Proof BOUND =
      new Proof.BoundRunOut(A, BOOT, Duration.ofSeconds(38), "iTCO", AT);
  private static final Proof OPERATOR = new Proof.OperatorsWord(A, BOOT, "admin", false, AT);
  private static final Proof NEWER = new Proof.NewerBoot(A, BOOT, OTHER, AT);

  private static Proof agents(long refused) {
    return new Proof.AgentsWord(A, BOOT, WEB, new Epoch(refused), "off", AT);
  }

  private static Proof revoked(long epoch) {
    return new Proof.StorageRevoked(A, BOOT, WEB, new Epoch(epoch), List.of("disk: refused"), AT);
  }

  @Test
  void aProofOfAHostTakesAwayAllOfItsBootAndNothingElse() {
    for (var proof : List.of(OFF, PILL, BOUND, OPERATOR, NEWER)) {
      assertThat(proof.covers(WEB, SECOND)).as("%s", proof).isTrue();
      assertThat(proof.covers(DB, SECOND)).as("%s", proof).isTrue();
      assertThat(proof.covers(WEB, ELSEWHERE)).as("another host: %s", proof).isFalse();
      assertThat(proof.covers(WEB, new Holding(A, OTHER, new Epoch(2))))
          .as("another boot: %s", proof)
          .isFalse();
    }
  }

  @Test
  void anAgentsWordAndRevokedDisksTakeAwayOneGuestUpToOneEpoch() {
    for (var proof : List.of(agents(2), revoked(2))) {
      assertThat(proof.covers(WEB, SECOND)).as("%s", proof).isTrue();
      assertThat(proof.covers(WEB, new Holding(A, BOOT, new Epoch(1)))).isTrue();
      assertThat(proof.covers(WEB, new Holding(A, BOOT, new Epoch(3))))
          .as("a later epoch: %s", proof)
          .isFalse();
      assertThat(proof.covers(DB, SECOND)).as("another guest: %s", proof).isFalse();
      assertThat(proof.covers(WEB, ELSEWHERE)).as("another host: %s", proof).isFalse();
      assertThat(proof.covers(WEB, new Holding(A, OTHER, new Epoch(2)))).isFalse();
    }
  }

  @Test
  void aLaterSignOfLifeVoidsWhatSaysThatTheHostIsOffAndNothingElse() {
    for (var proof : List.of(OFF, PILL, BOUND, OPERATOR)) {
      assertThat(proof.voidedByLife()).as("%s", proof).isTrue();
    }
    for (var proof : List.of(NEWER, agents(2), revoked(2))) {
      assertThat(proof.voidedByLife()).as("%s", proof).isFalse();
    }
  }

  @Test
  void theEvidenceIsSaidToPeople() {
    assertThat(OFF.evidence()).isEqualTo("power read back off: bmc says off");
    assertThat(PILL.evidence()).isEqualTo("poison pill on /dev/sbd for 20 s, and armed");
    assertThat(BOUND.evidence()).contains("38 s").contains("iTCO");
    assertThat(NEWER.evidence()).isEqualTo("booted again (boot-2)");
    assertThat(agents(2).evidence()).isEqualTo("its agent says: off");
    assertThat(revoked(2).evidence()).contains("disk: refused");
    assertThat(OPERATOR.evidence()).isEqualTo("the word of admin");
    assertThat(new Proof.OperatorsWord(A, BOOT, "admin", true, AT).evidence())
        .isEqualTo("the word of admin, against other signs");
  }

  @Test
  void aProofWithoutEvidenceCannotBeWrittenDown() {
    var second = Duration.ofSeconds(1);
    refused(() -> new Proof.PowerReadOff(A, BOOT, List.of(), AT));
    refused(() -> new Proof.PoisonPill(A, BOOT, List.of(), second, "armed", AT));
    refused(() -> new Proof.PoisonPill(A, BOOT, List.of("/dev/sbd"), second, " ", AT));
    refused(() -> new Proof.PoisonPill(A, BOOT, List.of("/dev/sbd"), Duration.ZERO, "armed", AT));
    refused(() -> new Proof.NewerBoot(A, BOOT, BOOT, AT));
    refused(() -> new Proof.StorageRevoked(A, BOOT, WEB, new Epoch(2), List.of(), AT));
  }

  private static void refused(ThrowingCallable proof) {
    assertThatThrownBy(proof).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void onlyTheOneHolderMayStartAGuestUnderItsEpoch() {
    var one = new Epoch(1);
    var state = Hosts.running(Hosts.online(true, A, B), WEB, A);
    var web = state.guest(WEB).orElseThrow();
    var first = new Holding(A, BOOT, one);
    var vacancy = Vacancy.of(web, first);
    assertThat(vacancy.holding()).isEqualTo(first);
    assertThat(vacancy.proofs()).isEmpty();
    for (ThrowingCallable start :
        List.<ThrowingCallable>of(
            () -> Vacancy.of(web, new Holding(B, BOOT, one)),
            () -> Vacancy.of(web, SECOND),
            () -> Vacancy.of(held(web, Map.of()), first),
            () -> Vacancy.of(web, new Holding(A, OTHER, one)),
            () -> Vacancy.of(held(web, Map.of(A, first, B, ELSEWHERE)), first))) {
      assertThatThrownBy(start)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("must not be used");
    }
  }

  private static Guest held(Guest guest, Map<HostId, Holding> holders) {
    return new Guest(
        guest.spec(),
        guest.wanted(),
        new Tenure(guest.epoch(), holders, guest.tenure().cleared()),
        guest.phase(),
        guest.failedStarts(),
        guest.shunned(),
        guest.crashes(),
        guest.ioError(),
        guest.byHand());
  }

  @Test
  void aStartRestsOnTheProofsThatTookTheGuestFromItsEarlierHosts() {
    var state =
        Hosts.running(Hosts.online(true, A, B), WEB, A)
            .apply(new Change.HostStateChanged(A, new HostState.Fenced(BOOT, OFF)))
            .apply(new Change.HolderCleared(WEB, A, OFF))
            .apply(new Change.PhaseChanged(WEB, new GuestPhase.Waiting("fenced")))
            .apply(new Change.GuestPlaced(WEB, ELSEWHERE));
    var vacancy = Vacancy.of(state.guest(WEB).orElseThrow(), ELSEWHERE);
    assertThat(vacancy.proofs()).containsExactly(OFF);
  }
}
