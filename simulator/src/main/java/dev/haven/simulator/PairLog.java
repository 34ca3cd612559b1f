package dev.haven.simulator;

import dev.haven.raft.port.ReplicatedLog;
import dev.haven.raft.port.StateMachine;
import dev.haven.raft.port.VoterBus;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/** The log of one of two voters: what nobody asks of it while the two stand alone. */
abstract class PairLog implements ReplicatedLog, ReplicatedLog.Alone {
  @Override
  public Alone alone() {
    return this;
  }

  @Override
  public List<String> absent() {
    return List.of();
  }

  @Override
  public Members members() {
    return new Members(List.of(), List.of());
  }

  @Override
  public OptionalLong lastQuorumRound() {
    return OptionalLong.empty();
  }

  @Override
  public void onLeadership(Consumer<Leadership> listener) {}

  @Override
  public void close() {}

  private static UnsupportedOperationException nobodyAsks() {
    return new UnsupportedOperationException("nobody asks this here");
  }

  @Override
  public CompletableFuture<Void> preview(StateMachine into) {
    throw nobodyAsks();
  }

  @Override
  public CompletableFuture<Void> force() {
    throw nobodyAsks();
  }

  @Override
  public CompletableFuture<byte[]> propose(byte[] command, long requiredTerm) {
    throw nobodyAsks();
  }

  @Override
  public CompletableFuture<Long> barrier() {
    throw nobodyAsks();
  }

  @Override
  public CompletableFuture<Void> addVoter(VoterAddress voter) {
    throw nobodyAsks();
  }

  @Override
  public CompletableFuture<Void> removeVoter(String name) {
    throw nobodyAsks();
  }

  @Override
  public VoterBus bus() {
    throw nobodyAsks();
  }

  @Override
  public Status status() {
    throw nobodyAsks();
  }
}
