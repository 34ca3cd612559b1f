package dev.haven.orchestrator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Entry;
import dev.haven.model.Formats;
import dev.haven.model.Json;
import dev.haven.raft.port.StateMachine;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The hard state behind the log: the same on every voter, and always the newest that is committed.
 */
final class StateKeeper implements StateMachine {
  private static final Logger log = LoggerFactory.getLogger(StateKeeper.class);

  /** More than this process could hold is none. */
  private static final long STATE_MAX = Runtime.getRuntime().maxMemory() / 2;

  private volatile ClusterState state = ClusterState.EMPTY;
  private final List<BiConsumer<ClusterState, ClusterState>> listeners =
      new CopyOnWriteArrayList<>();

  /** What the proposer of an entry learns. */
  enum Answer {
    APPLIED,
    STALE,
    BROKEN
  }

  /**
   * @param detail which rule a broken entry breaks
   */
  record Result(Answer answer, String detail) {}

  ClusterState state() {
    return state;
  }

  /**
   * Calls with the states before and after each applied entry, on the log's thread; must not block.
   */
  void onApplied(BiConsumer<ClusterState, ClusterState> listener) {
    listeners.add(listener);
  }

  @Override
  public byte[] apply(long index, long term, byte[] command) {
    Entry entry;
    try {
      entry = Json.read(command, Entry.class);
    } catch (RuntimeException e) { // it is as unreadable on every other voter
      refuseOther(index, format(command));
      log.error("log entry {} cannot be read and changes nothing", index, e);
      state = state.withBrokenEntry(index);
      return Json.bytes(new Result(Answer.BROKEN, "it cannot be read: " + e.getMessage()));
    }
    refuseOther(index, entry.format());
    var before = state;
    var outcome = before.apply(entry);
    state =
        outcome instanceof ClusterState.Outcome.Broken
            ? before.withBrokenEntry(index)
            : outcome.state();
    if (outcome instanceof ClusterState.Outcome.Applied) {
      listeners.forEach(l -> tell(l, before));
    }
    return Json.bytes(
        switch (outcome) {
          case ClusterState.Outcome.Applied _ -> new Result(Answer.APPLIED, "");
          case ClusterState.Outcome.Stale s ->
              new Result(Answer.STALE, "decided on version " + s.base());
          case ClusterState.Outcome.Broken b -> new Result(Answer.BROKEN, b.rule());
        });
  }

  /**
   * What another version wrote may read well and mean something else.
   *
   * @throws IllegalStateException which ends this voter before it applies it
   */
  private static void refuseOther(long index, int format) {
    Formats.otherThan(Entry.FORMAT, format, "entry %d of the log".formatted(index))
        .ifPresent(
            why -> {
              throw new IllegalStateException(why);
            });
  }

  /** The first field of an entry or a snapshot. */
  private record Head(int format) {}

  /** Of something of which the rest cannot be read; this Haven's own where it says none. */
  private static int format(byte[] json) {
    try {
      return Json.read(json, Head.class).format();
    } catch (RuntimeException e) {
      return Entry.FORMAT;
    }
  }

  /** A listener is no part of the state: its fault must not end the voter. */
  private void tell(BiConsumer<ClusterState, ClusterState> listener, ClusterState before) {
    try {
      listener.accept(before, state);
    } catch (RuntimeException e) {
      log.error("what follows from version {} of the state failed", state.version(), e);
    }
  }

  @Override
  public void snapshot(DataOutput out) throws IOException {
    var bytes = Json.bytes(state.snapshot());
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  @Override
  public void check(DataInput in) throws IOException {
    read(in);
  }

  @Override
  public void restore(DataInput in) throws IOException {
    state = read(in);
  }

  private static ClusterState read(DataInput in) throws IOException {
    int length = in.readInt();
    if (length < 0 || length > STATE_MAX) {
      throw new IOException("a state of %d bytes".formatted(length));
    }
    var bytes = new byte[length];
    in.readFully(bytes);
    try {
      return ClusterState.of(Json.read(bytes, ClusterState.Snapshot.class));
    } catch (RuntimeException e) { // whatever a field makes of what it should not have
      var why =
          Formats.otherThan(
              ClusterState.Snapshot.FORMAT, format(bytes), "the snapshot of the state");
      throw new IOException(why.orElseGet(() -> "no state: " + e.getMessage()), e);
    }
  }
}
