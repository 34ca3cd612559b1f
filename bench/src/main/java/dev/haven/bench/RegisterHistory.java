package dev.haven.bench;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Whether what the clients of one register saw could have happened one operation at a time, each at
 * some moment between its call and its return (linearizability). The search is Wing and Gong's with
 * Lowe's memory of configurations already tried, as in Porcupine.
 *
 * <p>A write whose outcome is unknown has no return. If no read ever saw its value it may as well
 * not have happened and is left out; values are unique, so this changes no verdict.
 */
final class RegisterHistory {
  private static final long NEVER = Long.MAX_VALUE;

  /**
   * @param value what was written or read; empty is the register's first state
   * @param returned on the same clock as {@code called}; {@link Long#MAX_VALUE} if unknown
   */
  private record Operation(boolean write, String value, long called, long returned) {}

  private final List<Operation> operations = new ArrayList<>();

  synchronized void wrote(String value, long called, long returned) {
    operations.add(new Operation(true, value, called, returned));
  }

  synchronized void mayHaveWritten(String value, long called) {
    operations.add(new Operation(true, value, called, NEVER));
  }

  synchronized void read(String value, long called, long returned) {
    operations.add(new Operation(false, value, called, returned));
  }

  synchronized int size() {
    return operations.size();
  }

  /** What is wrong, or nothing. */
  synchronized Optional<String> fault() {
    Set<String> seen =
        operations.stream()
            .filter(operation -> !operation.write())
            .map(Operation::value)
            .collect(Collectors.toSet());
    var all =
        operations.stream()
            .filter(o -> !o.write() || o.returned() != NEVER || seen.contains(o.value()))
            .sorted(Comparator.comparingLong(Operation::called))
            .toList();
    if (new Search(all).succeeds()) {
      return Optional.empty();
    }
    return Optional.of(
        all.stream()
            .map(
                o ->
                    "%s %s [%d..%s]"
                        .formatted(
                            o.write() ? "write" : "read",
                            o.value().isEmpty() ? "nothing" : o.value(),
                            o.called() / 1000,
                            o.returned() == NEVER ? "unknown" : o.returned() / 1000))
            .collect(Collectors.joining("; ", "not linearizable (times in microseconds): ", "")));
  }

  /** Depth first, without recursion: histories are long and narrow. */
  private static final class Search {
    private record Configuration(BitSet done, String value) {}

    private record Choice(int operation, String valueBefore) {}

    private final List<Operation> all;
    private final BitSet done = new BitSet();
    private final Set<Configuration> tried = new HashSet<>();
    private final List<Choice> path = new ArrayList<>();
    private String value = "";

    Search(List<Operation> all) {
      this.all = all;
    }

    boolean succeeds() {
      int from = 0;
      while (done.cardinality() < all.size()) {
        int next = choose(from);
        if (next >= 0) {
          path.add(new Choice(next, value));
          done.set(next);
          if (all.get(next).write()) {
            value = all.get(next).value();
          }
          from = 0;
        } else if (path.isEmpty()) {
          return false;
        } else {
          var undone = path.removeLast();
          done.clear(undone.operation());
          value = undone.valueBefore();
          from = undone.operation() + 1;
        }
      }
      return true;
    }

    /** An operation that may come next: it was called before every other open one returned. */
    private int choose(int from) {
      long firstReturn = NEVER;
      int start = done.nextClearBit(0);
      for (int i = start; i < all.size() && all.get(i).called() <= firstReturn; i = open(i)) {
        firstReturn = Math.min(firstReturn, all.get(i).returned());
      }
      for (int i = done.nextClearBit(Math.max(from, start));
          i < all.size() && all.get(i).called() <= firstReturn;
          i = open(i)) {
        var operation = all.get(i);
        if (!operation.write() && !operation.value().equals(value)) {
          continue;
        }
        var after = (BitSet) done.clone();
        after.set(i);
        if (tried.add(new Configuration(after, operation.write() ? operation.value() : value))) {
          return i;
        }
      }
      return -1;
    }

    private int open(int after) {
      return done.nextClearBit(after + 1);
    }
  }
}
