package dev.haven.core.lead;

import static dev.haven.core.lead.OneVoter.A;
import static dev.haven.core.lead.OneVoter.BOOT;
import static dev.haven.core.lead.OneVoter.millis;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Action;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Pill;
import dev.haven.core.ha.Proof;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What the leader is told of a fence, by what was seen of the host meanwhile. */
class FenceVerdictTest {
  private static final Instant BEGUN = Instant.EPOCH.plusSeconds(10);
  private static final Instant AT = Instant.EPOCH.plusSeconds(11);

  private final OneVoter voter = new OneVoter();
  private final Watch watch = voter.watch;

  private final FenceVerdict verdict =
      new FenceVerdict(watch, new Action.FenceHost(A, BOOT, 3, Duration.ZERO, OptionalInt.empty()));

  private static Cut.Off off(long began) {
    return new Cut.Off(
        List.of("bmc said off"), millis(began), List.of("bmc"), Map.of("off-sent", BEGUN));
  }

  @Test
  void aHostThatIsHeardAfterItsDevicesWereReadIsToldToContradictThem() {
    voter.beats(1_000);
    voter.beats(5_100);
    var told = (Event.FencingConfirmed) verdict.of(off(5_000), BEGUN, millis(5_400), AT);
    assertThat(told.contradiction()).isNotEmpty();
    var silent = (Event.FencingConfirmed) verdict.of(off(5_200), BEGUN, millis(5_400), AT);
    assertThat(silent.contradiction()).isEmpty();
    assertThat(silent.attempt()).isEqualTo(3);
    assertThat(silent.proof().readings()).containsExactly("bmc said off");
    assertThat(silent.unidentified()).as("nothing shows whose it is").containsExactly("bmc");
  }

  @Test
  void theProofIsVoidedByWhateverIsHeardAfterTheReadingBegan() {
    var told = (Event.FencingConfirmed) verdict.of(off(5_000), BEGUN, millis(5_400), AT);
    assertThat(watch.proofTimes().since(told.proof()))
        .contains(new ProofTimes.Since(millis(5_000), millis(5_000)));
  }

  @Test
  void aHostThatWasAliveJustBeforeItsDevicesWereReadHasTimeToShowThatItLives() {
    voter.beats(4_900);
    assertThat(verdict.wait(off(5_000), millis(5_050))).isEqualTo(Duration.ofMillis(350));
    assertThat(verdict.wait(off(5_301), millis(5_310))).as("silent for 0.4 s").isZero();
    assertThat(verdict.wait(new Cut.Failed("no answer"), millis(5_050))).isZero();
  }

  @Test
  void aHostThatIsHeardAfterItsPillWasDueIsToldToContradictIt() {
    var pill = new Pill("a", List.of("/dev/x"), Set.of("1"), Duration.ofSeconds(10));
    var cut = new Cut.Poisoned(pill, millis(20_000), Map.of());
    voter.beats(19_000); // it may live until the wait is over
    assertThat(((Event.HostPoisoned) verdict.of(cut, BEGUN, millis(20_001), AT)).contradiction())
        .isEmpty();
    voter.beats(20_100);
    assertThat(((Event.HostPoisoned) verdict.of(cut, BEGUN, millis(20_200), AT)).contradiction())
        .isNotEmpty();
    assertThat(
            watch
                .proofTimes()
                .since(new Proof.PoisonPill(A, BOOT, pill.disks(), pill.waited(), "armed", AT)))
        .contains(new ProofTimes.Since(millis(20_000), millis(20_000)));
  }

  @Test
  void whatDidNotSucceedProvesNothingAndSaysHowFarItCame() {
    var cut = new Cut.Failed("no answer", OptionalInt.of(2));
    var told = (Event.FencingFailed) verdict.of(cut, BEGUN, millis(5_000), AT);
    assertThat(told.reason()).isEqualTo("no answer");
    assertThat(told.saidOff()).hasValue(2);
    var fault =
        (Event.FencingFailed) verdict.fault(new IllegalStateException("x"), millis(5_000), AT);
    assertThat(fault.reason()).startsWith("fencing failed by a fault of ours");
    assertThat(fault.saidOff()).isEmpty();
  }

  @Test
  void theFlightRecordHasWhenTheHostWasLastHeardAndWhenTheFenceBegan() {
    voter.beats(4_400);
    var told = (Event.FencingConfirmed) verdict.of(off(5_000), BEGUN, millis(5_400), AT);
    assertThat(told.times())
        .containsEntry("off-sent", BEGUN)
        .containsEntry("fence-begun", BEGUN)
        .containsEntry("last-heard", AT.minusSeconds(1));
  }
}
