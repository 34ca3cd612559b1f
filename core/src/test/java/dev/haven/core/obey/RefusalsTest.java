package dev.haven.core.obey;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class RefusalsTest {
  private static final GuestId WEB = new GuestId("web");
  private static final GuestId DB = new GuestId("db");
  private static final Epoch THREE = new Epoch(3);
  private static final Epoch FOUR = new Epoch(4);
  private static final Epoch FIVE = new Epoch(5);

  private Refusals.Noted disk = Refusals.Noted.NOTHING;
  private boolean fails;
  private int writes;
  private Refusals book = open();

  private Refusals open() {
    return new Refusals(disk) {
      @Override
      protected void write(Noted next) throws IOException {
        if (fails) {
          throw new IOException("Input/output error");
        }
        writes++;
        disk = next;
      }
    };
  }

  /** The thread that feeds the watchdog asks these: a disk that hangs must not reset the host. */
  @Test
  void whoOnlyLooksWaitsForNoDisk() throws Exception {
    var writing = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    var slow =
        new Refusals(disk) {
          @Override
          protected void write(Noted next) throws IOException {
            writing.countDown();
            try {
              goOn.await();
            } catch (InterruptedException e) {
              throw new IOException(e);
            }
          }
        };
    var note = new FutureTask<Void>(() -> paused(slow));
    Thread.ofPlatform().start(note);
    try {
      writing.await();
      var looks =
          CompletableFuture.supplyAsync(
              () ->
                  List.of(
                      slow.paused(),
                      slow.unnoted(),
                      slow.created(),
                      slow.notRun(),
                      slow.mayRun(WEB, THREE)));
      assertThat(looks.get(20, TimeUnit.SECONDS))
          .containsExactly(Map.of(WEB, THREE), Map.of(WEB, THREE), Map.of(), Map.of(), false);
    } finally {
      goOn.countDown();
    }
    note.get(20, TimeUnit.SECONDS);
    assertThat(slow.paused()).containsExactly(Map.entry(WEB, THREE));
    assertThat(slow.unnoted()).isEmpty();
  }

  private static @Nullable Void paused(Refusals book) throws IOException {
    book.pausing(Map.of(WEB, THREE));
    return null;
  }

  /** What is asked of the same process and of the next one. */
  private List<Refusals> bothProcesses() {
    return List.of(book, open());
  }

  private static DomainReport domain(String name, DomainState state, Epoch epoch) {
    return new DomainReport(name, state, epoch, false, state.name());
  }

  private static Refusals damaged() {
    return new Refusals("orders is damaged") {
      @Override
      protected void write(Noted next) {
        throw new AssertionError("what is damaged is not written over");
      }
    };
  }

  // ---- leaders ----

  static List<Arguments> leaders() {
    return List.of(
        Arguments.of("the same leader", 5, 1, ""),
        Arguments.of("a newer one", 6, 1, ""),
        Arguments.of("an older one", 4, 1, "term 4 is older than 5"),
        Arguments.of("one after a forced new beginning", 5, 2, ""),
        Arguments.of(
            "one from before it, with a newer term", 9, 0, "generation 0 is older than 1"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("leaders")
  void aLeaderIsHeardUnlessThereWasANewerOne(String who, long term, long generation, String no)
      throws Exception {
    assertThat(book.meet(5, 1)).isEmpty();
    assertThat(book.term()).isEqualTo(5);
    for (var process : bothProcesses()) {
      assertThat(process.meet(term, generation).orElse("")).startsWith(no);
      assertThat(process.meet(term, generation).isPresent()).isEqualTo(!no.isEmpty());
    }
    assertThat(writes).isEqualTo(no.isEmpty() && (term > 5 || generation > 1) ? 3 : 1);
  }

  // ---- epochs ----

  @Test
  void anOlderEpochIsRefusedAndAKnownOneIsNotWrittenAgain() throws Exception {
    assertThat(book.seen(WEB, FOUR)).isFalse();
    assertThat(book.admit(WEB, FOUR, false, Refusals.Here.NO)).isEmpty();
    assertThat(book.admit(WEB, FOUR, false, Refusals.Here.NO)).isEmpty();
    assertThat(writes).isEqualTo(1);
    for (var process : bothProcesses()) {
      assertThat(process.admit(WEB, THREE, true, Refusals.Here.NO))
          .hasValue("guest web: epoch 3 is older than 4, seen here");
      assertThat(process.check(WEB, FIVE, false)).isEmpty();
      assertThat(process.seen(WEB, THREE)).isTrue();
      assertThat(process.seen(WEB, FOUR)).isTrue();
      assertThat(process.seen(WEB, FIVE)).as("a question is not remembered").isFalse();
      assertThat(process.seen(DB, FOUR)).isFalse();
    }
  }

  @Test
  void aRefusedEpochMayOnlyBeStoppedAndForgottenHere() throws Exception {
    book.admit(WEB, FOUR, false, Refusals.Here.NO);
    assertThat(book.mayRun(WEB, FOUR)).isTrue();
    assertThat(book.mayRun(WEB, FIVE)).as("it was never given").isFalse();
    book.refuse(WEB, FOUR);
    book.refuse(WEB, THREE); // an older word takes nothing back
    for (var process : bothProcesses()) {
      assertThat(process.admit(WEB, FOUR, false, Refusals.Here.NO))
          .hasValue("guest web: this host refuses epoch 4 and older ones");
      assertThat(process.admit(WEB, FOUR, true, Refusals.Here.NO)).isEmpty();
      assertThat(process.mayRun(WEB, FOUR)).isFalse();
    }
    assertThat(book.admit(WEB, FIVE, false, Refusals.Here.NO)).isEmpty();
    assertThat(book.mayRun(WEB, FIVE)).isTrue();
  }

  @Test
  void aMigrationBeginsOnceForEachTargetEpochAndNoneThatWasCalledOff() throws Exception {
    assertThat(book.begin(WEB, FOUR)).isTrue();
    for (var process : bothProcesses()) {
      assertThat(process.begin(WEB, FOUR)).isFalse();
      assertThat(process.begin(WEB, THREE)).isFalse();
    }
    assertThat(book.begin(WEB, FIVE)).isTrue();
  }

  @Test
  void aGuestThatHasMovedIsRefusedAndWhereToIsKnown() throws Exception {
    book.admit(WEB, THREE, false, Refusals.Here.NO);
    book.refuse(WEB, THREE, FOUR);
    for (var process : bothProcesses()) {
      assertThat(process.moved(WEB, THREE, FOUR)).isTrue();
      assertThat(process.moved(WEB, THREE, FIVE)).isFalse();
      assertThat(process.moved(WEB, FOUR, FOUR)).isFalse();
      assertThat(process.check(WEB, THREE, false)).isPresent();
    }
  }

  @Test
  void aForgottenGuestMayBeginAgainWithTheFirstEpoch() throws Exception {
    book.admit(WEB, FOUR, false, Refusals.Here.NO);
    book.refuse(WEB, FOUR);
    book.forget(DB);
    assertThat(book.knows("web")).isTrue();
    book.forget(WEB);
    for (var process : bothProcesses()) {
      assertThat(process.knows("web")).isFalse();
      assertThat(process.check(WEB, new Epoch(1), false)).isEmpty();
    }
  }

  // ---- the disk ----

  @Test
  void whatCannotBeWrittenHasNotHappened() throws Exception {
    book.meet(5, 1);
    book.admit(WEB, THREE, false, Refusals.Here.NO);
    book.runs(WEB, THREE);
    fails = true;
    var orders = new ArrayList<org.assertj.core.api.ThrowableAssert.ThrowingCallable>();
    orders.add(() -> book.meet(6, 1));
    orders.add(() -> book.admit(WEB, FOUR, false, Refusals.Here.NO));
    orders.add(() -> book.refuse(WEB, THREE));
    orders.add(() -> book.begin(WEB, FOUR));
    orders.add(() -> book.creating(WEB, THREE));
    orders.add(() -> book.arrived(WEB, THREE));
    orders.add(() -> book.pausing(Map.of(WEB, THREE)));
    orders.add(() -> book.tryDisk());
    orders.add(() -> book.forget(WEB));
    for (var order : orders) {
      assertThatThrownBy(order).isInstanceOf(IOException.class);
    }
    fails = false;
    for (var process : bothProcesses()) {
      assertThat(process.term()).isEqualTo(5);
      assertThat(process.seen(WEB, FOUR)).isFalse();
      assertThat(process.mayRun(WEB, THREE)).isTrue();
      assertThat(process.created()).isEmpty();
      assertThat(process.notRun()).isEmpty();
      assertThat(process.paused()).isEmpty();
    }
    assertThat(book.begin(WEB, FOUR)).isTrue();
  }

  @Test
  void aBookThatCannotBeReadRefusesEverything() {
    var process = damaged();
    assertThat(process.damage()).hasValue("orders is damaged");
    assertThat(process.knows("web")).as("a guest may be here, and must stay guarded").isTrue();
    assertThat(process.check(WEB, FIVE, true)).hasValue("orders is damaged");
    assertThat(process.mayRun(WEB, FIVE)).isFalse();
  }

  @Test
  void aBookThatCannotBeReadTakesNoNote() throws Exception {
    var process = damaged();
    assertThat(process.meet(9, 9)).hasValue("orders is damaged");
    assertThat(process.admit(WEB, FIVE, true, Refusals.Here.NO)).hasValue("orders is damaged");
    process.forget(WEB);
    process.gone(WEB, FIVE);
    process.runs(WEB, FIVE);
    var notes = new ArrayList<org.assertj.core.api.ThrowableAssert.ThrowingCallable>();
    notes.add(() -> process.refuse(WEB, FIVE));
    notes.add(() -> process.begin(WEB, FIVE));
    notes.add(() -> process.creating(WEB, FIVE));
    notes.add(() -> process.arrived(WEB, FIVE));
    notes.add(() -> process.pausing(Map.of(WEB, FIVE)));
    for (var note : notes) {
      assertThatThrownBy(note).isInstanceOf(IOException.class).hasMessage("orders is damaged");
    }
  }

  // ---- whose pause it is ----

  @Test
  void aPauseForWantOfALeaseIsNotItsOwners() throws Exception {
    book.admit(WEB, FOUR, false, Refusals.Here.YES);
    var paused = domain("web", DomainState.PAUSED, FOUR);
    assertThat(book.said(paused)).isEqualTo(paused);
    book.pausing(Map.of(WEB, FOUR, DB, THREE));
    assertThat(writes).as("one write for all of them").isEqualTo(2);
    book.pausing(Map.of(WEB, FOUR));
    assertThat(writes).isEqualTo(2);
    for (var process : bothProcesses()) {
      assertThat(process.said(paused).state()).isEqualTo(DomainState.PAUSED_NO_LEASE);
      assertThat(process.pausedByUs(paused)).isTrue();
      assertThat(process.said(domain("web", DomainState.PAUSED, FIVE)).state())
          .as("another turn of it")
          .isEqualTo(DomainState.PAUSED);
      assertThat(process.said(domain("web", DomainState.RUNNING, FOUR)).state())
          .isEqualTo(DomainState.RUNNING);
    }
    book.goesOn(Set.of(WEB));
    assertThat(book.paused()).containsOnly(Map.entry(DB, THREE));
    assertThat(book.said(paused)).isEqualTo(paused);
  }

  @Test
  void whatWaitsToBeLetRunIsNotItsOwnersPauseUntilItHasRun() throws Exception {
    var paused = domain("web", DomainState.PAUSED, FOUR);
    book.admit(WEB, FOUR, false, Refusals.Here.NO);
    assertThat(book.created()).isEmpty();
    book.creating(WEB, FOUR);
    for (var process : bothProcesses()) {
      assertThat(process.said(paused).state()).isEqualTo(DomainState.INCOMING);
      assertThat(process.created()).containsOnly(Map.entry(WEB, FOUR));
      assertThat(process.notRun()).containsOnly(Map.entry(WEB, FOUR));
    }
    book.seenRunning(domain("web", DomainState.RUNNING, FIVE));
    book.seenRunning(domain("db", DomainState.RUNNING, FOUR));
    assertThat(book.notRun()).as("neither was it").isNotEmpty();
    book.seenRunning(domain("web", DomainState.RUNNING, FOUR));
    for (var process : bothProcesses()) {
      assertThat(process.said(paused)).isEqualTo(paused);
      assertThat(process.created()).isEmpty();
    }
  }

  @Test
  void thatItRunsIsKnownAlsoWhenTheDiskDoesNotTakeTheNote() throws Exception {
    book.creating(WEB, FOUR);
    fails = true;
    assertThatThrownBy(() -> book.runs(WEB, FOUR)).isInstanceOf(IOException.class);
    assertThat(book.created()).isEmpty();
    assertThat(book.notRun()).isEmpty();
    assertThatThrownBy(() -> book.admit(WEB, FIVE, false, Refusals.Here.NO))
        .isInstanceOf(IOException.class);
    assertThat(book.notRun()).as("an order that was not noted changes nothing").isEmpty();
    fails = false;
    assertThat(open().created()).as("the next process cannot know").containsKey(WEB);
    book.creating(WEB, FOUR); // it has ended meanwhile, and is created once more
    assertThat(book.created()).containsKey(WEB);
  }

  @Test
  void whatIsGoneWaitsNoMoreAndAYoungerTurnOfItDoes() throws Exception {
    book.creating(WEB, FOUR);
    book.gone(WEB, THREE);
    assertThat(book.created()).containsKey(WEB);
    book.gone(WEB, FOUR);
    for (var process : bothProcesses()) {
      assertThat(process.created()).isEmpty();
      assertThat(process.notRun()).isEmpty();
    }
    book.arrived(WEB, FIVE);
    assertThat(open().notRun()).containsOnly(Map.entry(WEB, FIVE));
    assertThat(book.created()).isEmpty();
  }

  static List<Arguments> domains() {
    return List.of(
        Arguments.of("libvirt did not say", null, null, Refusals.Here.UNKNOWN),
        Arguments.of("it runs", DomainState.RUNNING, FOUR, Refusals.Here.YES),
        Arguments.of("it is paused", DomainState.PAUSED, FOUR, Refusals.Here.YES),
        Arguments.of("an earlier turn of it runs", DomainState.RUNNING, THREE, Refusals.Here.NO),
        Arguments.of("it arrives", DomainState.INCOMING, FOUR, Refusals.Here.NO),
        Arguments.of("it is off", DomainState.OFF, FOUR, Refusals.Here.NO));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("domains")
  void aGuestThatMayHaveRunBeforeTheBookKnewOfItIsItsOwnersPause(
      String what,
      @org.jspecify.annotations.Nullable DomainState state,
      @org.jspecify.annotations.Nullable Epoch epoch,
      Refusals.Here expected)
      throws Exception {
    var here =
        Refusals.Here.of(
            state == null || epoch == null
                ? Optional.empty()
                : Optional.of(List.of(domain("web", state, epoch))),
            FOUR);
    assertThat(here).isEqualTo(expected);
    book.admit(WEB, FOUR, false, here);
    assertThat(book.notRun().containsKey(WEB)).isEqualTo(here == Refusals.Here.NO);
  }

  @Test
  void onlyAGuestThatWasOrderedHereIsKnown() throws Exception {
    book.admit(WEB, THREE, false, Refusals.Here.NO);
    for (var process : bothProcesses()) {
      assertThat(process.knows("web")).isTrue();
      assertThat(process.knows("db")).isFalse();
    }
  }

  @Test
  void whereAGuestHasMovedIsNotForgottenWhenItsEpochIsRefusedOnceMore() throws Exception {
    book.refuse(WEB, THREE, FOUR);
    book.refuse(WEB, THREE);
    for (var process : bothProcesses()) {
      assertThat(process.moved(WEB, THREE, FOUR)).isTrue();
    }
  }
}
