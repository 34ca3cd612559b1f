package dev.haven.orchestrator.port;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.ForceAlone;
import dev.haven.model.api.Incident;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import dev.haven.raft.port.ReplicatedLog;
import dev.haven.raft.port.ReplicatedLog.VoterAddress;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * The cluster as clients see it, on the voter that leads. Every future fails with {@link
 * ReplicatedLog.NotLeader} on another voter, with {@link ReplicatedLog.OutcomeUnknown} when nobody
 * can say, and with {@link ReplicatedLog.Refused}.
 */
public interface ClusterApi {
  /**
   * Answered once it is committed. The same request again gets the same answer. @param by the name
   * in the client's certificate
   */
  CompletableFuture<Reply> command(CommandRequest request, String by);

  /** Linearizable, as all reads here. */
  CompletableFuture<Views.Status> status();

  /** All that a simulation of this cluster needs. */
  CompletableFuture<Views.Export> export();

  CompletableFuture<Optional<Views.GuestDetail>> guest(GuestId id);

  CompletableFuture<Optional<Views.Explanation>> explain(GuestId id);

  CompletableFuture<Optional<Views.Operation>> operation(OperationId id);

  /** Who may join, and where. */
  CompletableFuture<Views.Tokens> tokens();

  /** The keys that the cluster has certified by tokens, and those that it has revoked. */
  CompletableFuture<Views.Keys> keys();

  /** All incidents that the audit log tells of, oldest first. */
  CompletableFuture<List<Incident>> incidents();

  CompletableFuture<Optional<List<Views.Device>>> devices(HostId id, boolean now);

  /** Lines of the audit log after {@code since}, the oldest first, at most {@code limit}. */
  CompletableFuture<List<Views.Event>> events(long since, int limit);

  /**
   * Calls with every later line of the audit log as it is applied, also on voters that do not
   * lead. @return stops it
   */
  AutoCloseable follow(Consumer<Views.Event> listener);

  CompletableFuture<Void> addVoter(VoterAddress voter);

  CompletableFuture<Void> removeVoter(String name);

  /**
   * On any voter, and only on one that has no leader: it goes on alone, on an operator's word.
   *
   * @param by the name in the client's certificate
   */
  CompletableFuture<Reply> forceAlone(ForceAlone request, String by);

  /**
   * What this voter does about the other of two, of which it hears nothing; empty if nothing. Never
   * blocks.
   */
  Optional<String> standing();

  /** The leader's name, if this voter knows one. Never blocks. */
  Optional<String> leader();

  /**
   * Waits on the caller's own virtual thread.
   *
   * @throws ReplicatedLog.Rejection as the log gave it; {@link ReplicatedLog.OutcomeUnknown} if no
   *     answer came within that time
   */
  static <T> T await(CompletableFuture<T> future, Duration within) {
    try {
      return future.get(within.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof ReplicatedLog.Rejection rejection) {
        throw rejection;
      }
      throw new IllegalStateException(e.getCause());
    } catch (TimeoutException e) {
      throw new ReplicatedLog.OutcomeUnknown("no answer within " + within.toSeconds() + " s");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ReplicatedLog.OutcomeUnknown("this voter is stopping");
    }
  }
}
