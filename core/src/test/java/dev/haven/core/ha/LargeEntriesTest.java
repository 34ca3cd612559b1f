package dev.haven.core.ha;

import static dev.haven.core.ha.Hosts.A;
import static dev.haven.core.ha.Hosts.AT;
import static dev.haven.core.ha.Hosts.B;
import static dev.haven.core.ha.Hosts.BOOT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.ProcessId;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** However many guests an event concerns, no decision outgrows what the log takes as one entry. */
class LargeEntriesTest {
  /** What the replicated log takes, at most. */
  private static final int MAX_ENTRY_BYTES = 1 << 20;

  private static final int MANY = 2_000;

  private ClusterState state = ClusterState.EMPTY;
  private int entries;
  private int largest;

  /** Many guests on host a; host b has room for {@code room} of them. */
  private void manyOnA(long room) {
    onA(MANY, room);
  }

  private void onA(int many, long room) {
    state =
        Hosts.online(true, A, B).apply(seated(A, 3_000_000)).apply(seated(B, 1_024 + room * 600));
    for (int i = 0; i < many; i++) {
      var id = new GuestId("guest-%04d".formatted(i));
      state =
          state
              .apply(new Change.GuestDescribed(Hosts.guest(id, 512), true))
              .apply(new Change.GuestPlaced(id, new Holding(A, BOOT, new Epoch(1))))
              .apply(
                  new Change.PhaseChanged(
                      id, new GuestPhase.Running(new Holding(A, BOOT, new Epoch(1)))));
    }
    state =
        state.apply(
            new Change.HostStateChanged(
                A, new HostState.Fencing(1, HostState.Cause.UNREACHABLE, AT, "")));
  }

  private static Change seated(HostId host, long memoryMib) {
    return new Change.AgentSeated(
        host,
        BOOT,
        new Host.Agent(new ProcessId("p-" + host), "a2V5", "1"),
        new Capacity(memoryMib, 64, "test"));
  }

  /** As the loop does: what one entry has no room for follows at once. */
  private Decision happens(Event event) {
    var first = once(event);
    for (var last = first; last.more(); ) {
      assertThat(last.changes()).as("it comes further").isNotEmpty();
      last = once(new Event.GoOn(AT));
    }
    return first;
  }

  private Decision once(Event event) {
    var d = HaPolicy.decide(state, event);
    var entry = new Entry(Entry.FORMAT, state.version(), AT, d.changes(), d.facts());
    entries++;
    largest = Math.max(largest, Json.bytes(entry).length);
    var outcome = state.apply(entry);
    assertThat(outcome).isInstanceOf(ClusterState.Outcome.Applied.class);
    state = outcome.state();
    return d;
  }

  private void readOff() {
    happens(
        new Event.FencingConfirmed(
            A,
            BOOT,
            1,
            new Proof.PowerReadOff(A, BOOT, List.of("bmc-a said off (Chassis Power is off)"), AT),
            List.of(),
            "",
            new TreeMap<>(),
            AT));
  }

  private long waiting() {
    return state.guests().stream().filter(g -> g.phase() instanceof GuestPhase.Waiting).count();
  }

  private void fits() {
    assertThat(largest).isLessThan(MAX_ENTRY_BYTES / 2);
  }

  @Test
  void aHostWithThousandsOfGuestsIsProvenOff() {
    manyOnA(10);
    readOff();
    assertThat(state.load(A).guests()).isEmpty();
    assertThat(state.load(B).guests()).isNotEmpty();
    fits();
    assertThat(entries).isGreaterThan(2);
    // and what waits for room does not fill the log again and again
    entries = 0;
    happens(new Event.Tick(AT));
    assertThat(entries).isEqualTo(1);
  }

  @Test
  void thePlanOfAnEvacuationNamesWhatCannotLeaveAndTheFirstOfManyMoves() {
    manyOnA(MANY / 2);
    state = state.apply(new Change.HostStateChanged(A, new HostState.Online()));
    var reply =
        (dev.haven.model.api.Reply.Accepted)
            happens(
                    new Event.CommandReceived(
                        new dev.haven.model.RequestId("away"),
                        "admin",
                        new dev.haven.model.api.Command.Evacuate(A),
                        Event.Outlook.NONE,
                        AT))
                .reply()
                .orElseThrow();
    assertThat(reply.message()).contains("2000 guests to move");
    assertThat(reply.plan()).hasSize(101).element(1).asString().contains("cannot leave");
    assertThat(reply.plan().getLast()).isEqualTo("and 1901 more");
    fits();
  }

  @Test
  void aNewLeaderGoesOnWithAProofThatWasTakenInPart() {
    manyOnA(10);
    once(
        new Event.FencingConfirmed(
            A,
            BOOT,
            1,
            new Proof.PowerReadOff(A, BOOT, List.of("bmc-a said off"), AT),
            List.of(),
            "",
            new TreeMap<>(),
            AT));
    assertThat(state.load(A).guests()).as("some have not had their turn").isNotEmpty();
    assertThat(state.guests())
        .filteredOn(g -> g.holders().containsKey(A))
        .allMatch(g -> g.phase() instanceof GuestPhase.Running);
    happens(new Event.LeaderElected(2, 1, Event.Quorum.NONE, AT));
    assertThat(state.load(A).guests()).isEmpty();
    fits();
  }

  @Test
  void aSignOfLifeEndsAProofThatWasTakenInPart() {
    manyOnA(10);
    once(
        new Event.FencingConfirmed(
            A,
            BOOT,
            1,
            new Proof.PowerReadOff(A, BOOT, List.of("bmc-a said off"), AT),
            List.of(),
            "",
            new TreeMap<>(),
            AT));
    happens(new Event.HostHeard(A, BOOT, AT));
    happens(new Event.GoOn(AT));
    happens(new Event.Tick(AT));
    assertThat(state.guests()).allMatch(g -> g.holders().containsKey(A));
  }

  @Test
  void aHostWithThousandsOfGuestsBootsAnew() {
    manyOnA(10);
    happens(aBootsAnew());
    assertThat(state.guests())
        .noneMatch(g -> g.holders().containsKey(A) && g.holders().get(A).boot().equals(BOOT));
    assertThat(state.guests()).noneMatch(g -> g.crashes().isPresent());
    fits();
    assertThat(waiting()).isPositive();
  }

  private static Event aBootsAnew() {
    return new Event.AgentJoined(
        new dev.haven.model.wire.FromAgent.Hello(
            1,
            A,
            new BootId("boot-2"),
            new ProcessId("p2"),
            "a2V5",
            java.util.Optional.empty(),
            new Capacity(8_192, 64, "test"),
            "1",
            0,
            java.util.Optional.empty(),
            true,
            List.of()),
        Silences.OLDER_BOOT_IS_SILENT,
        AT);
  }

  @Test
  void whatANewBootLeavesOverIsTakenUpAlsoWhereItsNextEntryWasLost() {
    onA(250, 250);
    once(aBootsAnew()); // and the log refuses the entry that should follow
    assertThat(state.guests())
        .as("some have not had their turn")
        .anyMatch(g -> g.holders().containsKey(A) && g.holders().get(A).boot().equals(BOOT));
    for (int i = 0; i < 5; i++) {
      once(new Event.Tick(AT));
    }
    assertThat(state.guests())
        .noneMatch(g -> g.holders().containsKey(A) && g.holders().get(A).boot().equals(BOOT));
    fits();
  }
}
