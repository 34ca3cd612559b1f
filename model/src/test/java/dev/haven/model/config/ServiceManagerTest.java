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

  @Test
  void aDescriptorThatAnEarlierProcessLeftIsFoundByItsName() {
    var own = Long.toString(ProcessHandle.current().pid());
    var names = Map.of("LISTEN_PID", own, "LISTEN_FDS", "2", "LISTEN_FDNAMES", "other:watchdog");
    assertThat(new ServiceManager(said::add, names).left("watchdog")).hasValue(4);
    assertThat(new ServiceManager(said::add, names).left("log")).isEmpty();
    var others = Map.of("LISTEN_PID", "1", "LISTEN_FDS", "1", "LISTEN_FDNAMES", "watchdog");
    assertThat(new ServiceManager(said::add, others).left("watchdog"))
        .as("meant for the process that started this one")
        .isEmpty();
    assertThat(manager.left("watchdog")).isEmpty();
  }

  @Test
  void whereNoServiceManagerStartedUsNothingIsLeft() {
    assertThat(ServiceManager.of(Map.of()).leave("watchdog", 1)).isFalse();
  }
}
