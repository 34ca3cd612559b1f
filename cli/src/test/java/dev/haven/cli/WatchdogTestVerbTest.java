package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code haven watchdog test b && haven uncordon b} opens host b only once it is back. */
class WatchdogTestVerbTest {
  @TempDir Path directory;
  private final AtomicInteger asked = new AtomicInteger();

  /** Before the order, while it is down, before its agent is there, and at the end. */
  private Views.Status status() {
    return switch (asked.getAndIncrement()) {
      case 0, 1 -> with("boot-1", Views.Host.State.ONLINE);
      case 2 -> with("boot-1", Views.Host.State.SUSPECT);
      case 3 -> with("boot-2", Views.Host.State.EXPECTED);
      default -> with("boot-2", Views.Host.State.ONLINE);
    };
  }

  private static Views.Status with(String boot, Views.Host.State state) {
    var healthy = Samples.status();
    var b = Samples.host("b", "online");
    var host =
        new Views.Host(
            b.id(),
            state,
            true,
            b.waiting(),
            b.lastHeard(),
            b.capacity(),
            b.memoryUsedMib(),
            b.vcpusUsed(),
            b.guests(),
            b.device(),
            Optional.of(boot),
            b.agentVersion(),
            Optional.of("24 s"),
            b.spec());
    return new Views.Status(
        healthy.cluster(),
        healthy.version(),
        healthy.term(),
        healthy.leader(),
        healthy.voters(),
        List.of(host),
        healthy.guests(),
        healthy.operations(),
        healthy.alarms(),
        healthy.redundancy(),
        healthy.alone());
  }

  @Test
  void itWaitsForTheBootAfterTheReset() throws Exception {
    assertThat(run()).contains("host b was reset and is back").contains("24 s");
    assertThat(asked.get()).isEqualTo(5);
  }

  @Test
  void withoutWaitingItSaysWhatWasOrderedAndReturns() throws Exception {
    assertThat(run("--no-wait")).isEqualTo("the watchdog of host b resets it\n");
    assertThat(asked.get()).isZero();
  }

  private String run(String... more) throws Exception {
    try (var cluster = CannedCluster.start(directory)) {
      cluster.on("GET /v1/status", _ -> new CannedCluster.Response(200, status()));
      cluster.on(
          "POST /v1/commands",
          new Reply.Accepted("the watchdog of host b resets it", Optional.empty(), List.of()));
      var out = new ByteArrayOutputStream();
      var nowhere = new PrintStream(new ByteArrayOutputStream(), false, StandardCharsets.UTF_8);
      var args = new ArrayList<>(List.of("watchdog", "test", "b"));
      args.addAll(List.of(more));
      int exit =
          Main.run(
              args.toArray(String[]::new),
              new Surroundings(
                  InputStream.nullInputStream(),
                  new PrintStream(out, false, StandardCharsets.UTF_8),
                  nowhere,
                  Map.of("HAVEN_CONFIG", directory.resolve("cli.yaml").toString()),
                  directory,
                  false,
                  false,
                  false));
      assertThat(exit).isZero();
      return out.toString(StandardCharsets.UTF_8);
    }
  }
}
