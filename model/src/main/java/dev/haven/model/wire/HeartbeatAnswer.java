package dev.haven.model.wire;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;

/**
 * A voter's answer to a heartbeat, signed with the same key: who leads, as far as it knows, and
 * from the leader a lease.
 *
 * @param sentNanos taken from the heartbeat
 * @param leader the name of the leading voter; empty if none is known
 * @param lease empty if this voter grants nothing. The key binds it to the agent's process and so
 *     to the host's boot
 * @param surrendered from the voter on the agent's own host: this host is the one cut off, so
 *     guests whose lease has ended are to pause
 * @param challenge for the next heartbeat to this voter, which counts only with a recent one
 */
public record HeartbeatAnswer(
    String voter,
    long term,
    Optional<String> leader,
    long sequence,
    long sentNanos,
    Optional<Lease> lease,
    boolean surrendered,
    long challenge) {
  private static final int LEASE = 1;

  /** A lease without it is a long one. */
  private static final int SHORT = 4;

  /**
   * What the host may run, and for how long after it sent the heartbeat.
   *
   * @param guests the digest of the list in {@link ToAgent.Leased}
   */
  public record Lease(long guests, LeaseLength length) {}

  /** Agents that do not know it read an answer without a lease. */
  private static final int SURRENDERED = 2;

  /** Of a voter that has not surrendered. */
  public HeartbeatAnswer(
      String voter,
      long term,
      Optional<String> leader,
      long sequence,
      long sentNanos,
      Optional<Lease> lease) {
    this(voter, term, leader, sequence, sentNanos, lease, false, 0);
  }

  /** The same, with that challenge. */
  public HeartbeatAnswer asking(long next) {
    return new HeartbeatAnswer(voter, term, leader, sequence, sentNanos, lease, surrendered, next);
  }

  private static final int MAGIC = 0x48564841; // HVHA
  private static final byte VERSION = (byte) ToAgent.VERSION;
  private static final int MAC_BYTES = 32;

  /**
   * The datagram, with its signature at the end.
   *
   * @param key the one with which the heartbeat was signed
   */
  public byte[] sign(byte[] key) {
    var buffer = ByteBuffer.allocate(Heartbeat.MAX_BYTES);
    buffer.putInt(MAGIC).put(VERSION);
    Heartbeat.put(buffer, voter);
    buffer.putLong(term);
    Heartbeat.put(buffer, leader.orElse(""));
    buffer.putLong(sequence).putLong(sentNanos);
    boolean isShort = lease.filter(l -> l.length() == LeaseLength.SHORT).isPresent();
    buffer.put(
        (byte)
            ((lease.isPresent() ? LEASE : 0)
                | (isShort ? SHORT : 0)
                | (surrendered ? SURRENDERED : 0)));
    buffer.putLong(lease.map(Lease::guests).orElse(0L)).putLong(challenge);
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
    long sequence = buffer.getLong();
    long sentNanos = buffer.getLong();
    int flags = buffer.get();
    long guests = buffer.getLong();
    var lasts = (flags & SHORT) == 0 ? LeaseLength.LONG : LeaseLength.SHORT;
    return Optional.of(
        new HeartbeatAnswer(
            voter,
            term,
            leader.isEmpty() ? Optional.empty() : Optional.of(leader),
            sequence,
            sentNanos,
            (flags & LEASE) == 0 ? Optional.empty() : Optional.of(new Lease(guests, lasts)),
            (flags & SURRENDERED) != 0,
            buffer.getLong()));
  }
}
