package dev.haven.raft;

import java.util.HashMap;
import java.util.Map;

/**
 * What has been read of each voter and waits for the Raft thread, in bytes and in messages. What
 * comes beyond that is read and dropped, while this voter's disk is slow or while another one
 * floods: Raft repeats what is lost. A voter that would not read instead would let its words wait
 * at the one that sends them, and that one would be held up by a disk that is not its own. Counted
 * by name and not by connection: dialling again makes no room.
 *
 * <p>Messages without entries or state (heartbeats, greetings, votes) are dropped first. While a
 * disk stands still they come several times a second, and each of them is soon said again; what is
 * left of the room is for entries.
 */
final class Backlog {
  /**
   * Of one voter. Room for a whole frame and for what a leader has on its way; with four others it
   * is at most an eighth of a heap of 64 MiB or more.
   */
  static final long BYTES_MAX =
      Math.clamp(Runtime.getRuntime().maxMemory() / 32, Transport.FRAME_MAX, 8 << 20);

  /**
   * Where messages without entries end; with four others these fit into the Raft thread's queue.
   */
  private static final long LIGHT_BYTES_MAX = 1 << 20;

  /** Of one voter; with four others these fit into the Raft thread's queue. */
  static final int FRAMES_MAX = 2048;

  /** What a message takes in memory besides its bytes, and each of its entries. */
  static final int PER_FRAME = 512;

  static final int PER_ENTRY = 64;

  private final Map<String, Long> held = new HashMap<>();
  private final Map<String, Integer> frames = new HashMap<>();
  private final long bytesMax;

  /**
   * @param bytesMax of one voter; usually {@link #BYTES_MAX}
   */
  Backlog(long bytesMax) {
    this.bytesMax = bytesMax;
  }

  /** Any thread. Whether a frame of this voter's with so many bytes would be kept now. */
  synchronized boolean hasRoom(String name, long length) {
    return frames.getOrDefault(name, 0) < FRAMES_MAX
        && fits(held.getOrDefault(name, 0L), length + PER_FRAME, bytesMax);
  }

  /**
   * Any thread. One more message of so many bytes is to wait for the Raft thread.
   *
   * @param light whether the message has neither entries nor state
   * @return false if there is no room: the message is to be dropped
   */
  synchronized boolean add(String name, long bytes, boolean light) {
    long there = held.getOrDefault(name, 0L);
    if (frames.getOrDefault(name, 0) >= FRAMES_MAX
        || !fits(there, bytes, light ? Math.min(LIGHT_BYTES_MAX, bytesMax / 2) : bytesMax)) {
      return false;
    }
    held.put(name, there + bytes);
    frames.merge(name, 1, Integer::sum);
    return true;
  }

  /** One that is alone always has room, however large it is. */
  private static boolean fits(long there, long bytes, long most) {
    return there == 0 || there + bytes <= most;
  }

  /** Any thread. One message of so many bytes is taken, or nobody will take it. */
  synchronized void taken(String name, long bytes) {
    held.computeIfPresent(name, (key, there) -> there - bytes <= 0 ? null : there - bytes);
    frames.computeIfPresent(name, (key, there) -> there <= 1 ? null : there - 1);
  }

  /** Of all voters. */
  synchronized long bytes() {
    return held.values().stream().mapToLong(Long::longValue).sum();
  }
}
