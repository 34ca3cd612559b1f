package dev.haven.core.ha;

import dev.haven.model.HostId;
import dev.haven.model.api.Alarm;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** A host whose voter is needed to commit the proof is not cut off. */
final class NeededVoters {
  private NeededVoters() {}

  /**
   * The hosts whose voters are without power, or about to be. One that is proven off counts until
   * it has joined again: its voter is still heard for a moment after its end.
   */
  static Set<HostId> beingCut(Deliberation d) {
    return d.state().hosts().stream()
        .filter(
            h -> h.state() instanceof HostState.Fencing || h.state() instanceof HostState.Fenced)
        .map(Host::id)
        .collect(Collectors.toSet());
  }

  /**
   * Why this host's power must not be cut now though somebody wants it: its voter is needed to
   * commit the proof. Without a quorum no guest starts anywhere until a voter has booted.
   */
  static Optional<String> needed(Deliberation d, HostId id, Event.Quorum quorum) {
    var cut = beingCut(d);
    if (!quorum.needs(id, cut)) {
      return Optional.empty();
    }
    var without =
        quorum.voters().stream()
            .filter(v -> !v.equals(id.value()))
            .filter(v -> !quorum.heard().contains(v) || cut.contains(new HostId(v)))
            .sorted()
            .toList();
    return Optional.of(
        "host %s: its power is not cut, because its voter is needed to commit the proof that it is off: of %d voters %s are off, being cut or not heard, so without it there would be no majority. Bring one of them back first (haven voter list), then say it again"
            .formatted(id, quorum.voters().size(), String.join(", ", without)));
  }

  /** A fence that takes the quorum with it proves nothing: nobody could commit its proof. */
  static void waitsForVoters(Deliberation d, HostId id) {
    d.alarm(
        "fencing-" + id,
        Alarm.Kind.FENCE_WAITS_FOR_VOTERS,
        Alarm.Level.CRITICAL,
        id,
        "host %s is silent, but its voter is needed to commit the proof, so its power is not cut yet; its guests stay put. It is fenced once another voter is back. Bring the other voters back; or make sure that the host is off and say so: haven fence %s --confirm-dead"
            .formatted(id, id));
    d.because("its voter is needed: it is fenced once another one is back");
  }
}
