package dev.haven.model.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ServiceManagerTest {
  private final List<String> said = new ArrayList<>();
  private final ServiceManager manager = new ServiceManager(said::add);

  @Test
  void aUnitIsReadyWithWordsThatSystemctlShows() {
    manager.ready("follows a in term 7");
    assertThat(said).containsExactly("READY=1\nSTATUS=follows a in term 7");
  }

  @Test
  void aLongStartAsksForMoreTime() {
    manager.startTakes(Duration.ofSeconds(60), "reads its log");
    assertThat(said).containsExactly("EXTEND_TIMEOUT_USEC=60000000\nSTATUS=reads its log");
  }

  /** Else a name with a line break could say WATCHDOG=trigger. */
  @Test
  void aStatusIsOneLineWhateverItHolds() {
    manager.status("host a\nWATCHDOG=trigger\u0000\r\n!");
    assertThat(said).containsExactly("STATUS=host a WATCHDOG=trigger !");
  }

  @Test
  void whereNoServiceManagerStartedUsNothingIsSaidAndNothingFails() {
    var nobody = ServiceManager.of(Map.of());
    nobody.ready("leads");
    nobody.alive();
    nobody.stopping();
    assertThat(said).isEmpty();
  }
}
