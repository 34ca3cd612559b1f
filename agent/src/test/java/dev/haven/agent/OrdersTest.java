package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.agent.guest.Changes;
import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.GuestKeeper;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.LibvirtState;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import dev.haven.agent.guest.Orders;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Time;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent.OrderFrame;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.helpers.NOPLogger;

@Timeout(30)
class OrdersTest {
  private static final GuestId WEB = new GuestId("web");
  private static final String XML = "<domain><memory unit='MiB'>128</memory></domain>";

  @TempDir Path data;
  private final FakeHypervisor libvirt = new FakeHypervisor();
  private final LinkedBlockingQueue<FromAgent> said = new LinkedBlockingQueue<>();
  private OrderBook book;
  private Orders orders;
  private ExecutorService workers = Orders.workers();
  private ExecutorService urgent = Orders.urgent();
  private long number;
  private volatile boolean diskIsFull;
  private volatile java.util.Optional<String> noLease = java.util.Optional.empty();

  @BeforeEach
  void restart() throws IOException {
    book =
        OrderBook.open(
            new TwoCopies(data.resolve("orders"), "haven-order-book", true) {
              @Override
              synchronized void write(String text) throws IOException {
                if (diskIsFull) {
                  throw new IOException("No space left on device");
                }
                super.write(text);
              }
            });
    workers = Orders.workers();
    urgent = Orders.urgent();
    var changes = new Changes();
    var keeper =
        new GuestKeeper(
            libvirt, book, changes, false, new Leases(), Time.SYSTEM, NOPLogger.NOP_LOGGER);
    libvirt.listener =
        new Hypervisor.Listener() {
          @Override
          public void heard(DomainEvent event) {
            keeper.heard(event);
            changes.happened();
          }

          @Override
          public void link(Hypervisor.Link link) {
            changes.happened();
          }
        };
    orders = new Orders(book, keeper, said::add, workers, urgent, NOPLogger.NOP_LOGGER);
  }

  private final class Leases implements GuestKeeper.Right {
    @Override
    public java.util.Optional<String> missing(GuestId guest, Epoch epoch) {
      return noLease;
    }

    @Override
    public java.util.Optional<String> missingNow(GuestId guest, Epoch epoch) {
      return noLease;
    }

    @Override
    public void gone(GuestId guest, Epoch epoch) {}

    @Override
    public java.util.Optional<String> noLease() {
      return noLease;
    }
  }

  @AfterEach
  void stop() {
    workers.shutdownNow();
    urgent.shutdownNow();
  }

  // ---- obedience ----

  static List<Arguments> obedience() {
    return List.of(
        Arguments.of("a first order", 5, 1, start(1), true),
        Arguments.of("the same epoch again", 5, 1, start(4), true),
        Arguments.of("a newer epoch", 5, 1, start(5), true),
        Arguments.of("an older epoch", 5, 1, start(3), false),
        Arguments.of("an older term", 4, 1, start(9), false),
        Arguments.of("a newer term with an older epoch", 9, 1, start(3), false),
        Arguments.of("an older generation, newer in all else", 9, 0, start(9), false),
        Arguments.of(
            "an older stop", 5, 1, new Order.StopGuest(WEB, new Epoch(3), Duration.ZERO), false),
        Arguments.of(
            "an older question", 5, 1, new Order.ConfirmGone(WEB, new Epoch(3), true), false),
        Arguments.of(
            "an older resume", 5, 1, new Order.ResumeGuest(WEB, new Epoch(3), true), false),
        Arguments.of("an older migration", 5, 1, migrate(3, 9), false),
        Arguments.of("an older end", 5, 1, new Order.ForgetGuest(WEB, new Epoch(3)), false));
  }

  /** Before: term 5, generation 1, and unless it is the first order, epoch 4 of the guest. */
  @ParameterizedTest(name = "{0}")
  @MethodSource("obedience")
  void anAgentObeysNoOrderOlderThanWhatItHasSeenAlsoAfterItsRestart(
      String what, long term, long generation, Order order, boolean obeyed) throws Exception {
    if (!what.equals("a first order")) {
      give(5, 1, start(4));
      assertThat(answer()).isInstanceOf(Answer.Done.class);
    }
    stop();
    restart();
    libvirt.calls.clear();
    libvirt.domains.remove("web");
    give(term, generation, order);
    if (obeyed) {
      assertThat(answer()).isInstanceOf(Answer.Done.class);
    } else {
      assertThat(answer()).isInstanceOf(Answer.Refused.class);
      assertThat(libvirt.calls).isEmpty();
    }
  }

  static List<Order> whatMakesGuestsRun() {
    return List.of(
        start(4), new Order.ResumeGuest(WEB, new Epoch(4), true), migrate(4, 5), precheck(4));
  }

  @ParameterizedTest
  @MethodSource("whatMakesGuestsRun")
  void whatIsRefusedOnceIsRefusedAfterEveryRestart(Order order) throws Exception {
    give(5, 1, new Order.ConfirmGone(WEB, new Epoch(4), false));
    assertThat(answer()).isInstanceOf(Answer.Gone.class);
    stop();
    restart();
    give(6, 1, order);
    assertThat(answer()).isInstanceOf(Answer.Refused.class);
    give(6, 1, start(5));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
  }

  @Test
  void whatTheLeaderSaysThisHostIsGivenIsOnDiskBeforeItsOrderComes() throws Exception {
    give(5, 1, start(4));
    answer();
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (!book.seen(WEB, new Epoch(6))) { // left out while another order of the guest's ends
      assertThat(System.nanoTime() - deadline).as("it is remembered within 10 s").isNegative();
      orders.expect(Map.of(WEB, new Epoch(6)));
      Thread.onSpinWait();
    }
    give(5, 1, start(5));
    assertThat(answer()).isInstanceOf(Answer.Refused.class);
    stop();
    restart();
    assertThat(book.seen(WEB, new Epoch(6))).isTrue();
    assertThat(book.seen(WEB, new Epoch(7))).isFalse();
    libvirt.domains.remove("web");
    give(5, 1, start(6));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
  }

  /** Left by an agent in a run of the demo, with the first line of this format. */
  @Test
  void aBookThatAnEarlierProcessLeftIsRead() throws Exception {
    stop();
    Files.delete(data.resolve("orders.copy"));
    try (var in = OrdersTest.class.getResourceAsStream("/formats/2/orders")) {
      Files.write(data.resolve("orders"), java.util.Objects.requireNonNull(in).readAllBytes());
    }
    restart();
    assertThat(book.damage()).isEmpty();
    assertThat(book.term()).isEqualTo(3);
    assertThat(book.check(new GuestId("g1"), new Epoch(2), true)).isPresent(); // seen: 3
    assertThat(book.check(new GuestId("g1"), new Epoch(3), false)).isEmpty();
    assertThat(book.moved(new GuestId("g1"), new Epoch(1), new Epoch(2))).isTrue();
    assertThat(book.seen(new GuestId("g4"), new Epoch(1))).isTrue();
  }

  @Test
  void aBookOfANewerVersionObeysNothingAndSaysWhoWroteIt() throws Exception {
    stop();
    write("haven-order-book 4 00000000\n{}");
    restart();
    give(7, 1, start(9));
    assertThat(answer())
        .isInstanceOf(Answer.Refused.class)
        .asString()
        .contains("another Haven wrote it");
  }

  @Test
  void aDamagedBookObeysNothingAndSaysWhere() throws Exception {
    give(5, 1, start(4));
    answer();
    var file = data.resolve("orders");
    stop();
    write(Files.readString(file).replace("\"seen\":4", "\"seen\":1"));
    restart();
    libvirt.calls.clear();
    for (var order :
        List.of(
            start(9),
            new Order.StopGuest(WEB, new Epoch(9), Duration.ZERO),
            new Order.ConfirmGone(WEB, new Epoch(9), true))) {
      give(7, 1, order);
      assertThat(answer())
          .isInstanceOf(Answer.Refused.class)
          .asString()
          .contains(file.toString(), "checksum");
    }
    assertThat(libvirt.calls).isEmpty();
    assertThat(libvirt.runs("web")).isTrue();
  }

  @Test
  void aHalfWrittenOrEmptyBookIsDamagedAsWell() throws Exception {
    for (var text :
        List.of("", "haven-order-book 1 00000000\n{", "haven-order-book 3 00 1 9\n{", "nonsense")) {
      write(text);
      restart();
      assertThat(book.damage()).isPresent();
      assertThat(book.knows("web")).as("a guest may be here, and must stay guarded").isTrue();
    }
  }

  @Test
  void aBookOfAnOlderHavenIsRefusedWithTheWayOut() throws Exception {
    write("haven-order-book 2 00000000 1 2\n{}");
    restart();
    assertThat(book.damage().orElseThrow())
        .contains("has format 2", "reads format 3 alone", "install that version");
  }

  /** Its checksum is right, so nothing but the book itself knows that it is damaged. */
  @Test
  void aBookThatCannotBeReadIsNotWrittenOver() throws Exception {
    stop();
    var crc = new CRC32C();
    crc.update("1 1\n{".getBytes(StandardCharsets.UTF_8));
    write("haven-order-book 3 %08x 1 1\n{".formatted(crc.getValue()));
    restart();
    assertThat(book.damage()).isPresent();
    assertThatThrownBy(() -> book.pausing(Map.of(WEB, new Epoch(4))))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("what this host has to refuse is not known");
    restart();
    assertThat(book.damage()).as("else it would obey what it has promised to refuse").isPresent();
  }

  @Test
  void aGuestIsKnownFromItsFirstOrderUntilItIsForgotten() throws Exception {
    assertThat(book.knows("web")).isFalse();
    give(5, 1, start(4));
    answer();
    restart();
    assertThat(book.knows("web")).isTrue();
    assertThat(book.knows("web-clone")).isFalse();
    book.forget(WEB);
    assertThat(book.knows("web")).isFalse();
  }

  @Test
  void anOrderThatCannotBeRememberedIsNotObeyed() throws Exception {
    diskIsFull = true;
    give(5, 1, start(4));
    assertThat(answer()).isInstanceOf(Answer.NotNoted.class).asString().contains("No space left");
    assertThat(libvirt.calls).isEmpty();
    diskIsFull = false;
    give(5, 1, start(4));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
  }

  @Test
  void anOrderOfATermThatCannotBeRememberedIsNotObeyed() throws Exception {
    give(5, 1, start(4));
    answer();
    libvirt.put("web", Run.PAUSED, Why.MIGRATION, 4); // its epoch is known: nothing else is written
    diskIsFull = true;
    give(6, 1, new Order.ResumeGuest(WEB, new Epoch(4), false));
    assertThat(answer())
        .isInstanceOf(Answer.NotNoted.class)
        .asString()
        .contains("term 6", "No space left", "data directory");
    assertThat(libvirt.runs("web")).as("else a restarted agent would obey term 5").isFalse();
    diskIsFull = false;
    give(6, 1, new Order.ResumeGuest(WEB, new Epoch(4), false));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    assertThat(libvirt.runs("web")).isTrue();
  }

  /** Else the guest would leave the other host, and wait here, paused, for its note. */
  @Test
  void aHostWhoseDiskTakesNoNoteTakesNoGuestFromAnother() throws Exception {
    give(5, 1, start(4)); // the leader's term is noted: nothing else needs to be
    answer();
    diskIsFull = true;
    give(5, 1, new Order.Precheck(new GuestId("db"), new Epoch(7), XML));
    assertThat(answer()).isInstanceOf(Answer.NotNoted.class).asString().contains("No space left");
    diskIsFull = false;
    give(5, 1, new Order.Precheck(new GuestId("db"), new Epoch(7), XML));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
  }

  /** Both copies. */
  private void write(String text) throws IOException {
    Files.writeString(data.resolve("orders"), text);
    Files.writeString(data.resolve("orders.copy"), text);
  }

  // ---- the word that a guest is gone ----

  @Test
  void theRefusalIsOnDiskBeforeLibvirtIsAskedWhetherTheGuestIsGone() throws Exception {
    give(5, 1, start(4));
    answer();
    libvirt.before.put(
        "confirmGone",
        _ -> {
          try {
            assertThat(OrderBook.open(data).admit(WEB, new Epoch(4), false, OrderBook.Here.NO))
                .isPresent();
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        });
    give(5, 1, new Order.StopGuest(WEB, new Epoch(4), Duration.ZERO));
    assertThat(answer()).isInstanceOf(Answer.Gone.class);
    assertThat(libvirt.calls).contains("destroy web 4");
  }

  @Test
  void aStopWhoseAnswerWasLostIsAnsweredAgain() throws Exception {
    give(5, 1, start(4));
    answer();
    for (int i = 0; i < 2; i++) {
      give(5 + i, 1, new Order.StopGuest(WEB, new Epoch(4), Duration.ofSeconds(20)));
      assertThat(answer()).isInstanceOf(Answer.Gone.class);
    }
  }

  @Test
  void aGuestThatHearsNoShutdownIsDestroyedWhenItsGraceIsOver() throws Exception {
    libvirt.heedsShutdown = false;
    give(5, 1, start(4));
    answer();
    give(5, 1, new Order.StopGuest(WEB, new Epoch(4), Duration.ofMillis(200)));
    assertThat(answer()).isInstanceOf(Answer.Gone.class);
    assertThat(libvirt.calls).contains("shutdown web 4", "destroy web 4");
  }

  @Test
  void aStopAtOnceCutsTheGraceOfAnEarlierOneAndBothAreAnswered() throws Exception {
    libvirt.heedsShutdown = false;
    give(5, 1, start(4));
    answer();
    var asked = new CountDownLatch(1);
    libvirt.before.put("shutdown", _ -> asked.countDown());
    give(5, 1, new Order.StopGuest(WEB, new Epoch(4), Duration.ofMinutes(10)));
    asked.await();
    give(5, 1, new Order.StopGuest(WEB, new Epoch(4), Duration.ZERO));
    assertThat(answer()).isInstanceOf(Answer.Gone.class);
    assertThat(answer()).isInstanceOf(Answer.Gone.class);
  }

  @Test
  void anOrderThatWaitsIsNotRefusedForItsTermOnceANewerLeaderGivesItToo() throws Exception {
    var goOn = new CountDownLatch(1);
    var began = new CountDownLatch(1);
    libvirt.before.put(
        "start",
        _ -> {
          began.countDown();
          await(goOn);
        });
    give(5, 1, start(4));
    began.await();
    give(5, 1, new Order.StopGuest(WEB, new Epoch(4), Duration.ZERO));
    give(6, 1, new Order.StopGuest(WEB, new Epoch(4), Duration.ZERO));
    goOn.countDown();
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    assertThat(answer()).isInstanceOf(Answer.Gone.class);
    assertThat(answer()).isInstanceOf(Answer.Gone.class);
  }

  @Test
  void aStartThatFailsCleanlyIsTheAgentsWordAndOneThatTimesOutIsNot() throws Exception {
    libvirt.instead.put("start", () -> new Hypervisor.Outcome.Failed(1, "no such disk"));
    give(5, 1, start(4));
    assertThat(answer())
        .isInstanceOfSatisfying(
            Answer.Gone.class, g -> assertThat(g.failure()).contains("no such disk"));
    give(5, 1, start(4));
    assertThat(answer()).isInstanceOf(Answer.Refused.class);
    libvirt.instead.put("start", () -> new Hypervisor.Outcome.Unknown("no answer in time"));
    give(5, 1, start(5));
    assertThat(answer()).isInstanceOf(Answer.Unknown.class);
  }

  @Test
  void whileLibvirtIsMuteNothingIsGone() throws Exception {
    libvirt.mute = true;
    give(5, 1, new Order.ConfirmGone(WEB, new Epoch(4), true));
    assertThat(answer()).isInstanceOf(Answer.Unknown.class);
    give(5, 1, new Order.StopGuest(WEB, new Epoch(4), Duration.ZERO));
    assertThat(answer()).isInstanceOf(Answer.Unknown.class);
  }

  @Test
  void aQuestionThatFindsTheGuestRunningRefusesNothing() throws Exception {
    give(5, 1, start(4));
    answer();
    give(5, 1, new Order.ConfirmGone(WEB, new Epoch(4), false));
    assertThat(answer())
        .isInstanceOfSatisfying(
            Answer.StillThere.class,
            s -> assertThat(s.domain().state()).isEqualTo(DomainState.RUNNING));
    give(5, 1, start(4));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
  }

  @Test
  void whatIsLeftIsDestroyedUnlessItIsAnotherOwners() throws Exception {
    libvirt.put("web", Run.PAUSED, Why.MIGRATION, 3);
    give(5, 1, new Order.ConfirmGone(WEB, new Epoch(4), true));
    assertThat(answer()).isInstanceOf(Answer.Gone.class);
    for (long epoch : List.of(0L, 7L)) { // not ours at all, and younger than what is meant
      libvirt.calls.clear();
      libvirt.put("web", Run.RUNNING, Why.BOOTED, epoch);
      give(5, 1, new Order.ConfirmGone(WEB, new Epoch(5), true));
      assertThat(answer()).isInstanceOf(Answer.StillThere.class);
      assertThat(libvirt.calls).noneMatch(c -> c.startsWith("destroy"));
    }
  }

  // ---- migration ----

  @Test
  void aMigrationReportsItsProgressRefusesTheSourcesEpochAndIsAnsweredAgainAfterARestart()
      throws Exception {
    give(5, 1, start(4));
    answer();
    give(5, 1, migrate(4, 5));
    assertThat(next()).isInstanceOf(FromAgent.Progress.class);
    assertThat(answer())
        .isInstanceOfSatisfying(
            Answer.Migrated.class, m -> assertThat(m.downtime()).contains(Duration.ofMillis(10)));
    give(5, 1, start(4));
    assertThat(answer()).isInstanceOf(Answer.Refused.class);
    stop();
    restart();
    give(6, 1, migrate(4, 5));
    assertThat(answer()).isInstanceOf(Answer.Migrated.class);
    give(6, 1, migrate(4, 6));
    assertThat(answer()).isInstanceOf(Answer.Refused.class);
  }

  @Test
  void theAnswerDoesNotWaitForLibvirtOnceTheSourcesProcessHasEnded() throws Exception {
    give(5, 1, start(4));
    answer();
    libvirt.endsEarly = true;
    var returns = new CountDownLatch(1);
    libvirt.before.put("migrate", _ -> await(returns));
    give(5, 1, migrate(4, 5));
    assertThat(next()).isInstanceOf(FromAgent.Progress.class);
    assertThat(answer()).isInstanceOf(Answer.Migrated.class);
    returns.countDown();
    give(5, 1, new Order.ConfirmGone(WEB, new Epoch(4), false));
    assertThat(answer()).isInstanceOf(Answer.Gone.class); // and not Migrated a second time
  }

  @Test
  void aMigrationThatFailedLeavesTheGuestWhereItIs() throws Exception {
    give(5, 1, start(4));
    answer();
    libvirt.migration =
        new Hypervisor.MigrationResult.Failed(
            1,
            "no route",
            java.util.Optional.of(new LibvirtState(Run.RUNNING, Why.MIGRATION_CANCELED)));
    give(5, 1, migrate(4, 5));
    next();
    assertThat(answer()).isEqualTo(new Answer.Failed("no route"));
    give(5, 1, start(4));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
  }

  @Test
  void anArrivedGuestGoesOnOnlyUnderItsEpochAndWhenItsMigrationHasEnded() throws Exception {
    libvirt.put("web", Run.PAUSED, Why.MIGRATION, 5);
    give(5, 1, new Order.ResumeGuest(WEB, new Epoch(5), true));
    while (libvirt.calls.stream().filter(c -> c.equals("resume web 5")).count() < 3) {
      Thread.onSpinWait();
    }
    libvirt.put("web", Run.PAUSED, Why.USER, 5);
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    assertThat(libvirt.runs("web")).isTrue();
    give(5, 1, new Order.ResumeGuest(WEB, new Epoch(6), true));
    assertThat(answer()).isInstanceOf(Answer.Failed.class);
  }

  @Test
  void aGuestThatStayedGoesOnUnlessItsOwnerPausedIt() throws Exception {
    libvirt.put("web", Run.PAUSED, Why.USER, 4);
    give(5, 1, new Order.ResumeGuest(WEB, new Epoch(4), false));
    assertThat(answer()).asString().contains("Done", "its owner");
    assertThat(libvirt.runs("web")).isFalse();
    libvirt.put("web", Run.PAUSED, Why.MIGRATION, 4);
    give(5, 1, new Order.ResumeGuest(WEB, new Epoch(4), false));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    assertThat(libvirt.runs("web")).isTrue();
  }

  @Test
  void aMigrationBeginsOnceHoweverOftenItsOrderComes() throws Exception {
    give(5, 1, start(4));
    answer();
    libvirt.migration =
        new Hypervisor.MigrationResult.Failed(
            9,
            "broke",
            java.util.Optional.of(new LibvirtState(Run.RUNNING, Why.MIGRATION_CANCELED)));
    give(5, 1, migrate(4, 5));
    assertThat(answer()).isEqualTo(new Answer.Failed("broke"));
    give(5, 1, migrate(4, 5));
    assertThat(answer()).asString().contains("Failed", "begun before");
    restart();
    give(5, 1, migrate(4, 5));
    assertThat(answer()).asString().contains("Failed", "begun before");
    give(5, 1, new Order.AbortMigration(WEB, new Epoch(4), new Epoch(6)));
    answer();
    give(5, 1, migrate(4, 6));
    assertThat(answer()).asString().contains("Failed", "called off");
    assertThat(libvirt.calls.stream().filter(c -> c.startsWith("migrate"))).hasSize(1);
  }

  @Test
  void whatABrokenMigrationLeftPausedIsStillThere() throws Exception {
    give(5, 1, start(4));
    answer();
    libvirt.migration =
        new Hypervisor.MigrationResult.Failed(
            9, "broke late", java.util.Optional.of(new LibvirtState(Run.PAUSED, Why.MIGRATION)));
    libvirt.before.put("migrate", _ -> libvirt.put("web", Run.PAUSED, Why.MIGRATION, 4));
    give(5, 1, migrate(4, 5));
    assertThat(answer()).isInstanceOf(Answer.StillThere.class);
  }

  @Test
  void aDiskThatIsLockedIsToldApartFromOtherFailures() throws Exception {
    libvirt.instead.put(
        "start",
        () ->
            new Hypervisor.Outcome.Failed(
                1, "internal error: process exited: Failed to get \"write\" lock"));
    give(5, 1, start(4));
    assertThat(((Answer.Gone) answer()).cause()).contains(Answer.Cause.DISK_LOCKED);
    libvirt.instead.put("start", () -> new Hypervisor.Outcome.Failed(1, "no such file"));
    give(5, 1, start(5));
    assertThat(((Answer.Gone) answer()).cause()).isEmpty();
  }

  @Test
  void aLeaseThatEndsWhileAGuestIsCreatedLeavesItPausedUntilItIsOrderedAgain() throws Exception {
    libvirt.before.put("created", _ -> noLease = java.util.Optional.of("its lease has ended"));
    give(5, 1, start(4));
    assertThat(answer()).isEqualTo(new Answer.Unknown("its lease has ended"));
    assertThat(look("web").run()).isEqualTo(Run.PAUSED);
    stop();
    restart();
    noLease = java.util.Optional.empty();
    assertThat(book.created()).containsEntry(WEB, new Epoch(4));
    assertThat(book.paused()).as("it goes on with no lease alone").isEmpty();
    give(5, 1, start(4));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    assertThat(libvirt.runs("web")).isTrue();
    assertThat(book.created()).isEmpty();
    libvirt.put("web", Run.PAUSED, Why.USER, 4); // its owner, this time
    give(5, 1, start(4));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    assertThat(libvirt.runs("web")).isFalse();
  }

  @Test
  void aGuestThatWasCreatedAndNeverLetRunIsNotItsOwnersPause() throws Exception {
    libvirt.before.put("created", _ -> noLease = java.util.Optional.of("its lease has ended"));
    give(5, 1, start(4));
    answer();
    stop();
    restart(); // nor for the next process
    assertThat(isHere(4)).isEqualTo(DomainState.INCOMING);
    assertThat(GuestKeeper.said(book, domain("web"), NOPLogger.NOP_LOGGER).state())
        .as("as the leader is told without asking")
        .isEqualTo(DomainState.INCOMING);
    noLease = java.util.Optional.empty();
    give(5, 1, start(4));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    libvirt.put("web", Run.PAUSED, Why.USER, 4);
    assertThat(isHere(4)).as("paused by its owner").isEqualTo(DomainState.PAUSED);
  }

  @Test
  void aGuestThatHasArrivedAndWasNeverLetRunIsNotItsOwnersPause() throws Exception {
    orders.expect(Map.of(WEB, new Epoch(5)));
    give(5, 1, new Order.ConfirmGone(new GuestId("db"), new Epoch(1), false));
    answer();
    libvirt.put("web", Run.PAUSED, Why.USER, 5);
    noLease = java.util.Optional.of("its lease has ended");
    give(5, 1, new Order.ResumeGuest(WEB, new Epoch(5), true));
    answer();
    stop();
    restart();
    assertThat(isHere(5)).isEqualTo(DomainState.INCOMING);
    noLease = java.util.Optional.empty();
    give(5, 1, new Order.ResumeGuest(WEB, new Epoch(5), true));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    libvirt.put("web", Run.PAUSED, Why.USER, 5);
    assertThat(isHere(5)).isEqualTo(DomainState.PAUSED);
  }

  @Test
  void aGuestThatWasHereBeforeTheOrderBookIsItsOwnersPause() throws Exception {
    libvirt.put("web", Run.PAUSED, Why.USER, 4); // the book was damaged, and moved away by hand
    orders.expect(Map.of(WEB, new Epoch(4)));
    give(5, 1, new Order.ResumeGuest(WEB, new Epoch(4), false));
    assertThat(answer()).asString().contains("its owner");
    assertThat(isHere(4)).isEqualTo(DomainState.PAUSED);
  }

  @Test
  void aGuestThatLibvirtDoesNotTellOfInTimeIsItsOwnersPause() throws Exception {
    libvirt.put("web", Run.PAUSED, Why.USER, 4); // the book was damaged, and moved away by hand
    libvirt.mute = true;
    orders.expect(Map.of(WEB, new Epoch(4)));
    awaitSeen(4);
    libvirt.mute = false;
    give(5, 1, new Order.ConfirmGone(new GuestId("db"), new Epoch(1), false));
    answer();
    assertThat(isHere(4)).as("else it stays paused in silence").isEqualTo(DomainState.PAUSED);
    assertThat(book.mayRun(WEB, new Epoch(4))).as("it counts while libvirt is away").isTrue();
  }

  @Test
  void whatArrivesWhileLibvirtDoesNotTellIsNotedBeforeItIsLetRun() throws Exception {
    libvirt.mute = true;
    orders.expect(Map.of(WEB, new Epoch(5)));
    awaitSeen(5);
    libvirt.mute = false;
    give(5, 1, new Order.ConfirmGone(new GuestId("db"), new Epoch(1), false));
    answer();
    libvirt.put("web", Run.PAUSED, Why.USER, 5);
    var noted = new java.util.concurrent.atomic.AtomicBoolean();
    libvirt.before.put("resumed", _ -> noted.set(new Epoch(5).equals(book.notRun().get(WEB))));
    give(5, 1, new Order.ResumeGuest(WEB, new Epoch(5), true));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    assertThat(noted).as("the next process knows that it may yet run").isTrue();
    assertThat(book.notRun()).isEmpty();
  }

  private void awaitSeen(long epoch) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (!book.seen(WEB, new Epoch(epoch))) {
      assertThat(System.nanoTime() - deadline).as("it is remembered within 10 s").isNegative();
      Thread.onSpinWait();
    }
  }

  @Test
  void aGuestThatRunsWasLetRunAlsoWhereTheDiskTakesNoNoteOfIt() throws Exception {
    libvirt.before.put("created", _ -> diskIsFull = true);
    give(5, 1, start(4));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    libvirt.put("web", Run.PAUSED, Why.USER, 4);
    assertThat(isHere(4)).isEqualTo(DomainState.PAUSED);
    libvirt.put("web", Run.RUNNING, Why.UNPAUSED, 4);
    diskIsFull = false;
    stop();
    restart();
    assertThat(GuestKeeper.said(book, domain("web"), NOPLogger.NOP_LOGGER).state())
        .isEqualTo(DomainState.RUNNING);
    stop();
    restart();
    libvirt.put("web", Run.PAUSED, Why.USER, 4);
    assertThat(isHere(4)).as("seen running since, and noted").isEqualTo(DomainState.PAUSED);
  }

  @Test
  void aGuestThatIsGoneWaitsForNothing() throws Exception {
    libvirt.before.put("created", _ -> noLease = java.util.Optional.of("its lease has ended"));
    give(5, 1, start(4));
    answer();
    give(5, 1, new Order.ConfirmGone(WEB, new Epoch(4), true));
    assertThat(answer()).isInstanceOf(Answer.Gone.class);
    assertThat(OrderBook.open(data).created())
        .as("the next process would feed no watchdog for 40 s")
        .isEmpty();
  }

  private DomainState isHere(long epoch) throws InterruptedException {
    give(5, 1, new Order.ConfirmGone(WEB, new Epoch(epoch), false));
    return ((Answer.StillThere) answer()).domain().state();
  }

  private Hypervisor.Domain domain(String name) {
    return java.util.Objects.requireNonNull(libvirt.domains.get(name));
  }

  @Test
  void aGuestIsInTheOrderBookBeforeItIsCreated() throws Exception {
    libvirt.before.put(
        "created",
        _ -> {
          try {
            assertThat(OrderBook.open(data).created()).containsEntry(WEB, new Epoch(4));
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        });
    give(5, 1, start(4));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
  }

  private LibvirtState look(String name) {
    return java.util.Objects.requireNonNull(libvirt.domains.get(name)).state();
  }

  @Test
  void withoutALeaseNothingIsLetRun() throws Exception {
    noLease = java.util.Optional.of("no lease names it");
    give(5, 1, start(4));
    assertThat(answer()).isEqualTo(new Answer.Unknown("no lease names it"));
    libvirt.put("web", Run.PAUSED, Why.USER, 4);
    give(5, 1, new Order.ResumeGuest(WEB, new Epoch(4), true));
    assertThat(answer()).isEqualTo(new Answer.Unknown("no lease names it"));
    assertThat(libvirt.runs("web")).isFalse();
    noLease = java.util.Optional.empty();
    give(5, 1, new Order.ResumeGuest(WEB, new Epoch(4), true));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
  }

  @Test
  void anAbortDoesNotWaitBehindTheMigrationItStops() throws Exception {
    give(5, 1, start(4));
    answer();
    var cancelled = new CountDownLatch(1);
    libvirt.before.put("cancel", _ -> cancelled.countDown());
    libvirt.before.put("migrate", _ -> await(cancelled));
    libvirt.migration =
        new Hypervisor.MigrationResult.Failed(
            78,
            "cancelled",
            java.util.Optional.of(new LibvirtState(Run.RUNNING, Why.MIGRATION_CANCELED)));
    give(5, 1, migrate(4, 5));
    next();
    give(5, 1, new Order.AbortMigration(WEB, new Epoch(4), new Epoch(5)));
    assertThat(List.of(answer(), answer()))
        .hasAtLeastOneElementOfType(Answer.Done.class)
        .contains(new Answer.Failed("cancelled"));
  }

  @Test
  void aCheckTellsWhatIsInTheWay() throws Exception {
    give(5, 1, precheck(5));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    libvirt.obstacles = List.of("no bridge br7");
    give(5, 1, precheck(5));
    assertThat(answer()).isEqualTo(new Answer.Failed("no bridge br7"));
    libvirt.obstacles = List.of();
    give(
        5,
        1,
        new Order.Precheck(WEB, new Epoch(5), "<domain><memory unit='GiB'>64</memory></domain>"));
    assertThat(answer()).asString().contains("65536 MiB", "8192 MiB are free");
    for (var unit : List.of("g", "gib")) { // libvirt takes them in any case
      give(
          5,
          1,
          new Order.Precheck(
              WEB,
              new Epoch(5),
              "<domain><!-- <memory>1</memory> --><memory unit='%s'>64</memory></domain>"
                  .formatted(unit)));
      assertThat(answer()).asString().contains("65536 MiB", "8192 MiB are free");
    }
    libvirt.put("web", Run.RUNNING, Why.BOOTED, 2);
    give(5, 1, precheck(5));
    assertThat(answer()).isInstanceOf(Answer.Failed.class);
  }

  @Test
  void aHostWithoutALeaseTakesNoGuestFromAnother() throws Exception {
    noLease = java.util.Optional.of("this host has no lease");
    give(5, 1, precheck(5));
    assertThat(answer()).isEqualTo(new Answer.Failed("this host has no lease"));
  }

  // ---- the same and others ----

  @Test
  void theSameOrderGivenTwiceIsDoneOnceAndAnsweredTwiceAndOtherGuestsDoNotWait() throws Exception {
    var goOn = new CountDownLatch(1);
    var began = new CountDownLatch(1);
    libvirt.before.put(
        "start",
        name -> {
          if (name.equals("web")) {
            began.countDown();
            await(goOn);
          }
        });
    give(5, 1, start(4));
    began.await();
    give(5, 1, start(4));
    give(5, 1, new Order.StartGuest(new GuestId("db"), new Epoch(1), XML));
    var first = (FromAgent.AnswerFrame) next();
    assertThat(first.order()).isEqualTo(3);
    goOn.countDown();
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    assertThat(libvirt.calls.stream().filter("start web 4"::equals)).hasSize(1);
  }

  @Test
  void ordersForOneGuestNeverOverlapHoweverFastTheyFollow() throws Exception {
    var inside = new AtomicInteger();
    var most = new AtomicInteger();
    libvirt.before.put(
        "start",
        _ -> {
          most.accumulateAndGet(inside.incrementAndGet(), Math::max);
          Thread.yield();
          inside.decrementAndGet();
        });
    for (int i = 1; i <= 300; i++) {
      give(5, 1, start(i));
      if (i % 3 > 0) {
        assertThat(answer())
            .isNotNull(); // the next comes just when this one's thread looks for more
      }
    }
    for (int i = 0; i < 100; i++) {
      assertThat(answer()).isNotNull();
    }
    assertThat(most.get()).isEqualTo(1);
    assertThat(libvirt.calls.stream().filter(c -> c.startsWith("start"))).hasSize(300);
  }

  @Test
  void aStartThatIsGivenAgainBringsNoGuestBackThatHasEndedSince() throws Exception {
    give(5, 1, start(4));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    give(5, 1, start(4));
    assertThat(answer()).isEqualTo(new Answer.Done("ran already"));
    libvirt.crash("web"); // or its owner shut it down
    give(5, 1, start(4));
    assertThat(answer()).isInstanceOf(Answer.Gone.class);
    assertThat(libvirt.runs("web")).isFalse();
    give(5, 1, start(5));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    assertThat(libvirt.runs("web")).isTrue();
  }

  @Test
  void aForgottenGuestIsUndefinedAndItsNameMayBeginAnew() throws Exception {
    give(5, 1, start(4));
    answer();
    give(5, 1, new Order.StopGuest(WEB, new Epoch(4), Duration.ZERO));
    answer();
    give(5, 1, new Order.ForgetGuest(WEB, new Epoch(4)));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
    assertThat(libvirt.domains).isEmpty();
    give(5, 1, start(1));
    assertThat(answer()).isInstanceOf(Answer.Done.class);
  }

  private static Order start(long epoch) {
    return new Order.StartGuest(WEB, new Epoch(epoch), XML);
  }

  private static Order precheck(long epoch) {
    return new Order.Precheck(WEB, new Epoch(epoch), XML);
  }

  private static Order migrate(long epoch, long targetEpoch) {
    return new Order.MigrateOut(
        WEB,
        new Epoch(epoch),
        new Epoch(targetEpoch),
        new HostId("b"),
        "qemu+tls://b/system",
        "10.77.2.2",
        0);
  }

  private void give(long term, long generation, Order order) {
    orders.take(new OrderFrame(1, ++number, term, generation, order));
  }

  private FromAgent next() throws InterruptedException {
    var frame = said.poll(10, TimeUnit.SECONDS);
    assertThat(frame).as("an answer within 10 s").isNotNull();
    return java.util.Objects.requireNonNull(frame);
  }

  private Answer answer() throws InterruptedException {
    while (true) {
      if (next() instanceof FromAgent.AnswerFrame a) {
        return a.answer();
      }
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(10, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
