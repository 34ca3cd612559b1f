package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.core.placement.Candidate;
import dev.haven.core.placement.Placement;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Rule;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * Guests with a {@link Rule.Failback} go back to the host that they prefer, one after the other,
 * while nothing else is under way; not from where an operator moved them. Only how soon hangs on
 * the leaders' wall clocks.
 */
public final class Failbacks {
  /** A host that is back must have been well for so long: some come and go. */
  private static final Duration WELL_FOR = Duration.ofMinutes(5);

  /** After a migration back that failed. */
  private static final Duration AGAIN_AFTER = Duration.ofMinutes(30);

  /** Who asks for the operation, as the audit log and {@code haven op list} show it. */
  static final String BY = "failback";

  private Failbacks() {}

  /**
   * A guest that is not where it should be, though it could be.
   *
   * @param notBefore when it goes back at the earliest, by the leader's wall clock
   */
  public record Due(GuestId guest, HostId to, Instant notBefore) {}

  /** All of them, the most important first. Looks only at hosts whose guests have rules. */
  public static List<Due> of(ClusterState state) {
    var all = new ArrayList<Due>();
    for (var host : state.hosts()) {
      if (host.online() && state.load(host.id()).ruled() > 0) {
        for (var id : state.load(host.id()).guests()) {
          state.guest(id).flatMap(g -> of(state, g)).ifPresent(all::add);
        }
      }
    }
    all.sort(
        Comparator.comparingInt(
                (Due d) -> -state.guest(d.guest()).map(g -> g.spec().priority()).orElse(0))
            .thenComparing(Due::guest));
    return all;
  }

  private static Optional<Due> of(ClusterState state, Guest guest) {
    var rule =
        guest.spec().rules().stream()
            .filter(Rule.Failback.class::isInstance)
            .map(Rule.Failback.class::cast)
            .findFirst();
    if (rule.isEmpty()
        || !guest.wanted()
        || !(guest.phase() instanceof Running at)
        || guest.byHand().equals(Optional.of(at.host()))) {
      return Optional.empty();
    }
    var group = state.group(guest.spec());
    var members = group.stream().flatMap(g -> state.guest(g).stream()).toList();
    if (!members.stream().allMatch(g -> g.phase() instanceof Running)) {
      return Optional.empty();
    }
    var candidates = Candidates.candidates(state, group);
    var meant = candidates.stream().filter(c -> Placement.meant(rule.get(), c)).toList();
    if (meant.stream().anyMatch(c -> c.id().equals(at.host()))) {
      return Optional.empty();
    }
    return Placement.best(
            members.stream().map(Guest::spec).toList(),
            well(guest, meant),
            candidates,
            Optional.empty(),
            guest.shunned())
        .map(to -> new Due(guest.id(), to, notBefore(state, guest.id(), to)));
  }

  private static List<Candidate> well(Guest guest, List<Candidate> hosts) {
    return hosts.stream().filter(c -> !guest.shunned().contains(c.id())).toList();
  }

  private static Instant notBefore(ClusterState state, GuestId guest, HostId to) {
    var time =
        state.host(to).map(Host::state).orElseThrow() instanceof HostState.Online o
            ? o.since().map(since -> since.plus(WELL_FOR)).orElse(Instant.MIN)
            : Instant.MAX;
    for (var op : state.operations()) {
      var again = op.ended().map(t -> t.plus(AGAIN_AFTER)).orElse(Instant.MIN);
      boolean its =
          (op.kind() instanceof Kind.MoveGuest k && k.guest().equals(guest))
              || (op.kind() instanceof Kind.MoveGroup g && g.from().containsKey(guest));
      if (its && op.by().equals(BY) && op.state() != Operation.State.DONE && again.isAfter(time)) {
        time = again;
      }
    }
    return time;
  }

  /** Whether anything else is under way, or wrong: what runs well can wait. */
  static boolean busy(ClusterState state) {
    return state.pause().isPresent()
        || state.operations().stream().anyMatch(Operation::running)
        || state.hosts().stream()
            .anyMatch(
                h ->
                    h.state() instanceof HostState.Suspect
                        || h.state() instanceof HostState.Fencing)
        || state.unsettled().stream()
            .anyMatch(
                id ->
                    state
                        .guest(id)
                        .filter(g -> !(g.phase() instanceof GuestPhase.Waiting))
                        .isPresent());
  }

  /** Sends the first one back whose time has come. */
  static void begin(Deliberation d) {
    if (busy(d.state())) {
      return;
    }
    var due = of(d.state()).stream().filter(x -> !d.at().isBefore(x.notBefore())).findFirst();
    if (due.isEmpty()) {
      return;
    }
    var guest = d.guest(due.get().guest());
    if (guest.phase() instanceof Running from) {
      var to = d.host(due.get().to());
      var why = "it goes back to the host that it prefers";
      var group = d.state().group(guest.spec());
      if (group.size() > 1) {
        GroupMoves.begin(
            d, guest.id(), group.stream().map(d::guest).toList(), to, BY, why, Optional.empty());
        d.because("guests %s go back to host %s".formatted(GroupChecks.names(group), to.id()));
        return;
      }
      var op =
          d.begin(
              new Kind.MoveGuest(guest.id(), from.host(), to.id()), BY, "checking the target", 1);
      Migration.begin(d, guest, from, to, Optional.of(op), why);
      d.because("guest %s goes back to host %s".formatted(guest.id(), to.id()));
    }
  }
}
