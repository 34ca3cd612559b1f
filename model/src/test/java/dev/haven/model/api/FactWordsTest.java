package dev.haven.model.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.OperationId;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** What the audit log stores comes back from the disk as it was, and says the same again. */
class FactWordsTest {
  private static final HostId A = new HostId("a");
  private static final HostId B = new HostId("b");
  private static final GuestId WEB = new GuestId("web");
  private static final Epoch THREE = new Epoch(3);
  private static final Instant AT = Instant.parse("2026-11-21T12:00:00.123Z");
  private static final Fact.Signs SIGNS =
      new Fact.Signs(2, Fact.Kernel.SILENT, Fact.Power.OFF, "its kernel does not answer");

  private static final List<Fact> ALL =
      List.of(
          new Fact.CommandAccepted(
              "eva",
              "Migrate",
              true,
              Optional.of(B),
              Optional.of(WEB),
              Optional.of(AT),
              Optional.of(new OperationId("op-1")),
              "guest web moves from host a to host b"),
          new Fact.AlarmRaised(
              "fencing-a",
              true,
              "a",
              Alarm.Kind.FENCE_FAILED,
              Optional.of("the device refuses"),
              "host a could not be fenced"),
          new Fact.EntriesWell(Duration.ofHours(24)),
          new Fact.LeaderElected(7),
          new Fact.GenerationBegun(1_000),
          new Fact.EntryTakenUp(),
          new Fact.FencingResumed("its pause is over"),
          new Fact.HostFellSilent(A, Duration.ofMillis(412), SIGNS),
          new Fact.HostWeighed(A, SIGNS),
          new Fact.FenceDecided(A, Fact.Verdict.POWER_LOSS, Optional.empty()),
          new Fact.FenceRepeated(A, 2, "ordered by eva"),
          new Fact.FencingTrialBegun(A, 1, "eva"),
          new Fact.HostProven(
              A, new BootId("boot-1"), Fact.Evidence.POWER_READ_OFF, "power read back off: bmc-a"),
          new Fact.FenceTimed(A, new TreeMap<>(Map.of("off-sent", AT, "off-read-1", AT))),
          new Fact.HostProvenOff(A),
          new Fact.ProofOutdated(A),
          new Fact.HostMayComeBack(A, Duration.ofSeconds(30)),
          new Fact.HostSwitchedOn(A),
          new Fact.HostBooted(A, new BootId("boot-2")),
          new Fact.HostOnline(A, "joined"),
          new Fact.HostGoesDown(A, Optional.of(Fact.Shutdown.REBOOT)),
          new Fact.HostAccepted(A, "none", "eva", Optional.empty()),
          new Fact.LeasesEnforced(A, Duration.ofSeconds(43)),
          new Fact.WatchdogHasReset(A),
          new Fact.DevicesProven(A, 1),
          new Fact.GuestPlaced(WEB, A, THREE),
          new Fact.GuestRuns(WEB, A, THREE, Optional.of("asked for by eva, 900 ms")),
          new Fact.GuestOff(WEB, Optional.of(A), Optional.of(Fact.Evidence.NEWER_BOOT), "stopped"),
          new Fact.GuestQuestioned(WEB, A, THREE, Fact.End.IO_ERROR, "paused by an I/O error"),
          new Fact.StartFailed(WEB, A, "no such disk"),
          new Fact.StartUnclear(WEB, A, "the agent is stopping"),
          new Fact.GuestGone(WEB, A, "crashed"),
          new Fact.GuestShutDownByHost(WEB, A, "shut off"),
          new Fact.GuestUnhealthy(WEB, A, "no answer to 3 pings"),
          new Fact.GuestMayRunThere(WEB, A, THREE),
          new Fact.GuestStoppedForRoom(WEB, A, new GuestId("db")),
          new Fact.StuckGuestFreed(WEB, A, 4, new OperationId("op-2")),
          new Fact.MigrationDecided(WEB, A, B, "host a is evacuated"),
          new Fact.MigrationBegun(WEB, B),
          new Fact.MigrationArrived(
              WEB, A, B, Duration.ofMillis(900), Optional.of(Duration.ofMillis(31))),
          new Fact.MigrationFailed(WEB, A, "host b refused it"),
          new Fact.OperationEnded(new OperationId("op-1"), Fact.Result.DONE, "guest web runs"));

  @Test
  void everyFactComesBackFromTheDiskAsItWas() {
    for (var fact : ALL) {
      var line = new AuditLine(1, AT, fact);
      assertThat(Json.read(Json.bytes(line), AuditLine.class)).isEqualTo(line);
    }
    assertThat(ALL.stream().map(Object::getClass).collect(Collectors.toSet()))
        .as("a new fact stands here too")
        .isEqualTo(kinds(Fact.class));
  }

  @Test
  void everyFactSaysWhatItIsAboutInWordsThatNameIt() {
    for (var fact : ALL) {
      var words = FactWords.of(fact);
      assertThat(words).as("%s", fact).isNotBlank().doesNotContain("null", "Optional");
      if (fact instanceof Fact.OfGuest || fact instanceof Fact.OperationEnded) {
        assertThat(words).contains(fact.subject());
      }
    }
    assertThat(FactWords.of(new Fact.HostFellSilent(A, Duration.ofMillis(412), SIGNS)))
        .isEqualTo("host a is silent for 412 ms: its kernel does not answer");
    assertThat(FactWords.of(new Fact.FenceDecided(A, Fact.Verdict.OPERATOR, Optional.of("eva"))))
        .isEqualTo("fence host a: ordered by eva");
  }

  private static Set<Class<?>> kinds(Class<?> sealed) {
    var all = new HashSet<Class<?>>();
    for (var sub : sealed.getPermittedSubclasses()) {
      if (sub.isSealed()) {
        all.addAll(kinds(sub));
      } else {
        all.add(sub);
      }
    }
    return all;
  }
}
