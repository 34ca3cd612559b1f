package dev.haven.orchestrator;

import static dev.haven.orchestrator.OneLeader.A;
import static dev.haven.orchestrator.OneLeader.B;
import static dev.haven.orchestrator.OneLeader.C;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Event;
import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.Proof;
import dev.haven.model.DiskUse;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.api.Command;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What could not be looked at when a guest was described is looked at before it starts. */
class DisksBeforeTheStartTest {
  private static final GuestId WEB = new GuestId("web");
  private static final GuestId DB = new GuestId("db");
  private static final DiskUse IMAGE = new DiskUse("inode 7 on nfs s:/g", true, false);

  private @org.jspecify.annotations.Nullable OneLeader leader;

  @BeforeEach
  void begin() throws Exception {
    leader = OneLeader.withThreeHosts();
    leader().command(new Command.Cordon(B));
    leader().command(new Command.Cordon(C));
  }

  @AfterEach
  void end() {
    leader().close();
  }

  private OneLeader leader() {
    return java.util.Objects.requireNonNull(leader);
  }

  private static String xml(String disk) {
    return "<domain><devices><disk type='file'><source file='%s'/></disk></devices></domain>"
        .formatted(disk);
  }

  private void create(GuestId id, String disk) throws Exception {
    leader()
        .command(
            new Command.CreateGuest(
                new GuestSpec(
                    id,
                    "uuid-" + id,
                    512,
                    1,
                    0,
                    xml(disk),
                    Map.of(),
                    List.of(),
                    GuestSpec.Restart.ANYWHERE,
                    3),
                true));
    leader().allIsDone();
  }

  private List<Order> ordersFor(GuestId id) {
    return leader().agents.sent.stream()
        .map(OneLeader.SentOrder::order)
        .filter(o -> o.exclusive().equals(id))
        .toList();
  }

  @Test
  void aDiskThatTurnsOutToBeAnotherGuestsHoldsTheStartBack() throws Exception {
    leader().agents.behind.put("file /g/x", IMAGE);
    create(WEB, "/g/x");
    assertThat(ordersFor(WEB)).hasSize(1).allMatch(Order.StartGuest.class::isInstance);
    var starting = (GuestPhase.Starting) leader().state().guest(WEB).orElseThrow().phase();
    leader()
        .answers(
            starting.host(),
            new Order.StartGuest(WEB, starting.epoch(), xml("/g/x")),
            new Answer.Done("started"));
    leader().agents.behind.put("file /link/to/x", IMAGE);
    create(DB, "/link/to/x");
    assertThat(ordersFor(DB))
        .as("no order to start it, but the question whether nothing of it is there")
        .isNotEmpty()
        .allMatch(Order.ConfirmGone.class::isInstance);
    assertThat(leader().state().alarm("shared-disk-db+web")).isPresent();
    assertThat(leader().state().guest(WEB).orElseThrow().phase())
        .isInstanceOf(GuestPhase.Running.class);
  }

  @Test
  void aGuestThatAnotherHostHoldsAgainMeanwhileIsNotStarted() throws Exception {
    leader().agents.behind.put("file /g/x", IMAGE);
    create(WEB, "/hung/x");
    var starting = (GuestPhase.Starting) leader().state().guest(WEB).orElseThrow().phase();
    leader()
        .answers(
            A, new Order.StartGuest(WEB, starting.epoch(), xml("/hung/x")), new Answer.Done("ok"));
    leader().isBeingFenced(A);
    leader().command(new Command.Uncordon(B));
    leader().agents.looksSlowly = true;
    var at = Instant.now();
    leader().effects.gathered(A, OneLeader.BOOT, at, System.nanoTime());
    leader()
        .happens(
            new Event.FencingConfirmed(
                A,
                OneLeader.BOOT,
                1,
                new Proof.PowerReadOff(A, OneLeader.BOOT, List.of("bmc-a says off"), at),
                List.of(),
                "",
                new TreeMap<>(),
                at));
    assertThat(leader().agents.looks).as("host b is asked about its disk").isNotEmpty();
    leader().joins(A, OneLeader.BOOT); // it lives: no heartbeat yet, but a hello
    assertThat(leader().state().guest(WEB).orElseThrow().holders()).containsOnlyKeys(A, B);
    leader().agents.looks.forEach(Runnable::run);
    leader().allIsDone();
    assertThat(leader().startsSentTo(B)).isEmpty();
  }

  @Test
  void whatNobodyCanLookAtHoldsNobodyBack() throws Exception {
    create(WEB, "/hung/x");
    assertThat(ordersFor(WEB)).hasSize(1).allMatch(Order.StartGuest.class::isInstance);
    assertThat(leader().state().definition(WEB).resolved()).isFalse();
  }
}
