package dev.haven.bench;

import dev.haven.raft.Timing;
import dev.haven.raft.Voter;
import dev.haven.raft.VoterFaults;
import dev.haven.raft.VoterSettings;
import dev.haven.raft.port.ReplicatedLog.VoterAddress;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;

/**
 * Two voters of three on machines that are slow: the third has died, and each message, each fsync
 * and each handshake of the two comes 0.3 to 1 s late. There has to be one leader within 10 s, the
 * same one as long as that lasts, and it has to take commands.
 */
public final class SlowVoters {
  private static final int LATE_MIN_MILLIS = 300;
  private static final int LATE_MAX_MILLIS = 1000;
  private static final long LEADER_MAX_NANOS = TimeUnit.SECONDS.toNanos(10);
  private static final long ANSWER_MAX_SECONDS = 30;

  /**
   * @param electedMillis from the death of the third to a leader that takes commands
   * @param leaderships how often one of the two began to lead; 1 is the only good answer
   * @param commands that were answered
   * @param slowestMillis the longest that a command took
   */
  public record Report(
      long electedMillis, int leaderships, int commands, long slowestMillis, List<String> wrong) {
    public String text() {
      return """
      two slow voters of three: a leader after %d ms, %d leadership(s), %d commands answered, the slowest in %d ms
      %s\
      """
          .formatted(
              electedMillis,
              leaderships,
              commands,
              slowestMillis,
              wrong.isEmpty() ? "one leader, and it stayed" : String.join("\n", wrong));
    }
  }

  private final Map<String, Voter> voters = new ConcurrentHashMap<>();
  private final Map<String, MemoryDisk> disks = new ConcurrentHashMap<>();
  private final Map<String, Long> carriedUntil = new ConcurrentHashMap<>();
  private final ScheduledExecutorService carrier = Executors.newScheduledThreadPool(1);
  private final List<String> wrong = new ArrayList<>();
  private volatile boolean slow;

  private SlowVoters() {}

  /** {@code SlowVoters SECONDS}. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    var report = run(Duration.ofSeconds(Long.parseLong(arguments[0])), System.out);
    System.out.println(report.text());
    Runtime.getRuntime().halt(report.wrong().isEmpty() ? 0 : 1);
  }

  /**
   * @param length how long the leader has to stay, after it was elected
   */
  public static Report run(Duration length, PrintStream progress)
      throws IOException, InterruptedException {
    var all = new SlowVoters();
    try {
      return all.measure(length, progress);
    } finally {
      all.slow = false;
      all.disks.values().forEach(disk -> disk.slow(0));
      all.voters.values().forEach(Voter::close);
      all.carrier.shutdownNow();
    }
  }

  private static long late() {
    return TimeUnit.MILLISECONDS.toNanos(
        ThreadLocalRandom.current().nextLong(LATE_MIN_MILLIS, LATE_MAX_MILLIS + 1));
  }

  /** Late, and in the order in which they were sent, as TCP has it. */
  private final class Late implements VoterFaults {
    private final String from;

    Late(String from) {
      this.from = from;
    }

    @Override
    public void carry(String to, Runnable message) {
      if (!slow) {
        message.run();
        return;
      }
      long now = System.nanoTime();
      long at =
          carriedUntil.merge(from + ">" + to, now + late(), (before, its) -> Math.max(before, its));
      carrier.schedule(message, at - now, TimeUnit.NANOSECONDS);
    }

    @Override
    public void beforeHandshake() {
      if (slow) {
        LockSupport.parkNanos(late());
      }
    }
  }

  private void start(List<VoterAddress> addresses) throws IOException {
    var witness = new Registers.Witness();
    for (var address : addresses) {
      var name = address.name();
      var disk = new MemoryDisk(name, false, name.hashCode());
      disks.put(name, disk);
      var settings =
          new VoterSettings(
              "slow",
              name,
              address.raft(),
              addresses,
              Optional.empty(),
              certificate -> Optional.empty(),
              Timing.DEFAULT,
              4 << 20,
              256 << 10,
              (reason, cause) -> wrong("voter %s halted: %s: %s".formatted(name, reason, cause)),
              Optional.empty(),
              new Late(name));
      voters.put(name, Voter.start(settings, disk.mount(), new Registers(name, witness)));
    }
  }

  private void wrong(String what) {
    synchronized (wrong) {
      wrong.add(what);
    }
  }

  private Optional<String> leader() {
    return voters.entrySet().stream()
        .filter(voter -> voter.getValue().leadership().ready())
        .map(Map.Entry::getKey)
        .findFirst();
  }

  private Optional<String> await(long nanos) {
    long end = System.nanoTime() + nanos;
    while (System.nanoTime() - end < 0) {
      var leader = leader();
      if (leader.isPresent()) {
        return leader;
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
    }
    return leader();
  }

  private Report measure(Duration length, PrintStream progress)
      throws IOException, InterruptedException {
    var addresses = new ArrayList<VoterAddress>();
    for (int i = 1; i <= 3; i++) {
      var ip = "127.0.3." + i;
      addresses.add(
          new VoterAddress(String.valueOf((char) ('a' + i - 1)), ip + ":" + FreePorts.at(ip)));
    }
    start(addresses);
    var first = await(TimeUnit.SECONDS.toNanos(20)).orElseThrow();
    slow = true;
    disks.values().forEach(disk -> disk.slow(LATE_MIN_MILLIS, LATE_MAX_MILLIS));
    var leaderships = new ConcurrentHashMap<String, Boolean>();
    voters.forEach(
        (name, voter) ->
            voter.onLeadership(
                l -> {
                  if (l.self() && !name.equals(first)) {
                    leaderships.put(name + " in term " + l.term(), true);
                  }
                }));
    progress.printf("voter %s, which leads, dies; the others are slow%n", first);
    long died = System.nanoTime();
    Objects.requireNonNull(voters.remove(first)).close();
    var leader = await(3 * LEADER_MAX_NANOS);
    long elected = System.nanoTime() - died;
    if (elected > LEADER_MAX_NANOS) {
      wrong("no leader that takes commands within 10 s, but after %.1f s".formatted(elected / 1e9));
    }
    int commands = 0;
    long slowest = 0;
    long end = System.nanoTime() + length.toNanos();
    while (leader.isPresent() && System.nanoTime() - end < 0) {
      long called = System.nanoTime();
      try {
        commands++;
        Objects.requireNonNull(voters.get(leader.get()))
            .propose(Registers.command(commands, "key", "value", 100), 0)
            .get(ANSWER_MAX_SECONDS, TimeUnit.SECONDS);
        slowest = Math.max(slowest, System.nanoTime() - called);
      } catch (ExecutionException | TimeoutException e) {
        wrong("command %d was not taken: %s".formatted(commands, e));
        LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(1));
      }
      if (commands % 10 == 0) {
        progress.printf(
            "%4d s  %d commands, the slowest %d ms, %s%n",
            TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - died),
            commands,
            slowest / 1_000_000,
            leaderships.keySet());
      }
    }
    if (leaderships.size() != 1) {
      wrong("leaderships: " + leaderships.keySet());
    }
    synchronized (wrong) {
      return new Report(
          elected / 1_000_000,
          leaderships.size(),
          commands,
          slowest / 1_000_000,
          List.copyOf(wrong));
    }
  }
}
