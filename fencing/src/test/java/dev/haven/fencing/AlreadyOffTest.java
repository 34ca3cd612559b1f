package dev.haven.fencing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.fencing.FencingStep.Kind;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A host that lost its power by itself, behind devices that send no order to what says off already:
 * with the times that ship, on a clock of our own.
 */
final class AlreadyOffTest {
  private static final FencingTarget HOST = new FencingTarget("a", Optional.empty(), Map.of());

  /** What the orchestrator gives a fence. */
  private static final Duration FENCE = Duration.ofSeconds(20);

  private static final Duration STALE = FenceAgentDevice.STALE;
  private final MadeUpTime time = new MadeUpTime();
  private final Device device = new Device();
  private final Fencer fencer = new Fencer(_ -> device, time);
  private final FencingPlan plan = FencingPlan.of(new DeviceSpec("pdu", "agent", Map.of()));

  /** Says what it is told to say, and asks before it switches, as ClusterLabs' library does. */
  private class Device implements PowerDevice {
    boolean off = true;
    boolean answers = true;
    private Optional<Long> saysOnFrom = Optional.empty();
    private int cuts;
    final CountDownLatch ordered = new CountDownLatch(1);
    private Optional<Duration> takes = Optional.empty();

    @Override
    public String name() {
      return "pdu";
    }

    @Override
    public PowerReading read(Duration within) {
      var now = Instant.now();
      takes.ifPresent(time::sleep);
      if (saysOnFrom.filter(from -> time.nanos() - from > 0).isPresent()) {
        off = false;
      }
      return !answers
          ? new PowerReading.Unknown(name(), now, now, "no answer")
          : off
              ? new PowerReading.Off(name(), now, now, "Status: OFF")
              : new PowerReading.On(name(), now, now, "Status: ON");
    }

    @Override
    public SwitchResult switchOff(Duration within) {
      var now = Instant.now();
      ordered.countDown();
      if (!answers) {
        return new SwitchResult.Failed(name(), now, now, "no answer");
      }
      if (off) {
        return new SwitchResult.AlreadyOff(name(), now, now, "Success: Already OFF", STALE);
      }
      off = true;
      cuts++;
      return new SwitchResult.Accepted(name(), now, now, "Success: Powered OFF");
    }

    @Override
    public SwitchResult switchOn(Duration within) {
      throw new AssertionError("nobody asked for that");
    }

    @Override
    public Privilege privilege(Duration within) {
      return new Privilege.Unknown("");
    }

    @Override
    public Optional<String> systemGuid(Duration within) {
      return Optional.empty();
    }

    @Override
    public Optional<Duration> stale() {
      return Optional.of(STALE);
    }
  }

  private FencingOutcome fence() {
    return fencer.powerOff(HOST, plan, FENCE, FencingListener.NONE);
  }

  @BeforeEach
  void theTimesAreThoseThatShip() {
    assertThat(STALE).isGreaterThan(FENCE);
  }

  @Test
  void aHostThatIsOffAlreadyIsProvenOffInTheFirstAttemptWithin35Seconds() {
    long began = time.nanos();
    assertThat(fence()).isInstanceOf(FencingOutcome.Confirmed.class);
    assertThat(time.since(began)).isBetween(STALE, Duration.ofSeconds(35));
  }

  @Test
  void whatItSaidInAnAttemptThatFailedCountsInTheNext() {
    var both =
        new FencingPlan(
            List.of(
                new Level(
                    List.of(new DeviceSpec("pdu", "agent", Map.of()), FakeDevices.spec("other")))));
    var other =
        new Device() {
          @Override
          public String name() {
            return "other";
          }

          /** It uses the attempt up, so it begins only once the first device was asked. */
          @Override
          public SwitchResult switchOff(Duration within) {
            try {
              assertThat(device.ordered.await(30, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
            return super.switchOff(within);
          }
        };
    other.answers = false;
    var careful = new Fencer(spec -> spec.name().equals("pdu") ? device : other, time);
    long began = time.nanos();
    assertThat(careful.powerOff(HOST, both, Duration.ofSeconds(1), FencingListener.NONE))
        .isInstanceOf(FencingOutcome.Failed.class);
    while (time.since(began).compareTo(Duration.ofSeconds(29)) < 0) {
      time.sleep(Duration.ofSeconds(9));
      careful.readAll(plan, Duration.ofSeconds(1));
    }
    assertThat(careful.powerOff(HOST, plan, FENCE, FencingListener.NONE))
        .isInstanceOf(FencingOutcome.Confirmed.class);
    assertThat(time.since(began)).isLessThan(Duration.ofSeconds(40));
  }

  @Test
  void anAttemptThatCutThePowerAndCouldNotReadItBackIsNotLost() {
    device.off = false;
    var cut =
        fencer.powerOff(
            HOST, plan, FENCE, step -> device.answers &= step.kind() != Kind.OFF_ACCEPTED);
    assertThat(cut).isInstanceOf(FencingOutcome.Failed.class);
    device.answers = true;
    long began = time.nanos();
    assertThat(fence()).isInstanceOf(FencingOutcome.Confirmed.class);
    assertThat(time.since(began)).isLessThan(Duration.ofSeconds(35));
    assertThat(device.cuts).isEqualTo(1);
  }

  @Test
  void aDeviceThatWasOutOfReachInBetweenMayBeStaleAgain() {
    long began = time.nanos();
    var outcome =
        fencer.powerOff(
            HOST,
            plan,
            FENCE,
            step -> {
              if (step.kind() == Kind.ALREADY_OFF && device.saysOnFrom.isEmpty()) {
                device.answers = false;
                time.sleep(Duration.ofSeconds(11));
                device.answers = true;
                device.saysOnFrom = Optional.of(began + Duration.ofSeconds(31).toNanos());
              }
            });
    assertThat(outcome).isInstanceOf(FencingOutcome.Failed.class);
    assertThat(device.cuts).isZero();
  }

  @Test
  void noOrderLeavesAfterTheTimeOfAFenceThoughItIsReadForLonger() {
    device.saysOnFrom =
        Optional.of(time.nanos() + Duration.ofSeconds(25).toNanos()); // it was stale
    assertThat(fence()).isInstanceOf(FencingOutcome.Failed.class);
    assertThat(device.cuts).isZero();
    device.saysOnFrom = Optional.empty();
    assertThat(fence()).isInstanceOf(FencingOutcome.Confirmed.class);
    assertThat(device.cuts).isEqualTo(1);
  }

  @Test
  void aSlowAgentIsWaitedForToo() {
    device.takes = Optional.of(Duration.ofSeconds(4));
    assertThat(fence()).isInstanceOf(FencingOutcome.Confirmed.class);
  }

  @Test
  void aDeviceThatMayBeStaleForLongerThanAFenceWaitsIsRefused() {
    var slow =
        new DeviceSpec(
            "bmc", "libvirt", Map.of("uri", "qemu:///system", "domain", "a", "stale", "3m"));
    assertThat(new Fencer(Path.of("target")).problems(FencingPlan.of(slow)))
        .singleElement()
        .asString()
        .contains("stale is 180.0 s", "at most 120.0 s");
  }

  @Test
  void aDeviceSaysHowAFenceByItGoes() {
    assertThat(fencer.check(HOST, plan, Duration.ofSeconds(1)).getFirst().behaviour())
        .isEqualTo(
            "may refuse the order while the host is off: then it is proven off after it has said so"
                + " for 30.0 s");
  }

  /** An agent as ClusterLabs' library answers, asked for real. */
  @Test
  void aFenceAgentThatAnswersAlreadyOffIsSuchADevice(@TempDir Path folder) throws Exception {
    var agent = folder.resolve("fence_x");
    Files.writeString(
        agent,
        """
        #!/bin/sh
        while read -r l; do case $l in action=*) A=${l#action=};; esac; done
        case $A in
         metadata) cat <<X
        <?xml version="1.0" ?><resource-agent name="fence_x"><parameters><parameter name="action"><content type="string" default="reboot"/></parameter></parameters>
        <actions><action name="on" automatic="0"/><action name="off"/><action name="status"/></actions></resource-agent>
        X
        ;;
         off) echo "Success: Already OFF"; exit 0;;
         status) echo "Status: OFF"; exit 2;;
        esac
        """);
    assertThat(agent.toFile().setExecutable(true)).isTrue();
    var real = FencingPlan.of(new DeviceSpec("pdu", "agent", Map.of("agent", agent.toString())));
    var kinds = DeviceKinds.standard(folder);
    var clock = new MadeUpTime();
    assertThat(new Fencer(kinds, clock).powerOff(HOST, real, FENCE, FencingListener.NONE))
        .isInstanceOf(FencingOutcome.Confirmed.class);
  }
}
