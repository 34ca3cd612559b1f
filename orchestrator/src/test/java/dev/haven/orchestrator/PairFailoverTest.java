package dev.haven.orchestrator;

import static dev.haven.orchestrator.OneLeader.A;
import static dev.haven.orchestrator.OneLeader.B;
import static dev.haven.orchestrator.OneLeader.BOOT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Event;
import dev.haven.core.lead.Cut;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.api.Command;
import dev.haven.orchestrator.alone.PairFailover;
import dev.haven.orchestrator.port.PowerDevices;
import dev.haven.raft.port.ReplicatedLog;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** One of two voters alone, as it ships: what it sees of the other one and makes of it. */
final class PairFailoverTest {
  private static final Pattern TURN = Pattern.compile("it is fenced in (\\d+) s, in our turn");
  private OneLeader here;
  private @Nullable PairFailover pairFailover;
  private Optional<Long> agentLastHeard = Optional.empty();
  private volatile Event.Power says = Event.Power.ON;
  private volatile Cut cut = new Cut.Failed("no answer");

  /** Beats on two networks, so that 3 s of silence count. */
  private static HostSpec spec(HostId id) {
    int number = id.value().charAt(0);
    return new HostSpec(
        id,
        Optional.empty(),
        "qemu+tcp://" + id + "/system",
        List.of(
            new Network("control", "240.0.0." + number, List.of(Network.Role.CONTROL)),
            new Network("migration", "240.0.1." + number, List.of(Network.Role.MIGRATION))),
        List.of(List.of(new FencingDevice("bmc-" + id, "ipmi", Map.of()))),
        Map.of(),
        Optional.empty(),
        1024,
        4);
  }

  private final PowerDevices devices =
      new PowerDevices() {
        @Override
        public List<String> mistakes(HostSpec spec) {
          return List.of();
        }

        @Override
        public Look look(HostId host, HostSpec spec, Duration within) {
          return new Look(says, "its device says " + says);
        }

        @Override
        public Cut cut(HostId host, HostSpec spec, Map<String, String> others, Duration within) {
          return cut;
        }

        @Override
        public String on(HostId host, HostSpec spec, Map<String, String> others, Duration within) {
          throw new AssertionError("nobody asked for that");
        }

        @Override
        public List<Health> check(
            HostId host, HostSpec spec, Map<String, String> others, Duration within) {
          return List.of();
        }
      };

  @BeforeEach
  void twoHosts() throws Exception {
    here = new OneLeader();
    here.loop.start();
    for (var host : List.of(A, B)) {
      here.command(new Command.AddHost(spec(host)));
      here.joins(host, BOOT);
    }
  }

  @AfterEach
  void end() {
    if (pairFailover != null) {
      pairFailover.close();
    }
    here.close();
  }

  /** Voter b, whose turns come second. */
  private void theOtherOneIsUnheard(Duration voters) {
    long then = System.nanoTime() - voters.toNanos();
    here.log.other = Optional.of(new ReplicatedLog.Alone.Other("a", then, then));
    pairFailover =
        PairFailover.start(
            "b",
            List.of("127.0.0.1"),
            here.keeper::state,
            here.log,
            here.detector,
            devices,
            (_, _) -> {},
            _ -> new CompletableFuture<>());
  }

  private String untilItSays(Pattern words) throws InterruptedException {
    var said = "";
    for (int i = 0; i < 600; i++) {
      agentLastHeard.ifPresent(
          at -> here.hostWasHeard(A, Duration.ofNanos(System.nanoTime() - at)));
      said = Objects.requireNonNull(pairFailover).words();
      if (words.matcher(said).find()) {
        return said;
      }
      Thread.sleep(50);
    }
    throw new AssertionError("it says: " + said);
  }

  @Test
  void itsTurnsAreCountedFromTheLastContactOfTheTwoVotersThoughAnAgentWasAwayBefore()
      throws Exception {
    var linkBroke = Duration.ofSeconds(1);
    agentLastHeard = Optional.of(System.nanoTime() - Duration.ofSeconds(24).toNanos());
    theOtherOneIsUnheard(linkBroke);
    var said = TURN.matcher(untilItSays(TURN));
    assertThat(said.find()).isTrue();
    // the other side's turn begins with the silence and lasts 35 s; counted from its agent's last
    // beat ours would begin 24 s early
    assertThat(Integer.parseInt(said.group(1))).isBetween(20, 33);
  }

  @Test
  void anotherOneThatSomebodySwitchesOnIsLeftToBoot() throws Exception {
    says = Event.Power.ALL_OFF;
    cut = new Cut.Off(List.of("bmc-a says off"), System.nanoTime(), List.of("bmc-a"), Map.of());
    theOtherOneIsUnheard(Duration.ofSeconds(36));
    untilItSays(Pattern.compile("the fence failed"));
    says = Event.Power.ON;
    untilItSays(Pattern.compile("somebody has switched it on: it has \\d+ s to boot"));
  }
}
