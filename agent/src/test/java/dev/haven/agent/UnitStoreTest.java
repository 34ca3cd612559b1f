package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.config.ServiceManager;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnitStoreTest {
  @TempDir Path directory;
  private final List<String> asked = new ArrayList<>();
  private Optional<String> answer =
      Optional.of("NFileDescriptorStore=1\nFileDescriptorStorePreserve=yes");
  private boolean heard = true;
  private Path cgroup;

  @BeforeEach
  void theAgentIsAUnit() throws Exception {
    cgroup = directory.resolve("cgroup");
    Files.writeString(cgroup, "0::/haven.slice/haven-agent.service\n");
  }

  private UnitStore store() {
    var notify =
        new ServiceManager.Notify() {
          @Override
          public void send(String message) {}

          @Override
          public boolean send(String message, int descriptor) {
            assertThat(message).isEqualTo("FDSTORE=1\nFDPOLL=0\nFDNAME=watchdog");
            return heard;
          }
        };
    return new UnitStore(
        new ServiceManager(notify),
        command -> {
          asked.add(command.getLast());
          return answer;
        },
        cgroup);
  }

  @Test
  void itIsKeptWhereSystemdSaysSo() {
    var store = store();
    assertThat(store.leave(7)).isEmpty();
    assertThat(store.overStops()).isTrue();
    assertThat(asked).containsExactly("haven-agent.service");
  }

  @Test
  void systemdBefore254KeepsItOverRestartsAlone() {
    answer = Optional.of("NFileDescriptorStore=1");
    var store = store();
    assertThat(store.leave(7)).isEmpty();
    assertThat(store.overStops()).isFalse();
  }

  @Test
  void aUnitWithoutAStoreAndASystemdThatDoesNotAnswerKeepNothing() {
    answer = Optional.of("NFileDescriptorStore=0\nFileDescriptorStorePreserve=no");
    assertThat(store().leave(7).orElseThrow()).contains("FileDescriptorStoreMax=1");
    answer = Optional.empty();
    assertThat(store().leave(7)).isPresent();
  }

  @Test
  void anAgentThatWasStartedByHandHasNobodyWhoKeepsIt() throws Exception {
    heard = false;
    assertThat(store().leave(7).orElseThrow()).contains("haven-agent.service");
    heard = true;
    Files.writeString(cgroup, "0::/user.slice/user-0.slice/session-1.scope\n");
    assertThat(store().leave(7).orElseThrow()).contains("haven-agent.service");
    assertThat(asked).isEmpty();
  }
}
