package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.lab.BmcMode;
import dev.haven.lab.ClockReading;
import dev.haven.lab.ConsoleWatch;
import dev.haven.lab.CopiesWatch;
import dev.haven.lab.Daemon;
import dev.haven.lab.Demo;
import dev.haven.lab.Lab;
import dev.haven.lab.LabClient;
import dev.haven.lab.LabException;
import dev.haven.lab.LabGuests;
import dev.haven.lab.LabOptions;
import dev.haven.lab.LabStatus;
import dev.haven.lab.QemuWatch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Views;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/**
 * What operators live through, on a lab of real parts: libvirt, QEMU, BMCs, and the daemons as
 * {@code ./haven} has built them. One lab, one story: each journey begins where the one before left
 * the cluster, all hosts online and all guests running.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class JourneyTest {
  /** For a machine with its hands full; nothing here takes a third of it on two idle processors. */
  private static final Duration LIMIT = Duration.ofSeconds(90);

  private static final Duration STOPPED = Duration.ofSeconds(8);
  private static final GuestId WATCHED = new GuestId("watched");
  private static final Pattern FAILED_FENCE =
      Pattern.compile("attempt (\\d+) to cut its power; before: .* --confirm-dead");

  private boolean arrived = true;
  private final ByteArrayOutputStream told = new ByteArrayOutputStream();
  private Path directory = Path.of("/");
  private LabOptions options = LabOptions.defaults();

  @BeforeAll
  void find(@TempDir Path temporary) {
    Assumptions.assumeTrue(
        Lab.isRoot(), "SKIPPED: a lab builds namespaces and needs root; run the tests as root");
    directory = temporary;
    var jars = Path.of("").toAbsolutePath().resolveSibling("target/haven/lib");
    assertThat(jars).as("what ./haven builds; run the tests by ./haven test").isDirectory();
    options = LabOptions.defaults().withDirectory(directory.resolve("lab")).withDaemons(jars);
  }

  @AfterAll
  void down() {
    Lab.find(directory.resolve("lab")).ifPresent(lab -> lab.down((_, _) -> {}));
  }

  private Lab lab() {
    return Lab.open(directory.resolve("lab"));
  }

  private LabClient client() {
    return LabVerbs.client(
        new Haven(surroundings(new ByteArrayOutputStream(), new ByteArrayOutputStream())), lab());
  }

  private Surroundings surroundings(ByteArrayOutputStream out, ByteArrayOutputStream err) {
    return new Surroundings(
        new ByteArrayInputStream(new byte[0]),
        new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8),
        Map.of("HAVEN_CONFIG", directory.resolve("lab/cli.yaml").toString()),
        directory,
        false,
        false,
        false);
  }

  /** As an operator types it. Returns what was printed. */
  private String haven(int exit, String... arguments) {
    var out = new ByteArrayOutputStream();
    var err = new ByteArrayOutputStream();
    int ended = Main.run(arguments, surroundings(out, err));
    var said = out.toString(StandardCharsets.UTF_8) + err.toString(StandardCharsets.UTF_8);
    assertThat(ended).as("haven %s: %s", String.join(" ", arguments), said).isEqualTo(exit);
    return said;
  }

  /** A journey that begins where another got stuck would tell nothing. */
  @BeforeEach
  void setOut() {
    Assumptions.assumeTrue(arrived, "SKIPPED: an earlier journey did not arrive");
    arrived = false;
  }

  // ---- the journeys -----------------------------------------------------------------------------

  @Test
  @Order(1)
  void guestsAreMadeMovedAndOutliveTheirHost() {
    var out = new PrintStream(told, true, StandardCharsets.UTF_8);
    var record =
        new Demo(out, false, _ -> client()).run(options, 4); // fails unless every guest comes up
    assertThat(record.firsts()).containsKeys("suspect", "off-read-2", "proof", "guest-up");
    var lost =
        lab().hosts().stream().filter(h -> !lab().isOn(h.id())).findFirst().orElseThrow().id();

    lab().powerOn(lost);
    allWell();
    assertThat(lab(lost).guests()).as("a host that comes back starts nothing by itself").isEmpty();
    arrived = true;
  }

  @Test
  @Order(2)
  void everyDaemonDiesAtOnceAndNoGuestNotices() {
    var before = restarts();
    unharmed(() -> forEachDaemon(lab()::kill));
    assertThat(restarts())
        .allSatisfy((name, count) -> assertThat(count).isGreaterThan(before.get(name)));
    arrived = true;
  }

  @Test
  @Order(3)
  void everyDaemonStandsStillForEightSecondsAndNoGuestNotices() {
    unharmed(
        () -> {
          forEachDaemon(lab()::stop);
          var since = ClockReading.now();
          await("the eight seconds", () -> since.until(ClockReading.now()).compareTo(STOPPED) >= 0);
          forEachDaemon(lab()::cont);
        });
    arrived = true;
  }

  @Test
  @Order(4)
  void aHostThatNobodyCanReachKeepsItsGuestsUntilAnOperatorHasSeenItDead() {
    var victim = hostWithGuests();
    try (var processes = QemuWatch.start(lab())) {
      var theirs = processes.running().stream().filter(s -> s.host().equals(victim)).toList();
      lab().bmc(victim, BmcMode.HANG);
      var cut = lab().cut(victim, Optional.empty());
      int attempt = awaitFailedFences(victim, 1);
      assertThat(haven(0, "status"))
          .contains(victim + ": attempt")
          .contains("haven fence " + victim + " --confirm-dead");
      assertThat(processes.running()).as("cut off, they run on").containsAll(theirs);

      lab().cutPower(victim); // and its BMC, which hangs, tells nobody
      awaitFailedFences(victim, attempt);
      for (var guest : theirs) {
        assertThat(processes.awaitStart(guest.guest(), cut, Duration.ZERO))
            .as("without proof it starts nowhere")
            .isEmpty();
      }

      haven(2, "fence", victim.value(), "--confirm-dead", "--sentence", "it is off");
      haven(
          0,
          "fence",
          victim.value(),
          "--confirm-dead",
          "--sentence",
          "host " + victim + " is off and stays off");
      for (var guest : theirs) {
        var started = processes.awaitStart(guest.guest(), cut, LIMIT);
        assertThat(started).as("guest %s starts again", guest.guest()).isPresent();
        assertThat(started.orElseThrow().host()).isNotEqualTo(victim);
      }
      scene().awaitRunning(LIMIT);

      var back = ClockReading.now();
      lab().bmc(victim, BmcMode.OK);
      lab().heal(victim);
      lab().powerOn(victim);
      allWell();
      assertThat(lab(victim).guests()).as("a host that comes back starts nothing").isEmpty();
      for (var guest : theirs) {
        assertThat(processes.awaitStart(guest.guest(), back, Duration.ZERO)).isEmpty();
      }
    }
    arrived = true;
  }

  @Test
  @Order(5)
  void aGuestThatMigratesNeverRunsTwiceThoughNoLockWouldStopIt() {
    client().command(new Command.CreateGuest(scene().describeWatched(WATCHED), true));
    scene().awaitRunning(LIMIT);
    try (var processes = QemuWatch.start(lab());
        var copies = CopiesWatch.start(processes, WATCHED.value(), LIMIT)) {
      var from = hostOf(WATCHED);
      scene().perform(new Command.Migrate(WATCHED, Optional.empty()), LIMIT);
      var to = hostOf(WATCHED);
      assertThat(to).isNotEqualTo(from);
      var arrival = copies.turns().stream().filter(t -> t.host().equals(to)).toList();
      assertThat(arrival.getFirst().runs()).as("it arrives paused").isFalse();
      assertThat(arrival.getLast().runs()).isTrue();
      assertThat(arrival.getLast().othersAlive())
          .as("it goes on only after its old process is gone")
          .isEmpty();
      assertThat(copies.doubleRuns()).isEmpty();
      assertThat(ticks()).as("no tick was counted twice").doesNotHaveDuplicates();
    }
    arrived = true;
  }

  @Test
  @Order(6)
  void aMigrationWhoseTargetLosesItsLibvirtAtTheLastMomentLeavesOneCopy() {
    try (var processes = QemuWatch.start(lab());
        var copies = CopiesWatch.start(processes, WATCHED.value(), LIMIT)) {
      var from = hostOf(WATCHED);
      var to = lab().hosts().stream().map(h -> h.id()).filter(h -> !h.equals(from)).findFirst();
      var doomed = lab().pid(to.orElseThrow(), Daemon.LIBVIRTD).orElseThrow();
      var moving = client().command(new Command.Migrate(WATCHED, to)).operation().orElseThrow();
      var switchover = copies.await(turn -> turn.host().equals(from) && !turn.runs(), LIMIT);
      ProcessHandle.of(doomed).ifPresent(ProcessHandle::destroyForcibly);
      assertThat(switchover).as("the source stops the guest to hand it over").isPresent();
      scene()
          .await(
              "the operation to end",
              LIMIT,
              s -> s.operations().stream().anyMatch(o -> o.id().equals(moving) && o.over()));
      allWell();
      await(
          "one copy to be left",
          () ->
              processes.running().stream().filter(s -> s.guest().equals(WATCHED.value())).count()
                  == 1);
      assertThat(hostOf(WATCHED))
          .isEqualTo(
              processes.running().stream()
                  .filter(s -> s.guest().equals(WATCHED.value()))
                  .findFirst()
                  .orElseThrow()
                  .host());
      assertThat(copies.doubleRuns()).isEmpty();
      assertThat(ticks()).as("no tick was counted twice").doesNotHaveDuplicates();
      try (var console = ConsoleWatch.start(lab().console(WATCHED.value()))) {
        assertThat(console.await(l -> l.text().startsWith("TICK "), ClockReading.now(), LIMIT))
            .as(() -> "it lives; what its agents said last: " + lastWords())
            .isPresent();
      }
    }
    arrived = true;
  }

  // ---- what they have in common -----------------------------------------------------------------

  /**
   * The end of each agent's log: the lab and all in it are gone when somebody reads of a failure.
   */
  private String lastWords() {
    var words = new StringBuilder();
    for (var host : lab().hosts()) {
      try {
        var log = Files.readAllLines(host.directory().resolve("log/agent.log"));
        words.append("\nhost ").append(host.id()).append('\n');
        log.subList(Math.max(0, log.size() - 15), log.size())
            .forEach(line -> words.append(line).append('\n'));
      } catch (IOException e) {
        words.append(host.id()).append(": ").append(e);
      }
    }
    return words.toString();
  }

  /** Does something to the daemons; afterwards the same guests run in the same processes. */
  private void unharmed(Runnable fault) {
    long mark = lastEvent();
    try (var processes = QemuWatch.start(lab())) {
      var before = pids(processes);
      assertThat(before).isNotEmpty();
      fault.run();
      allWell();
      assertThat(pids(processes)).isEqualTo(before);
      assertThat(client().events(mark))
          .filteredOn(e -> e.kind() == Fact.Kind.DECISION)
          .extracting(Views.Event::message)
          .noneMatch(m -> m.startsWith("fence ") || m.startsWith("start "));
    }
  }

  private static Map<String, Long> pids(QemuWatch processes) {
    var pids = new TreeMap<String, Long>();
    processes.running().forEach(s -> pids.put(s.guest(), s.pid()));
    return pids;
  }

  private interface OnDaemon {
    ClockReading act(HostId host, Daemon daemon);
  }

  private void forEachDaemon(OnDaemon action) {
    for (var host : lab().hosts()) {
      for (var daemon : Daemon.values()) {
        action.act(host.id(), daemon);
      }
    }
  }

  private Map<String, Integer> restarts() {
    var counts = new TreeMap<String, Integer>();
    for (var host : lab().status().hosts()) {
      host.daemons().forEach((d, process) -> counts.put(host.id() + " " + d, process.restarts()));
    }
    return counts;
  }

  private void allWell() {
    scene()
        .await(
            "all hosts and voters to be well, and all guests to run",
            LIMIT,
            s ->
                s.hosts().stream().allMatch(h -> h.state() == Views.Host.State.ONLINE)
                    && s.voters().size() == 3
                    && s.voters().stream().allMatch(v -> v.reachable() && v.lag() == 0)
                    && s.guests().stream().allMatch(g -> g.state() == Views.Guest.State.RUNNING)
                    && s.operations().stream().allMatch(Views.Operation::over));
  }

  /**
   * Waits until status says what to do about a host that cannot be fenced, and that at least so
   * many attempts have failed.
   *
   * @return the attempt that is under way
   */
  private int awaitFailedFences(HostId host, int failed) {
    var attempt = new AtomicInteger();
    scene()
        .await(
            "%d fences of host %s to have failed, and status to say so".formatted(failed, host),
            LIMIT,
            s ->
                s.hosts().stream()
                    .filter(h -> h.id().equals(host))
                    .map(h -> FAILED_FENCE.matcher(h.waiting().orElse("")))
                    .anyMatch(
                        found -> {
                          if (found.find()) {
                            attempt.set(Integer.parseInt(found.group(1)));
                          }
                          return attempt.get() > failed;
                        }));
    return attempt.get();
  }

  private long lastEvent() {
    return client().events(0).stream().mapToLong(Views.Event::index).max().orElse(0);
  }

  private LabGuests scene() {
    return new LabGuests(lab(), client());
  }

  private LabStatus.Host lab(HostId host) {
    return lab().status().hosts().stream()
        .filter(h -> h.id().equals(host))
        .findFirst()
        .orElseThrow();
  }

  private HostId hostOf(GuestId guest) {
    return client().status().guests().stream()
        .filter(g -> g.id().equals(guest))
        .findFirst()
        .flatMap(Views.Guest::host)
        .orElseThrow();
  }

  /** One with guests, and not the leader's, if there is a choice. */
  private HostId hostWithGuests() {
    var status = client().status();
    var hosts = new TreeSet<HostId>(java.util.Comparator.comparing(HostId::value));
    status.guests().forEach(g -> g.host().ifPresent(hosts::add));
    return hosts.stream()
        .filter(h -> !status.leader().equals(Optional.of(h.value())))
        .findFirst()
        .orElse(hosts.first());
  }

  /** The ticks that the guest has counted on its console, of whichever copy. */
  private List<String> ticks() {
    return lab().consoleText(WATCHED.value()).lines().filter(l -> l.startsWith("TICK ")).toList();
  }

  private static void await(String what, BooleanSupplier condition) {
    var deadline = System.nanoTime() + LIMIT.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - deadline > 0) {
        throw new LabException("waited in vain for " + what);
      }
      LockSupport.parkNanos(20_000_000);
    }
  }
}
