package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.ProcessId;
import dev.haven.model.config.VoterAddress;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.WireVersions;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class LeaderChannelTest {
  @TempDir static Path certificates;
  @TempDir Path directory;
  private static final Map<String, SSLContext> servers = new HashMap<>();
  private static SSLContext strangers;

  private final List<AutoCloseable> open = new ArrayList<>();
  private final Leaders leaders = new Leaders();
  private static final long POISON = 666;
  private final OwnFaults faults = new OwnFaults(System::nanoTime);
  private final LinkedBlockingQueue<ToAgent.OrderFrame> orders = new LinkedBlockingQueue<>();

  @BeforeAll
  static void issue() throws Exception {
    var ours = certificates.resolve("ours");
    var ca = CertificateAuthority.create(ours);
    ca.issue("a", Role.HOST, List.of("127.0.0.1"), ours);
    for (var name : List.of("a", "b", "c", "x")) {
      ca.issue(name, Role.VOTER, List.of("127.0.0.1"), ours);
      servers.put(name, load(ours, "voter-" + name));
    }
    var theirs = certificates.resolve("theirs");
    CertificateAuthority.create(theirs).issue("a", Role.VOTER, List.of("127.0.0.1"), theirs);
    strangers = load(theirs, "voter-a");
  }

  private static SSLContext load(Path at, String file) throws Exception {
    return TlsContext.load(
        at.resolve("ca.pem"), at.resolve(file + ".pem"), at.resolve(file + ".key"));
  }

  @AfterEach
  void close() throws Exception {
    for (var each : open) {
      each.close();
    }
  }

  @Test
  void theLeaderIsFoundThroughAnyVoterAndOrdersComeInPartsOfAnySize() throws Exception {
    var a = leader();
    var b = leader();
    a.greeting = new ToAgent.NotLeader(1, Optional.of("b"));
    var channel = channel(a, b);
    b.next(FromAgent.Hello.class);
    var order =
        new ToAgent.OrderFrame(
            1,
            7,
            1,
            1,
            new Order.StartGuest(new GuestId("web"), new Epoch(1), "x".repeat(300_000)));
    b.say(Json.text(order), 70_000);
    assertThat(order.equals(orders.poll(10, TimeUnit.SECONDS))).isTrue();
    b.say(Json.text(order), 99);
    assertThat(order.equals(orders.poll(10, TimeUnit.SECONDS))).isTrue();
    channel.send(answer(7));
    assertThat(b.next(FromAgent.AnswerFrame.class).order()).isEqualTo(7);
  }

  @Test
  void aFrameFromTheFutureIsAnsweredAndNotFatal() throws Exception {
    var a = leader();
    channel(a);
    a.next(FromAgent.Hello.class);
    a.say("{\"type\":\"Sing\",\"version\":9}", 100);
    a.say(
        "{\"type\":\"OrderFrame\",\"order\":12,\"term\":1,\"generation\":1,\"what\":{\"type\":\"Dance\"}}",
        100);
    var answered = a.next(FromAgent.AnswerFrame.class);
    assertThat(answered.order()).isEqualTo(12);
    assertThat(answered.answer()).isInstanceOf(Answer.Failed.class).asString().contains("Dance");
    assertThat(a.heard).noneMatch(FromAgent.Hello.class::isInstance);
  }

  @Test
  void anOrderThatThisAgentCannotBearIsAnsweredAsOftenAsItComesAndTheConnectionStays()
      throws Exception {
    var leader = leader();
    channel(leader);
    leader.next(FromAgent.Hello.class);
    for (int i = 0; i < 2; i++) {
      leader.say(order(POISON));
      var answer = leader.next(FromAgent.AnswerFrame.class);
      assertThat(answer.order()).isEqualTo(POISON);
      assertThat(answer.answer()).isInstanceOf(Answer.Unknown.class);
    }
    leader.say(order(3));
    assertThat(Objects.requireNonNull(orders.poll(10, TimeUnit.SECONDS)).order()).isEqualTo(3);
    assertThat(faults.warnings()).hasSize(1);
  }

  @Test
  void aNewLeaderIsReachedAtOnceThoughTheOldOneSaysNothing() throws Exception {
    var a = leader();
    var b = leader();
    b.greeting = new ToAgent.Welcome(ToAgent.VERSION, 2, 1);
    leaders.heard(1, Optional.of("a"));
    channel(a, b);
    a.next(FromAgent.Hello.class);
    // not a promise, a figure: how long a warm agent needs
    var times = new ArrayList<Long>();
    for (int term = 2; term < 12; term += 2) {
      a.dead = true;
      long began = System.nanoTime();
      b.greeting = new ToAgent.Welcome(ToAgent.VERSION, term, 1);
      leaders.heard(term, Optional.of("b"));
      b.next(FromAgent.Hello.class);
      times.add((System.nanoTime() - began) / 1_000);
      a.dead = false;
      a.greeting = new ToAgent.Welcome(ToAgent.VERSION, term + 1, 1);
      leaders.heard(term + 1, Optional.of("a"));
      a.next(FromAgent.Hello.class);
    }
    System.out.println("measured: microseconds from the news to the hello: " + times);
    assertThat(times.stream().mapToLong(t -> t).min().orElseThrow()).isLessThan(1_000_000);
  }

  @Test
  void whoWasElectedAndDoesNotLeadYetIsAskedAgainAndNobodyElse() throws Exception {
    var other = leader();
    var elected = leader();
    elected.greeting = new ToAgent.NotLeader(1, Optional.empty());
    leaders.heard(2, Optional.of("b"));
    channel(other, elected);
    elected.next(FromAgent.Hello.class);
    elected.greeting = new ToAgent.Welcome(ToAgent.VERSION, 2, 1);
    elected.next(FromAgent.Hello.class);
    assertThat(other.heard).isEmpty();
  }

  @Test
  void aVoterOfANewerVersionIsLeftWithTheReasonAndAskedAgain() throws Exception {
    var a = leader();
    a.greeting = new ToAgent.Welcome(99, 1, 1);
    channel(a);
    assertThat(a.closedWith.poll(20, TimeUnit.SECONDS)).isEqualTo(WireVersions.CLOSED_FOR_IT);
    a.greeting = new ToAgent.Welcome(ToAgent.VERSION, 2, 1);
    a.heard.clear();
    assertThat(a.next(FromAgent.Hello.class)).isNotNull();
  }

  @Test
  void aConnectionThatIsSilentlyDeadIsLeft() throws Exception {
    var a = leader();
    var b = leader();
    b.greeting = new ToAgent.NotLeader(1, Optional.empty());
    leaders.heard(1, Optional.of("a"));
    channel(a, b);
    a.next(FromAgent.Hello.class);
    while (a.pongs.get() < 2) {
      Thread.onSpinWait();
    }
    a.dead = true;
    assertThat(b.next(FromAgent.Hello.class)).isNotNull();
    a.dead = false;
    assertThat(a.next(FromAgent.Hello.class)).isNotNull();
  }

  @Test
  void answersOutliveTheConnectionAndOfReportsOnlyTheNewestIsSaid() throws Exception {
    var a = leader();
    var channel = channel(a);
    a.next(FromAgent.Hello.class);
    a.greeting = new ToAgent.NotLeader(1, Optional.empty());
    a.cut();
    a.next(FromAgent.Hello.class);
    for (int i = 0; i < 2 * Outbox.ANSWERS; i++) {
      channel.send(answer(i));
    }
    a.greeting = new ToAgent.Welcome(ToAgent.VERSION, 1, 1);
    var said = a.next(FromAgent.AnswerFrame.class).order();
    assertThat(said).isLessThanOrEqualTo(Outbox.ANSWERS);
    long last = 2L * Outbox.ANSWERS - 1;
    while (said != last) {
      said = a.next(FromAgent.AnswerFrame.class).order();
    }
  }

  @Test
  void aVoterWithAnotherClustersCertificateIsNotTalkedTo() throws Exception {
    var a = leader(strangers);
    var b = leader();
    channel(a, b);
    b.next(FromAgent.Hello.class);
    assertThat(a.heard).isEmpty();
  }

  @Test
  void aVoterWhoseCertificateNamesAnotherAddressIsNotTalkedTo() throws Exception {
    var at = certificates.resolve("ours");
    var elsewhere = certificates.resolve("elsewhere");
    CertificateAuthority.open(at).issue("a", Role.VOTER, List.of("10.9.9.9"), elsewhere);
    var a =
        leader(
            TlsContext.load(
                at.resolve("ca.pem"),
                elsewhere.resolve("voter-a.pem"),
                elsewhere.resolve("voter-a.key")));
    var b = leader();
    channel(a, b);
    b.next(FromAgent.Hello.class);
    assertThat(a.heard).isEmpty();
  }

  @Test
  void neitherAnAgentNorAnotherVoterIsTakenForTheVoterWhoseAddressItHas() throws Exception {
    var agent = leader(load(certificates.resolve("ours"), "a"));
    var other = leader(Objects.requireNonNull(servers.get("x")));
    var c = leader();
    channel(agent, other, c);
    c.next(FromAgent.Hello.class);
    assertThat(agent.heard).isEmpty();
    assertThat(other.heard).isEmpty();
  }

  @Test
  void whileNobodyLeadsTheAgentKeepsTryingWithoutHaste() throws Exception {
    var a = leader();
    a.greeting = new ToAgent.NotLeader(1, Optional.of("b"));
    var b = leader();
    b.greeting = new ToAgent.NotLeader(1, Optional.of("a"));
    channel(a, b);
    TimeUnit.SECONDS.sleep(3);
    int tries = a.heard.size() + b.heard.size();
    assertThat(tries).isBetween(3, 40);
    b.greeting = new ToAgent.Welcome(ToAgent.VERSION, 3, 1);
    b.heard.clear();
    b.next(FromAgent.Hello.class);
  }

  /** The next voter: the first is a, the second b. */
  private FakeLeader leader() throws Exception {
    return leader(Objects.requireNonNull(servers.get(String.valueOf((char) ('a' + leaders())))));
  }

  private long leaders() {
    return open.stream().filter(each -> each instanceof FakeLeader).count();
  }

  private FakeLeader leader(SSLContext with) throws Exception {
    var leader = new FakeLeader(with, 0);
    open.add(leader);
    return leader;
  }

  private LeaderChannel channel(FakeLeader... voters) throws Exception {
    var addresses = new ArrayList<VoterAddress>();
    for (int i = 0; i < voters.length; i++) {
      var name = String.valueOf((char) ('a' + i));
      addresses.add(
          new VoterAddress(
              name,
              "127.0.0.1:1",
              "127.0.0.1:" + voters[i].port(),
              Map.of("control", "127.0.0.1")));
    }
    var known = new KnownVoters(addresses, directory.resolve("voters.json"));
    var ours = certificates.resolve("ours");
    var tls =
        TlsContext.load(
            ours.resolve("ca.pem"), ours.resolve("a.pem"), ours.resolve("a.key"), known::isMeant);
    var channel =
        new LeaderChannel(
            known,
            tls,
            TlsContext.parameters(),
            () ->
                new FromAgent.Hello(
                    1,
                    new HostId("a"),
                    new BootId("boot"),
                    new ProcessId("p"),
                    "key",
                    Optional.empty(),
                    Capacity.UNKNOWN,
                    "test",
                    0,
                    Optional.empty(),
                    false,
                    List.of()),
            frame -> {
              var order = (ToAgent.OrderFrame) frame;
              if (order.order() == POISON) {
                throw new IllegalStateException("poison");
              }
              orders.add(order);
            },
            leaders,
            faults);
    open.addFirst(channel);
    channel.start();
    return channel;
  }

  private static ToAgent.OrderFrame order(long number) {
    return new ToAgent.OrderFrame(
        1, number, 1, 1, new Order.StopGuest(new GuestId("web"), new Epoch(1), Duration.ZERO));
  }

  private static FromAgent.AnswerFrame answer(long order) {
    return new FromAgent.AnswerFrame(
        1, order, new Answer.Done("done after " + Duration.ofMillis(order)));
  }
}
