package dev.haven.agent.libvirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.haven.agent.FakeLeader;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The agent as its own process, with a real libvirtd, real guests and a leader that is a fake. */
@Timeout(120)
class AgentProcessTest {
  private static final GuestId WEB = new GuestId("web");

  @TempDir Path directory;
  private final List<Process> processes = new ArrayList<>();
  private PrivateHost host;
  private FakeLeader leader;
  private long number;

  @BeforeEach
  void boot() throws Exception {
    var missing = PrivateHost.missing();
    assumeTrue(missing.isEmpty(), missing.orElse(""));
    host = PrivateHost.boot(directory.resolve("host"), 1);
    var tls = directory.resolve("tls");
    CertificateAuthority.create(tls).issue("a", Role.HOST, List.of("127.0.0.1"), tls);
    leader =
        new FakeLeader(
            TlsContext.load(tls.resolve("ca.pem"), tls.resolve("a.pem"), tls.resolve("a.key")), 0);
    Files.writeString(
        directory.resolve("agent.yaml"),
        """
        host: a
        data: %1$s/data
        libvirt: %2$s
        heartbeatPort: 9
        networks: [{name: control, address: 127.0.0.1, roles: [control]}]
        voters: [{name: a, raft: "127.0.0.1:1", api: "127.0.0.1:%3$d", networks: {control: 127.0.0.1}}]
        tls: {ca: %1$s/tls/ca.pem, certificate: %1$s/tls/a.pem, key: %1$s/tls/a.key}
        """
            .formatted(directory, host.uri(), leader.port()));
  }

  @AfterEach
  void off() throws Exception {
    for (var process : processes) {
      process.destroyForcibly().waitFor();
    }
    if (leader != null) {
      leader.close();
    }
    if (host != null) {
      host.close();
    }
  }

  @Test
  void whateverHappensToTheAgentOrToLibvirtdTheGuestsGoOnAndAreReported() throws Exception {
    var agent = agent();
    leader.next(FromAgent.Hello.class);
    reported(d -> true);
    for (var name : List.of("web", "db", "mail")) {
      var answer =
          order(new Order.StartGuest(new GuestId(name), new Epoch(3), GuestXml.idle(name)));
      assertThat(answer).isInstanceOf(Answer.Done.class);
    }
    reported(d -> running(d, "web") && running(d, "db") && running(d, "mail"));
    long pid = host.qemu("web").orElseThrow().pid();

    // the agent dies and comes back
    agent.destroyForcibly().waitFor();
    agent = agent();
    var hello = leader.next(FromAgent.Hello.class);
    assertThat(hello.highestTerm()).isEqualTo(5);
    reported(d -> running(d, "web") && d.stream().anyMatch(x -> x.epoch().equals(new Epoch(3))));
    assertThat(order(new Order.StopGuest(WEB, new Epoch(2), Duration.ZERO)))
        .isInstanceOf(Answer.Refused.class);
    assertThat(order(new Order.StartGuest(WEB, new Epoch(3), GuestXml.idle("web"))))
        .isEqualTo(new Answer.Done("ran already"));

    // libvirtd dies and comes back
    var old = host.libvirtd();
    host.signal(old, "KILL");
    PrivateHost.await("its end", () -> !old.isAlive());
    leader.heard.clear();
    reported(d -> running(d, "web") && running(d, "db") && running(d, "mail"));
    assertThat(host.qemu("web").orElseThrow().pid()).isEqualTo(pid);

    // the guest's process dies
    var times = new ArrayList<Long>();
    for (int epoch = 4; epoch < 9; epoch++) {
      leader.heard.clear();
      long began = System.nanoTime();
      host.signal(host.qemu("db").orElseThrow(), "KILL");
      reported(d -> d.stream().anyMatch(x -> x.name().equals("db") && !x.state().active()));
      times.add((System.nanoTime() - began) / 1_000);
      assertThat(
              order(new Order.StartGuest(new GuestId("db"), new Epoch(epoch), GuestXml.idle("db"))))
          .isInstanceOf(Answer.Done.class);
    }
    System.out.println("measured: a guest's death is reported after, in microseconds: " + times);
    System.out.println(
        "measured: resident with three guests: "
            + status(agent, "VmRSS")
            + " "
            + status(agent, "RssAnon")
            + " "
            + status(agent, "Threads"));

    // and it is asked to end
    agent.destroy();
    assertThat(agent.waitFor(5, TimeUnit.SECONDS)).isTrue();
    assertThat(host.qemu("web").orElseThrow().pid()).isEqualTo(pid);
    assertThat(Files.readString(directory.resolve("agent.log"))).contains("guests go on");
  }

  private Answer order(Order order) throws Exception {
    leader.say(new ToAgent.OrderFrame(1, ++number, 5, 1, order));
    while (true) {
      var answer = leader.next(FromAgent.AnswerFrame.class);
      if (answer.order() == number) {
        return answer.answer();
      }
    }
  }

  private void reported(Predicate<List<DomainReport>> what) throws InterruptedException {
    while (true) {
      var report = leader.next(FromAgent.Domains.class);
      if (report.libvirtUp() && what.test(report.domains())) {
        return;
      }
    }
  }

  private static boolean running(List<DomainReport> domains, String name) {
    return domains.stream()
        .anyMatch(d -> d.name().equals(name) && d.state() == DomainState.RUNNING);
  }

  private Process agent() throws IOException {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    try (var options = dev.haven.agent.Agent.class.getResourceAsStream("jvm.options")) {
      assertThat(options).isNotNull();
      command.addAll(
          List.of(
              new String(
                      java.util.Objects.requireNonNull(options).readAllBytes(),
                      java.nio.charset.StandardCharsets.UTF_8)
                  .strip()
                  .split(" ", -1)));
    }
    command.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            "dev.haven.agent.Agent",
            directory.resolve("agent.yaml").toString()));
    var process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(
                ProcessBuilder.Redirect.appendTo(directory.resolve("agent.log").toFile()))
            .start();
    processes.add(process);
    return process;
  }

  private static String status(Process process, String what) throws IOException {
    return Files.readAllLines(Path.of("/proc", Long.toString(process.pid()), "status")).stream()
        .filter(line -> line.startsWith(what))
        .findFirst()
        .orElse("")
        .replaceAll("\\s+", " ");
  }
}
