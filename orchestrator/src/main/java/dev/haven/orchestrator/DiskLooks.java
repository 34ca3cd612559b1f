package dev.haven.orchestrator;

import dev.haven.model.Definition;
import dev.haven.model.DiskUse;
import dev.haven.model.HostId;
import dev.haven.model.wire.FromAgent;
import dev.haven.orchestrator.port.HostAgents;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/** Asks agents what a guest's disks are on their hosts, and waits for 5 s at most. */
final class DiskLooks {
  static final Duration WITHIN = Duration.ofSeconds(5);

  /** More say the same. */
  private static final int HOSTS = 16;

  /** Of one guest; what its definition names counts besides. */
  private static final int MOST = 1_000;

  private final Supplier<HostAgents> agents;
  private final Duration within;
  private final AtomicLong questions = new AtomicLong();
  private final Map<Long, Question> open = new ConcurrentHashMap<>();

  private record Question(HostId host, CompletableFuture<List<FromAgent.DiskSeen>> answer) {}

  DiskLooks(Supplier<HostAgents> agents, Duration within) {
    this.agents = agents;
    this.within = within;
  }

  /**
   * What these hosts find the disks to be. One of them is enough for a disk to be known; all of
   * them count.
   *
   * @return the definition with what was found in time
   */
  CompletableFuture<Definition> resolve(Definition definition, List<HostId> hosts) {
    var disks = definition.disks().stream().filter(d -> d.path().isPresent()).toList();
    if (disks.isEmpty()) {
      return CompletableFuture.completedFuture(definition.with(List.of(), true));
    }
    var asked = new ArrayList<CompletableFuture<List<FromAgent.DiskSeen>>>();
    for (var host : hosts) {
      if (asked.size() >= HOSTS) {
        break;
      }
      long number = questions.incrementAndGet();
      var answer = new CompletableFuture<List<FromAgent.DiskSeen>>();
      open.put(number, new Question(host, answer));
      if (!agents.get().lookAtDisks(host, number, disks)) {
        open.remove(number);
        continue;
      }
      asked.add(
          answer
              .completeOnTimeout(List.of(), within.toMillis(), TimeUnit.MILLISECONDS)
              .whenComplete((_, _) -> open.remove(number)));
    }
    return CompletableFuture.allOf(asked.toArray(CompletableFuture[]::new))
        .thenApply(
            _ -> {
              var found = new LinkedHashSet<DiskUse>();
              var looked = new HashSet<String>();
              for (var answer : asked) {
                for (var seen : answer.join()) {
                  looked.add(seen.disk());
                  seen.behind().stream().filter(_ -> found.size() < MOST).forEach(found::add);
                }
              }
              boolean all = disks.stream().allMatch(d -> looked.contains(d.use().what()));
              return definition.with(List.copyOf(found), all);
            });
  }

  void said(HostId host, FromAgent.DisksSeen seen) {
    var question = open.get(seen.question());
    if (question != null && question.host().equals(host)) {
      question.answer().complete(seen.disks());
    }
  }
}
