package dev.haven.bench;

import dev.haven.raft.Voter;
import dev.haven.raft.port.ReplicatedLog.NotLeader;
import dev.haven.raft.port.ReplicatedLog.Refused;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A client of the {@link Nemesis}: it reads and writes registers, and keeps what it saw. */
final class NemesisClient {
  private final Nemesis nemesis;

  NemesisClient(Nemesis nemesis) {
    this.nemesis = nemesis;
  }

  /** Until the nemesis is nemesis.over. */
  void run(Random chance) {
    var leader = nemesis.members.get(chance.nextInt(nemesis.members.size()));
    while (!nemesis.over) {
      var key = nemesis.ledger.register(chance);
      var history = nemesis.ledger.history(key);
      boolean write = chance.nextInt(3) > 0;
      var target =
          !write && nemesis.flaw == Nemesis.Flaw.LOCAL_READS
              ? nemesis.members.get(chance.nextInt(nemesis.members.size()))
              : leader;
      var voter = target.voter;
      Optional<String> hint;
      if (voter == null) {
        hint = Optional.empty();
      } else if (!write) {
        hint = read(target, voter, key, history);
      } else {
        int padding = chance.nextInt(10) == 0 ? chance.nextInt(20_000) : chance.nextInt(400);
        hint = write(target, voter, key, history, padding);
      }
      if (hint.isEmpty()) {
        leader = nemesis.members.get(chance.nextInt(nemesis.members.size()));
        Nemesis.sleep(5);
      } else {
        leader = member(hint.get());
      }
      Nemesis.sleep(chance.nextInt(6));
    }
  }

  /** Whom to ask next, if that is known. */
  private Optional<String> write(
      Nemesis.Member target, Voter voter, String key, RegisterHistory history, int padding) {
    long number = nemesis.ledger.number();
    var value = "v" + number;
    long called = System.nanoTime();
    var future = voter.propose(Registers.command(number, key, value, padding), 0);
    try {
      var answer = future.get(Nemesis.PATIENCE_SECONDS, TimeUnit.SECONDS);
      long returned = System.nanoTime();
      history.wrote(value, called, returned);
      nemesis.ledger.acknowledged(number, ByteBuffer.wrap(answer).getLong());
      return Optional.of(target.name);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof NotLeader notLeader) {
        nemesis.ledger.refused(number);
        return notLeader.leader();
      } else if (e.getCause() instanceof Refused) {
        nemesis.ledger.refused(number);
        Nemesis.sleep(20);
        return Optional.of(target.name);
      }
      nemesis.ledger.unknown(history, value, called);
      return Optional.empty();
    } catch (TimeoutException e) {
      nemesis.ledger.unknown(history, value, called);
      return Optional.empty();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private Optional<String> read(
      Nemesis.Member target, Voter voter, String key, RegisterHistory history) {
    long called = System.nanoTime();
    var registers = target.registers;
    try {
      CompletableFuture<Long> barrier =
          nemesis.flaw == Nemesis.Flaw.LOCAL_READS
              ? CompletableFuture.completedFuture(0L)
              : voter.barrier();
      barrier.get(Nemesis.PATIENCE_SECONDS, TimeUnit.SECONDS);
      if (target.voter != voter || target.registers != registers) {
        return Optional.empty(); // it was started again meanwhile, and this is another's state
      }
      var value = registers.value(key);
      history.read(value, called, System.nanoTime());
      nemesis.ledger.read();
      return Optional.of(target.name);
    } catch (ExecutionException e) {
      return e.getCause() instanceof NotLeader notLeader ? notLeader.leader() : Optional.empty();
    } catch (TimeoutException e) {
      return Optional.empty();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private Nemesis.Member member(String name) {
    return nemesis.members.stream().filter(m -> m.name.equals(name)).findFirst().orElseThrow();
  }
}
