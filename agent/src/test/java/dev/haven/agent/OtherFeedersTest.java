package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Nobody relies on the watchdog of a host on which another program could feed it for ever. */
class OtherFeedersTest {
  private final List<List<String>> ran = new ArrayList<>();
  private boolean kept;
  private Optional<String> manager = Optional.of("RuntimeWatchdogUSec=0");

  /** As a Debian says it on which none of them is installed. */
  private String units =
      """
      Id=watchdog.service
      ActiveState=inactive
      UnitFileState=

      Id=wd_keepalive.service
      ActiveState=inactive
      UnitFileState=

      Id=sbd.service
      ActiveState=inactive
      UnitFileState=\
      """;

  private final OtherFeeders feeders = new OtherFeeders(this::run, () -> kept);

  private Optional<String> run(List<String> command) {
    ran.add(command);
    return command.contains("--property=RuntimeWatchdogUSec") ? manager : Optional.of(units);
  }

  private Optional<String> hazard() {
    feeders.look();
    return feeders.hazard();
  }

  @Test
  void aHostWithoutThemIsReliedOn() {
    assertThat(feeders.hazard().orElseThrow()).as("not looked yet").contains("not asked yet");
    assertThat(hazard()).isEmpty();
  }

  @Test
  void systemdItselfMayFeedIt() {
    manager = Optional.of("RuntimeWatchdogUSec=30s");
    assertThat(hazard().orElseThrow()).contains("RuntimeWatchdogSec=0");
    manager = Optional.of("RuntimeWatchdogUSec=infinity"); // the driver's own timeout
    assertThat(hazard()).isPresent();
  }

  @Test
  void oneThatRunsOrStartsAtTheNextBootIsNamedWithTheWayOut() {
    units =
        units.replace(
            "wd_keepalive.service\nActiveState=inactive",
            "wd_keepalive.service\nActiveState=active");
    assertThat(hazard().orElseThrow()).endsWith("systemctl disable --now wd_keepalive.service");
    units = units.replace("ActiveState=active", "ActiveState=inactive");
    assertThat(hazard()).as("mended").isEmpty();
    units =
        units.replace(
            "sbd.service\nActiveState=inactive\nUnitFileState=",
            "sbd.service\nUnitFileState=enabled");
    assertThat(hazard().orElseThrow()).endsWith("systemctl disable --now sbd.service");
  }

  @Test
  void whereSystemdDoesNotAnswerNobodyReliesOnIt() {
    manager = Optional.empty();
    assertThat(hazard().orElseThrow()).contains("does not answer");
    manager = Optional.of("RuntimeWatchdogUSec=0");
    units = "";
    assertThat(hazard().orElseThrow()).contains("does not answer");
  }

  /** Nobody else can open it. */
  @Test
  void whereItStaysOpenWithoutAnAgentThereIsNoDanger() {
    manager = Optional.of("RuntimeWatchdogUSec=30s");
    kept = true;
    assertThat(hazard()).isEmpty();
    assertThat(ran).isEmpty();
    kept = false; // the store was emptied
    assertThat(hazard()).isPresent();
  }
}
