package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.core.placement.Placement;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Whether a guest can be moved by hand, with whom, and whither. */
final class Ways {
  private Ways() {}

  /** Whether a guest can be moved, and whither. */
  sealed interface Way {
    /**
     * @param along others of its group that have to move with it
     */
    record Open(Guest guest, Running from, Host to, List<Guest> along) implements Way {
      List<Guest> all() {
        var all = new ArrayList<Guest>();
        all.add(guest);
        all.addAll(along);
        return all;
      }
    }

    record Barred(Reply reply) implements Way {}
  }

  private static Way barred(Reason reason, String message) {
    return new Way.Barred(Replies.refused(reason, message));
  }

  /**
   * @param verb as people type it
   */
  static Way way(Deliberation d, GuestId id, Optional<HostId> to, boolean withGroup, String verb) {
    var known = d.state().guest(id);
    if (known.isEmpty()) {
      return new Way.Barred(Replies.unknownGuest(d, id));
    }
    var guest = known.get();
    if (!(guest.phase() instanceof Running from)) {
      return barred(
          Reason.WRONG_STATE,
          "guest %s: is not running in peace, so it cannot be moved; see haven guest show %s"
              .formatted(id, id));
    }
    if (!d.host(from.host()).online()) {
      return barred(
          Reason.WRONG_STATE, "guest %s: its host %s is not online".formatted(id, from.host()));
    }
    if (to.isPresent() && d.state().host(to.get()).isEmpty()) {
      return new Way.Barred(Replies.unknownHost(d, to.get()));
    }
    if (to.equals(Optional.of(from.host()))) {
      return barred(
          Reason.WRONG_STATE, "guest %s: runs on host %s already".formatted(id, from.host()));
    }
    var group = d.state().group(guest.spec());
    var others = group.stream().filter(g -> !g.equals(id)).map(d::guest).toList();
    var parted = apart(d, guest, from, others, to, withGroup, verb);
    if (parted.isPresent()) {
      return new Way.Barred(parted.get());
    }
    var other = GroupChecks.underWay(d.state(), group);
    if (other.isPresent()) {
      return barred(
          Reason.WRONG_STATE,
          "guest %s: operation %s moves its group; wait until it has ended: haven op show %s"
              .formatted(id, other.get().id(), other.get().id()));
    }
    return search(d, guest, from, others, to, withGroup);
  }

  /** A host for a guest and its group, or why there is none. */
  private static Way search(
      Deliberation d,
      Guest guest,
      Running from,
      List<Guest> others,
      Optional<HostId> to,
      boolean withGroup) {
    var id = guest.id();
    var group = d.state().group(guest.spec());
    var shunned = new java.util.TreeSet<>(guest.shunned());
    others.forEach(g -> shunned.addAll(g.shunned()));
    var all = Followers.without(d.state(), from.host(), Candidates.candidates(d.state(), group));
    var candidates =
        all.stream()
            .filter(h -> !h.id().equals(from.host()))
            .filter(h -> to.isEmpty() || to.get().equals(h.id()))
            .filter(h -> withGroup || others.stream().allMatch(g -> at(g, h.id())))
            .toList();
    var members = new ArrayList<Guest>();
    members.add(guest);
    members.addAll(others);
    var specs = Candidates.needing(d.state(), members, candidates);
    var best = Placement.best(specs, candidates, all, Optional.empty(), shunned);
    if (best.isEmpty()) {
      var why =
          Placement.rank(specs, all, Optional.empty(), Set.of()).stream()
              .filter(v -> to.equals(Optional.of(v.host())))
              .findFirst();
      return barred(
          Reason.FITS_NOWHERE,
          why.isPresent()
              ? "guest %s: host %s cannot take it: %s"
                  .formatted(id, why.get().host(), String.join(", ", why.get().reasons()))
              : candidates.isEmpty()
                  ? "guest %s: there is no other host to move it to; add one: haven host add"
                      .formatted(id)
                  : FitsNowhere.whyNowhere(specs, candidates, all));
    }
    return new Way.Open(
        guest,
        from,
        d.host(best.get()),
        others.stream().filter(g -> g.phase() instanceof Running && !at(g, best.get())).toList());
  }

  /** Whether it is on a host, or waits for one and would go there. */
  private static boolean at(Guest guest, HostId host) {
    return guest.phase() instanceof Waiting || guest.host().equals(Optional.of(host));
  }

  /** Why a move would part guests that must stay together. */
  private static Optional<Reply> apart(
      Deliberation d,
      Guest guest,
      Running from,
      List<Guest> others,
      Optional<HostId> to,
      boolean withGroup,
      String verb) {
    if (withGroup) {
      return others.stream()
          .filter(g -> !Candidates.settled(d, g))
          .findFirst()
          .map(
              g ->
                  Replies.refused(
                      Reason.WRONG_STATE,
                      "guest %s: guest %s, which goes with it, is not running in peace; see haven guest show %s"
                          .formatted(guest.id(), g.id(), g.id())));
    }
    boolean joins =
        d.state().hosts().stream()
            .map(Host::id)
            .filter(h -> !h.equals(from.host()))
            .filter(h -> to.isEmpty() || to.get().equals(h))
            .anyMatch(h -> others.stream().allMatch(g -> at(g, h)));
    return others.isEmpty() || joins
        ? Optional.empty()
        : Optional.of(
            Replies.refused(
                Reason.WRONG_STATE,
                "guest %s: must stay together with %s, and this would part them; to move all of them: haven %s %s%s --with-group"
                    .formatted(
                        guest.id(),
                        GroupChecks.names(others.stream().map(Guest::id).toList()),
                        verb,
                        guest.id(),
                        to.map(h -> " --to " + h).orElse(""))));
  }
}
