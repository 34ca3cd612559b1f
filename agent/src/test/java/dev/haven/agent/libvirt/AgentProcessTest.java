package dev.haven.agent.libvirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.haven.agent.FakeLeader;
import dev.haven.core.lease.Lease;
import dev.haven.model.AgentPing;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestHealth.Verdict;
import dev.haven.model.GuestId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.HeartbeatAnswer;
import dev.haven.model.wire.LeaseLength;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
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
  private DatagramSocket beats;
  private final TreeMap<Exclusive, Epoch> given = new TreeMap<>();
  private final Map<GuestId, AgentPing> pings = new TreeMap<>();
  private volatile String heartbeatKey = "";

  @BeforeEach
  void boot() throws Exception {
    var missing = PrivateHost.missing();
    assumeTrue(missing.isEmpty(), missing.orElse(""));
    host = PrivateHost.boot(directory.resolve("host"), 1);
    var tls = directory.resolve("tls");
    var ca = CertificateAuthority.create(tls);
    ca.issue("a", Role.HOST, List.of(), tls);
    ca.issue("a", Role.VOTER, List.of("127.0.0.1"), tls);
    beats = new DatagramSocket(0, InetAddress.getByName("127.0.0.1"));
    leader =
        new FakeLeader(
            TlsContext.load(
                tls.resolve("ca.pem"), tls.resolve("voter-a.pem"), tls.resolve("voter-a.key")),
            0);
    Files.writeString(
        directory.resolve("agent.yaml"),
        """
        host: a
        data: %1$s/data
        libvirt: %2$s
        run: %1$s/run
        heartbeatPort: %4$d
        networks: [{name: control, address: 127.0.0.1, roles: [control]}]
        voters: [{name: a, raft: "127.0.0.1:1", api: "127.0.0.1:%3$d", networks: {control: 127.0.0.1}}]
        tls: {ca: %1$s/tls/ca.pem, certificate: %1$s/tls/a.pem, key: %1$s/tls/a.key}
        """
            .formatted(directory, host.uri(), leader.port(), beats.getLocalPort()));
    Thread.ofVirtual().start(this::answerHeartbeats);
  }

  @AfterEach
  void off() throws Exception {
    for (var process : processes) {
      process.destroyForcibly().waitFor();
    }
    if (beats != null) {
      beats.close();
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
    heartbeatKey = leader.next(FromAgent.Hello.class).heartbeatKey();
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
    heartbeatKey = hello.heartbeatKey();
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

  /** Real: Debian's kernel with its i6300esb driver, and qemu-guest-agent. */
  @Test
  void aGuestThatHangsIsReportedAndAfterTheAgentsWordStartsUnderTheNextEpoch() throws Exception {
    var missing = LinuxGuest.missing();
    assumeTrue(missing.isEmpty(), missing.orElse(""));
    var linux = LinuxGuest.build(directory);
    var db = new GuestId("db");
    pings.put(WEB, new AgentPing(Duration.ofSeconds(5), 2));
    agent();
    heartbeatKey = leader.next(FromAgent.Hello.class).heartbeatKey();
    for (var guest : List.of(WEB, db)) {
      var started =
          order(new Order.StartGuest(guest, new Epoch(3), linux.xml(guest.value(), directory)));
      assertThat(started).isInstanceOf(Answer.Done.class);
    }
    reported(d -> is(d, WEB, Verdict.UNKNOWN, "has not answered"));
    reported(d -> is(d, WEB, Verdict.HEALTHY, "answers"));
    PrivateHost.await("db's agent", Duration.ofSeconds(30), () -> linux.answers(host, "db"));

    linux.stops(host, "db", "watchdog");
    linux.stops(host, "web", "qemu-ga");
    reported(d -> is(d, db, Verdict.UNHEALTHY, "its watchdog fired"));
    reported(d -> is(d, WEB, Verdict.UNHEALTHY, "missed 2 pings"));

    // what the leader orders for it; another ping hangs meanwhile, and nobody waits for that
    long began = System.nanoTime();
    assertThat(order(new Order.ConfirmGone(WEB, new Epoch(3), true)))
        .isInstanceOf(Answer.Gone.class);
    assertThat(host.qemu("web")).isEmpty();
    var again = linux.xml("web", directory);
    assertThat(order(new Order.StartGuest(WEB, new Epoch(4), again)))
        .isInstanceOf(Answer.Done.class);
    System.out.printf(
        "measured: a guest that hangs is destroyed and runs again after %d ms%n",
        (System.nanoTime() - began) / 1_000_000);
    reported(d -> running(d, "web") && is(d, WEB, Verdict.UNKNOWN, "has not answered"));
    assertThat(order(new Order.StartGuest(WEB, new Epoch(3), again)))
        .isInstanceOf(Answer.Refused.class);
  }

  private static boolean is(
      List<DomainReport> domains, GuestId guest, Verdict verdict, String detail) {
    return domains.stream()
        .filter(d -> d.name().equals(guest.value()))
        .flatMap(d -> d.health().stream())
        .anyMatch(h -> h.verdict() == verdict && h.detail().contains(detail));
  }

  /** Grants a lease for whatever the host was given, as a leading voter does. */
  private void answerHeartbeats() {
    var packet = new DatagramPacket(new byte[Heartbeat.MAX_BYTES], Heartbeat.MAX_BYTES);
    while (!beats.isClosed()) {
      try {
        packet.setLength(Heartbeat.MAX_BYTES);
        beats.receive(packet);
        var beat = Heartbeat.claim(packet.getData(), packet.getLength()).orElseThrow();
        var key = Base64.getDecoder().decode(heartbeatKey);
        if (!Heartbeat.signedWith(key, packet.getData(), packet.getLength())) {
          continue; // of the process before, or its hello is on the way
        }
        long digest;
        synchronized (given) {
          digest = Lease.digest(given);
        }
        var answer =
            new HeartbeatAnswer(
                    "a",
                    5,
                    Optional.of("a"),
                    beat.sequence(),
                    beat.sentNanos(),
                    Optional.of(new HeartbeatAnswer.Lease(digest, LeaseLength.LONG)))
                .sign(key);
        beats.send(new DatagramPacket(answer, answer.length, packet.getSocketAddress()));
      } catch (IOException | IllegalArgumentException e) {
        assertThat(beats.isClosed() || heartbeatKey.isEmpty()).as(e.toString()).isTrue();
      }
    }
  }

  private Answer order(Order order) throws Exception {
    if (order instanceof Order.StartGuest start) {
      synchronized (given) {
        given.put(start.guest(), start.epoch());
        leader.say(
            new ToAgent.Leased(
                1, 5, number, new TreeMap<>(given), false, Optional.of(new TreeMap<>(pings))));
      }
    }
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
