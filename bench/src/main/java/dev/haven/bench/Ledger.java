package dev.haven.bench;

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * What the nemesis' clients were told: which commands were acknowledged, refused or left open, and
 * what each register's reads and writes were. At the end it is held against what the voters have.
 */
final class Ledger {
  private static final long EPOCH_NANOS = TimeUnit.SECONDS.toNanos(2);
  private static final int KEYS = 6;

  private final Map<String, RegisterHistory> histories = new ConcurrentHashMap<>();
  private final Map<Long, Long> acknowledged = new ConcurrentHashMap<>();
  private final Set<Long> refused = ConcurrentHashMap.newKeySet();
  private final AtomicLong numbers = new AtomicLong();
  private final AtomicLong unknown = new AtomicLong();
  private final AtomicLong reads = new AtomicLong();
  private final long began;

  /**
   * @param began on {@link System#nanoTime()}'s clock
   */
  Ledger(long began) {
    this.began = began;
  }

  /** A register of now: each is used for two seconds, so that its history stays short. */
  String register(Random chance) {
    long epoch = (System.nanoTime() - began) / EPOCH_NANOS;
    return "%d-%d".formatted(epoch, chance.nextInt(KEYS));
  }

  RegisterHistory history(String register) {
    return histories.computeIfAbsent(register, _ -> new RegisterHistory());
  }

  /** The next command's number. */
  long number() {
    return numbers.incrementAndGet();
  }

  /** A write was acknowledged at this index of the log. */
  void acknowledged(long number, long index) {
    acknowledged.put(number, index);
  }

  void refused(long number) {
    refused.add(number);
  }

  /** Nobody can say whether this write was done. */
  void unknown(RegisterHistory history, String value, long called) {
    unknown.incrementAndGet();
    history.mayHaveWritten(value, called);
  }

  void read() {
    reads.incrementAndGet();
  }

  long acknowledged() {
    return acknowledged.size();
  }

  long refused() {
    return refused.size();
  }

  long unknown() {
    return unknown.get();
  }

  long reads() {
    return reads.get();
  }

  /**
   * Holds it against what was applied.
   *
   * @param end the last index of the longest log
   */
  void checkCommands(Registers.Witness witness, long end, Consumer<String> violation) {
    acknowledged.forEach(
        (number, index) -> {
          if (witness.indexOf(number) != index || index > end) {
            violation.accept(
                "acknowledged command %d at %d is lost: it stands at %d, the logs end at %d"
                    .formatted(number, index, witness.indexOf(number), end));
          }
        });
    for (long number : refused) {
      if (witness.wasApplied(number)) {
        violation.accept("command %d was refused and applied all the same".formatted(number));
      }
    }
  }

  /** Checks and forgets the registers that nobody uses any more, or all of them. */
  void checkRegisters(boolean all, Consumer<String> violation) {
    long epoch = (System.nanoTime() - began) / EPOCH_NANOS;
    for (var key : List.copyOf(histories.keySet())) {
      long its = Long.parseLong(key.substring(0, key.indexOf('-')));
      if (all || its < epoch - 4) {
        var history = histories.remove(key);
        if (history != null) {
          history
              .fault()
              .ifPresent(fault -> violation.accept("register %s: %s".formatted(key, fault)));
        }
      }
    }
  }
}
