package dev.haven.orchestrator;

import static dev.haven.orchestrator.OneLeader.A;
import static dev.haven.orchestrator.OneLeader.B;
import static dev.haven.orchestrator.OneLeader.BOOT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Pill;
import dev.haven.core.ha.Proof;
import dev.haven.core.ha.VoterClock;
import dev.haven.core.lead.ProofTimes;
import dev.haven.core.lead.VoterClocks;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.api.Command;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A proof is looked at again right before each order that rests on it, on the parts that ship. */
class ProofsBeforeOrdersTest {
  private OneLeader leader;

  @BeforeEach
  void tenGuestsOnA() throws Exception {
    leader = OneLeader.withThreeHosts();
    leader.guestsOnA(10);
    leader.command(new Command.Cordon(A));
    leader.command(new Command.Uncordon(B));
  }

  @AfterEach
  void close() {
    leader.close();
  }

  private Event.FencingConfirmed readOff(long began) {
    var at = Instant.now();
    leader.effects.gathered(A, BOOT, at, began);
    return new Event.FencingConfirmed(
        A,
        BOOT,
        1,
        new Proof.PowerReadOff(A, BOOT, List.of("bmc says off"), at),
        List.of(),
        "",
        new TreeMap<>(),
        at);
  }

  /** Answers what has left for a host, as its agent would. */
  private void answer(java.util.function.Function<OneLeader.SentOrder, Answer> agent)
      throws Exception {
    var sent = List.copyOf(leader.agents.sent);
    leader.agents.sent.clear();
    for (var s : sent) {
      leader.answers(s.to(), s.order(), agent.apply(s));
    }
  }

  @Test
  void aHostThatWasReadOffAndIsNotHeardSinceLosesItsGuestsOneStartSlotAfterTheOther()
      throws Exception {
    leader.isBeingFenced(A);
    leader.happens(readOff(System.nanoTime()));
    assertThat(leader.startsSentTo(B)).hasSize(leader.state().policy().startsPerHost());
    for (int i = 0; i < 5; i++) {
      answer(_ -> new Answer.Done("started"));
    }
    assertThat(leader.state().load(B).guests()).hasSize(10);
  }

  @Test
  void guestsThatWaitStayWithTheHostThatWasReadOffAndLives() throws Exception {
    leader.isBeingFenced(A);
    long began = System.nanoTime();
    leader.anotherVoterHears(A); // after the reading, before the orders leave
    leader.happens(readOff(began));
    assertThat(leader.startsSentTo(B)).isEmpty();
    assertThat(leader.state().alarm("two-lives-a")).isPresent();
    assertThat(leader.state().guests())
        .as("all may run on host a, under the epoch that they have there")
        .allMatch(
            g -> g.holders().containsKey(A) && g.holders().get(A).epoch().equals(new Epoch(1)));

    leader.happens(new Event.HostHeard(A, BOOT, Instant.now()));
    assertThat(leader.state().host(A).orElseThrow().online()).isTrue();
    var goneFromA = new java.util.TreeSet<dev.haven.model.GuestId>();
    for (int round = 0; round < 12; round++) {
      leader.anotherVoterHears(A);
      for (var guest : leader.startsSentTo(B)) {
        assertThat(goneFromA).as("host a gave its word for what starts on b").contains(guest);
      }
      answer(
          s ->
              switch (s.order()) {
                case Order.ConfirmGone o when o.destroy() -> {
                  goneFromA.add(o.guest());
                  yield new Answer.Gone("destroyed", java.util.Optional.empty());
                }
                case Order.ConfirmGone o ->
                    new Answer.StillThere(
                        new DomainReport(
                            o.guest().value(), DomainState.RUNNING, new Epoch(1), false, "runs"));
                default -> new Answer.Done("started");
              });
      leader.happens(new Event.Tick(Instant.now()));
    }
    assertThat(goneFromA).as("those whose starts were decided").hasSize(4);
    assertThat(leader.state().guests())
        .as("what waited runs on where it was")
        .allMatch(
            g ->
                g.phase() instanceof GuestPhase.Running r
                    && r.host().equals(goneFromA.contains(g.id()) ? B : A));
  }

  @Test
  void anOperatorsWordIsLookedAtOnceMoreBeforeTheOrdersLeave() throws Exception {
    // so long ago that no lease of an earlier leader holds any more
    leader.detector.watch().leases().elected(System.nanoTime() - Duration.ofMinutes(1).toNanos());
    leader.isBeingFenced(A);
    var at = Instant.now();
    leader.effects.gathered(A, BOOT, at, System.nanoTime());
    leader.anotherVoterHears(A); // its cable is put back after it was looked at
    leader.happens(
        new Event.CommandReceived(
            new dev.haven.model.RequestId("dead"),
            "admin",
            new Command.ConfirmDead(A, Command.ConfirmDead.sentence(A), java.util.Optional.empty()),
            Event.Outlook.NONE,
            at));
    assertThat(leader.startsSentTo(B)).isEmpty();
    assertThat(leader.state().host(A).orElseThrow().state()).isInstanceOf(HostState.Suspect.class);
    assertThat(leader.state().load(A).guests()).hasSize(10);
  }

  @Test
  void aPillIsVoidForGuestsThatWaitedForRoomOnceItsHostIsHeard() throws Exception {
    leader.command(new Command.Cordon(B)); // no host can take them
    leader.happens(
        new Event.WatchdogReported(
            A, BOOT, java.util.Optional.of(Listening.to("1", "2", "3")), Instant.now()));
    leader.isBeingFenced(A);
    leader.happens(
        new Event.HostPoisoned(
            A,
            BOOT,
            1,
            new Pill("a", List.of("/dev/x"), Set.of("1", "2", "3"), Duration.ofSeconds(10)),
            "",
            new TreeMap<>(),
            Instant.now()));
    assertThat(leader.state().host(A).orElseThrow().state()).isInstanceOf(HostState.Fenced.class);
    assertThat(leader.state().unsettled()).hasSize(10);
    leader.happens(new Event.HostHeard(A, BOOT, Instant.now()));
    leader.command(new Command.Uncordon(B));
    assertThat(leader.startsSentTo(B)).isEmpty();
    assertThat(leader.state().load(A).guests()).hasSize(10);
  }

  @Test
  void aLeaderThatCannotSaySinceWhenAProofHoldsHasItProvenOnceMore() throws Exception {
    leader.isBeingFenced(A);
    var old = Instant.now().minus(Duration.ofMinutes(5)); // replayed from the log of long ago
    leader.happens(
        new Event.FencingConfirmed(
            A,
            BOOT,
            1,
            new Proof.PowerReadOff(A, BOOT, List.of("bmc says off"), old),
            List.of(),
            "",
            new TreeMap<>(),
            old));
    assertThat(leader.startsSentTo(B)).isEmpty();
    assertThat(leader.state().host(A).orElseThrow().state()).isInstanceOf(HostState.Suspect.class);
    assertThat(leader.state().alarm("two-lives-a")).as("nobody has heard it").isEmpty();

    leader.isBeingFenced(A);
    leader.happens(readOff(System.nanoTime()));
    assertThat(leader.startsSentTo(B)).isNotEmpty();
  }

  /**
   * An earlier leader, voter w, has read host a off. It had last heard this voter 10 s ago, before
   * its reading, and its entry is applied here now.
   */
  private void readOffByAnEarlierLeader() throws Exception {
    leader.isBeingFenced(A);
    var earlier = new ProofTimes("w");
    var heard = new VoterClocks();
    long tenSecondsAgo = System.nanoTime() - Duration.ofSeconds(10).toNanos();
    heard.arrived("v", leader.detector.watch().proofTimes().clock(tenSecondsAgo), 1_000);
    var at = Instant.now();
    earlier.gathered(A, BOOT, at, 2_000);
    var verdict =
        new Change.HostStateChanged(
            A,
            new HostState.Fenced(
                BOOT, new Proof.PowerReadOff(A, BOOT, List.of("bmc says off"), at)));
    leader.committed(earlier.dated(List.of(verdict), heard).getFirst());
  }

  private void takesOver() throws Exception {
    leader.happens(new Event.LeaderElected(1, 1, Event.Quorum.NONE, Instant.now()));
  }

  @Test
  void theEntryOfAProofNamesEachVotersOwnClockFromBeforeTheReading() throws Exception {
    leader.isBeingFenced(A);
    leader.saysAsVoter(
        "y", "{\"counts\":true,\"ages\":{},\"clock\":{\"process\":\"of-y\",\"nanos\":77}}");
    leader.happens(readOff(System.nanoTime()));
    var before =
        ((HostState.Fenced) leader.state().host(A).orElseThrow().state()).before().orElseThrow();
    assertThat(before).containsOnlyKeys("v", "y");
    assertThat(before.get("y")).isEqualTo(new VoterClock("of-y", 77));
    leader.told.clear();
    String digest; // among what voters tell each other
    do {
      digest = leader.told.poll(10, TimeUnit.SECONDS);
      assertThat(digest).as("it tells its own clock").isNotNull();
    } while (!digest.contains("\"clock\""));
    assertThat(digest)
        .contains("\"process\":\"" + Objects.requireNonNull(before.get("v")).process() + "\"");
  }

  @Test
  void aSignOfLifeBetweenTheReadingOfAnEarlierLeaderAndTheApplyHereVoidsItsProof()
      throws Exception {
    readOffByAnEarlierLeader();
    leader.hostWasHeard(A, Duration.ofSeconds(5));
    takesOver();
    assertThat(leader.startsSentTo(B)).isEmpty();
    assertThat(leader.state().host(A).orElseThrow().state()).isInstanceOf(HostState.Suspect.class);
    assertThat(leader.state().load(A).guests()).hasSize(10);
    assertThat(leader.state().alarm("two-lives-a")).as("it may have been before it").isEmpty();

    leader.isBeingFenced(A);
    leader.happens(readOff(System.nanoTime()));
    assertThat(leader.startsSentTo(B)).as("read off once more, by itself").isNotEmpty();
  }

  @Test
  void aLeaderGoesOnWithTheProofOfAnEarlierOneIfTheHostWasNotHeardSinceTheReading()
      throws Exception {
    readOffByAnEarlierLeader();
    leader.hostWasHeard(A, Duration.ofMinutes(1));
    takesOver();
    assertThat(leader.startsSentTo(B)).isNotEmpty();
    assertThat(leader.state().host(A).orElseThrow().state()).isInstanceOf(HostState.Fenced.class);
  }

  @Test
  void aHostThatIsHeardAfterTheProofOfAnEarlierLeaderWasAppliedIsAnAlarm() throws Exception {
    readOffByAnEarlierLeader();
    leader.anotherVoterHears(A);
    takesOver();
    assertThat(leader.startsSentTo(B)).isEmpty();
    assertThat(leader.state().alarm("two-lives-a")).isPresent();
  }

  /** A watchdog of an agent that listens to these SBD disks. */
  private static final class Listening {
    static dev.haven.model.wire.Watchdog to(String... disks) {
      return new dev.haven.model.wire.Watchdog(
          dev.haven.model.wire.Watchdog.Kind.HARDWARE,
          "iTCO_wdt",
          Duration.ofSeconds(5),
          true,
          false,
          java.util.Optional.empty(),
          java.util.Optional.of(
              new dev.haven.model.wire.PillWatch(
                  "a", new java.util.TreeSet<>(List.of(disks)), 3, Duration.ofSeconds(4))));
    }
  }
}
