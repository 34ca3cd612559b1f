package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.DomainEvent.WatchdogAction;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.Hypervisor.Ping;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import dev.haven.model.AgentPing;
import dev.haven.model.Epoch;
import dev.haven.model.GuestHealth;
import dev.haven.model.GuestHealth.Verdict;
import dev.haven.model.GuestId;
import dev.haven.model.wire.ToAgent;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class HealthChecksTest {
  private static final GuestId WEB = new GuestId("web");

  private final FakeHypervisor libvirt = new FakeHypervisor();
  private int reports;
  private final HealthChecks checks = new HealthChecks(libvirt, () -> reports++);

  @BeforeEach
  void webRunsAndIsToBeAsked() {
    libvirt.put("web", Run.RUNNING, Why.BOOTED, 3);
    checks.close(); // nothing is asked but what a test asks
    checks.told(
        new ToAgent.Leased(
            1,
            5,
            1,
            new TreeMap<>(Map.of(WEB, new Epoch(3))),
            false,
            Optional.of(new TreeMap<>(Map.of(WEB, new AgentPing(Duration.ofSeconds(5), 3))))));
  }

  private Hypervisor.Domain web() {
    return Objects.requireNonNull(libvirt.domains.get("web"));
  }

  private int id() {
    return web().id();
  }

  private void answers(int times) {
    pings(new Ping.Answered(id()), times);
  }

  private void misses(int times) {
    pings(new Ping.Missed(id()), times);
  }

  private void pings(Ping ping, int times) {
    libvirt.pings.put("web", () -> ping);
    for (int i = 0; i < times; i++) {
      checks.ping(WEB);
    }
  }

  private void fires(WatchdogAction action) {
    checks.heard(new DomainEvent.WatchdogFired(Instant.now(), "web", id(), action));
  }

  private Verdict verdict() {
    return checks.of(web()).map(GuestHealth::verdict).orElseThrow();
  }

  @Test
  void anAgentThatHasNeverAnsweredIsTakenForOneThatIsNotInstalled() {
    misses(10);
    assertThat(verdict()).isEqualTo(Verdict.UNKNOWN);
    assertThat(reports).isZero();
  }

  @Test
  void onceItHasAnsweredSoManyMissesInARowAreUnhealthyAndAnAnswerEndsThat() {
    answers(1);
    assertThat(verdict()).isEqualTo(Verdict.HEALTHY);
    misses(2);
    answers(1);
    misses(2);
    assertThat(verdict()).isEqualTo(Verdict.HEALTHY);
    misses(1);
    assertThat(verdict()).isEqualTo(Verdict.UNHEALTHY);
    answers(1);
    assertThat(verdict()).isEqualTo(Verdict.HEALTHY);
    assertThat(reports).isEqualTo(3);
  }

  @Test
  void aGuestThatBootsAnewHasNotAnsweredYet() {
    answers(1);
    misses(3);
    checks.heard(new DomainEvent.Rebooted(Instant.now(), "web"));
    assertThat(verdict()).isEqualTo(Verdict.UNKNOWN);
    misses(10);
    assertThat(verdict()).isEqualTo(Verdict.UNKNOWN);
  }

  @Test
  void aPauseOrAClosedPortBeginsTheCountAnew() {
    answers(1);
    misses(2);
    checks.heard(
        new DomainEvent.Changed(Instant.now(), "web", DomainEvent.Change.SUSPENDED, Why.USER));
    misses(2);
    assertThat(verdict()).isEqualTo(Verdict.HEALTHY);
    misses(1);
    assertThat(verdict()).isEqualTo(Verdict.UNHEALTHY);
    pings(new Ping.NotAsked("its agent's port is closed"), 1);
    assertThat(verdict()).isEqualTo(Verdict.HEALTHY);
  }

  @Test
  void aTurnThatFollowsIsNotBlamedForTheLast() {
    answers(1);
    misses(3);
    fires(WatchdogAction.NONE);
    libvirt.put("web", Run.RUNNING, Why.BOOTED, 4);
    assertThat(verdict()).isEqualTo(Verdict.UNKNOWN);
  }

  @Test
  void aWatchdogThatFiredCountsUntilTheGuestBoots() {
    fires(WatchdogAction.NONE);
    answers(1);
    assertThat(verdict()).isEqualTo(Verdict.UNHEALTHY);
    checks.heard(new DomainEvent.Rebooted(Instant.now(), "web"));
    assertThat(verdict()).isEqualTo(Verdict.UNKNOWN);
  }

  @Test
  void whatItsWatchdogPausedAndSomebodyResumedIsWellAgain() {
    fires(WatchdogAction.PAUSE);
    answers(1);
    assertThat(verdict()).isEqualTo(Verdict.UNHEALTHY);
    checks.heard(
        new DomainEvent.Changed(Instant.now(), "web", DomainEvent.Change.RESUMED, Why.UNPAUSED));
    assertThat(verdict()).isEqualTo(Verdict.HEALTHY);
  }

  @Test
  void aResetByItsWatchdogIsToldAlsoOnceItRunsAgain() {
    answers(1);
    fires(WatchdogAction.RESET);
    checks.heard(new DomainEvent.Rebooted(Instant.now(), "web"));
    answers(1);
    assertThat(verdict()).isEqualTo(Verdict.RESET);
  }
}
