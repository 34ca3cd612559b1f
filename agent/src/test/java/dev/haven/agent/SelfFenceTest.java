package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.agent.guest.Changes;
import dev.haven.agent.guest.GuestKeeper;
import dev.haven.agent.guest.HostLeases;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import dev.haven.agent.guest.Orders;
import dev.haven.core.lease.Handover;
import dev.haven.core.lease.Lease;
import dev.haven.core.lease.LeaseTable;
import dev.haven.core.lease.Opened;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestId;
import dev.haven.model.Time;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.LeaseLength;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.Watchdog;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.helpers.NOPLogger;

/** What a host does when its leases end, step by step; time is a number. */
class SelfFenceTest {
  private static final GuestId WEB = new GuestId("web");
  private static final BootId BOOT = new BootId("boot-1");
  private static final long SECOND = 1_000_000_000L;
  private static final long END = 100 * SECOND + LeaseLength.LONG.duration().toNanos();

  @TempDir Path directory;
  private final FakeHypervisor libvirt = new FakeHypervisor();
  private final List<Watchdog> said = new ArrayList<>();
  private LeaseTable table = new LeaseTable();
  private final Bone bone = new Bone();
  private OrderBook book;
  private HostLeases leases = new HostLeases(table, () -> 0, Time.SYSTEM);
  private SelfFence fence;
  private boolean libvirtUp = true;
  private boolean runIsFull;
  private boolean diskIsFull;
  private boolean fault;
  private final OwnFaults faults = new OwnFaults(() -> this.time);
  private long time = 100 * SECOND;
  private @Nullable PoisonPillListener pillListener;

  private static final class Bone implements WatchdogDevice {
    int fed;
    int ended;
    Opened opened = Opened.KEPT;
    boolean armedBefore;

    @Override
    public boolean armedBefore() {
      return armedBefore;
    }

    @Override
    public Opened opened() {
      return opened;
    }

    @Override
    public Watchdog.Kind kind() {
      return Watchdog.Kind.LAB;
    }

    @Override
    public String identity() {
      return "bone";
    }

    @Override
    public Duration timeout() {
      return Duration.ofSeconds(10);
    }

    @Override
    public boolean resetThisHost() {
      return true;
    }

    @Override
    public void feed() {
      fed++;
    }

    @Override
    public void endHost(boolean off) {
      ended++;
    }
  }

  @BeforeEach
  void aGuestRunsUnderALease() throws IOException {
    libvirt.definition = "<domain><disk device='disk'><driver cache='none'/></disk></domain>";
    begin(bone);
    libvirt.put("web", Run.RUNNING, Why.BOOTED, 3);
    told(true);
    table.sent(1, 100 * SECOND);
    assertThat(table.granted(5, 1, digest(), LeaseLength.LONG)).isTrue();
  }

  private void begin(@Nullable WatchdogDevice watchdog) throws IOException {
    TwoCopies.folder(directory);
    book =
        OrderBook.open(
            new TwoCopies(directory.resolve("orders"), "haven-order-book", true) {
              @Override
              void write(String text) throws IOException {
                if (diskIsFull) {
                  throw new IOException("No space left on device");
                }
                super.write(text);
              }
            });
    leases = new HostLeases(table, () -> time, Time.SYSTEM);
    fence =
        new SelfFence(
            BOOT,
            libvirt,
            book,
            leases,
            new LeaseFile(directory.resolve("run")) {
              @Override
              void write(Handover page) throws IOException {
                if (runIsFull) {
                  throw new IOException("No space left on device");
                }
                super.write(page);
              }
            },
            this::seen,
            () -> libvirt.hazards,
            watchdog,
            pillListener,
            said::add,
            faults,
            () -> time,
            Runnable::run);
  }

  private Reports.Seen seen() {
    if (fault) {
      throw new IllegalStateException("a fault of ours");
    }
    return new Reports.Seen(
        libvirtUp,
        libvirtUp
            ? libvirt.domains.values().stream().map(Hypervisor.Domain::report).toList()
            : List.of(),
        Capacity.UNKNOWN);
  }

  private void told(boolean enforce) {
    fence.told(new ToAgent.Leased(1, 5, 1, new TreeMap<>(Map.of(WEB, new Epoch(3))), enforce));
  }

  private static long digest() {
    return Lease.digest(new TreeMap<>(Map.of(WEB, new Epoch(3))));
  }

  @Test
  void theLeaderHearsWhetherTheEndOfThisProcessFeedsTheWatchdog() throws Exception {
    bone.opened = Opened.BY_US_ALONE;
    feedsAt(END - SECOND);
    assertThat(said.getLast().timeout()).isEqualTo(bone.timeout().multipliedBy(2));
    assertThat(said.getLast().enforcing()).isTrue();
    bone.opened = Opened.KEPT;
    feedsAt(END - SECOND);
    assertThat(said.getLast().timeout()).isEqualTo(bone.timeout());
  }

  /** What it was given is not known: a host that is cut off would be fed for ever. */
  @Test
  void aProcessThatFindsNothingWhileLibvirtHangsFeedsNoWatchdogThatWasArmed() throws Exception {
    feedsAt(END - 2 * SECOND);
    fence.close();
    for (var file : List.of("leases", "leases.copy")) {
      Files.delete(directory.resolve("run").resolve(file));
    }
    bone.armedBefore = true;
    libvirtUp = false;
    begin(bone);
    assertThat(feedsAt(END - SECOND)).isFalse();
    libvirtUp = true;
    assertThat(feedsAt(END - SECOND)).as("libvirt says what runs here").isTrue();
  }

  @Test
  void aHostThatCannotReadItsDisksStopsFeedingSoonerWhereTheTimeoutCountsTwice() throws Exception {
    sbdDisk(0);
    try (var disk = FileChannel.open(SBD, StandardOpenOption.WRITE)) {
      disk.write(ByteBuffer.allocate(4).putInt(0, 15), 16);
      disk.write(ByteBuffer.allocate(4).putInt(0, 30), 28);
    }
    bone.opened = Opened.BY_US_ALONE;
    listen(false);
    until(
        "it says that it listens",
        () -> feedsAt(END - 1) && !said.isEmpty() && said.getLast().pills().isPresent());
    assertThat(said.getLast().pills().orElseThrow().deaf().plus(said.getLast().timeout()))
        .as("a pill that was waited for this long counts")
        .isLessThan(Duration.ofSeconds(30));
    fence.close();
  }

  @Test
  void theNextProcessKnowsTheWatchdogWithoutOpeningIt() throws Exception {
    feedsAt(END - 1);
    var armed =
        new LeaseFile(directory.resolve("run")).read(BOOT).orElseThrow().watchdog().orElseThrow();
    assertThat(armed.identity()).isEqualTo(bone.identity());
    assertThat(armed.timeout()).isEqualTo(bone.timeout());
    assertThat(armed.resetThisHost()).isTrue();
  }

  /** A host that is stopped or suspended between the two may have outlived its lease meanwhile. */
  @Test
  void aJudgementThatIsOldFeedsNoWatchdog() throws Exception {
    time = END + 9 * SECOND;
    fence.step(END - 1);
    assertThat(bone.fed).as("judged 9 s ago").isZero();
    fence.step(time);
    assertThat(libvirt.runs("web")).as("after another judgement").isFalse();
  }

  private boolean feedsAt(long now) throws IOException {
    time = now;
    int before = bone.fed;
    fence.step(now);
    return bone.fed > before;
  }

  @Test
  void aGuestWhoseMarkNamesNobodyIsKnownByItsLeaseIfTheOrderBookWasLost() {
    assertThat(book.knows("web")).as("the book is new").isFalse();
    assertThat(Agent.ordered("web", book, table)).isTrue();
    assertThat(Agent.ordered("web-clone", book, table)).isFalse();
  }

  @Test
  void underItsLeaseAGuestRunsAndTheWatchdogIsFed() throws Exception {
    assertThat(feedsAt(END - 1)).isTrue();
    assertThat(libvirt.runs("web")).isTrue();
  }

  @Test
  void atItsEndTheGuestIsPausedAndTheWatchdogGoesOnBeingFed() throws Exception {
    assertThat(feedsAt(END)).isTrue();
    assertThat(libvirt.runs("web")).isFalse();
    assertThat(feedsAt(END + 60 * SECOND)).isTrue();
  }

  @Test
  void withItsLeaseBackItGoesOn() throws Exception {
    feedsAt(END);
    table.sent(2, END + SECOND);
    table.granted(5, 2, digest(), LeaseLength.LONG);
    feedsAt(END + 2 * SECOND);
    assertThat(libvirt.runs("web")).isTrue();
    assertThat(book.paused()).isEmpty();
  }

  @Test
  void onTheOneOfTwoHostsThatIsCutOffItIsPausedAlthoughNobodyReliesOnThat() throws Exception {
    told(false);
    feedsAt(END + SECOND);
    assertThat(libvirt.runs("web")).as("nobody relies on it").isTrue();
    table.surrendered(END + SECOND);
    assertThat(feedsAt(END + 2 * SECOND)).isTrue();
    assertThat(libvirt.runs("web")).isFalse();
    libvirt.mute = true;
    table.surrendered(END + 60 * SECOND);
    assertThat(feedsAt(END + 61 * SECOND)).as("nothing rests on the pause").isTrue();
    libvirt.mute = false;
    table.sent(2, END + 62 * SECOND);
    table.granted(5, 2, digest(), LeaseLength.LONG);
    feedsAt(END + 63 * SECOND);
    assertThat(libvirt.runs("web")).isTrue();
  }

  @Test
  void whatItsOwnerPausedStaysPausedWhenTheLeaseIsBack() throws Exception {
    libvirt.put("web", Run.PAUSED, Why.USER, 3);
    assertThat(feedsAt(END)).isTrue();
    table.sent(2, END + SECOND);
    table.granted(5, 2, digest(), LeaseLength.LONG);
    feedsAt(END + 2 * SECOND);
    assertThat(libvirt.runs("web")).isFalse();
  }

  @Test
  void theNextProcessLetsGoOnWhatThisOnePaused() throws Exception {
    feedsAt(END);
    fence.close();
    begin(bone);
    table.sent(2, END + SECOND);
    table.granted(5, 2, digest(), LeaseLength.LONG);
    feedsAt(END + 2 * SECOND);
    assertThat(libvirt.runs("web")).isTrue();
  }

  @Test
  void theNextProcessKnowsOfAPauseOfWhichTheDiskTookNoNote() throws Exception {
    diskIsFull = true;
    feedsAt(END);
    begin(bone); // the one before was killed
    assertThat(libvirt.domains.values())
        .extracting(domain -> GuestKeeper.said(book, domain, NOPLogger.NOP_LOGGER).state())
        .as("it is not its owner's pause")
        .containsExactly(DomainState.PAUSED_NO_LEASE);
    begin(bone); // and that one as well
    table.sent(2, END + SECOND);
    table.granted(5, 2, digest(), LeaseLength.LONG);
    feedsAt(END + 2 * SECOND);
    assertThat(libvirt.runs("web")).isTrue();
    libvirt.put("web", Run.PAUSED, Why.USER, 3);
    begin(bone);
    feedsAt(END + 3 * SECOND);
    assertThat(libvirt.runs("web")).as("its owner has paused it since").isFalse();
  }

  @Test
  void whatAnEarlierProcessMayHaveToldLibvirtToLetRunIsNotProvenPaused() throws Exception {
    var db = new GuestId("db");
    book.admit(db, new Epoch(7), false, OrderBook.Here.NO); // its migration to this host is open
    fence.close();
    begin(bone);
    assertThat(feedsAt(END)).as("it is not here yet").isTrue();
    libvirt.put("db", Run.PAUSED, Why.USER, 7); // it has arrived, and was never let run
    assertThat(feedsAt(END + SECOND)).isFalse();
    assertThat(feedsAt(100 * SECOND + 39 * SECOND)).isFalse();
    feedsAt(100 * SECOND + 41 * SECOND);
    assertThat(feedsAt(100 * SECOND + 42 * SECOND)).as("libvirtd has given such calls up").isTrue();
  }

  @Test
  void whatAnEarlierProcessWasLettingGoOnIsNotProvenPaused() throws Exception {
    feedsAt(END);
    table.sent(2, END + SECOND);
    table.granted(5, 2, digest(), LeaseLength.LONG);
    libvirt.before.put(
        "resume",
        _ -> {
          runIsFull = true; // it writes nothing any more
          throw new IllegalStateException("killed while the call waits in libvirt");
        });
    feedsAt(END + 2 * SECOND);
    libvirt.before.clear();
    runIsFull = false;
    begin(bone);
    begin(bone); // and that one is killed at once as well
    long again = END + SECOND + LeaseLength.LONG.duration().toNanos();
    time = again + 10 * SECOND; // its lease has ended once more
    feedsAt(time);
    assertThat(feedsAt(time + SECOND)).as("that call may let it run").isFalse();
    feedsAt(END + 43 * SECOND);
    assertThat(feedsAt(END + 44 * SECOND)).as("libvirtd has given the call up").isTrue();
    assertThat(libvirt.runs("web")).isFalse();
  }

  @Test
  void whatAnOrderWasLettingGoOnWhenTheAgentDiedIsNotProvenPaused() throws Exception {
    assertThat(fence.right().missing(WEB, new Epoch(3))).as("the lease is kept").isEmpty();
    libvirt.put("web", Run.PAUSED, Why.UNKNOWN, 3);
    libvirt.before.put(
        "resumed",
        _ -> {
          throw new IllegalStateException("killed while the call waits in libvirt");
        });
    assertThatThrownBy(() -> resumeByOrder(fence)).hasMessageContaining("killed");
    libvirt.before.clear();
    time = END - SECOND;
    begin(bone);
    assertThat(feedsAt(END)).isTrue();
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos()))
        .as("that call may let it run")
        .isFalse();
    assertThat(feedsAt(END + 40 * SECOND)).as("libvirtd has given the call up").isTrue();
  }

  @Test
  void anOrderLetsNothingGoOnOfWhichTheNextProcessWouldNotKnow() throws Exception {
    assertThat(fence.right().missing(WEB, new Epoch(3))).as("the lease is kept").isEmpty();
    libvirt.put("web", Run.PAUSED, Why.UNKNOWN, 3);
    runIsFull = true;
    assertThat(resumeByOrder(fence)).isInstanceOf(Hypervisor.Outcome.Unavailable.class);
    assertThat(libvirt.runs("web")).isFalse();
    runIsFull = false;
    assertThat(resumeByOrder(fence)).isEqualTo(new Hypervisor.Outcome.Done());
  }

  private Hypervisor.Outcome resumeByOrder(SelfFence asked) {
    return libvirt.resume(
        "web",
        3,
        false,
        new Hypervisor.Permit() {
          @Override
          public Optional<String> toCreate() {
            return Optional.of("it is here");
          }

          @Override
          public Optional<String> toRun() {
            return asked.right().missingNow(WEB, new Epoch(3));
          }
        },
        Duration.ofSeconds(2));
  }

  @Test
  void aCallOfAnOlderEpochDoesNotHideTheOneOfToday() throws Exception {
    fence.close();
    new LeaseFile(directory.resolve("run"))
        .write(
            new Handover(
                BOOT,
                true,
                LeaseLength.LONG,
                table.held(),
                Optional.empty(),
                Optional.empty(),
                new TreeMap<>(Map.of(WEB, new Epoch(2))),
                new TreeMap<>()));
    time = END - SECOND;
    begin(bone);
    feedsAt(END);
    table.sent(2, END + SECOND);
    table.granted(5, 2, digest(), LeaseLength.LONG);
    libvirt.before.put(
        "resume",
        _ -> {
          runIsFull = true; // it writes nothing any more
          throw new IllegalStateException("killed while the call waits in libvirt");
        });
    feedsAt(END + 2 * SECOND);
    libvirt.before.clear();
    runIsFull = false;
    long again = END + SECOND + LeaseLength.LONG.duration().toNanos();
    time = again - SECOND;
    begin(bone);
    feedsAt(again);
    assertThat(feedsAt(again + LeaseLength.LONG.pauseCheck().toNanos()))
        .as("that call may let it run")
        .isFalse();
  }

  @Test
  void aResumeThatTheNextProcessWouldNotKnowOfIsNotSent() throws Exception {
    feedsAt(END);
    table.sent(2, END + SECOND);
    table.granted(5, 2, digest(), LeaseLength.LONG);
    time = END + 2 * SECOND;
    assertThat(fence.right().missing(WEB, new Epoch(3))).as("the lease is kept").isEmpty();
    runIsFull = true;
    feedsAt(END + 2 * SECOND);
    assertThat(libvirt.runs("web")).isFalse();
    runIsFull = false;
    feedsAt(END + 3 * SECOND);
    assertThat(libvirt.runs("web")).isTrue();
  }

  @Test
  void aProcessThatFindsGuestsAndNoLeasesSaysThatItsRuntimeDirectoryWasEmptied() throws Exception {
    feedsAt(END - SECOND);
    fence.close();
    begin(bone);
    feedsAt(END - SECOND);
    assertThat(fence.forgotten()).as("handed on").isEmpty();
    fence.close();
    for (var file : List.of("leases", "leases.copy")) {
      Files.delete(directory.resolve("run").resolve(file));
    }
    begin(bone);
    libvirtUp = false;
    feedsAt(END - SECOND);
    assertThat(fence.forgotten()).as("not known yet").isEmpty();
    libvirtUp = true;
    feedsAt(END - SECOND);
    assertThat(fence.forgotten().orElseThrow())
        .contains(directory.resolve("run").toString(), "RuntimeDirectoryPreserve=yes");
  }

  @Test
  void theFirstProcessOfABootFindsNothingAndThatIsRight() throws Exception {
    libvirt.domains.clear();
    Files.delete(directory.resolve("run/leases"));
    Files.delete(directory.resolve("run/leases.copy"));
    begin(bone);
    feedsAt(END - SECOND);
    libvirt.put("web", Run.RUNNING, Why.BOOTED, 3);
    feedsAt(END - SECOND);
    assertThat(fence.forgotten()).isEmpty();
  }

  @Test
  void whatPausingTookIsKnownOnceAGuestWasPaused() throws Exception {
    assertThat(fence.now().orElseThrow().pauses()).isEmpty();
    libvirt.before.put("suspend", _ -> time += SECOND);
    feedsAt(END);
    assertThat(fence.now().orElseThrow())
        .isEqualTo(
            new Readiness.Guard(
                Duration.ofSeconds(10), java.util.Optional.of(Duration.ofSeconds(1))));
    told(false);
    assertThat(fence.now()).as("the leader does not rely on it").isEmpty();
  }

  @Test
  void anArrivalThatIsDestroyedForWantOfALeaseIsNotWaitedFor() throws Exception {
    book.admit(new GuestId("db"), new Epoch(7), false, OrderBook.Here.NO);
    fence.close();
    begin(bone);
    libvirt.put("db", Run.PAUSED, Why.MIGRATION, 7);
    feedsAt(END);
    assertThat(domain("db").state().shutOff()).isTrue();
    feedsAt(END + SECOND);
    assertThat(feedsAt(END + 2 * SECOND)).isTrue();
  }

  private Hypervisor.Domain domain(String name) {
    return java.util.Objects.requireNonNull(libvirt.domains.get(name));
  }

  static Stream<Arguments> cannotBeProven() {
    return Stream.of(
        Arguments.of("libvirt does not answer", (Breaks) t -> t.libvirt.mute = true),
        Arguments.of("libvirt is away", (Breaks) t -> t.libvirtUp = !(t.libvirt.mute = true)),
        Arguments.of(
            "the call fails",
            (Breaks)
                t ->
                    t.libvirt.instead.put("suspend", () -> new Hypervisor.Outcome.Failed(1, "no"))),
        Arguments.of(
            "the call does not return",
            (Breaks)
                t -> t.libvirt.instead.put("suspend", () -> new Hypervisor.Outcome.Unknown("?"))),
        Arguments.of(
            "libvirt says done and it runs",
            (Breaks) t -> t.libvirt.instead.put("suspend", Hypervisor.Outcome.Done::new)),
        Arguments.of(
            "a disk goes through the page cache",
            (Breaks)
                t ->
                    t.libvirt.definition =
                        "<domain><disk device='disk'><driver cache='writeback'/></disk></domain>"),
        Arguments.of(
            "a disk says nothing of its cache",
            (Breaks) t -> t.libvirt.definition = "<domain><disk device='disk'/></domain>"));
  }

  private interface Breaks {
    void in(SelfFenceTest test);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void cannotBeProven(String why, Breaks breaks) throws Exception {
    feedsAt(END - 1); // it is seen once
    breaks.in(this);
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos() - 1))
        .as("within the pause check")
        .isTrue();
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos())).as(why).isFalse();
  }

  @Test
  void aDiskThatWasAttachedSinceIsLookedAtBeforeTheNextFeeding() throws Exception {
    assertThat(feedsAt(END)).isTrue();
    libvirt.definition = "<domain><disk device='disk'><driver cache='writeback'/></disk></domain>";
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos())).isFalse();
  }

  @Test
  void anArrivalEndsWithTheLease() throws Exception {
    libvirt.put("web", Run.PAUSED, Why.MIGRATION, 3);
    assertThat(feedsAt(END)).isTrue();
    assertThat(libvirt.calls).contains("destroy web 3");
  }

  @Test
  void aMigrationAwayIsAbortedWithTheLease() throws Exception {
    libvirt.put("web", Run.RUNNING, Why.BOOTED, 3, true);
    feedsAt(END);
    assertThat(libvirt.calls).contains("cancel web 3");
  }

  @Test
  void aLeaderThatAsksAgainHearsAgainThatLeasesAreEnforcedAndSinceWhichState() {
    said.clear();
    told(true); // the same as before; that leader may have heard an older word, or none
    assertThat(said.getLast().enforcing()).isTrue();
    assertThat(said.getLast().toldAt()).contains(1L);
  }

  @Test
  void nobodyReliesOnAHostWhereLibvirtMayStartGuestsByItself() {
    libvirt.hazards = List.of("libvirt may start guest web by itself");
    told(true);
    assertThat(said.getLast().enforcing()).isFalse();
  }

  @Test
  void whereNobodyReliesOnItNothingIsPaused() throws Exception {
    told(true);
    fence.told(new ToAgent.Leased(1, 5, 2, new TreeMap<>(Map.of(WEB, new Epoch(3))), false));
    assertThat(said.getLast().enforcing()).isFalse();
    assertThat(feedsAt(END + 60 * SECOND)).isTrue();
    assertThat(libvirt.runs("web")).isTrue();
  }

  @Test
  void withoutAWatchdogNothingIsPaused() throws Exception {
    begin(null);
    told(true);
    fence.step(END + 60 * SECOND);
    assertThat(libvirt.runs("web")).isTrue();
    assertThat(fence.watchdog()).isEmpty();
  }

  @Test
  void aProcessThatFindsNothingOfAnEarlierOnePausesFirst() throws Exception {
    var fresh = new SelfFenceTest();
    fresh.directory = directory.resolve("fresh");
    fresh.libvirt.definition = libvirt.definition;
    fresh.begin(fresh.bone);
    fresh.libvirt.put("web", Run.RUNNING, Why.BOOTED, 3);
    fresh.libvirt.instead.put("suspend", () -> new Hypervisor.Outcome.Unknown("?"));
    assertThat(fresh.feedsAt(SECOND)).as("no lease, nothing proven").isFalse();
    fresh.libvirt.instead.clear();
    assertThat(fresh.feedsAt(2 * SECOND)).isTrue();
    assertThat(fresh.libvirt.runs("web")).isFalse();
  }

  private final Runnable faulty =
      () -> {
        throw new IllegalStateException("a fault of ours");
      };

  @Test
  void aFaultOfOursResetsNoHostWhoseGuestsHaveTheirLeases() throws Exception {
    assertThat(feedsAt(END - 10 * SECOND)).isTrue();
    libvirt.beforeLetRun = faulty;
    assertThat(feedsAt(END - SECOND)).isTrue();
    table.sent(2, END - SECOND);
    table.granted(5, 2, digest(), LeaseLength.LONG);
    assertThat(feedsAt(END + 10 * SECOND)).as("they are granted again").isTrue();
  }

  @Test
  void withAFaultOfOursNoGuestOutlivesItsLease() throws Exception {
    assertThat(feedsAt(END - 10 * SECOND)).isTrue();
    libvirt.beforeLetRun = faulty;
    assertThat(feedsAt(END)).as("nobody can say that it is paused").isFalse();
  }

  @Test
  void withAFaultOfOursAGuestThatWasLetRunSinceDoesNotOutliveItsLease() throws Exception {
    var db = new GuestId("db");
    var both = new TreeMap<Exclusive, Epoch>(Map.of(WEB, new Epoch(3), db, new Epoch(7)));
    fence.told(new ToAgent.Leased(1, 5, 2, both, true));
    table.sent(2, 101 * SECOND);
    table.granted(5, 2, Lease.digest(both), LeaseLength.LONG);
    assertThat(feedsAt(END - 10 * SECOND)).isTrue();
    libvirt.letRun.put("db", 7L);
    assertThat(fence.right().missingNow(db, new Epoch(7))).isEmpty();
    libvirt.letRun.clear();
    fault = true; // nor is it known what is here
    libvirt.beforeLetRun = faulty;
    fence.told(new ToAgent.Leased(1, 5, 3, new TreeMap<>(Map.of(WEB, new Epoch(3))), true));
    table.sent(3, END - 10 * SECOND);
    table.granted(5, 3, digest(), LeaseLength.LONG);
    assertThat(feedsAt(END)).isTrue();
    assertThat(feedsAt(END + SECOND)).as("db has its lease no more").isFalse();
  }

  @Test
  void aProcessThatNeverJudgedItsGuestsFeedsNothing() throws Exception {
    fault = true;
    libvirt.beforeLetRun = faulty;
    assertThat(feedsAt(END - SECOND)).isFalse();
    fault = false;
    assertThat(feedsAt(END - SECOND)).as("libvirt says what is here, under which leases").isTrue();
  }

  @Test
  void whereNobodyReliesOnItAFaultOfOursResetsNoHost() throws Exception {
    told(false);
    libvirt.beforeLetRun = faulty;
    fault = true;
    table.surrendered(END + 60 * SECOND);
    assertThat(feedsAt(END + 60 * SECOND)).isTrue();
  }

  @Test
  void aFaultOfOursIsToldWithWhatWasBeingDone() throws Exception {
    feedsAt(END - 2 * SECOND);
    assertThat(faults.warnings()).isEmpty();
    libvirt.beforeLetRun = faulty;
    feedsAt(END - SECOND);
    assertThat(faults.warnings())
        .anySatisfy(w -> assertThat(w).contains("judging which guests", "a fault of ours"));
  }

  @Test
  void withAFaultInReadingWhatIsHereTheGuestIsPausedAllTheSame() throws Exception {
    assertThat(feedsAt(END - 10 * SECOND)).isTrue();
    fault = true;
    assertThat(feedsAt(END)).isTrue();
    assertThat(libvirt.runs("web")).isFalse();
    assertThat(feedsAt(END + 60 * SECOND)).as("libvirt itself says that it is paused").isTrue();
  }

  @Test
  void aFaultWhileGuestsArePausedProvesNothingAndIsOver() throws Exception {
    assertThat(feedsAt(END - 1)).isTrue();
    libvirt.before.put("suspend", _ -> faulty.run());
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos())).isFalse();
    assertThat(faults.warnings()).isNotEmpty();
    libvirt.before.clear();
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos())).isTrue();
    assertThat(libvirt.runs("web")).isFalse();
  }

  private static final Path SBD = Path.of("target", "sbd-disk").toAbsolutePath(); // not in memory

  /** One disk as sbd lays it out: watchdog 3 s, loop 1 s, msgwait 13 s, the slot of one host. */
  private static void sbdDisk(int message) throws IOException {
    var disk = ByteBuffer.allocate(1 << 20);
    disk.put("SBD_SBD_".getBytes(StandardCharsets.US_ASCII)).put((byte) 2).put((byte) 255);
    disk.putInt(12, 512)
        .putInt(16, 3)
        .putInt(24, 1)
        .putInt(28, 13)
        .put(32, (byte) 1)
        .put(33, new byte[] {7});
    disk.put(512, (byte) 1).put(513, "host-a".getBytes(StandardCharsets.US_ASCII));
    disk.put(1024, (byte) message);
    Files.write(SBD, disk.array());
  }

  private void listen(boolean earlierProcessDid) throws IOException {
    fence.close();
    pillListener =
        new PoisonPillListener(
            new AgentSettings.SbdSettings(List.of(SBD), "host-a"), bone, earlierProcessDid);
    begin(bone);
    pillListener.start();
  }

  private interface Holds {
    boolean now() throws IOException;
  }

  private static void until(String what, Holds condition) throws Exception {
    var deadline = System.nanoTime() + 20 * SECOND;
    while (!condition.now()) {
      assertThat(System.nanoTime()).as(what).isLessThan(deadline);
      Thread.sleep(20);
    }
  }

  @Test
  void aPillEndsThisHostAndWhatEarlierBootsWereSentDoesNot() throws Exception {
    sbdDisk(3); // a reset that was meant for the boot before
    listen(false);
    until(
        "it says that it listens",
        () -> feedsAt(END - 1) && !said.isEmpty() && said.getLast().pills().isPresent());
    assertThat(said.getLast().pills().orElseThrow().disks()).hasSize(1);
    assertThat(said.getLast().pills().orElseThrow().deaf()).isEqualTo(Duration.ofSeconds(2));
    assertThat(bone.ended).isZero();
    var page = new LeaseFile(directory.resolve("run")).read(BOOT).orElseThrow();
    assertThat(page.listensTo()).as("the next process has to listen too").isPresent();
    try (var disk = FileChannel.open(SBD, StandardOpenOption.WRITE)) {
      disk.write(ByteBuffer.wrap(new byte[] {3}), 1024);
    }
    until("it ends", () -> bone.ended > 0);
    assertThat(feedsAt(END - 1)).as("in case it does not").isFalse();
    fence.close();
  }

  @Test
  void theNextProcessObeysWhatWasSentBetweenTheTwo() throws Exception {
    sbdDisk(2);
    listen(true);
    until("it ends", () -> bone.ended > 0);
    fence.close();
  }

  @Test
  void aHostThatIsDeafThoughOthersRelyOnItIsReset() throws Exception {
    Files.write(SBD, new byte[4096]);
    listen(true);
    assertThat(feedsAt(END - 1)).isFalse();
    listen(false);
    assertThat(feedsAt(END - 1)).as("nobody relies on it yet").isTrue();
    assertThat(fence.watchdog().orElseThrow().pills()).isEmpty();
    fence.close();
  }

  @Test
  void aProcessToWhichLibvirtNeverAnswersKnowsWhatTheOneBeforeWasGiven() throws Exception {
    ordered();
    fence.close();
    libvirtUp = false;
    libvirt.mute = true;
    begin(bone);
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos() - 1)).isTrue();
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos()))
        .as("web may run, and nobody can say that it does not")
        .isFalse();
  }

  @Test
  void aGuestStartedSinceLibvirtWasLastHeardMayRun() throws Exception {
    libvirt.domains.clear();
    feedsAt(END - 2); // libvirt says that nothing is here
    ordered();
    libvirtUp = false;
    libvirt.mute = true;
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos())).isFalse();
  }

  @Test
  void aGuestOfWhichLibvirtHasLostTheProcessKeepsTheWatchdogFromBeingFedOnceItsLeaseIsOver()
      throws Exception {
    ordered();
    libvirt.put("web", Run.SHUT_OFF, Why.CRASHED, 3);
    libvirt.strays = Set.of("web");
    assertThat(feedsAt(END - 1)).as("it has its lease").isTrue();
    long late = END + LeaseLength.LONG.pauseCheck().toNanos();
    feedsAt(END);
    assertThat(feedsAt(late)).as("a process runs it, and nobody can pause it").isFalse();
    assertThat(feedsAt(late + 1)).isFalse();
    libvirt.strays = Set.of();
    feedsAt(late + 2);
    assertThat(feedsAt(late + 3)).as("somebody has ended the process").isTrue();
  }

  private Answer obeys(Order order) throws Exception {
    var log = NOPLogger.NOP_LOGGER;
    var keeper =
        new GuestKeeper(
            libvirt, book, new Changes(Time.SYSTEM), false, fence.right(), Time.SYSTEM, log);
    var answers = new ArrayList<FromAgent>();
    new Orders(book, keeper, answers::add, Runnable::run, Runnable::run, log)
        .take(new ToAgent.OrderFrame(ToAgent.VERSION, 1, 5, 1, order));
    return ((FromAgent.AnswerFrame) answers.getFirst()).answer();
  }

  /** {@code haven guest stop web}. */
  private void isStopped() throws Exception {
    ordered();
    assertThat(obeys(new Order.StopGuest(WEB, new Epoch(3), Duration.ZERO)))
        .isInstanceOf(Answer.Gone.class);
    feedsAt(time + SECOND);
  }

  /** {@code virsh create}, with a definition of the operator's own. */
  private void isCreatedByHand() {
    libvirt.put("web", Run.RUNNING, Why.BOOTED, 0);
    libvirt.strays = Set.of("web");
  }

  private void feedsOnAfterTheLease() throws Exception {
    long late = END + LeaseLength.LONG.pauseCheck().toNanos();
    assertThat(feedsAt(END)).isTrue();
    assertThat(feedsAt(late)).isTrue();
    assertThat(feedsAt(late + 60 * SECOND)).isTrue();
  }

  @Test
  void aGuestThatIsCreatedByHandUnderTheNameOfOneThatWasRemovedResetsNoHost() throws Exception {
    isStopped();
    assertThat(obeys(new Order.ForgetGuest(WEB, new Epoch(3)))).isInstanceOf(Answer.Done.class);
    isCreatedByHand();
    feedsOnAfterTheLease();
    assertThat(libvirt.runs("web")).as("it is not Haven's").isTrue();
  }

  @Test
  void theNextProcessDoesNotAskForAGuestThatWasGoneEither() throws Exception {
    isStopped();
    fence.close();
    table = new LeaseTable();
    begin(bone);
    isCreatedByHand();
    feedsOnAfterTheLease();
  }

  @Test
  void aHostThatAGuestHasLeftAsksNoMoreOnceItIsToForgetIt() throws Exception {
    ordered();
    libvirt.domains.clear(); // it was migrated away, and is stopped and removed there
    assertThat(obeys(new Order.ForgetGuest(WEB, new Epoch(4)))).isInstanceOf(Answer.Done.class);
    isCreatedByHand();
    feedsOnAfterTheLease();
  }

  @Test
  void aGuestThatRunsAgainUnderANewerEpochIsLookedForAfterItsLease() throws Exception {
    isStopped();
    var again = new TreeMap<>(Map.of(WEB, new Epoch(4)));
    table.told(5, 2, again);
    table.sent(2, 100 * SECOND);
    assertThat(table.granted(5, 2, Lease.digest(again), LeaseLength.LONG)).isTrue();
    libvirt.put("web", Run.SHUT_OFF, Why.CRASHED, 4);
    libvirt.strays = Set.of("web");
    feedsAt(END);
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos())).isFalse();
  }

  @Test
  void aGuestThatACallMayLetRunIsLookedForAfterItsLeaseWhateverLibvirtSays() throws Exception {
    libvirt.letRun.put("web", 3L);
    isStopped();
    libvirt.letRun.clear();
    libvirt.strays = Set.of("web");
    feedsAt(END);
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos())).isFalse();
  }

  @Test
  void nothingIsLetRunUnderAnEpochOfWhichNothingWasLeft() throws Exception {
    assertThat(fence.right().missingNow(WEB, new Epoch(3))).isEmpty();
    isStopped();
    obeys(new Order.ForgetGuest(WEB, new Epoch(3)));
    assertThat(book.knows("web")).as("the book refuses nothing of it any more").isFalse();
    assertThat(fence.right().missingNow(WEB, new Epoch(3))).isPresent();
  }

  @Test
  void whatThisHostGaveUpDoesNotKeepItFromFeedingWhileLibvirtIsAway() throws Exception {
    ordered();
    book.refuse(WEB, new Epoch(3));
    libvirt.domains.clear();
    feedsAt(END - 1);
    libvirtUp = false;
    libvirt.mute = true;
    assertThat(feedsAt(END + 60 * SECOND)).isTrue();
  }

  private void ordered() throws Exception {
    assertThat(book.admit(WEB, new Epoch(3), false, OrderBook.Here.NO)).isEmpty();
  }

  @Test
  void aLeaseThatTheNextProcessWouldNotKnowOfLetsNothingStart() throws Exception {
    table.sent(2, time);
    table.granted(5, 2, digest(), LeaseLength.LONG);
    runIsFull = true;
    table.told(5, 2, new TreeMap<>(Map.of(WEB, new Epoch(4))));
    table.sent(3, time);
    table.granted(5, 3, Lease.digest(new TreeMap<>(Map.of(WEB, new Epoch(4)))), LeaseLength.LONG);
    assertThat(fence.right().missing(WEB, new Epoch(4))).isPresent();
    runIsFull = false;
    assertThat(fence.right().missing(WEB, new Epoch(4))).isEmpty();
  }

  @Test
  void aLeaseThatIsAboutToEndLetsNothingRun() throws Exception {
    time = END - Lease.TO_RUN.toNanos() - 1;
    assertThat(fence.right().missingNow(WEB, new Epoch(3))).isEmpty();
    time = END - Lease.TO_RUN.toNanos();
    assertThat(fence.right().missingNow(WEB, new Epoch(3))).isPresent();
  }

  @Test
  void aCallThatMayLetAGuestRunIsNoPauseWhateverLibvirtSays() throws Exception {
    libvirt.put("web", Run.PAUSED, Why.USER, 3);
    libvirt.letRun.put("web", 3L);
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos() - 1)).isTrue();
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos())).isFalse();
    libvirt.letRun.clear();
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos())).isTrue();
  }

  @Test
  void aStartThatAnEarlierProcessSentMayStillComeForAWhile() throws Exception {
    ordered();
    book.creating(WEB, new Epoch(3));
    libvirt.put("web", Run.PAUSED, Why.USER, 3);
    fence.close();
    time = END - 10 * SECOND;
    begin(bone);
    assertThat(feedsAt(END + LeaseLength.LONG.pauseCheck().toNanos())).isFalse();
    assertThat(feedsAt(END + 31 * SECOND)).isTrue();
    table.sent(2, END + 32 * SECOND);
    table.granted(5, 2, digest(), LeaseLength.LONG);
    assertThat(feedsAt(END + 33 * SECOND)).isTrue();
    assertThat(libvirt.runs("web")).as("no order lets it run").isFalse();
  }

  @Test
  void whatAnEarlierBootCreatedKeepsNobodyFromFeeding() throws Exception {
    var fresh = new SelfFenceTest();
    fresh.directory = directory.resolve("fresh");
    fresh.libvirt.definition = libvirt.definition;
    OrderBook.open(fresh.directory).creating(WEB, new Epoch(3));
    fresh.begin(fresh.bone);
    assertThat(fresh.feedsAt(fresh.time)).isTrue();
  }

  @Test
  void itsTestNeedsAnEmptyHost() throws Exception {
    fence.test();
    assertThat(feedsAt(END - 1)).isTrue();
    libvirt.domains.clear();
    fence.test();
    assertThat(feedsAt(END - 1)).isFalse();
  }
}
