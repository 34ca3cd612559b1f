package dev.haven.raft.port;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * What the log's commands act on. Every voter has one and they stay equal because each is given the
 * same commands in the same order: {@link #apply} is deterministic (no clock, no chance, nothing
 * but the command and what came before it) and never throws. One that throws has met a state that
 * it does not understand, so the voter halts.
 *
 * <p>All methods are called on one thread at a time, and must not block on anything but memory.
 */
public interface StateMachine {

  /**
   * Applies a committed command.
   *
   * @param index the entry's position in the log; grows, with gaps where the log has entries of its
   *     own
   * @param term the term of the leader that proposed it; never falls
   * @return the answer for its proposer
   */
  byte[] apply(long index, long term, byte[] command);

  /**
   * Writes the whole state, including the request ids that are needed to know a repeated command.
   */
  void snapshot(DataOutput out) throws IOException;

  /**
   * Reads what {@link #restore} would take, and changes nothing. Any thread, at any time.
   *
   * @throws IOException if {@code restore} would fail
   */
  void check(DataInput in) throws IOException;

  /** Replaces the whole state by one that {@link #snapshot} wrote, on this voter or on another. */
  void restore(DataInput in) throws IOException;
}
