package dev.haven.bench;

import dev.haven.raft.port.StateMachine;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Registers under keys, and a running hash over all that was applied. Commands are {@code
 * number|key|value|padding}; each number is proposed once.
 */
final class Registers implements StateMachine {

  /** What all voters of a run have applied, compared at every step. */
  static final class Witness {
    private record Applied(long number, long hash) {}

    private final Map<Long, Applied> byIndex = new ConcurrentHashMap<>();
    private final Map<Long, Long> indexOf = new ConcurrentHashMap<>();
    private final Queue<String> faults = new ConcurrentLinkedQueue<>();

    private void applied(String voter, long index, long number, long hash) {
      var mine = new Applied(number, hash);
      var known = byIndex.putIfAbsent(index, mine);
      if (known != null && !known.equals(mine)) {
        faults.add(
            "committed logs differ at %d: voter %s has command %d after hash %x, another %d after %x"
                .formatted(index, voter, number, hash, known.number(), known.hash()));
      }
      var first = indexOf.putIfAbsent(number, index);
      if (first != null && first != index) {
        faults.add("command %d was applied at %d and at %d".formatted(number, first, index));
      }
    }

    boolean wasApplied(long number) {
      return indexOf.containsKey(number);
    }

    long indexOf(long number) {
      return indexOf.getOrDefault(number, -1L);
    }

    Queue<String> faults() {
      return faults;
    }
  }

  private final String voter;
  private final Witness witness;
  private final Map<String, String> values = new ConcurrentHashMap<>();
  private volatile long lastIndex;
  private long hash;

  Registers(String voter, Witness witness) {
    this.voter = voter;
    this.witness = witness;
  }

  static byte[] command(long number, String key, String value, int padding) {
    return "%d|%s|%s|%s"
        .formatted(number, key, value, "x".repeat(padding))
        .getBytes(StandardCharsets.UTF_8);
  }

  String value(String key) {
    return values.getOrDefault(key, "");
  }

  long lastIndex() {
    return lastIndex;
  }

  @Override
  public byte[] apply(long index, long term, byte[] command) {
    var parts = new String(command, StandardCharsets.UTF_8).split("\\|", 4);
    long number = Long.parseLong(parts[0]);
    values.put(parts[1], parts[2]);
    witness.applied(voter, index, number, hash);
    hash = hash * 31 + number * 0x9E3779B97F4A7C15L + index + term * 7;
    lastIndex = index;
    return ByteBuffer.allocate(8).putLong(index).array();
  }

  @Override
  public void snapshot(DataOutput out) throws IOException {
    out.writeLong(lastIndex);
    out.writeLong(hash);
    out.writeInt(values.size());
    for (var entry : values.entrySet()) {
      out.writeUTF(entry.getKey());
      out.writeUTF(entry.getValue());
    }
  }

  @Override
  public void check(DataInput in) throws IOException {
    in.readLong();
    in.readLong();
    for (int i = in.readInt(); i > 0; i--) {
      in.readUTF();
      in.readUTF();
    }
  }

  @Override
  public void restore(DataInput in) throws IOException {
    values.clear();
    lastIndex = in.readLong();
    hash = in.readLong();
    for (int i = in.readInt(); i > 0; i--) {
      values.put(in.readUTF(), in.readUTF());
    }
  }
}
