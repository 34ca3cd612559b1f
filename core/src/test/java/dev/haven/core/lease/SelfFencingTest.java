package dev.haven.core.lease;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestId;
import dev.haven.model.wire.LeaseLength;
import dev.haven.model.wire.PillWatch;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.Watchdog;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** What one process of an agent takes over, keeps and feeds; time is a number. */
class SelfFencingTest {
  private static final BootId BOOT = new BootId("boot-1");
  private static final GuestId WEB = new GuestId("web");
  private static final Epoch ONE = new Epoch(1);
  private static final long SECOND = 1_000_000_000L;

  private final LeaseTable table = new LeaseTable();
  private final Fake host = new Fake();

  private SelfFencing process(Optional<Handover> earlier) {
    return new SelfFencing(BOOT, table, earlier, host, 0);
  }

  private static Optional<Handover> handover(BootId boot) {
    var held =
        new TreeMap<Exclusive, LeaseTable.Held>(
            Map.of(WEB, new LeaseTable.Held(ONE, 20 * SECOND, LeaseLength.LONG)));
    return Optional.of(
        new Handover(
            boot,
            true,
            LeaseLength.LONG,
            held,
            Optional.empty(),
            Optional.empty(),
            new TreeMap<>(),
            new TreeMap<>()));
  }

  private static ToAgent.Leased list(long term) {
    return new ToAgent.Leased(ToAgent.VERSION, term, 1, new TreeMap<>(Map.of(WEB, ONE)), true);
  }

  @Test
  void theNextProcessTakesOverTheLeasesOfItsOwnBootAndOfNoOther() {
    process(handover(new BootId("boot-0")));
    assertThat(table.covers(WEB, ONE, 0)).isFalse();
    process(handover(BOOT));
    assertThat(table.covers(WEB, ONE, 20 * SECOND - 1)).isTrue();
  }

  @Test
  void aLeaderThatLeadsNoMoreIsNotObeyed() {
    var fencing = process(Optional.empty());
    assertThat(fencing.told(list(5))).isTrue();
    assertThat(fencing.told(list(4))).isFalse();
  }

  @Test
  void theWatchdogIsTriedOnlyWhereNoGuestIs() {
    var fencing = process(Optional.empty());
    host.here = List.of(new DomainReport("web", DomainState.PAUSED, ONE, false, ""));
    assertThat(fencing.test()).isFalse();
    assertThat(fencing.starving()).isFalse();
    host.here = List.of();
    assertThat(fencing.mayFeed(0)).isTrue();
    assertThat(fencing.test()).isTrue();
    assertThat(fencing.starving()).isTrue();
    assertThat(fencing.mayFeed(SECOND)).isFalse();
  }

  @Test
  void whatTheNextProcessNeedsIsKeptEverySecond() {
    var fencing = process(Optional.empty());
    fencing.afterFeeding(0);
    fencing.afterFeeding(SECOND - 1);
    assertThat(host.kept).hasSize(1);
    fencing.afterFeeding(SECOND);
    assertThat(host.kept).hasSize(2);
    assertThat(host.kept.getLast().boot()).isEqualTo(BOOT);
  }

  @Test
  void nobodyReliesOnLeasesThatCannotBeKept() {
    var fencing = process(Optional.empty());
    host.diskFails = true;
    assertThat(fencing.keep()).isFalse();
    assertThat(fencing.watchdog().orElseThrow().enforcing()).isFalse();
    host.diskFails = false;
    assertThat(fencing.keep()).isTrue();
    assertThat(fencing.watchdog().orElseThrow().enforcing()).isTrue();
  }

  @Test
  void aFaultOfOurOwnWhileLeasesAreKeptIsToldAndNothingIsKept() {
    var fencing = process(Optional.empty());
    host.keepIsBroken = true;
    assertThat(fencing.keep()).isFalse();
    assertThat(host.failed).hasSize(1);
  }

  @Test
  void aHostThatEnforcesReceivesNoGuestWithoutALease() {
    var fencing = process(Optional.empty());
    assertThat(fencing.enforcing()).isTrue();
    assertThat(fencing.forbidsToReceive(0)).isPresent();
    host.watchdog = Optional.empty();
    assertThat(process(Optional.empty()).forbidsToReceive(0)).isEmpty();
  }

  @Test
  void whatAHostAsksForIsToldAndKnownToTheNextProcess() {
    var fencing = process(Optional.empty());
    assertThat(fencing.watchdog().orElseThrow().lease()).contains(LeaseLength.LONG);
    fencing.asks(LeaseLength.SHORT);
    fencing.asks(LeaseLength.SHORT);
    assertThat(host.told)
        .extracting(Watchdog::lease)
        .containsExactly(Optional.of(LeaseLength.SHORT));
    fencing.keep();
    var next = process(Optional.of(host.kept.getLast()));
    assertThat(next.watchdog().orElseThrow().lease()).contains(LeaseLength.SHORT);
  }

  /** The kernel feeds a watchdog that is closed: once, for none is opened without a judgement. */
  @Test
  void theTimeoutOfAWatchdogThatTheEndOfThisProcessFeedsCountsTwice() {
    var process = process(Optional.empty());
    assertThat(process.watchdog().orElseThrow().timeout()).hasSeconds(10);
    host.opened = Opened.BY_US_ALONE;
    assertThat(process.watchdog().orElseThrow().timeout()).hasSeconds(20);
    process.keep();
    assertThat(host.kept.getLast().watchdog().orElseThrow().timeout())
        .as("the next process counts for itself")
        .hasSeconds(10);
  }

  @Test
  void nobodyReliesOnAWatchdogThatIsNotOpen() {
    var process = process(Optional.empty());
    var disks = new Handover.PillDisks(List.of("/dev/sbd"), "a");
    var heard = new PillWatch("a", new TreeSet<>(Set.of("/dev/sbd")), 1, Duration.ofSeconds(10));
    host.hearing =
        Optional.of(new SelfFencing.Hearing(disks, Optional.of(heard), false, false, true));
    process.keep();
    process.told(list(1));
    assertThat(process.watchdog().orElseThrow().enforcing()).isTrue();
    assertThat(process.watchdog().orElseThrow().pills()).contains(heard);
    host.opened = Opened.NOT;
    assertThat(process.watchdog().orElseThrow().enforcing()).isFalse();
    assertThat(process.watchdog().orElseThrow().pills()).isEmpty();
  }

  private static final class Fake implements SelfFencing.Host, SelfFencing.Guests {
    @Override
    public SelfFencing.Guests guests() {
      return this;
    }

    Optional<Watchdog> watchdog =
        Optional.of(
            new Watchdog(
                Watchdog.Kind.LAB,
                "dog",
                Duration.ofSeconds(10),
                false,
                false,
                Optional.empty(),
                Optional.empty()));
    List<DomainReport> here = List.of();
    final List<Handover> kept = new ArrayList<>();
    final List<Watchdog> told = new ArrayList<>();
    final List<String> failed = new ArrayList<>();
    boolean diskFails;
    boolean keepIsBroken;
    Opened opened = Opened.KEPT;
    Optional<SelfFencing.Hearing> hearing = Optional.empty();

    @Override
    public boolean armedBefore() {
      return false;
    }

    @Override
    public Opened opened() {
      return opened;
    }

    @Override
    public Optional<List<DomainReport>> seen() {
      return Optional.of(here);
    }

    @Override
    public Optional<List<DomainReport>> look(Set<GuestId> guests) {
      return Optional.of(here);
    }

    @Override
    public void begin(Runnable job) {
      job.run();
    }

    @Override
    public boolean destroy(GuestId guest, Epoch epoch) {
      return true;
    }

    @Override
    public void cancelMigration(GuestId guest, Epoch epoch) {}

    @Override
    public boolean suspend(GuestId guest, Epoch epoch) {
      return true;
    }

    @Override
    public boolean resume(GuestId guest, Epoch epoch) {
      return true;
    }

    @Override
    public boolean ended(GuestId guest) {
      return true;
    }

    @Override
    public boolean bypassesCache(GuestId guest) {
      return true;
    }

    @Override
    public Map<GuestId, Epoch> sent() {
      return Map.of();
    }

    @Override
    public SelfFencing.Notes notes() {
      return new Nothing();
    }

    @Override
    public void keep(Handover page) throws IOException {
      if (keepIsBroken) {
        throw new IllegalStateException("a fault of our own");
      }
      if (diskFails) {
        throw new IOException("No space left on device");
      }
      kept.add(page);
    }

    @Override
    public Optional<Watchdog> watchdog() {
      return watchdog;
    }

    @Override
    public List<String> hazards() {
      return List.of();
    }

    @Override
    public Optional<SelfFencing.Hearing> hearing() {
      return hearing;
    }

    @Override
    public void pillsAreReliedOn() {}

    @Override
    public void tell(Watchdog said) {
      told.add(said);
    }

    @Override
    public void failed(String doing, RuntimeException e) {
      failed.add(doing);
    }
  }

  /** Nothing was ever noted. */
  private static final class Nothing implements SelfFencing.Notes {
    @Override
    public boolean mayRun(GuestId guest, Epoch epoch) {
      return true;
    }

    @Override
    public Map<GuestId, Epoch> created() {
      return Map.of();
    }

    @Override
    public Map<GuestId, Epoch> notRun() {
      return Map.of();
    }

    @Override
    public Map<GuestId, Epoch> paused() {
      return Map.of();
    }

    @Override
    public void pausing(Map<GuestId, Epoch> guests) {}

    @Override
    public Map<GuestId, Epoch> unnoted() {
      return Map.of();
    }

    @Override
    public void goesOn(Set<GuestId> guests) {}

    @Override
    public void gone(GuestId guest, Epoch epoch) {}
  }
}
