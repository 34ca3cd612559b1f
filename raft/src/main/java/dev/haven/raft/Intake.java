package dev.haven.raft;

import dev.haven.raft.port.VoterBus;
import java.io.IOException;
import java.net.InetAddress;
import java.util.Set;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/** What other voters say, on its way to the Raft thread. Any thread may use it. */
final class Intake implements Transport.Hall {
  /** A frame of this size or less may be a datagram, and what is around it. */
  private static final int SMALL_FRAME = VoterBus.MAX_BYTES + 64;

  private final HavenRaft raft;
  private final Backlog backlog;

  private volatile @Nullable BiConsumer<String, byte[]> receiver;

  Intake(HavenRaft raft, long backlogBytes) {
    this.raft = raft;
    backlog = new Backlog(backlogBytes);
  }

  /** Where datagrams go: what is given here is called by the thread of a connection. */
  void receiver(BiConsumer<String, byte[]> to) {
    receiver = to;
  }

  @Override
  public boolean admits(String name) {
    return raft.admission.admits(name);
  }

  @Override
  public Set<InetAddress> addresses() {
    return raft.admission.addresses();
  }

  @Override
  public void hear(Transport.Inbound from, byte[] frame) throws IOException {
    if (raft.halt.isHalted()) {
      return;
    }
    var peer = from.peer();
    if (!admits(peer.name())) {
      throw new IOException("it is no voter any more");
    }
    var wire = Wire.decode(frame);
    if (wire == null) {
      return; // a newer voter's
    }
    if (raft.peers.get(peer.name()) instanceof Link link) {
      link.heard(HavenRaft.now());
    }
    if (wire instanceof Wire.Datagram(var bytes)) {
      if (receiver instanceof BiConsumer<String, byte[]> to) {
        to.accept(peer.name(), bytes);
      }
      return;
    }
    long bytes = weight(frame, wire);
    if (!backlog.add(peer.name(), bytes, wire.isLight())) {
      return;
    }
    boolean kept =
        raft.execute(
            () -> {
              backlog.taken(peer.name(), bytes);
              raft.receive(from, wire);
            });
    if (!kept) {
      backlog.taken(peer.name(), bytes);
    }
  }

  /** Datagrams do not wait for the Raft thread, so they are heard while it stands still. */
  @Override
  public boolean hasRoom(Transport.Inbound from, int length) {
    return length <= SMALL_FRAME || backlog.hasRoom(from.peer().name(), length);
  }

  /** What was said to this voter and is not taken yet. */
  long backlogBytes() {
    return backlog.bytes();
  }

  private static long weight(byte[] frame, Wire wire) {
    int entries = wire instanceof Wire.Append append ? append.entries().size() : 0;
    return frame.length + Backlog.PER_FRAME + (long) entries * Backlog.PER_ENTRY;
  }
}
