package dev.haven.core.lease;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.wire.LeaseLength;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What becomes of a host's guests and of its watchdog when the leases end; time is a number. */
class EnforcementTest {
  private static final long SECOND = 1_000_000_000L;
  private static final long MILLI = 1_000_000L;
  private static final long END = LeaseLength.LONG.duration().toNanos();
  private static final Epoch ONE = new Epoch(1);
  private static final GuestId G0 = new GuestId("g0");

  /** A host whose calls take the time that a test gives them, a few side by side. */
  private static final class Slow implements Enforcement.Host {
    final TreeMap<GuestId, DomainState> domains = new TreeMap<>();
    final Map<GuestId, Epoch> noted = new TreeMap<>();
    final Map<GuestId, Epoch> unnoted = new TreeMap<>();
    final Map<GuestId, Epoch> letRun = new TreeMap<>();
    final List<Set<GuestId>> writes = new ArrayList<>();
    final Set<DomainState> unprovable = new java.util.HashSet<>();
    boolean diskFull;

    /** libvirt does not answer. */
    boolean away;

    /** It is asked in vain, and is not known to be away. */
    boolean mute;

    /** Orders for these were given up. */
    final Set<GuestId> givenUp = new java.util.HashSet<>();

    /** A migration of these is under way. */
    final Set<GuestId> moving = new java.util.HashSet<>();

    boolean cannotBeCancelled;

    /** libvirt does not end what it is asked to. */
    boolean cannotDestroy;

    /** Their processes run on though libvirt takes them for off. */
    final Set<GuestId> strays = new java.util.HashSet<>();

    /** How often the kernel was asked for a process. */
    int kernelAsked;

    /** Written through the host's page cache. */
    final Set<GuestId> cached = new java.util.HashSet<>();

    boolean resumeFails;

    /** Somebody lets guests go on as soon as we have paused them. */
    boolean somebodyResumes;

    long suspendTakes;

    /** Once nothing runs any more. */
    long againTakes = 10 * MILLI;

    int atATime = 8;
    long now;

    private record Job(long at, int number, Runnable what) {}

    private final PriorityQueue<Job> jobs =
        new PriorityQueue<>(
            java.util.Comparator.comparingLong(Job::at).thenComparingInt(Job::number));
    private final long[] workers = new long[64];
    private int numbers;

    @Override
    public void begin(Runnable job) {
      int free = 0;
      for (int i = 1; i < atATime; i++) {
        free = workers[i] < workers[free] ? i : free;
      }
      boolean quick = domains.values().stream().noneMatch(DomainState::executes);
      workers[free] = Math.max(workers[free], now) + (quick ? againTakes : suspendTakes);
      jobs.add(new Job(workers[free], numbers++, job));
    }

    /** Lets this time come, and all that ends until then. */
    void until(long time) {
      while (!jobs.isEmpty() && jobs.peek().at() <= time) {
        var job = jobs.remove();
        now = Math.max(now, job.at());
        job.what().run();
      }
      now = time;
    }

    @Override
    public Optional<Map<GuestId, Epoch>> active() {
      if (away) {
        return Optional.empty();
      }
      var all = new HashMap<GuestId, Epoch>();
      domains.forEach(
          (guest, state) -> {
            if (state.active()) {
              all.put(guest, ONE);
            }
          });
      return Optional.of(all);
    }

    @Override
    public Map<GuestId, Enforcement.Look> look(Set<GuestId> guests) {
      var looks = new HashMap<GuestId, Enforcement.Look>();
      if (!away && !mute) {
        guests.forEach(
            g ->
                looks.put(
                    g,
                    domains.containsKey(g)
                        ? new Enforcement.Look.Here(state(g), moving.contains(g))
                        : new Enforcement.Look.Gone()));
      }
      return looks;
    }

    DomainState state(GuestId guest) {
      return domains.getOrDefault(guest, DomainState.OFF);
    }

    @Override
    public boolean destroy(GuestId guest, Epoch epoch) {
      if (cannotDestroy) {
        return false;
      }
      domains.put(guest, DomainState.OFF_DESTROYED);
      return true;
    }

    @Override
    public void cancelMigration(GuestId guest, Epoch epoch) {
      if (!cannotBeCancelled) {
        moving.remove(guest);
      }
    }

    /** libvirt leaves the state of a guest that its storage has paused as it is. */
    @Override
    public boolean suspend(GuestId guest, Epoch epoch) {
      if (!somebodyResumes) {
        domains.computeIfPresent(guest, (_, s) -> s.executes() ? DomainState.PAUSED : s);
      }
      return !unprovable.contains(state(guest));
    }

    @Override
    public boolean resume(GuestId guest, Epoch epoch) {
      if (resumeFails) {
        return false;
      }
      domains.put(guest, DomainState.RUNNING);
      return true;
    }

    @Override
    public boolean ended(GuestId guest) {
      kernelAsked++;
      return !strays.contains(guest);
    }

    @Override
    public boolean bypassesCache(GuestId guest) {
      return !cached.contains(guest);
    }

    @Override
    public boolean mayRun(GuestId guest, Epoch epoch) {
      return !givenUp.contains(guest);
    }

    @Override
    public Map<GuestId, Epoch> letRun() {
      return letRun;
    }

    @Override
    public void pausing(Map<GuestId, Epoch> guests) throws IOException {
      if (diskFull) {
        unnoted.putAll(guests);
        throw new IOException("No space left on device");
      }
      unnoted.keySet().removeAll(guests.keySet());
      writes.add(guests.keySet());
      noted.putAll(guests);
    }

    @Override
    public void goesOn(Set<GuestId> guests) throws IOException {
      if (diskFull) {
        throw new IOException("No space left on device");
      }
      writes.add(guests);
      noted.keySet().removeAll(guests);
    }

    @Override
    public Map<GuestId, Epoch> unnoted() {
      return unnoted;
    }

    @Override
    public Map<GuestId, Epoch> paused() {
      var all = new TreeMap<>(noted);
      all.putAll(unnoted);
      return all;
    }
  }

  private final LeaseTable table = new LeaseTable();
  private final Slow host = new Slow();
  private final Enforcement enforcement = new Enforcement(table, host);
  private long beats;

  private void guests(int count, DomainState state) {
    for (int i = 0; i < count; i++) {
      host.domains.put(new GuestId("g" + i), state);
    }
  }

  private void lease(long sentAt) {
    lease(sentAt, LeaseLength.LONG);
  }

  private void lease(long sentAt, LeaseLength length) {
    SortedMap<GuestId, Epoch> all = new TreeMap<>();
    host.domains.keySet().forEach(g -> all.put(g, ONE));
    table.told(1, 1, all);
    table.sent(++beats, sentAt);
    assertThat(table.granted(1, beats, Lease.digest(all), length)).isTrue();
  }

  /** Steps as an agent does, and says when its watchdog was not fed for 10 s; 0: it always was. */
  private long resetAt(long from, long to) {
    long fedAt = from;
    for (long now = from; now <= to; now += 200 * MILLI) {
      host.until(now);
      if (enforcement.settled(now)) {
        fedAt = now;
      }
      enforcement.letGoOn(now);
      if (now - fedAt > 10 * SECOND) {
        return now;
      }
    }
    return 0;
  }

  /** Steps in the same way, and says when the watchdog was fed last; 0: never. */
  private long lastFed(long from, long to) {
    long last = 0;
    for (long now = from; now <= to; now += 200 * MILLI) {
      host.until(now);
      last = enforcement.settled(now) ? now : last;
      enforcement.letGoOn(now);
    }
    return last;
  }

  private long running() {
    return host.domains.values().stream().filter(DomainState::executes).count();
  }

  @ParameterizedTest
  @EnumSource(names = {"PAUSED", "PAUSED_NO_SPACE", "PAUSED_IO_ERROR"})
  void aGuestThatIsPausedAlreadyCostsNoHostWhoeverPausedIt(DomainState state) {
    guests(3, DomainState.RUNNING);
    host.domains.put(new GuestId("full"), state);
    lease(0);
    assertThat(resetAt(END, END + 120 * SECOND)).isZero();
    assertThat(running()).isZero();
    lease(END + 120 * SECOND);
    assertThat(resetAt(END + 120 * SECOND, END + 125 * SECOND)).isZero();
    assertThat(running()).as("what was paused for want of a lease goes on").isEqualTo(3);
    assertThat(host.state(new GuestId("full"))).as("and nothing else").isEqualTo(state);
  }

  @Test
  void aGuestThatItsStoragePausedCountsOnlyWhereQemuSaysSo() {
    guests(1, DomainState.PAUSED_IO_ERROR);
    host.unprovable.add(DomainState.PAUSED_IO_ERROR);
    lease(0);
    assertThat(resetAt(END, END + 60 * SECOND)).isPositive();
  }

  @ParameterizedTest(name = "{0} guests, {1} ms each")
  @CsvSource({"20, 100", "60, 100", "100, 100", "400, 100", "6, 1900", "48, 1900"})
  void manyGuestsArePausedInTime(int count, long milliseconds) {
    guests(count, DomainState.RUNNING);
    host.suspendTakes = milliseconds * MILLI;
    lease(0);
    assertThat(resetAt(END, END + 120 * SECOND)).isZero();
    assertThat(running()).isZero();
  }

  @ParameterizedTest
  @EnumSource(names = {"OFF_CRASHED", "OFF"})
  void aGuestWhoseProcessLibvirtHasLostCostsItsHostNothingUntilItsLeaseEnds(DomainState state) {
    guests(2, DomainState.RUNNING);
    lease(0);
    host.strays.add(G0);
    if (state == DomainState.OFF) {
      host.domains.remove(G0); // libvirt does not even know it any more
    } else {
      host.domains.put(G0, state);
    }
    assertThat(resetAt(0, END - 1)).isZero();
    assertThat(lastFed(END, END + 60 * SECOND))
        .as("nobody can pause it, so the watchdog has to")
        .isLessThan(END + LeaseLength.LONG.pauseCheck().toNanos());
  }

  @Test
  void aGuestThatIsOffIsLookedForInTheKernelOnceAfterItsLastLease() {
    guests(1, DomainState.RUNNING);
    lease(0);
    host.domains.put(G0, DomainState.OFF_CRASHED);
    assertThat(resetAt(0, END + 60 * SECOND)).isZero();
    assertThat(host.kernelAsked).isEqualTo(1);
    assertThat(table.held()).as("what the next process would ask about").isEmpty();
    lease(END + 60 * SECOND); // it may have run again under this one
    host.strays.add(G0);
    assertThat(resetAt(END + 60 * SECOND, 2 * END + 60 * SECOND)).isZero();
    assertThat(resetAt(2 * END + 60 * SECOND, 3 * END + 60 * SECOND)).isPositive();
  }

  @Test
  void aLostProcessCountsAlsoOnceTheHostRefusesItsEpoch() {
    guests(1, DomainState.RUNNING);
    lease(0);
    host.domains.put(G0, DomainState.OFF_CRASHED);
    host.givenUp.add(G0); // its leader asked whether it is gone, and was not told so
    host.strays.add(G0);
    assertThat(resetAt(END, END + 60 * SECOND)).isPositive();
  }

  @Test
  void aLibvirtThatHangsResetsNoHostForAGuestThatHasLeft() {
    guests(1, DomainState.RUNNING);
    lease(0);
    host.domains.remove(G0);
    host.mute = true; // and nobody knows yet that it is away
    assertThat(resetAt(0, END + 60 * SECOND)).isZero();
  }

  @Test
  void whatTakesTooLongIsResetAndNeverFedPastTheBound() {
    guests(100, DomainState.RUNNING);
    host.suspendTakes = 1_900 * MILLI; // 24 s for all of them
    lease(0);
    long last = 0;
    for (long now = END; now <= END + 20 * SECOND; now += 200 * MILLI) {
      host.until(now);
      last = enforcement.settled(now) ? now : last;
    }
    assertThat(last).isLessThan(END + LeaseLength.LONG.pauseCheck().toNanos());
  }

  @Test
  void allOfThemAreNotedInOneWrite() {
    guests(100, DomainState.RUNNING);
    host.suspendTakes = 100 * MILLI;
    lease(0);
    resetAt(END, END + 60 * SECOND);
    assertThat(host.writes).hasSize(1);
    assertThat(host.writes.getFirst()).hasSize(100);
  }

  @Test
  void aDiskThatTakesNoNoteCostsNoHostAndTheGuestsGoOnAllTheSame() {
    guests(5, DomainState.RUNNING);
    host.diskFull = true;
    lease(0);
    assertThat(resetAt(END, END + 60 * SECOND)).isZero();
    assertThat(running()).isZero();
    lease(END + 60 * SECOND);
    assertThat(resetAt(END + 60 * SECOND, END + 70 * SECOND)).isZero();
    assertThat(running()).isEqualTo(5);
    lease(END + 70 * SECOND);
    host.domains.put(new GuestId("g0"), DomainState.PAUSED); // its owner's doing
    resetAt(END + 70 * SECOND, END + 75 * SECOND);
    assertThat(running()).isEqualTo(4);
  }

  @Test
  void aRoundSaysOnlyOnceThatAllArePaused() {
    guests(1, DomainState.RUNNING);
    lease(0);
    host.suspendTakes = 4 * SECOND;
    host.againTakes = 4 * SECOND;
    long fed = 0;
    for (long now = END; now < END + 60 * SECOND; now += 200 * MILLI) {
      host.until(now);
      boolean feed = enforcement.settled(now);
      fed += feed && now >= END + LeaseLength.LONG.pauseCheck().toNanos() ? 1 : 0;
    }
    assertThat(fed).as("a round takes 8 s").isBetween(5L, 8L);
  }

  @Test
  void whatHadALeaseMeanwhileIsPausedAnew() {
    guests(1, DomainState.RUNNING);
    var web = new GuestId("g0");
    lease(0);
    resetAt(END, END + 10 * SECOND);
    lease(END + 10 * SECOND);
    resetAt(END + 10 * SECOND, END + 12 * SECOND);
    assertThat(host.state(web)).isEqualTo(DomainState.RUNNING);
    // paused by an error of its storage now: what was drained before says nothing of this
    host.domains.put(web, DomainState.PAUSED_IO_ERROR);
    host.unprovable.add(DomainState.PAUSED_IO_ERROR);
    assertThat(resetAt(END + 12 * SECOND, END + 60 * SECOND)).isPositive();
  }

  @Test
  void aStartThatWasSentAndHasNotReturnedIsNeverProvenPaused() {
    guests(1, DomainState.PAUSED);
    lease(0);
    host.letRun.put(new GuestId("g0"), ONE);
    assertThat(resetAt(END, END + 60 * SECOND)).isPositive();
    host.letRun.clear();
    assertThat(resetAt(END + 60 * SECOND, END + 120 * SECOND)).isZero();
  }

  @Test
  void aStartThatLibvirtDoesNotListYetCountsToo() {
    guests(1, DomainState.OFF);
    lease(0);
    host.letRun.put(new GuestId("g0"), ONE);
    assertThat(resetAt(END, END + 60 * SECOND)).isPositive();
  }

  @Test
  void aLookThatBeganWhileAGuestWasBeingStartedProvesNothingOnceItIsThere() {
    guests(1, DomainState.OFF);
    lease(0);
    host.letRun.put(new GuestId("g0"), ONE);
    long now = END + 6 * SECOND;
    enforcement.settled(now); // looks: libvirt has nothing yet
    host.until(now + SECOND);
    host.letRun.clear();
    host.domains.put(new GuestId("g0"), DomainState.PAUSED);
    host.unprovable.add(DomainState.PAUSED);
    assertThat(enforcement.settled(now + SECOND)).isFalse();
  }

  @Test
  void whileLibvirtIsAwayWhatItHadLastMayStillRun() {
    guests(1, DomainState.RUNNING);
    host.givenUp.add(G0);
    lease(0);
    assertThat(enforcement.settled(0)).isTrue();
    host.away = true;
    assertThat(resetAt(END, END + 60 * SECOND)).isPositive();
  }

  @Test
  void whileLibvirtIsAwayWhatIsLeasedAndOrderedMayHaveBeenStartedSince() {
    guests(1, DomainState.OFF);
    lease(0);
    assertThat(enforcement.settled(0)).isTrue();
    host.away = true;
    assertThat(resetAt(END, END + 60 * SECOND)).isPositive();
  }

  @Test
  void whatWasGivenUpCostsNoHostWhileLibvirtIsAway() {
    guests(1, DomainState.OFF);
    host.givenUp.add(G0);
    lease(0);
    host.away = true;
    assertThat(resetAt(END, END + 60 * SECOND)).isZero();
  }

  @Test
  void aHostIsEmptyOnlyIfLibvirtSaysSoAndNothingIsBeingStarted() {
    assertThat(enforcement.empty()).isTrue();
    host.letRun.put(G0, ONE);
    assertThat(enforcement.empty()).isFalse();
    host.letRun.clear();
    host.away = true;
    assertThat(enforcement.empty()).isFalse();
    host.away = false;
    guests(1, DomainState.PAUSED);
    assertThat(enforcement.empty()).isFalse();
  }

  @Test
  void aRoundThatProvesAllPausedAllowsAFeedingAtOnce() {
    guests(1, DomainState.RUNNING);
    lease(0);
    host.suspendTakes = 4 * SECOND; // the look, and then the call
    host.againTakes = 30 * SECOND;
    assertThat(lastFed(END, END + 12 * SECOND)).isGreaterThanOrEqualTo(END + 8 * SECOND);
  }

  @Test
  void whatIsProvenPausedStaysSoThoughQemuAnswersNoMore() {
    guests(1, DomainState.RUNNING);
    lease(0);
    assertThat(resetAt(END, END + 10 * SECOND)).isZero();
    host.unprovable.add(DomainState.PAUSED);
    assertThat(resetAt(END + 10 * SECOND, END + 60 * SECOND)).isZero();
  }

  @Test
  void aGuestThatSomebodyResumesRightAfterOurCallIsNotProvenPaused() {
    guests(1, DomainState.RUNNING);
    lease(0);
    host.somebodyResumes = true;
    assertThat(resetAt(END, END + 60 * SECOND)).isPositive();
  }

  @Test
  void aGuestWithADiskInTheHostsPageCacheIsNeverProvenPaused() {
    guests(1, DomainState.RUNNING);
    host.cached.add(G0);
    lease(0);
    host.suspendTakes = 4 * SECOND;
    assertThat(lastFed(END, END + 60 * SECOND))
        .isLessThan(END + LeaseLength.LONG.pauseCheck().toNanos());
  }

  @Test
  void aMigrationOfAGuestWithoutALeaseIsCancelledAndTheGuestPaused() {
    guests(1, DomainState.RUNNING);
    host.moving.add(G0);
    lease(0);
    assertThat(resetAt(END, END + 60 * SECOND)).isZero();
    assertThat(host.moving).isEmpty();
    assertThat(running()).isZero();
  }

  @Test
  void aMigrationThatCannotBeCancelledLeavesNothingProvenPaused() {
    guests(1, DomainState.RUNNING);
    host.moving.add(G0);
    host.cannotBeCancelled = true;
    lease(0);
    host.suspendTakes = 4 * SECOND;
    assertThat(lastFed(END, END + 60 * SECOND))
        .isLessThan(END + LeaseLength.LONG.pauseCheck().toNanos());
  }

  @Test
  void aMigrationThatBeginsLaterVoidsThatTheGuestWasProvenPaused() {
    guests(1, DomainState.RUNNING);
    lease(0);
    assertThat(resetAt(END, END + 10 * SECOND)).isZero();
    host.moving.add(G0);
    host.cannotBeCancelled = true;
    assertThat(resetAt(END + 10 * SECOND, END + 60 * SECOND)).isPositive();
  }

  @Test
  void whatArrivesWithoutALeaseIsDestroyed() {
    guests(1, DomainState.INCOMING);
    lease(0);
    assertThat(resetAt(END, END + 60 * SECOND)).isZero();
    assertThat(host.state(G0)).isEqualTo(DomainState.OFF_DESTROYED);
  }

  /** The order to send it may be faster than the heartbeat whose answer brings the lease. */
  @Test
  void anArrivalOfWhichTheLeaderHasToldIsLeftAloneUntilItsLeaseComes() {
    lease(0); // it names no guest yet
    guests(1, DomainState.INCOMING);
    table.told(1, 2, Map.of(G0, ONE));
    assertThat(resetAt(200 * MILLI, 2 * SECOND)).isZero();
    assertThat(host.state(G0)).isEqualTo(DomainState.INCOMING);
    table.told(1, 3, Map.of()); // the move was given up
    assertThat(resetAt(2 * SECOND, 4 * SECOND)).isZero();
    assertThat(host.state(G0)).isEqualTo(DomainState.OFF_DESTROYED);
  }

  @Test
  void anArrivalOfWhichTheLeaderHasToldEndsWithTheHostsLastLease() {
    lease(0);
    guests(1, DomainState.INCOMING);
    table.told(1, 2, Map.of(G0, ONE));
    assertThat(resetAt(END - SECOND, END - 200 * MILLI)).isZero();
    assertThat(host.state(G0)).isEqualTo(DomainState.INCOMING);
    assertThat(resetAt(END, END + 2 * SECOND)).isZero();
    assertThat(host.state(G0)).isEqualTo(DomainState.OFF_DESTROYED);
  }

  /** It keeps the watchdog from being fed, and the host with all its guests is worth more. */
  @Test
  void anArrivalThatAnEarlierCallMayLetRunIsEndedLikeBefore() {
    lease(0);
    guests(1, DomainState.INCOMING);
    table.told(1, 2, Map.of(G0, ONE));
    host.letRun.put(G0, ONE);
    assertThat(resetAt(200 * MILLI, 2 * SECOND)).isZero();
    assertThat(host.state(G0)).isEqualTo(DomainState.OFF_DESTROYED);
  }

  @Test
  void anArrivalOfAnotherEpochThanTheLeaderHasToldIsDestroyed() {
    lease(0);
    guests(1, DomainState.INCOMING);
    table.told(1, 2, Map.of(G0, new Epoch(2)));
    assertThat(resetAt(200 * MILLI, 2 * SECOND)).isZero();
    assertThat(host.state(G0)).isEqualTo(DomainState.OFF_DESTROYED);
  }

  /** A round that found it so and has ended since the lease's end proves nothing of it. */
  @Test
  void aLookFromBeforeTheLastLeasesEndDoesNotFeedTheWatchdogAfterIt() {
    lease(0);
    guests(1, DomainState.INCOMING);
    table.told(1, 2, Map.of(G0, ONE));
    host.suspendTakes = 500 * MILLI;
    host.againTakes = 500 * MILLI;
    host.until(END - 300 * MILLI);
    assertThat(enforcement.settled(END - 300 * MILLI)).isFalse(); // a round begins
    host.cannotDestroy = true;
    host.until(END + SECOND);
    assertThat(lastFed(END + SECOND, END + 20 * SECOND)).isZero();
  }

  @Test
  void whatWentOnIsForgottenOnDiskInOneWrite() {
    guests(3, DomainState.RUNNING);
    lease(0);
    resetAt(END, END + 10 * SECOND);
    lease(END + 10 * SECOND);
    resetAt(END + 10 * SECOND, END + 14 * SECOND);
    assertThat(running()).isEqualTo(3);
    assertThat(host.noted).isEmpty();
    assertThat(host.writes).hasSize(2);
    host.domains.put(G0, DomainState.PAUSED); // its owner's doing
    new Enforcement(table, host).letGoOn(END + 14 * SECOND);
    host.until(END + 15 * SECOND);
    assertThat(running()).as("the next process of the agent leaves it alone").isEqualTo(2);
  }

  @Test
  void aGuestThatCannotBeLetGoOnIsTriedAgain() {
    guests(1, DomainState.RUNNING);
    lease(0);
    resetAt(END, END + 10 * SECOND);
    host.resumeFails = true;
    lease(END + 10 * SECOND);
    resetAt(END + 10 * SECOND, END + 15 * SECOND);
    assertThat(host.noted).containsOnlyKeys(G0);
    host.resumeFails = false;
    resetAt(END + 15 * SECOND, END + 20 * SECOND);
    assertThat(running()).isEqualTo(1);
    assertThat(host.noted).isEmpty();
  }

  @Test
  void aGuestThatRunsAgainAlreadyIsOnlyForgotten() {
    guests(1, DomainState.RUNNING);
    lease(0);
    resetAt(END, END + 10 * SECOND);
    host.domains.put(G0, DomainState.RUNNING);
    host.resumeFails = true;
    lease(END + 10 * SECOND);
    resetAt(END + 10 * SECOND, END + 12 * SECOND);
    assertThat(host.noted).isEmpty();
  }

  @Test
  void aGuestThatAMigrationStillMovesIsNotLetGoOn() {
    guests(1, DomainState.RUNNING);
    lease(0);
    resetAt(END, END + 10 * SECOND);
    host.moving.add(G0);
    lease(END + 10 * SECOND);
    resetAt(END + 10 * SECOND, END + 12 * SECOND);
    assertThat(running()).isZero();
    host.moving.clear();
    resetAt(END + 12 * SECOND, END + 14 * SECOND);
    assertThat(running()).isEqualTo(1);
  }

  @Test
  void aDiskThatIsFullAsGuestsGoOnIsToldOnceItTakesNotes() {
    guests(3, DomainState.RUNNING);
    lease(0);
    resetAt(END, END + 10 * SECOND);
    host.diskFull = true;
    lease(END + 10 * SECOND);
    resetAt(END + 10 * SECOND, END + 14 * SECOND);
    assertThat(running()).isEqualTo(3);
    assertThat(host.noted).hasSize(3);
    host.diskFull = false;
    resetAt(END + 14 * SECOND, END + 16 * SECOND);
    assertThat(host.noted).isEmpty();
  }

  @Test
  void aPauseThatTheDiskDidNotTakeIsNotedAsSoonAsItDoes() {
    guests(2, DomainState.RUNNING);
    host.diskFull = true;
    lease(0);
    resetAt(END, END + 10 * SECOND);
    assertThat(running()).isZero();
    assertThat(host.noted).isEmpty();
    host.diskFull = false;
    resetAt(END + 10 * SECOND, END + 12 * SECOND);
    assertThat(host.noted).as("for the next process of the agent").hasSize(2);
  }

  @Test
  void aPausedGuestIsForgottenOnceItIsGoneAndNotWhileLibvirtIsAway() {
    guests(1, DomainState.RUNNING);
    lease(0);
    resetAt(END, END + 10 * SECOND);
    host.givenUp.add(G0);
    host.away = true;
    var next = new Enforcement(table, host);
    next.letGoOn(END + 11 * SECOND);
    host.until(END + 12 * SECOND);
    assertThat(host.noted).containsOnlyKeys(G0);
    host.away = false;
    host.domains.clear();
    next.letGoOn(END + 12 * SECOND);
    host.until(END + 13 * SECOND);
    assertThat(host.noted).isEmpty();
  }

  @Test
  void aPauseThatComesAfterTheNextLeaseDoesNotHappen() {
    guests(1, DomainState.RUNNING);
    lease(0);
    host.until(END);
    enforcement.settled(END);
    host.suspendTakes = 5 * SECOND;
    host.until(END); // looked and noted; the call to pause waits for its turn
    assertThat(host.noted).containsOnlyKeys(G0);
    lease(END);
    host.suspendTakes = 0;
    enforcement.letGoOn(END);
    host.until(END + 10 * SECOND);
    assertThat(running()).isEqualTo(1);
  }

  @Test
  void oneStepIsEnoughToLetAGuestGoOn() {
    guests(1, DomainState.RUNNING);
    lease(0);
    resetAt(END, END + 10 * SECOND);
    lease(END + 10 * SECOND);
    enforcement.letGoOn(END + 10 * SECOND);
    host.until(END + 11 * SECOND);
    assertThat(running()).isEqualTo(1);
  }

  @Test
  void afterAShortLeaseThereIsLessTimeToPauseGuests() {
    guests(1, DomainState.RUNNING);
    host.cached.add(G0);
    lease(0, LeaseLength.SHORT);
    long end = LeaseLength.SHORT.duration().toNanos();
    assertThat(lastFed(end, end + 60 * SECOND)).isBetween(end + SECOND, end + 2 * SECOND - 1);
  }
}
