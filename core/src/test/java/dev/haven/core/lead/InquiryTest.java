package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What is found out about one silence, and when the leader hears of it. */
class InquiryTest {
  private static final HostId A = new HostId("a");
  private static final long MILLI = 1_000_000L;
  private static final long SECOND = 1_000 * MILLI;

  /** System.nanoTime may have any value, and overflows here while the tests go on. */
  private static final long START = Long.MAX_VALUE - SECOND;

  private static final Host HOST =
      ClusterState.EMPTY
          .apply(
              new Change.HostDescribed(
                  new HostSpec(
                      A,
                      Optional.empty(),
                      "qemu+tcp://a/system",
                      List.of(),
                      List.of(),
                      Map.of(),
                      Optional.empty(),
                      1024,
                      4)))
          .host(A)
          .orElseThrow();

  private final EchoMemory echoes = new EchoMemory();
  private final Inquiry inquiry = new Inquiry(HOST, echoes, START);

  private static long after(long nanos) {
    return START + nanos;
  }

  private boolean worthTelling(long nanos) {
    return inquiry.worthTelling(inquiry.evidence(false, true), after(nanos));
  }

  private void read(Event.Power says) {
    inquiry.power(0, says, "bmc says " + says, List.of());
  }

  @Test
  void aVerdictWaitsForTheKernelAndTheDevicesButNotForEver() {
    assertThat(inquiry.host()).isEqualTo(HOST);
    assertThat(worthTelling(9 * SECOND)).as("the devices were not asked").isFalse();
    assertThat(inquiry.asksDevices(after(SECOND))).isTrue();
    assertThat(inquiry.asksDevices(after(2 * SECOND))).as("they are asked already").isFalse();
    assertThat(worthTelling(4 * SECOND - 1)).isFalse();
    assertThat(worthTelling(4 * SECOND)).isTrue();
    inquiry.echo(START, false);
    assertThat(worthTelling(SECOND)).as("the devices have not answered").isFalse();
    read(Event.Power.ALL_OFF);
    assertThat(worthTelling(SECOND)).isTrue();
  }

  @Test
  void devicesThatAnswerFirstWaitForTheKernel() {
    read(Event.Power.ALL_OFF);
    assertThat(worthTelling(SECOND)).isFalse();
    inquiry.echo(START, true);
    assertThat(worthTelling(SECOND)).isTrue();
  }

  @Test
  void theSameEvidenceIsToldAgainAfterAQuarterOfASecondAndOtherEvidenceAtOnce() {
    inquiry.echo(START, false);
    read(Event.Power.ALL_OFF);
    inquiry.told(inquiry.evidence(false, true), after(SECOND));
    assertThat(worthTelling(SECOND + 250 * MILLI - 1)).isFalse();
    assertThat(worthTelling(SECOND + 250 * MILLI)).isTrue();
    inquiry.echo(START, true);
    assertThat(worthTelling(SECOND + 1)).isTrue();
  }

  @Test
  void anEchoIsKnownFromWhenItsQuestionWasSent() {
    assertThat(inquiry.lastEcho()).isEmpty();
    assertThat(inquiry.echo(after(SECOND), false)).isEqualTo(Duration.ofMillis(20));
    assertThat(inquiry.lastEcho()).isEmpty();
    assertThat(echoes.known(A, after(SECOND))).isFalse();
    assertThat(inquiry.echo(after(2 * SECOND), true)).isEqualTo(Duration.ofMillis(50));
    assertThat(inquiry.lastEcho()).hasValue(after(2 * SECOND));
    assertThat(echoes.known(A, after(3 * SECOND))).isTrue();
    inquiry.echo(after(3 * SECOND), false);
    assertThat(inquiry.lastEcho()).as("the last that was answered").hasValue(after(2 * SECOND));
  }

  @Test
  void devicesThatSayOffAreReadAgainSooner() {
    assertThat(inquiry.power(0, Event.Power.ALL_OFF, "off", List.of()))
        .isEqualTo(Duration.ofMillis(100));
    assertThat(inquiry.power(0, Event.Power.UNKNOWN, "?", List.of()))
        .isEqualTo(Duration.ofMillis(300));
  }

  @Test
  void theEvidenceIsSaidToPeople() {
    assertThat(inquiry.evidence(false, false).words())
        .isEqualTo("its kernel is being asked; its power device is being asked");
    inquiry.echo(START, false);
    inquiry.power(0, Event.Power.ALL_OFF, "bmc says off", List.of());
    assertThat(inquiry.evidence(false, false).words())
        .isEqualTo("its kernel does not answer, nor did it before; bmc says off");
    assertThat(inquiry.evidence(false, true).words())
        .isEqualTo("its kernel does not answer; bmc says off");
    assertThat(inquiry.evidence(false, false).known())
        .as("what was known when the silence began is not forgotten in it")
        .isTrue();
    inquiry.echo(START, true);
    assertThat(inquiry.evidence(false, true).words()).isEqualTo("its kernel answers; bmc says off");
  }

  @Test
  void aMachineThatAsksToJoinShowsThatAKernelRunsUnlessTheDevicesSayOff() {
    inquiry.echo(START, false);
    var boots = inquiry.evidence(true, true);
    assertThat(boots.boots()).isTrue();
    assertThat(boots.kernel()).isEqualTo(Event.Echo.ANSWERS);
    read(Event.Power.ALL_OFF);
    var off = inquiry.evidence(true, true);
    assertThat(off.boots()).as("it is another machine").isFalse();
    assertThat(off.kernel()).isEqualTo(Event.Echo.SILENT);
  }

  @Test
  void thatABoundHasRunOutIsToldFourTimesASecondAndNeverWhileTheKernelMayAnswer() {
    assertThat(inquiry.tellsBound(START)).as("nobody knows of the kernel").isFalse();
    inquiry.echo(START, true);
    assertThat(inquiry.tellsBound(START)).isFalse();
    inquiry.echo(START, false);
    assertThat(inquiry.tellsBound(START)).isTrue();
    assertThat(inquiry.tellsBound(after(250 * MILLI - 1))).isFalse();
    assertThat(inquiry.tellsBound(after(250 * MILLI))).isTrue();
  }

  @Test
  void anAnswerFromBeforeTheDevicesSaidOffIsWaitedOutForThreeSecondsAtMost() {
    inquiry.echo(after(-1), true);
    inquiry.power(after(0), Event.Power.ALL_OFF, "bmc says off", List.of());
    assertThat(worthTelling(0)).isFalse();
    assertThat(worthTelling(3 * SECOND - 1)).isFalse();
    assertThat(worthTelling(3 * SECOND)).isTrue();
    inquiry.echo(after(0), true);
    assertThat(worthTelling(1)).as("asked when the device had said off").isTrue();
  }

  @Test
  void aKernelIsMuteOnceAWholeQuestionWasLeftUnansweredWhileThisVoterRan() {
    assertThat(inquiry.mute(after(0), after(SECOND))).as("nothing was asked").isFalse();
    inquiry.echo(after(0), false);
    assertThat(inquiry.mute(after(0), after(250 * MILLI - 1))).isFalse();
    assertThat(inquiry.mute(after(0), after(250 * MILLI))).isTrue();
    assertThat(inquiry.mute(after(1), after(SECOND))).as("this voter stood still").isFalse();
    inquiry.echo(after(1), true);
    assertThat(inquiry.mute(after(0), after(SECOND))).as("it has answered").isFalse();
  }

  @Test
  void anInquiryThatIsOverStaysSo() {
    assertThat(inquiry.over()).isFalse();
    inquiry.end();
    assertThat(inquiry.over()).isTrue();
  }
}
