package dev.haven.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Entry;
import dev.haven.model.DomainState;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Policy;
import dev.haven.model.api.Command;
import dev.haven.simulator.Stage.HostEvent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is left out of a simulation changes no decision. */
class CalmTest {
  private static final HostId A = new HostId("a");
  private static final HostId B = new HostId("b");
  private static final HostId D = new HostId("d");
  private static final GuestId WEB = new GuestId("web");

  record Case(String name, Consumer<Stage> happens) {
    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Case> cases() {
    return Stream.of(
        new Case("power loss", s -> s.happens(HostEvent.POWER_OFF, A)),
        new Case("the host without a voter", s -> s.happens(HostEvent.POWER_OFF, D)),
        new Case("hung", s -> s.happens(HostEvent.HANG, A)),
        new Case(
            "hung for a moment",
            s -> { // 700 ms: asked after, never missed
              s.happens(HostEvent.HANG, A);
              s.runUntil(s.time().plusMillis(700));
              s.happens(HostEvent.UNHANG, A);
            }),
        new Case(
            "cut off",
            s -> {
              s.port(A, Machine.CONTROL, false);
              s.port(A, Machine.MIGRATION, false);
            }),
        new Case(
            "cut off, and its device too",
            s -> {
              s.device(D, Simulation.PowerDeviceMode.HANGS);
              s.port(D, Machine.CONTROL, false);
              s.port(D, Machine.MIGRATION, false);
            }),
        new Case(
            "an agent that is started again at once",
            s -> {
              s.daemon(D, Stage.Daemon.AGENT, false);
              s.daemon(D, Stage.Daemon.AGENT, true);
            }),
        new Case("libvirt away", s -> s.daemon(D, Stage.Daemon.LIBVIRTD, false)),
        new Case("one network", s -> s.port(A, Machine.CONTROL, false)),
        new Case("agent away", s -> s.daemon(A, Stage.Daemon.AGENT, false)),
        new Case(
            "a device that lies about a host that is well, and an order to fence it",
            s -> {
              s.device(A, Simulation.PowerDeviceMode.LIES);
              s.command(new Command.Fence(A), _ -> {});
            }),
        new Case(
            "the word of an operator about a host that is well",
            s ->
                s.command(
                    new Command.ConfirmDead(A, Command.ConfirmDead.sentence(A), Optional.empty()),
                    _ -> {})),
        new Case("a guest that hangs", s -> s.guestHangs(WEB)),
        new Case("a crash", s -> s.guestBecomes(WEB, DomainState.OFF_CRASHED)),
        new Case("an evacuation", s -> s.command(new Command.Evacuate(A), _ -> {})),
        new Case(
            "a voter dies, and then a host",
            s -> {
              s.daemon(B, Stage.Daemon.ORCHESTRATOR, false);
              s.runUntil(s.time().plusSeconds(20));
              s.happens(HostEvent.HANG, A);
            }));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void whatIsLeftOutChangesNoDecision(Case c) {
    changesNoDecision(c, Stage.Watchdog.NONE);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void norDoesItWhereLeasesCount(Case c) {
    changesNoDecision(c, Stage.Watchdog.TESTED);
  }

  private static void changesNoDecision(Case c, Stage.Watchdog watchdog) {
    var whole = course(c, watchdog, false);
    assertThat(whole).isNotEmpty();
    assertThat(course(c, watchdog, true)).isEqualTo(whole);
  }

  /** What was decided, in order, without the times of chance. */
  private static List<String> course(Case c, Stage.Watchdog watchdog, boolean sparing) {
    var scene = CalmScene.hosts(watchdog, "a", "b", "c", "d");
    var stage =
        Stage.of(1, sparing, Policy.DEFAULT, scene, CalmScene.guests(), List.of("a", "b", "c"));
    var lines = new ArrayList<String>();
    stage.plays(
        new Stage.Audience() {
          @Override
          public void line(Duration at, String kind, String message) {
            if (!kind.equals("truth") && !kind.equals("leader") && !kind.equals("times")) {
              lines.add(kind + " " + message.replaceAll("[0-9]+ ms", "some ms"));
            }
          }

          @Override
          public void applied(Duration at, Entry entry, ClusterState before, ClusterState after) {}
        });
    // half an hour in which nothing happens is skipped by one and lived through by the other
    stage.runUntil(Duration.ofMinutes(30));
    c.happens().accept(stage);
    stage.runUntil(stage.time().plus(Duration.ofMinutes(2)));
    assertThat(stage.violations()).isEmpty();
    lines.add("web runs on " + stage.places().get(WEB));
    return lines.stream().sorted().toList(); // guests that move at once arrive in any order
  }
}
