package dev.haven.orchestrator.raft;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * What has been read of each voter and waits for the Raft thread, in bytes. Whoever has said as
 * much as is kept for it is not read any further, so its words wait in the sockets of both sides
 * and in the end at home, while this voter's disk is slow or while it floods. Counted by name and
 * not by connection: dialling again makes no room.
 *
 * <p>A leader of ours never comes that far. It has at most {@code Leading.WINDOW_BYTES} unanswered
 * on their way, and the heartbeats behind them are small: with a disk that stands still they fill
 * the rest in some minutes. So its heartbeats are read, and late as they are taken each of them
 * counts.
 */
final class Backlog {
  /**
   * Of one voter. Room for a whole frame and for what a leader has on its way; with four others it
   * is at most an eighth of a heap of 64 MiB or more.
   */
  static final long BYTES_MAX =
      Math.clamp(Runtime.getRuntime().maxMemory() / 32, Transport.FRAME_MAX, 8 << 20);

  /** What a message takes in memory besides its bytes, and each of its entries. */
  static final int PER_FRAME = 512;

  static final int PER_ENTRY = 64;

  /** How often one that waits looks whether its connection is still there. */
  private static final long LOOK_MILLIS = TimeUnit.SECONDS.toMillis(1);

  private final Map<String, Long> held = new HashMap<>();

  /**
   * Any thread. Waits until there is room for a frame of this voter's. One that is alone always has
   * room, however large it is.
   *
   * @param length of the frame, in bytes
   * @param over whether nobody wants it any more
   * @return false if it is over
   */
  synchronized boolean await(String name, long length, BooleanSupplier over) {
    while (!over.getAsBoolean()) {
      long there = held.getOrDefault(name, 0L);
      if (there == 0 || there + length + PER_FRAME <= BYTES_MAX) {
        return true;
      }
      try {
        wait(LOOK_MILLIS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return false;
      }
    }
    return false;
  }

  /** Any thread. So much more waits for the Raft thread. */
  synchronized void add(String name, long bytes) {
    held.merge(name, bytes, Long::sum);
  }

  /** Any thread. So much is taken, or nobody will. */
  synchronized void taken(String name, long bytes) {
    held.computeIfPresent(name, (key, there) -> there - bytes <= 0 ? null : there - bytes);
    notifyAll();
  }

  /** A connection has ended: whoever waits for room on it need not. */
  synchronized void look() {
    notifyAll();
  }

  /** Of all voters. */
  synchronized long bytes() {
    return held.values().stream().mapToLong(Long::longValue).sum();
  }
}
