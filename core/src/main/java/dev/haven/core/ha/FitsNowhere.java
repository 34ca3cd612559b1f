package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.core.placement.Candidate;
import dev.haven.core.placement.Placement;
import dev.haven.core.placement.Verdict;
import dev.haven.model.GuestSpec;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Why guests fit nowhere, in one sentence with a way out. */
final class FitsNowhere {
  private FitsNowhere() {}

  /**
   * Why a guest that is described so could not start now; empty if it could, if need be after its
   * group has moved.
   */
  static Optional<String> whyNot(ClusterState state, GuestSpec guest) {
    var group = state.group(guest);
    var others =
        group.stream()
            .filter(g -> !g.equals(guest.id()))
            .flatMap(g -> state.guest(g).stream())
            .toList();
    var held = others.stream().filter(g -> !(g.phase() instanceof Waiting)).toList();
    var waiting = new ArrayList<GuestSpec>();
    waiting.add(guest);
    others.stream().filter(g -> g.phase() instanceof Waiting).forEach(g -> waiting.add(g.spec()));
    var candidates = Candidates.candidates(state, Set.of(guest.id()));
    if (held.isEmpty()) {
      boolean partial = waiting.stream().anyMatch(GroupUnits::partial);
      return Placement.best(
                  partial ? List.of(guest) : waiting,
                  candidates,
                  candidates,
                  Optional.empty(),
                  Set.of())
              .isPresent()
          ? Optional.empty()
          : Optional.of(whyNowhere(waiting, candidates));
    }
    var anchor = Candidates.anchor(state, held);
    if (anchor.isPresent()
        && candidates.stream()
            .anyMatch(
                c ->
                    c.id().equals(anchor.get()) && Placement.fits(List.of(guest), c, candidates))) {
      return Optional.empty();
    }
    var all = new ArrayList<>(waiting);
    held.forEach(g -> all.add(g.spec()));
    var without = Candidates.candidates(state, group);
    return Placement.best(all, without, without, Optional.empty(), Set.of()).isPresent()
        ? Optional.empty()
        : Optional.of(whyNowhere(all, without));
  }

  /** One sentence that names the guest's size, the nearest host and the way out. */
  static String whyNowhere(GuestSpec guest, List<Candidate> candidates) {
    return whyNowhere(List.of(guest), candidates);
  }

  /** The same for guests that must have one host. */
  static String whyNowhere(List<GuestSpec> guests, List<Candidate> candidates) {
    return whyNowhere(guests, candidates, candidates);
  }

  /**
   * The same where some hosts are out of the question.
   *
   * @param all hosts, for the rules that hang on where other guests are
   */
  static String whyNowhere(
      List<GuestSpec> guests, List<Candidate> candidates, List<Candidate> all) {
    boolean alone = guests.size() == 1;
    var who =
        alone
            ? "guest " + guests.getFirst().id()
            : "guests %s, which stay together"
                .formatted(GroupChecks.names(guests.stream().map(GuestSpec::id).toList()));
    if (candidates.isEmpty()) {
      return who + ": the cluster has no host yet; add one: haven host add";
    }
    var verdicts = Placement.rank(guests, candidates, all, Optional.empty(), Set.of());
    var roomiest =
        candidates.stream()
            .filter(c -> c.unable().isEmpty())
            .max(Comparator.comparingLong(Candidate::freeMib).thenComparing(Candidate::id));
    if (roomiest.isEmpty()) {
      return "%s: no host can take guests now (%s)".formatted(who, reasons(verdicts));
    }
    long free = Math.max(0, roomiest.get().freeMib());
    long need = guests.stream().mapToLong(Candidate::reservedMib).sum();
    if (free < need) {
      long memory = guests.stream().mapToLong(GuestSpec::memoryMib).sum();
      return alone
          ? "%s: %d MiB of memory fits on no host (most free: host %s, %d MiB); give it less, stop another, or add a host"
              .formatted(who, memory, roomiest.get().id(), free)
          : "%s: %d MiB of memory fit on no host (most free: host %s, %d MiB: %d MiB short); give them less, stop another, or add a host"
              .formatted(who, memory, roomiest.get().id(), free, need - free);
    }
    return "%s%s on no host: %s".formatted(who, alone ? " fits" : ", fit", reasons(verdicts));
  }

  private static String reasons(List<Verdict> verdicts) {
    return String.join(
        "; ",
        verdicts.stream()
            .limit(5)
            .map(v -> "host %s: %s".formatted(v.host(), String.join(", ", v.reasons())))
            .toList());
  }
}
