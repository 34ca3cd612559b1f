package dev.haven.bench;

import dev.haven.raft.DirectoryDisk;
import dev.haven.raft.Voter;
import dev.haven.raft.VoterSettings;
import dev.haven.raft.port.ReplicatedLog.VoterAddress;
import dev.haven.raft.port.StateMachine;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;

/**
 * How long a committed write takes: three voters in this process, each with its own files on one
 * disk, beside the time which that disk needs for an append with fsync in the same run.
 */
public final class RaftBench {
  private static final int COMMAND_BYTES = 256;

  /**
   * Times in nanoseconds.
   *
   * @param commits sequential writes measured
   */
  public record Result(
      int commits,
      long fsyncP50,
      long fsyncP99,
      long commitP50,
      long commitP99,
      double factor,
      double commitsPerSecond,
      double pipelinedPerSecond) {

    public String text() {
      return """
      raft: %d sequential writes of %d bytes, 3 voters, each with fsync
        the disk's own append + fsync  p50 %.3f ms  p99 %.3f ms
        a committed write              p50 %.3f ms  p99 %.3f ms  (p50 is %.1f x the disk's)
        %.0f a second one by one, %.0f a second with 64 under way\
      """
          .formatted(
              commits,
              COMMAND_BYTES,
              fsyncP50 / 1e6,
              fsyncP99 / 1e6,
              commitP50 / 1e6,
              commitP99 / 1e6,
              factor,
              commitsPerSecond,
              pipelinedPerSecond);
    }
  }

  private static final class Counter implements StateMachine {
    @Override
    public byte[] apply(long index, long term, byte[] command) {
      return new byte[0];
    }

    @Override
    public void snapshot(DataOutput out) throws IOException {
      out.writeInt(0);
    }

    @Override
    public void check(DataInput in) throws IOException {
      in.readInt();
    }

    @Override
    public void restore(DataInput in) throws IOException {
      in.readInt();
    }
  }

  private RaftBench() {}

  /**
   * @param directory on the disk to be measured; what is made in it is deleted
   */
  public static Result run(Path directory, int commits, PrintStream progress)
      throws IOException, InterruptedException {
    var work = Files.createTempDirectory(Files.createDirectories(directory), "raft-bench");
    try {
      progress.println("measuring committed writes and the disk by turns");
      return measure(work, commits);
    } finally {
      try (var files = Files.walk(work)) {
        for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  /** {@code RaftBench [DIRECTORY [COMMITS]]}. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    var directory = Path.of(arguments.length > 0 ? arguments[0] : "target");
    int commits = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 5000;
    System.out.println(run(directory, commits, System.out).text());
    Runtime.getRuntime().halt(0);
  }

  /**
   * One file, used as the log does it: space laid out beforehand, one write and one fdatasync each.
   */
  private static final class Appender implements AutoCloseable {
    private final FileChannel channel;
    private long position;

    Appender(Path file, int count) throws IOException {
      channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      channel.write(ByteBuffer.allocate(count * 512), 0);
      channel.force(true);
    }

    long appendNanos() throws IOException {
      long start = System.nanoTime();
      channel.write(ByteBuffer.allocate(COMMAND_BYTES + 64), position);
      channel.force(false);
      position += 512;
      return System.nanoTime() - start;
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }

  private static Result measure(Path work, int commits) throws IOException, InterruptedException {
    var addresses = new ArrayList<VoterAddress>();
    for (int i = 0; i < 3; i++) {
      addresses.add(
          new VoterAddress(
              String.valueOf((char) ('a' + i)), "127.0.0.1:" + FreePorts.at("127.0.0.1")));
    }
    List<Voter> voters = new ArrayList<>();
    try {
      for (var address : addresses) {
        var settings =
            VoterSettings.of(
                "bench",
                address.name(),
                address.raft(),
                addresses,
                Optional.empty(),
                c -> Optional.empty());
        voters.add(
            Voter.start(settings, new DirectoryDisk(work.resolve(address.name())), new Counter()));
      }
      var leader = leader(voters);
      var times = new long[commits];
      var disk = new long[commits];
      try (var appender = new Appender(work.resolve("fsync"), commits * 2)) {
        byTurns(leader, appender, times, disk); // until the compiler is warm
        byTurns(leader, appender, times, disk);
      }
      double rate = commits * 1e9 / Arrays.stream(times).sum();
      Arrays.sort(times);
      Arrays.sort(disk);
      long start = System.nanoTime();
      pipelined(leader, commits * 5);
      double pipelined = commits * 5e9 / (System.nanoTime() - start);
      return new Result(
          commits,
          at(disk, 0.50),
          at(disk, 0.99),
          at(times, 0.50),
          at(times, 0.99),
          (double) at(times, 0.50) / at(disk, 0.50),
          rate,
          pipelined);
    } catch (ExecutionException | TimeoutException e) {
      throw new IOException("a write was not committed: " + e.getMessage(), e);
    } finally {
      voters.forEach(Voter::close);
    }
  }

  private static Voter leader(List<Voter> voters) throws IOException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (System.nanoTime() - end < 0) {
      for (var voter : voters) {
        if (voter.leadership().ready()) {
          return voter;
        }
      }
      LockSupport.parkNanos(1_000_000);
    }
    throw new IOException("no leader within 30 s");
  }

  private static long at(long[] sorted, double share) {
    return sorted[(int) Math.min(sorted.length - 1L, Math.round(sorted.length * share))];
  }

  /** By turns, because the disk of a shared machine is another one every second. */
  private static void byTurns(Voter leader, Appender appender, long[] commits, long[] disk)
      throws IOException, InterruptedException, ExecutionException, TimeoutException {
    for (int i = 0; i < commits.length; i++) {
      disk[i] = appender.appendNanos();
      long start = System.nanoTime();
      leader.propose(new byte[COMMAND_BYTES], 0).get(10, TimeUnit.SECONDS);
      commits[i] = System.nanoTime() - start;
    }
  }

  private static void pipelined(Voter leader, int count)
      throws InterruptedException, ExecutionException, TimeoutException {
    var underWay = new ArrayDeque<CompletableFuture<byte[]>>();
    for (int i = 0; i < count; i++) {
      if (underWay.size() == 64) {
        underWay.remove().get(10, TimeUnit.SECONDS);
      }
      underWay.add(leader.propose(new byte[COMMAND_BYTES], 0));
    }
    for (var rest : underWay) {
      rest.get(10, TimeUnit.SECONDS);
    }
  }
}
