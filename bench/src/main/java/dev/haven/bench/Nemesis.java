package dev.haven.bench;

import dev.haven.raft.Timing;
import dev.haven.raft.Voter;
import dev.haven.raft.VoterFaults;
import dev.haven.raft.VoterSettings;
import dev.haven.raft.port.ReplicatedLog;
import dev.haven.raft.port.ReplicatedLog.VoterAddress;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Real voters over loopback TCP in this process, clients that write and read, and everything that
 * can go wrong with networks, disks, power and operators, by chance. Afterwards, and all the while:
 *
 * <ul>
 *   <li>no acknowledged write is lost, no refused one happened;
 *   <li>what each register's clients saw is linearizable;
 *   <li>all voters applied the same commands at the same places, and none twice;
 *   <li>no key but a member's is let in, and no garbage ends a voter;
 *   <li>a log can always be opened after a power loss;
 *   <li>once everything is healed there is a leader within 20 s.
 * </ul>
 *
 * The seed chooses the faults; threads and sockets are real, so two runs of one seed differ. There
 * are no clock jumps because the voters look at no clock that can jump ({@link System#nanoTime()}
 * alone).
 */
public final class Nemesis {
  private static final int CLIENTS = 4;
  static final long PATIENCE_SECONDS = 3;

  /** How long after healing a leader may take on a busy machine. */
  private static final long RECOVERY_SECONDS = 20;

  /** A mistake put in on purpose, to see that the nemesis finds it. */
  enum Flaw {
    NONE,
    /** Disks whose sync returns without having synced. */
    LYING_DISKS,
    /** Reads from any voter, not through the log. */
    LOCAL_READS
  }

  final class Member {
    final String name;
    private final VoterAddress address;
    private final MemoryDisk disk;
    volatile @Nullable Voter voter;
    volatile Registers registers;
    private volatile boolean halted;

    Member(String name, VoterAddress address, MemoryDisk disk) {
      this.name = name;
      this.address = address;
      this.disk = disk;
      registers = new Registers(name, witness);
    }

    boolean leads() {
      return voter instanceof Voter running && running.leadership().ready();
    }

    void start() {
      for (int attempt = 0; ; attempt++) {
        halted = false;
        int life = disk.life();
        registers = new Registers(name, witness);
        var settings =
            new VoterSettings(
                cluster(),
                name,
                address.raft(),
                members.stream().map(member -> member.address).toList(),
                Optional.of(strangers.voter(name)),
                Strangers::voterOf,
                Timing.DEFAULT,
                4 << 20,
                256 << 10,
                (reason, cause) -> {
                  halted = true;
                  if (!disk.lostPowerSince(life)) {
                    violation("voter %s halted by itself: %s: %s".formatted(name, reason, cause));
                  }
                },
                Optional.empty(),
                new VoterFaults() {
                  @Override
                  public void carry(String to, Runnable message) {
                    if (!cut.contains(name + ">" + to)) {
                      carrier.carry(name + ">" + to, late, message);
                    }
                  }

                  @Override
                  public void beforeHandshake() {
                    if (late) {
                      sleep(ThreadLocalRandom.current().nextInt(300, 1000));
                    }
                  }
                });
        try {
          var started = Voter.start(settings, disk.mount(), registers);
          started.onLeadership(
              leadership -> {
                if (leadership.ready()) {
                  leaderships.incrementAndGet();
                }
              });
          voter = started;
          return;
        } catch (IOException | RuntimeException e) {
          boolean hitAgain = disk.lostPowerSince(life);
          boolean portBusy = String.valueOf(e.getMessage()).contains("cannot listen");
          boolean full = String.valueOf(e.getMessage()).contains("No space left");
          if (!hitAgain && !portBusy && !full || attempt > 100) {
            violation("voter %s does not start: %s".formatted(name, e));
            return;
          }
          sleep(50);
        }
      }
    }

    void stop() {
      var running = voter;
      voter = null;
      if (running != null) {
        running.close();
      }
    }

    /** The power goes: nothing is closed in order. */
    void crash() {
      disk.losePower();
      stop();
    }
  }

  private final long seed;
  private final Random random;
  final Flaw flaw;
  private final PrintStream progress;
  final List<Member> members = new ArrayList<>();
  private final Registers.Witness witness = new Registers.Witness();
  private final Set<String> cut = ConcurrentHashMap.newKeySet();
  private final Map<String, Integer> faults = new ConcurrentSkipListMap<>();
  private final Queue<String> violations = new ConcurrentLinkedQueue<>();
  private final AtomicLong leaderships = new AtomicLong();
  private final long began = System.nanoTime();
  final Ledger ledger = new Ledger(began);
  private final Strangers strangers;
  private final Carrier carrier = new Carrier();

  /** Whether everything between the voters is 0.3 to 1 s late. */
  private volatile boolean late;

  volatile boolean over;

  private Nemesis(long seed, int voters, Flaw flaw, PrintStream progress) throws IOException {
    this.seed = seed;
    this.flaw = flaw;
    this.progress = progress;
    random = new Random(seed);
    for (int i = 0; i < voters; i++) {
      var name = String.valueOf((char) ('a' + i));
      var ip = "127.0.1." + (i + 1);
      var address = new VoterAddress(name, ip + ":" + FreePorts.at(ip));
      boolean lies = flaw == Flaw.LYING_DISKS;
      members.add(new Member(name, address, new MemoryDisk(name, lies, seed + i)));
    }
    strangers = new Strangers(members.stream().map(member -> member.address).toList());
  }

  private String cluster() {
    return "nemesis-" + seed;
  }

  /**
   * Runs for a time; three voters, or five if the seed is a multiple of five.
   *
   * @param progress gets a line every ten seconds
   */
  public static NemesisReport run(Duration length, long seed, PrintStream progress)
      throws IOException, InterruptedException {
    return run(length, seed, seed % 5 == 0 ? 5 : 3, Flaw.NONE, progress);
  }

  static NemesisReport run(Duration length, long seed, int voters, Flaw flaw, PrintStream progress)
      throws IOException, InterruptedException {
    return new Nemesis(seed, voters, flaw, progress).run(length);
  }

  private NemesisReport run(Duration length) throws InterruptedException {
    members.forEach(Member::start);
    awaitLeader("at the start");
    var clients = new ArrayList<Thread>();
    for (int i = 0; i < CLIENTS; i++) {
      var chance = new Random(seed * 31 + i);
      clients.add(Thread.ofPlatform().daemon().start(() -> new NemesisClient(this).run(chance)));
    }
    clients.add(Thread.ofPlatform().daemon().start(this::strangersAllTheWhile));
    long end = began + length.toNanos();
    long nextLine = began;
    boolean bad = false;
    while (System.nanoTime() - end < 0 && !bad) {
      if (System.nanoTime() - nextLine >= 0) {
        nextLine += TimeUnit.SECONDS.toNanos(10);
        line();
      }
      oneFault();
      ledger.checkRegisters(false, this::violation);
      bad = !violations.isEmpty() || !witness.faults().isEmpty();
    }
    healAll();
    over = true;
    for (var client : clients) {
      client.join(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS * 3));
    }
    if (!bad) {
      settle();
    }
    ledger.checkRegisters(true, this::violation);
    long last = members.stream().mapToLong(m -> m.registers.lastIndex()).max().orElse(0);
    ledger.checkCommands(witness, last, this::violation);
    violations.addAll(witness.faults());
    members.forEach(Member::stop);
    carrier.close();
    try {
      strangers.close();
    } catch (IOException e) {
      progress.println("the keys are not deleted: " + e.getMessage());
    }
    return new NemesisReport(
        seed,
        Duration.ofNanos(System.nanoTime() - began),
        members.size(),
        ledger.acknowledged(),
        ledger.unknown(),
        ledger.refused(),
        ledger.reads(),
        faults,
        leaderships.get(),
        List.copyOf(violations));
  }

  private void violation(String what) {
    violations.add("after %.1f s: %s".formatted((System.nanoTime() - began) / 1e9, what));
  }

  private void line() {
    progress.printf(
        "%4d s  %d acknowledged, %d unknown, %d refused, %d reads, %d leaderships, faults %s%n",
        TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - began),
        ledger.acknowledged(),
        ledger.unknown(),
        ledger.refused(),
        ledger.reads(),
        leaderships.get(),
        faults);
  }

  static void sleep(long millis) {
    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(millis));
  }

  // ---- strangers

  /** As long as the run lasts, somebody with a key that is no voter's speaks to the voters. */
  private void strangersAllTheWhile() {
    var chance = new Random(seed * 37);
    while (!over) {
      var target = members.get(chance.nextInt(members.size())).address;
      var other = members.get(chance.nextInt(members.size())).name;
      var tried = strangers.speak(cluster(), target, other, chance);
      tried.what().ifPresent(this::count);
      tried.wrong().ifPresent(this::violation);
      sleep(chance.nextInt(400));
    }
  }

  // ---- faults

  private void count(String kind) {
    faults.merge(kind, 1, Integer::sum);
  }

  private Member anyone() {
    return members.get(random.nextInt(members.size()));
  }

  /** The leader, most of the time: it has the most to lose. */
  private Member victim() {
    if (random.nextInt(3) > 0) {
      for (var member : members) {
        if (member.leads()) {
          return member;
        }
      }
    }
    return anyone();
  }

  private void oneFault() {
    switch (random.nextInt(17)) {
      case 0 -> isolate();
      case 1 -> oneDirection(true);
      case 2 -> oneDirection(false);
      case 3 -> split();
      case 4 -> bridge();
      case 5 -> everyoneAlone();
      case 6 -> flap();
      case 7 -> restart();
      case 8, 9 -> crashBetweenSyncs();
      case 10 -> crashSeveral();
      case 11 -> fullDisk();
      case 12 -> slowDisk();
      case 13 -> changeVoters(false);
      case 14 -> changeVoters(true);
      case 15 -> everythingLate();
      default -> crashWhileCut();
    }
    reviveHalted();
    sleep(random.nextInt(3) == 0 ? random.nextInt(100) : 300 + random.nextInt(1500));
  }

  private void hold() {
    sleep(random.nextInt(4) == 0 ? random.nextInt(300) : 500 + random.nextInt(2500));
  }

  private void cutBoth(Member one, Member other) {
    cut.add(one.name + ">" + other.name);
    cut.add(other.name + ">" + one.name);
  }

  private void isolate() {
    count("isolated");
    var alone = victim();
    members.stream().filter(m -> m != alone).forEach(m -> cutBoth(alone, m));
    hold();
    cut.clear();
  }

  private void oneDirection(boolean outwards) {
    count(outwards ? "unheard" : "deaf");
    var one = victim();
    for (var other : members) {
      if (other != one) {
        cut.add(outwards ? one.name + ">" + other.name : other.name + ">" + one.name);
      }
    }
    hold();
    cut.clear();
  }

  private void split() {
    count("split");
    var shuffled = new ArrayList<>(members);
    Collections.shuffle(shuffled, random);
    int minority = members.size() / 2;
    for (var one : shuffled.subList(0, minority)) {
      shuffled.subList(minority, shuffled.size()).forEach(other -> cutBoth(one, other));
    }
    hold();
    cut.clear();
  }

  private void bridge() {
    count("bridge");
    var shuffled = new ArrayList<>(members);
    Collections.shuffle(shuffled, random);
    int half = members.size() / 2;
    for (var one : shuffled.subList(0, half)) {
      shuffled.subList(half + 1, shuffled.size()).forEach(other -> cutBoth(one, other));
    }
    hold();
    cut.clear();
  }

  private void everyoneAlone() {
    count("all alone");
    members.forEach(one -> members.stream().filter(m -> m != one).forEach(m -> cutBoth(one, m)));
    hold();
    cut.clear();
  }

  private void flap() {
    count("flapping");
    for (int i = 0; i < 10; i++) {
      var one = victim();
      members.stream().filter(m -> m != one).forEach(m -> cutBoth(one, m));
      sleep(random.nextInt(200));
      cut.clear();
      sleep(random.nextInt(100));
    }
  }

  private void restart() {
    count("restart");
    var one = victim();
    one.stop();
    sleep(random.nextInt(1500));
    one.start();
  }

  private void crashBetweenSyncs() {
    count("power loss between syncs");
    var one = victim();
    one.disk.losePowerWithinSyncs(200);
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(3);
    while (!one.halted && System.nanoTime() - end < 0) {
      sleep(2);
    }
    if (!one.halted) {
      one.disk.losePower();
    }
    one.stop();
    sleep(random.nextInt(1500));
    one.start();
  }

  private void crashSeveral() {
    count("power loss of several");
    int count = 2 + random.nextInt(members.size() - 1);
    var shuffled = new ArrayList<>(members);
    Collections.shuffle(shuffled, random);
    var hit = shuffled.subList(0, Math.min(count, shuffled.size()));
    hit.forEach(member -> member.disk.losePower());
    hit.forEach(Member::stop);
    sleep(random.nextInt(500));
    hit.forEach(Member::start);
  }

  private void fullDisk() {
    count("full disk");
    var one = victim();
    one.disk.fill(random.nextInt(64 << 10));
    if (random.nextInt(3) == 0) {
      members.forEach(member -> member.disk.fill(random.nextInt(64 << 10)));
    }
    hold();
    hold();
    if (random.nextBoolean()) {
      one.stop();
      one.disk.unfill(); // a start lays out its spare segment
      one.start();
    }
    members.forEach(member -> member.disk.unfill());
  }

  private void slowDisk() {
    count("slow disk");
    var one = victim();
    one.disk.slow(1 + random.nextInt(random.nextBoolean() ? 50 : 1200));
    hold();
    one.disk.slow(0);
  }

  /** Machines that are slow: messages, handshakes, and half of the time the disks. */
  private void everythingLate() {
    count("everything late");
    late = true;
    if (random.nextBoolean()) {
      members.forEach(member -> member.disk.slow(300, 1000));
    }
    hold();
    hold();
    late = false;
    members.forEach(member -> member.disk.slow(0));
  }

  private void crashWhileCut() {
    count("power loss in a partition");
    var alone = victim();
    members.stream().filter(m -> m != alone).forEach(m -> cutBoth(alone, m));
    sleep(random.nextInt(1500));
    var hit = anyone();
    hit.crash();
    sleep(random.nextInt(500));
    if (random.nextBoolean()) {
      cut.clear();
    }
    hit.start();
    hold();
    cut.clear();
  }

  /** Removes one that does not lead and adds it again, with its log or with an empty disk. */
  private void changeVoters(boolean wiped) {
    count(wiped ? "wiped and added again" : "removed and added");
    healAll();
    if (!await(5, () -> members.stream().anyMatch(Member::leads))) {
      return;
    }
    var one = members.stream().filter(m -> !m.leads()).findAny().orElseThrow();
    if (wiped) {
      one.stop();
      one.disk.wipe();
      one.start();
    }
    if (random.nextInt(3) == 0) {
      members.stream()
          .filter(Member::leads)
          .findAny()
          .ifPresent(leader -> leader.disk.losePowerWithinSyncs(20));
    }
    change(
        voter -> voter.removeVoter(one.name),
        () -> votersSay(voters -> voters.noneMatch(v -> v.name().equals(one.name))));
    sleep(random.nextInt(300));
    change(
        voter -> voter.addVoter(one.address),
        () -> votersSay(voters -> voters.anyMatch(v -> v.name().equals(one.name) && v.counts())));
  }

  private interface Change {
    CompletableFuture<Void> on(Voter leader);
  }

  /** As an operator does: again and again until the list of voters shows it. */
  private void change(Change change, BooleanSupplier done) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(RECOVERY_SECONDS);
    while (!done.getAsBoolean()) {
      reviveHalted();
      for (var member : members) {
        if (member.leads() && member.voter instanceof Voter leader) {
          try {
            change.on(leader).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
          } catch (ExecutionException | TimeoutException e) {
            sleep(50);
          } catch (InterruptedException e) {
            throw new IllegalStateException(e);
          }
        }
      }
      sleep(20);
      if (System.nanoTime() - end > 0) {
        violation("a change of the voters was not possible within 20 s");
        return;
      }
    }
  }

  /** Whether a leader says so. */
  private boolean votersSay(Predicate<Stream<ReplicatedLog.Member>> what) {
    for (var member : members) {
      if (member.leads() && member.voter instanceof Voter leader) {
        return what.test(leader.members().voters().stream());
      }
    }
    return false;
  }

  private void reviveHalted() {
    for (var member : members) {
      if (member.halted) {
        member.stop();
        member.start();
      }
    }
  }

  private void healAll() {
    cut.clear();
    late = false;
    members.forEach(
        member -> {
          member.disk.unfill();
          member.disk.slow(0);
        });
    reviveHalted();
  }

  // ---- checks

  private static boolean await(long seconds, BooleanSupplier condition) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - end > 0) {
        return false;
      }
      sleep(10);
    }
    return true;
  }

  private void awaitLeader(String when) {
    if (!await(RECOVERY_SECONDS, () -> members.stream().anyMatch(Member::leads))) {
      violation("no leader within 20 s " + when);
    }
  }

  /** Everything is healed and nobody writes: all voters come to the same end. */
  private void settle() {
    awaitLeader("after everything was healed");
    if (!await(
        RECOVERY_SECONDS,
        () ->
            members.stream().map(member -> member.registers.lastIndex()).distinct().count() == 1)) {
      violation(
          "the voters do not come to the same end: "
              + members.stream().map(m -> m.name + " " + m.registers.lastIndex()).toList());
    }
  }
}
