package dev.haven.orchestrator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Action;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import dev.haven.orchestrator.detect.FailureDetector;
import dev.haven.orchestrator.port.HostAgents;
import dev.haven.orchestrator.port.PowerDevices;
import dev.haven.raft.port.ReplicatedLog;
import dev.haven.raft.port.VoterBus;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a host's key is worth in words: its own orders, and never more than they are. */
class AgentSaysTooMuchTest {
  private static final HostId A = new HostId("a");
  private static final HostId B = new HostId("b");
  private static final BootId BOOT = new BootId("boot-1");
  private static final GuestId WEB = new GuestId("web");

  private final List<Long> orders = new ArrayList<>();
  private final WorldEffects effects =
      new WorldEffects(
          () -> ClusterState.EMPTY,
          List::of,
          unused(PowerDevices.class),
          _ -> {},
          _ -> new CompletableFuture<>());

  private final FailureDetector detector =
      new FailureDetector(
          "a",
          Map.of(),
          0,
          () -> ClusterState.EMPTY,
          () -> new ReplicatedLog.Leadership(0, Optional.empty(), false, false),
          OptionalLong::empty,
          List::of,
          new NoBus(),
          unused(PowerDevices.class),
          _ -> {},
          (_, _) -> Optional.empty());

  AgentSaysTooMuchTest() throws IOException {
    effects.connect(new Agents(), detector);
    effects.start(
        new Action.Send(
            A,
            BOOT,
            new Order.MigrateOut(WEB, new Epoch(1), new Epoch(2), B, "qemu:///b", "10.0.0.2", 0)),
        3);
  }

  @AfterEach
  void close() {
    detector.close();
  }

  private static FromAgent.Progress progress(long order, String guest) {
    return new FromAgent.Progress(FromAgent.VERSION, order, new GuestId(guest), 10, 5, 1);
  }

  @Test
  void progressIsBelievedOfAnOrderThatIsUnderWayOnThatVeryHost() {
    effects.said(A, BOOT, progress(orders.getFirst(), "web"));
    assertThat(effects.progress(WEB)).isPresent();
  }

  @Test
  void progressOfGuestsThatNobodyOrderedIsDropped() {
    effects.said(A, BOOT, progress(orders.getFirst(), "db"));
    effects.said(A, BOOT, progress(orders.getFirst() + 1, "web"));
    effects.said(B, BOOT, progress(orders.getFirst(), "web"));
    effects.said(A, new BootId("boot-2"), progress(orders.getFirst(), "web"));
    assertThat(effects.progress(WEB)).isEmpty();
    assertThat(effects.progress(new GuestId("db"))).isEmpty();
  }

  @Test
  void progressEndsWithItsOrderAndWithItsAgentsConnection() {
    effects.said(A, BOOT, progress(orders.getFirst(), "web"));
    effects.left(A, BOOT);
    assertThat(effects.progress(WEB)).isEmpty();
    effects.said(A, BOOT, progress(orders.getFirst(), "web"));
    assertThat(effects.progress(WEB)).as("the order is gone").isEmpty();
  }

  @Test
  void progressEndsWithTheAnswer() {
    effects.said(A, BOOT, progress(orders.getFirst(), "web"));
    effects.said(
        A,
        BOOT,
        new FromAgent.AnswerFrame(
            FromAgent.VERSION, orders.getFirst(), new Answer.Failed("no route")));
    assertThat(effects.progress(WEB)).isEmpty();
  }

  @Test
  void aLongReportWeighsInTheLoopsQueueWhatItKeepsOfTheHeap() {
    var domain =
        new DomainReport("x".repeat(250), DomainState.RUNNING, new Epoch(1), false, "running");
    var report =
        new Event.DomainsReported(A, BOOT, true, Collections.nCopies(4_000, domain), Instant.EPOCH);
    assertThat(Loop.weight(report)).isGreaterThan(1_000_000);
    assertThat(Loop.weight(new Event.Tick(Instant.EPOCH))).isLessThan(1_000);
  }

  @Test
  void noSecretComesIntoALogWithWhatItBelongsTo() {
    var hello =
        new FromAgent.Hello(
            FromAgent.VERSION,
            A,
            BOOT,
            new ProcessId("p"),
            "c2VjcmV0IG9mIHRoaXMgaG9zdA==",
            Optional.empty(),
            Capacity.UNKNOWN,
            "1",
            0,
            Optional.empty(),
            true,
            List.of());
    assertThat(
            new Event.AgentJoined(hello, OneLeader.OLDER_BOOT_IS_SILENT, Instant.EPOCH).toString())
        .contains("host=a")
        .doesNotContain("c2VjcmV0");
    assertThat(new Order.StartGuest(WEB, new Epoch(1), "<graphics passwd='x'/>").toString())
        .doesNotContain("passwd");
  }

  /** Takes every order and remembers its number. */
  private final class Agents implements HostAgents {
    @Override
    public boolean send(
        HostId host, BootId boot, long order, long term, long generation, Order what) {
      orders.add(order);
      return true;
    }

    @Override
    public void leased(HostId host, BootId boot, ToAgent.Leased leased) {}

    @Override
    public void testWatchdog(HostId host, BootId boot, long term) {}

    @Override
    public boolean connected(HostId host) {
      return true;
    }

    @Override
    public void welcome(HostId host, long term, long generation) {}

    @Override
    public void voters(HostId host, List<ToAgent.Voter> voters) {}

    @Override
    public void reject(HostId host, String reason) {}

    @Override
    public void dismissAll() {}
  }

  private static final class NoBus implements VoterBus {
    @Override
    public void broadcast(byte[] datagram) {}

    @Override
    public void onMessage(BiConsumer<String, byte[]> receiver) {}
  }

  private static <T> T unused(Class<T> type) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (_, method, _) -> {
              throw new AssertionError(method + " is not asked for here");
            }));
  }
}
