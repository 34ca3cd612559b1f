package dev.haven.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.HostId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the lab does with an agent and an orchestrator, tried with two programs that only stand
 * there.
 */
class LabDaemonsTest {
  private static final HostId A = new HostId("a");
  private static final Duration LIMIT = Duration.ofSeconds(30);

  private static final String ORCHESTRATOR =
      """
      package dev.haven.orchestrator;
      public class Orchestrator {
        public static void main(String[] arguments) throws Exception {
          var yaml = java.nio.file.Files.readString(java.nio.file.Path.of(arguments[0]));
          var listen = java.util.regex.Pattern.compile("listen: (.*):(\\\\d+)").matcher(yaml);
          listen.find();
          var socket = new java.net.ServerSocket(
              Integer.parseInt(listen.group(2)), 9, java.net.InetAddress.getByName(listen.group(1)));
          while (true) socket.accept().close();
        }
      }
      """;

  private static final String AGENT =
      """
      package dev.haven.agent;
      public class Agent {
        public static void main(String[] arguments) throws Exception {
          System.out.println("agent of boot " + java.nio.file.Files.readString(java.nio.file.Path.of("/run/haven-boot-id")));
          Thread.sleep(Long.MAX_VALUE);
        }
      }
      """;

  @Test
  void daemonsRunAreStartedAgainWhenTheyDieAndComeBackWithThePower(@TempDir Path temporary)
      throws Exception {
    Assumptions.assumeTrue(
        Lab.isRoot(), "SKIPPED: a lab builds namespaces and needs root; run the tests as root");
    var jars = Files.createDirectories(temporary.resolve("jars"));
    jar(jars.resolve("agent.jar"), "dev/haven/agent/Agent", AGENT, temporary);
    jar(
        jars.resolve("orchestrator.jar"),
        "dev/haven/orchestrator/Orchestrator",
        ORCHESTRATOR,
        temporary);
    var options =
        LabOptions.defaults()
            .withDirectory(temporary.resolve("lab"))
            .withHosts(1)
            .withDaemons(jars);
    var lab = Lab.up(options, Progress.SILENT);
    try {
      for (var daemon : List.of(Daemon.AGENT, Daemon.ORCHESTRATOR)) {
        Lab.await(daemon + " to run", LIMIT, () -> lab.pid(A, daemon).isPresent());
        var pid = lab.pid(A, daemon).orElseThrow();
        assertThat(Files.readString(Path.of("/proc/" + pid + "/comm"))).isEqualTo("java\n");
        var killed = lab.kill(A, daemon);
        Lab.await(
            "another " + daemon,
            LIMIT,
            () -> lab.pid(A, daemon).filter(other -> !other.equals(pid)).isPresent());
        assertThat(killed.until(ClockReading.now())).isGreaterThan(Duration.ofMillis(900));
        assertThat(lab.status().hosts().getFirst().daemons())
            .hasEntrySatisfying(daemon, process -> assertThat(process.restarts()).isEqualTo(1));
      }
      assertThat(lab.host(A).directory().resolve("data/agent")).isDirectory();
      assertThat(lab.cliConfig()).content().contains("admin.key");

      lab.powerOff(A);
      assertThat(lab.pid(A, Daemon.AGENT)).isEmpty();
      assertThatThrownBy(() -> lab.kill(A, Daemon.AGENT)).hasMessage("host a runs no agent now");
      lab.powerOn(A);
      Lab.await(
          "the agents of two boots in the log",
          LIMIT,
          () ->
              ConsoleWatch.text(lab.log(A, "agent"))
                      .lines()
                      .filter(line -> line.startsWith("agent of boot"))
                      .distinct()
                      .count()
                  == 2);
    } finally {
      lab.down(Progress.SILENT);
    }
  }

  private static void jar(Path jar, String name, String source, Path temporary) throws IOException {
    var file = temporary.resolve(name + ".java");
    Files.createDirectories(file.getParent());
    Files.writeString(file, source);
    var compiler = ToolProvider.getSystemJavaCompiler();
    assertThat(compiler.run(null, null, null, "-d", temporary.toString(), file.toString()))
        .isZero();
    try (var out = new JarOutputStream(Files.newOutputStream(jar))) {
      out.putNextEntry(new JarEntry(name + ".class"));
      out.write(Files.readAllBytes(temporary.resolve(name + ".class")));
    }
  }
}
