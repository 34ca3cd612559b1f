package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.config.ServiceManager;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
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
  private int leaves;
  private Map<String, String> environment = Map.of();
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
            leaves++;
            assertThat(message).isEqualTo("FDSTORE=1\nFDPOLL=0\nFDNAME=watchdog");
            return heard;
          }
        };
    return new UnitStore(
        new ServiceManager(notify, environment),
        command -> {
          asked.add(command.getLast());
          return answer;
        },
        cgroup);
  }

  @Test
  void itIsKeptWhereSystemdSaysSo() {
    assertThat(store().keeps(7)).contains(true);
    assertThat(asked).containsExactly("haven-agent.service");
  }

  /** It is closed when the unit is stopped or has failed. */
  @Test
  void systemdBefore254KeepsNothing() {
    answer = Optional.of("NFileDescriptorStore=1");
    assertThat(store().keeps(7)).contains(false);
  }

  @Test
  void aUnitWithoutAStoreAndASystemdThatDoesNotAnswerKeepNothing() {
    answer = Optional.of("NFileDescriptorStore=0\nFileDescriptorStorePreserve=yes");
    assertThat(store().keeps(7)).contains(false);
    answer = Optional.of("");
    assertThat(store().keeps(7)).as("not known now").isEmpty();
    answer = Optional.empty();
    var store = store();
    assertThat(store.keeps(7)).as("not known now").isEmpty();
    assertThat(store.keeps(7)).isEmpty();
    assertThat(leaves).as("the last store was sent it once").isEqualTo(3);
  }

  /** By a unit that was changed and loaded again, or by hand. */
  @Test
  void aStoreThatWasEmptiedIsLeftItAgain() {
    var store = store();
    assertThat(store.keeps(7)).contains(true);
    answer = Optional.of("NFileDescriptorStore=0\nFileDescriptorStorePreserve=yes");
    assertThat(store.keeps(7)).contains(false);
    assertThat(leaves).isEqualTo(1);
    answer = Optional.of("NFileDescriptorStore=1\nFileDescriptorStorePreserve=yes");
    assertThat(store.keeps(7)).contains(true);
    assertThat(leaves).isEqualTo(2);
  }

  @Test
  void anAgentThatWasStartedByHandHasNobodyWhoKeepsIt() throws Exception {
    heard = false;
    assertThat(store().keeps(7)).contains(false);
    heard = true;
    Files.writeString(cgroup, "0::/user.slice/user-0.slice/session-1.scope\n");
    assertThat(store().keeps(7)).contains(false);
    assertThat(asked).isEmpty();
  }

  /** Such a unit is forgotten once it is stopped, and its store with it. */
  @Test
  void aUnitThatNothingWantsKeepsNothing() {
    answer = Optional.of("NFileDescriptorStore=1\nFileDescriptorStorePreserve=yes\nWantedBy=");
    assertThat(store().keeps(7)).contains(false);
  }

  @Test
  void aSystemdThatIsTooBusyToTakeItIsAskedAgain() {
    environment = Map.of("NOTIFY_SOCKET", "/run/systemd/notify");
    heard = false;
    assertThat(store().keeps(7)).isEmpty();
  }

  /** A store that is full refuses what it has already. */
  @Test
  void whatAnEarlierProcessLeftIsNotLeftAgain() {
    environment =
        Map.of(
            "LISTEN_PID",
            Long.toString(ProcessHandle.current().pid()),
            "LISTEN_FDNAMES",
            "watchdog");
    heard = false;
    assertThat(store().left()).hasValue(3);
    assertThat(store().keeps(3)).contains(true);
  }
}
