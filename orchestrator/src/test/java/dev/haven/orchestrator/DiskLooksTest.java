package dev.haven.orchestrator;

import static dev.haven.orchestrator.OneLeader.A;
import static dev.haven.orchestrator.OneLeader.B;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.Definition;
import dev.haven.model.DiskUse;
import dev.haven.model.HostId;
import dev.haven.model.wire.FromAgent;
import dev.haven.orchestrator.port.HostAgents;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Agents are asked what disks are, and not waited for. */
class DiskLooksTest {
  private static final Definition WEB =
      Definition.read(
          "<domain><devices><disk type='file'><source file='/g/x'/></disk></devices></domain>");

  private final Map<HostId, Long> asked = new ConcurrentHashMap<>();
  private final DiskLooks looks = new DiskLooks(this::agents, Duration.ofMillis(300));

  private HostAgents agents() {
    return (HostAgents)
        Proxy.newProxyInstance(
            HostAgents.class.getClassLoader(),
            new Class<?>[] {HostAgents.class},
            (_, method, arguments) -> {
              assertThat(method.getName()).isEqualTo("lookAtDisks");
              asked.put((HostId) arguments[0], (Long) arguments[1]);
              return true;
            });
  }

  private void says(HostId host, HostId asIf, String behind) {
    looks.said(
        asIf,
        new FromAgent.DisksSeen(
            FromAgent.VERSION,
            asked.getOrDefault(host, 0L),
            List.of(
                new FromAgent.DiskSeen("file /g/x", List.of(new DiskUse(behind, true, false))))));
  }

  private Definition result(java.util.concurrent.CompletableFuture<Definition> looking)
      throws Exception {
    return looking.get(30, TimeUnit.SECONDS);
  }

  @Test
  void oneHostThatLooksIsEnoughAndAllThatLookedCount() throws Exception {
    var looking = looks.resolve(WEB, List.of(A, B));
    says(A, A, "inode 7 on nfs s:/g");
    says(B, B, "inode 8 on device wwid");
    var found = result(looking);
    assertThat(found.resolved()).isTrue();
    assertThat(found.behind())
        .extracting(DiskUse::what)
        .containsExactly("inode 7 on nfs s:/g", "inode 8 on device wwid");
  }

  @Test
  void aHostThatDoesNotAnswerIsNotWaitedForAndNothingIsKnownOfIt() throws Exception {
    assertThat(result(looks.resolve(WEB, List.of(A))).resolved()).isFalse();
    assertThat(result(looks.resolve(WEB, List.of())).resolved()).isFalse();
  }

  @Test
  void aHostAnswersOnlyForItself() throws Exception {
    var looking = looks.resolve(WEB, List.of(A));
    says(A, B, "inode 7 on nfs s:/g");
    assertThat(result(looking).behind()).isEmpty();
  }
}
