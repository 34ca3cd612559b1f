package dev.haven.orchestrator;

import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.model.HostId;
import dev.haven.model.api.FactWords;
import dev.haven.model.api.ForceAlone;
import dev.haven.model.api.Reply;
import dev.haven.orchestrator.detect.FailureDetector;
import dev.haven.raft.port.ReplicatedLog;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This voter goes on without the others because an operator says that they are off and stay so: the
 * last resort of a cluster without a quorum.
 */
final class ForcedStart {
  private static final Logger log = LoggerFactory.getLogger(ForcedStart.class);
  private static final long PREVIEW_SECONDS = 10;

  private final String self;
  private final ReplicatedLog raft;
  private final FailureDetector detector;

  ForcedStart(String self, ReplicatedLog raft, FailureDetector detector) {
    this.self = self;
    this.raft = raft;
    this.detector = detector;
  }

  /**
   * Does it, or says why not.
   *
   * @param by who asked
   */
  CompletableFuture<Reply> forceAlone(ForceAlone request, String by) {
    var expected = ForceAlone.sentence(self);
    if (!request.dryRun() && !request.sentence().equals(expected)) {
      return refused(
          Reply.Reason.INVALID, "the sentence must be '%s'; nothing was done".formatted(expected));
    }
    var leadership = raft.leadership();
    if (leadership.leader().isPresent()) {
      return refused(
          Reply.Reason.WRONG_STATE,
          "voter %s leads: nobody needs to go on alone".formatted(leadership.leader().get()));
    }
    var done = new CompletableFuture<Reply>();
    Thread.ofVirtual().name("force-alone").start(() -> forceAlone(request, by, done));
    return done;
  }

  private static CompletableFuture<Reply> refused(Reply.Reason reason, String why) {
    return CompletableFuture.completedFuture(new Reply.Refused(reason, why));
  }

  private void forceAlone(ForceAlone request, String by, CompletableFuture<Reply> done) {
    try {
      var known = new StateKeeper(); // what has just booted does not know what is committed
      raft.alone().preview(known).get(PREVIEW_SECONDS, TimeUnit.SECONDS);
      var s = known.state();
      for (var voter : raft.members().voters()) {
        var host = s.host(new HostId(voter.name())).filter(_ -> !voter.self());
        var sign = host.isEmpty() ? Optional.<String>empty() : signOfLife(host.get());
        if (voter.reachable() && !voter.self() || sign.isPresent()) {
          done.complete(
              new Reply.Refused(
                  Reply.Reason.NOT_SAFE,
                  "voter %s is not off: %s. Switch it off first, or join the two again"
                      .formatted(voter.name(), sign.orElse("it is heard"))));
          return;
        }
      }
      var others =
          raft.members().voters().stream()
              .filter(m -> !m.self())
              .map(ReplicatedLog.Member::name)
              .collect(java.util.stream.Collectors.joining(", "));
      var plan =
          List.of(
              "voter %s goes on alone; the newest entry that it knows was made %s"
                  .formatted(
                      self,
                      s.audit().isEmpty()
                          ? "before the first decision"
                          : "at %s: %s"
                              .formatted(
                                  s.audit().getLast().at(),
                                  FactWords.of(s.audit().getLast().fact()))),
              "lost is what was decided later without it, by " + others,
              "if one of them was its own only voter by then, it starts at once when it is switched"
                  + " on and knows nothing of this one: clear its data directory before, or make"
                  + " sure that they hear each other",
              "guests of other hosts start here only once those hosts are proven off");
      if (request.dryRun()) {
        done.complete(new Reply.Accepted("would go on alone", Optional.empty(), plan));
        return;
      }
      log.warn("{} says: {}", by, request.sentence());
      raft.alone()
          .force()
          .whenComplete(
              (_, failure) -> {
                if (failure == null) {
                  done.complete(
                      new Reply.Accepted(
                          "voter %s goes on alone under generation %d"
                              .formatted(self, raft.alone().generation()),
                          Optional.empty(),
                          plan));
                } else {
                  done.completeExceptionally(
                      failure instanceof java.util.concurrent.CompletionException c
                          ? c.getCause()
                          : failure);
                }
              });
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      done.completeExceptionally(new ReplicatedLog.Refused("this voter is stopping"));
    } catch (ExecutionException | TimeoutException e) {
      done.completeExceptionally(new ReplicatedLog.Refused("the log cannot be read: " + e));
    } catch (RuntimeException e) {
      done.completeExceptionally(e);
    }
  }

  private Optional<String> signOfLife(Host host) throws InterruptedException {
    var seen = detector.outlook(host);
    return seen.heard()
        ? Optional.of("its agent is heard")
        : seen.kernel() == Event.Echo.ANSWERS
            ? Optional.of("its kernel answers")
            : seen.power() == Event.Power.ON
                ? Optional.of("its power device says on")
                : Optional.empty();
  }
}
