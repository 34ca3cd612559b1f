package dev.haven.model.wire;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A voter's answer to a heartbeat, signed with the same key: who leads, as far as it knows, and
 * from the leader a lease.
 *
 * @param sentNanos taken from the heartbeat
 * @param leader the name of the leading voter; empty if none is known
 * @param lease the digest of the guests that the host may run until {@code Lease.LENGTH} after it
 *     sent the heartbeat; empty if this voter grants nothing. The key binds it to the agent's
 *     process and so to the host's boot
 */
public record HeartbeatAnswer(
    String voter,
    long term,
    Optional<String> leader,
    long sequence,
    long sentNanos,
    OptionalLong lease) {
  private static final int MAGIC = 0x48564841; // HVHA
  private static final byte VERSION = 2;
  private static final int MAC_BYTES = 32;

  public byte[] sign(byte[] key) {
    var buffer = ByteBuffer.allocate(Heartbeat.MAX_BYTES);
    buffer.putInt(MAGIC).put(VERSION);
    Heartbeat.put(buffer, voter);
    buffer.putLong(term);
    Heartbeat.put(buffer, leader.orElse(""));
    buffer.putLong(sequence).putLong(sentNanos);
    buffer.put((byte) (lease.isPresent() ? 1 : 0)).putLong(lease.orElse(0));
    return Heartbeat.seal(buffer, key);
  }

  /** Reads and checks an answer; empty if it is none, or not signed with this key. */
  public static Optional<HeartbeatAnswer> open(byte[] key, byte[] datagram, int length) {
    if (length < 5 + MAC_BYTES || !Heartbeat.signedWith(key, datagram, length)) {
      return Optional.empty();
    }
    var buffer = ByteBuffer.wrap(Arrays.copyOf(datagram, length - MAC_BYTES));
    if (buffer.getInt() != MAGIC || buffer.get() != VERSION) {
      return Optional.empty();
    }
    var voter = Heartbeat.text(buffer);
    long term = buffer.getLong();
    var leader = Heartbeat.text(buffer);
    return Optional.of(
        new HeartbeatAnswer(
            voter,
            term,
            leader.isEmpty() ? Optional.empty() : Optional.of(leader),
            buffer.getLong(),
            buffer.getLong(),
            buffer.get() == 1 ? OptionalLong.of(buffer.getLong()) : OptionalLong.empty()));
  }
}
