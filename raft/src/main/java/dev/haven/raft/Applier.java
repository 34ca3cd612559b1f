package dev.haven.raft;

import dev.haven.raft.port.StateMachine;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.jgroups.protocols.raft.LogEntry;
import org.jspecify.annotations.Nullable;

/**
 * Hands committed entries to the state machine: on the Raft thread as long as nothing else is to be
 * done first, which saves a commit two changes of threads, and otherwise on a thread of its own,
 * which also makes the snapshots: a long one must not make a leader miss its heartbeats.
 */
final class Applier {
  /** What the Raft thread is told; it runs these on itself. */
  interface Listener {
    /** An entry of the log's own has been applied, such as a new leader's no-op. */
    void appliedInternal();

    void snapshotWritten();
  }

  private final StateMachine machine;
  private final VoterLog log;
  private final long snapshotBytes;
  private final Halted.Switch halt;
  private final Listener listener;
  private final LinkedBlockingQueue<Runnable> work = new LinkedBlockingQueue<>();

  /** Work that was given to the thread and is not done. Only the Raft thread raises it from 0. */
  private final AtomicInteger open = new AtomicInteger();

  private final Thread thread;

  private volatile long applied;
  private volatile boolean closed;
  private long appliedTerm;
  private byte[] voters = Voters.NONE.bytes();
  private long bytesSince;

  Applier(
      StateMachine machine,
      VoterLog log,
      long snapshotBytes,
      Halted.Switch halt,
      Listener listener) {
    this.machine = machine;
    this.log = log;
    this.snapshotBytes = snapshotBytes;
    this.halt = halt;
    this.listener = listener;
    thread = Thread.ofPlatform().daemon().name("haven-raft-apply").unstarted(this::run);
  }

  /** Starts from a snapshot, or from nothing. */
  void start(VoterLog.@Nullable Snapshot snapshot) {
    if (snapshot != null) {
      doRestore(snapshot);
    }
    thread.start();
  }

  long applied() {
    return applied;
  }

  void apply(long index, LogEntry entry, @Nullable CompletableFuture<byte[]> waiting) {
    if (open.get() == 0) {
      doApply(index, entry, waiting);
    } else {
      later(() -> doApply(index, entry, waiting));
    }
  }

  /**
   * Any thread.
   *
   * @throws IOException if {@link #restore} would fail
   */
  void check(VoterLog.Snapshot snapshot) throws IOException {
    machine.check(new DataInputStream(new ByteArrayInputStream(snapshot.state())));
  }

  void restore(VoterLog.Snapshot snapshot) {
    later(() -> doRestore(snapshot));
  }

  private void later(Runnable step) {
    open.incrementAndGet();
    work.add(step);
  }

  private void run() {
    while (!closed) {
      try {
        work.take().run();
        open.decrementAndGet();
      } catch (InterruptedException e) {
        return;
      } catch (Halted e) {
        return;
      } catch (Throwable t) {
        var unused = halt.now("the state machine threw, which it must not", t);
        return;
      }
    }
  }

  private void doApply(long index, LogEntry entry, @Nullable CompletableFuture<byte[]> waiting) {
    if (halt.isHalted()) {
      return;
    }
    if (index <= applied) {
      if (waiting != null) {
        waiting.complete(new byte[0]);
      }
      return; // a snapshot that was taken over has it already
    }
    if (index != applied + 1) {
      throw halt.broken("entry %d was to be applied after %d".formatted(index, applied));
    }
    byte[] answer = new byte[0];
    if (entry.internal()) {
      if (Internal.of(entry) == Internal.VOTERS) {
        voters = Internal.content(entry);
      }
    } else {
      var command =
          Arrays.copyOfRange(entry.command(), entry.offset(), entry.offset() + entry.length());
      answer = machine.apply(index, entry.term(), command);
    }
    applied = index;
    appliedTerm = entry.term();
    bytesSince += entry.length() + 40L;
    if (waiting != null) {
      waiting.complete(answer);
    }
    if (entry.internal()) {
      listener.appliedInternal();
    }
    if (bytesSince >= snapshotBytes) {
      bytesSince = 0;
      later(this::takeSnapshot);
    }
  }

  private void takeSnapshot() {
    var bytes = new ByteArrayOutputStream(1 << 16);
    try {
      machine.snapshot(new DataOutputStream(bytes));
    } catch (IOException e) {
      throw halt.now("the state could not be written to memory", e);
    }
    if (log.writeSnapshot(
        new VoterLog.Snapshot(applied, appliedTerm, voters, bytes.toByteArray()))) {
      listener.snapshotWritten();
    }
  }

  private void doRestore(VoterLog.Snapshot snapshot) {
    if (halt.isHalted() || snapshot.index() <= applied) {
      return;
    }
    try {
      machine.restore(new DataInputStream(new ByteArrayInputStream(snapshot.state())));
    } catch (IOException e) {
      throw halt.now("the snapshot at %d could not be read".formatted(snapshot.index()), e);
    }
    applied = snapshot.index();
    appliedTerm = snapshot.term();
    voters = snapshot.voters();
    bytesSince = 0;
    listener.appliedInternal();
  }

  /** What still waits is left; its proposer is told that the outcome is unknown. */
  void close() {
    closed = true;
    List<Runnable> rest = new ArrayList<>();
    work.drainTo(rest);
    work.add(() -> {}); // wakes the thread without an interrupt, which would close the log's files
    try {
      if (!Thread.currentThread().equals(thread)) {
        thread.join(5000);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
