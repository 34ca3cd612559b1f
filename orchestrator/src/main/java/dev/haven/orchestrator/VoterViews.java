package dev.haven.orchestrator;

import dev.haven.core.ha.ClusterState;
import dev.haven.model.HostId;
import dev.haven.model.api.Views;
import dev.haven.raft.port.ReplicatedLog;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** How voters are shown, and what of them keeps the cluster from standing another failure. */
final class VoterViews {
  private final String self;
  private final ReplicatedLog raft;

  VoterViews(String self, ReplicatedLog raft) {
    this.self = self;
    this.raft = raft;
  }

  List<Views.Voter> voters(ReplicatedLog.Leadership leadership) {
    long last = raft.status().lastIndex();
    return raft.members().voters().stream()
        .map(
            m ->
                new Views.Voter(
                    m.name(),
                    m.raft(),
                    m.api(),
                    leadership.leader().equals(Optional.of(m.name())),
                    m.reachable(),
                    m.self()
                        ? 0
                        : m.matchIndex().isPresent()
                            ? Math.max(0, last - m.matchIndex().getAsLong())
                            : -1,
                    m.counts()
                        ? m.witness() ? "witness: runs no guests" : ""
                        : "does not count: its log is not the one that was admitted; remove it and"
                            + " add it again"))
        .toList();
  }

  /** Sentences about what the loss of a voter would cost; none if it costs nothing. */
  List<String> redundancy() {
    var lines = new ArrayList<String>();
    var voters = raft.members().voters();
    long up = voters.stream().filter(m -> m.reachable() && m.counts()).count();
    if (voters.size() < 3) {
      lines.add(
          voters.size() == 1
              ? "there is one voter: if it dies, nothing is decided until it is back"
              : raft.alone().other().isPresent()
                  ? "there are two voters: if one dies, the other goes on alone once it has proven"
                      + " it off; a third makes that quicker and sure: haven token create --role"
                      + " witness"
                  : "there are two voters and no ping targets: if one dies, nothing is decided"
                      + " until it is back; add a third (haven token create --role witness), or"
                      + " give both alone: {pingTargets: [ADDRESS]}");
    } else if (up <= voters.size() / 2 + 1 && up < voters.size()) {
      lines.add(
          "%d of %d voters are up: if another dies, nothing is decided until it is back"
              .formatted(up, voters.size()));
    }
    return lines;
  }

  /** How two voters without a third stand. */
  Optional<String> alone(ClusterState s) {
    var alone = raft.alone();
    if (!alone.absent().isEmpty()) {
      return Optional.of(
          "alone: generation %d, without voter %s, which is admitted again when it is back"
              .formatted(alone.generation(), String.join(", ", alone.absent())));
    }
    return alone
        .other()
        .map(ReplicatedLog.Alone.Other::name)
        .map(
            other ->
                "together: generation %d; %s"
                    .formatted(
                        alone.generation(),
                        s.host(new HostId(other))
                                .filter(h -> !h.spec().fencing().isEmpty())
                                .isPresent()
                            ? "voter %s goes on alone if voter %s is lost and proven off"
                                .formatted(self, other)
                            : "voter %s cannot go on alone: there is no host %s with a fencing device"
                                .formatted(self, other)));
  }

  /** One of two that may not go on by itself. */
  Optional<String> waiting() {
    var voters = raft.members().voters();
    return voters.size() != 2 || raft.alone().other().isPresent()
        ? Optional.empty()
        : voters.stream()
            .filter(v -> !v.self() && !v.reachable())
            .findFirst()
            .map(
                v ->
                    "it waits for voter %s, which may have gone on without it; if that one is gone for good: haven voter force-alone %s"
                        .formatted(v.name(), self));
  }
}
