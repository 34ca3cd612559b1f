package dev.haven.raft.port;

import java.util.function.BiConsumer;

/**
 * Small datagrams between voters over the same authenticated channel, outside the log. They may be
 * lost, but are not altered and name their true sender. Meant for what is soon said again, such as
 * each voter's digest of the hosts that it has not heard.
 */
public interface VoterBus {

  /** The largest datagram, in bytes. */
  int MAX_BYTES = 32 << 10;

  /**
   * Sends to all other voters that are reachable. Never blocks, also not on a dead one: what cannot
   * leave at once is dropped.
   */
  void broadcast(byte[] datagram);

  /** Calls with the sending voter's name and the bytes, on any thread; must not block. */
  void onMessage(BiConsumer<String, byte[]> receiver);
}
