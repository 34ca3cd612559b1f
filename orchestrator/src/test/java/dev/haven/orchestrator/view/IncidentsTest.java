package dev.haven.orchestrator.view;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.AuditLine;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Incident;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What an operator is told of a failure after it. */
class IncidentsTest {
  private static final HostId A = new HostId("a");
  private static final HostId B = new HostId("b");
  private static final BootId BOOT = new BootId("boot-1");
  private static final GuestId WEB = new GuestId("web");
  private static final GuestId DB = new GuestId("db");
  private static final Instant BEGAN = Instant.parse("2026-11-30T10:00:00Z");

  private final List<AuditLine> lines = new ArrayList<>();

  private void line(long millis, Fact fact) {
    lines.add(new AuditLine(100 + lines.size(), BEGAN.plusMillis(millis), fact));
  }

  private void silent(long at, long lasted) {
    line(
        at,
        new Fact.HostFellSilent(
            A,
            Duration.ofMillis(lasted),
            new Fact.Signs(2, Fact.Kernel.SILENT, Fact.Power.OFF, "nothing answers")));
  }

  private void losesItsPower(long at) {
    silent(at, 1000);
    line(at, new Fact.FenceDecided(A, Fact.Verdict.POWER_LOSS, Optional.empty()));
    line(
        at + 200,
        new Fact.HostProven(A, BOOT, Fact.Evidence.POWER_READ_OFF, "power read back off"));
    line(
        at + 200,
        new Fact.FenceTimed(A, new TreeMap<>(Map.of("off-sent", BEGAN.plusMillis(at + 50)))));
    line(at + 200, new Fact.HostProvenOff(A));
  }

  private void off(long at, GuestId guest) {
    line(
        at,
        new Fact.GuestOff(
            guest, Optional.of(A), Optional.of(Fact.Evidence.POWER_READ_OFF), "host a"));
  }

  private void placed(long at, GuestId guest) {
    line(at, new Fact.GuestPlaced(guest, B, new Epoch(2)));
  }

  private void runs(long at, GuestId guest) {
    line(at, new Fact.GuestRuns(guest, B, new Epoch(2), Optional.empty()));
  }

  private Incident only() {
    var incidents = Incidents.of(lines);
    assertThat(incidents).hasSize(1);
    return incidents.getFirst();
  }

  @Test
  void aPowerLossIsToldFromTheLastSignToTheLastGuestThatRuns() {
    losesItsPower(1000);
    off(1200, DB);
    off(1200, WEB);
    placed(1200, DB);
    placed(1210, WEB);
    runs(1500, WEB);
    assertThat(only().ended()).isEmpty();
    runs(1600, DB);
    var incident = only();
    assertThat(incident.id()).isEqualTo(100);
    assertThat(incident.kind()).isEqualTo(Incident.Kind.HOST);
    assertThat(incident.subject()).isEqualTo("a");
    assertThat(incident.began()).isEqualTo(BEGAN);
    assertThat(incident.ended()).contains(BEGAN.plusMillis(1600));
    assertThat(incident.verdict()).contains(Fact.Verdict.POWER_LOSS);
    assertThat(incident.proof()).contains(Fact.Evidence.POWER_READ_OFF);
    assertThat(incident.phases())
        .extracting(p -> p.millis() + " " + p.name() + " " + p.subject())
        .containsExactly(
            "1000 suspect a",
            "1000 verdict a",
            "1050 off-sent a",
            "1200 proof a",
            "1200 proven-off a",
            "1200 off db",
            "1200 off web",
            "1200 placed db",
            "1210 placed web",
            "1500 running web",
            "1600 running db");
    assertThat(incident.guests())
        .containsExactly(
            new Incident.Down(DB, A, Optional.of(B), Optional.of(1200L), Optional.of(1600L)),
            new Incident.Down(WEB, A, Optional.of(B), Optional.of(1210L), Optional.of(1500L)));
    assertThat(incident.running()).isEqualTo(2);
  }

  @Test
  void aHostThatComesBackWithoutAFenceEndsItsIncidentAndMayHaveAnother() {
    silent(1000, 1000);
    line(1100, new Fact.LeaderElected(7));
    line(4000, new Fact.HostOnline(A, "heard again"));
    silent(9000, 1000);
    var incidents = Incidents.of(lines);
    assertThat(incidents).hasSize(2);
    assertThat(incidents.get(0).ended()).contains(BEGAN.plusMillis(4000));
    assertThat(incidents.get(0).verdict()).isEmpty();
    assertThat(incidents.get(0).phases())
        .extracting(Incident.Phase::name)
        .containsExactly("suspect", "new-leader", "back");
    assertThat(incidents.get(1).began()).isEqualTo(BEGAN.plusMillis(8000));
    assertThat(incidents.get(1).ended()).isEmpty();
  }

  @Test
  void aGuestThatFindsNoRoomKeepsTheIncidentOpenAlsoWhenItsHostIsBack() {
    losesItsPower(1000);
    off(1200, WEB);
    line(60_000, new Fact.HostOnline(A, "booted"));
    assertThat(only().ended()).isEmpty();
    assertThat(only().running()).isZero();
    placed(60_100, WEB);
    runs(60_500, WEB);
    assertThat(only().ended()).contains(BEGAN.plusMillis(60_500));
  }

  @Test
  void aGuestThatCrashedIsAnIncidentOfItsOwn() {
    line(0, new Fact.GuestGone(WEB, A, "crashed"));
    off(50, WEB);
    placed(60, WEB);
    line(200, new Fact.StartFailed(WEB, B, "no such bridge"));
    placed(300, WEB);
    runs(500, WEB);
    var incident = only();
    assertThat(incident.kind()).isEqualTo(Incident.Kind.GUEST);
    assertThat(incident.subject()).isEqualTo("web");
    assertThat(incident.ended()).contains(BEGAN.plusMillis(500));
    assertThat(incident.guests())
        .containsExactly(
            new Incident.Down(WEB, A, Optional.of(B), Optional.of(300L), Optional.of(500L)));
    assertThat(incident.phases())
        .extracting(Incident.Phase::name)
        .containsExactly("gone", "off", "placed", "start-failed", "placed", "running");
  }

  @Test
  void whatIsPlannedIsNoIncident() {
    line(0, new Fact.FenceDecided(A, Fact.Verdict.TEST, Optional.of("admin")));
    line(200, new Fact.HostProven(A, BOOT, Fact.Evidence.POWER_READ_OFF, "power read back off"));
    line(300, new Fact.HostProvenOff(A));
    line(9000, new Fact.HostOnline(A, "booted"));
    off(10_000, WEB);
    placed(10_100, WEB);
    runs(10_200, WEB);
    assertThat(Incidents.of(lines)).isEmpty();
  }
}
