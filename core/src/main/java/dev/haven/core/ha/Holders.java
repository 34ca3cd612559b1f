package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Fact;
import dev.haven.model.wire.Answer;
import java.util.List;
import java.util.Optional;

/** A host can no longer run a guest, by proof; or it can again, as a proof was void. */
final class Holders {
  private Holders() {}

  /** A host holds the guest no longer, by proof. */
  static void holderGone(Deliberation d, GuestId id, HostId host, String why) {
    var guest = d.guest(id);
    if (guest.phase() instanceof Migrating m) {
      Migration.holderGone(d, guest, m, host, why);
    } else if (guest.host().filter(guest.holders()::containsKey).isEmpty()) {
      gone(d, id, why);
    } else {
      GuestOrders.orders(d, guest); // a start that was held back
    }
  }

  /**
   * The guest is gone from where it was. It is off, unless a contradicted proof left another host
   * that may run it.
   */
  static void gone(Deliberation d, GuestId id, String why) {
    if (d.guest(id).holders().isEmpty()) {
      GuestLife.off(d, id, why);
    } else {
      // while it was to start elsewhere this host was ordered to end it, and that order may yet
      // come
      GuestLife.askLastHolder(
          d, id, why, d.guest(id).phase() instanceof Starting || destroys(d.guest(id)));
      GuestOrders.orders(d, d.guest(id));
    }
  }

  private static boolean destroys(Guest guest) {
    return guest.phase() instanceof Vacating v && v.destroy();
  }

  /**
   * An answer to an order that is over. The agent's word in it still holds: it refuses that epoch
   * for good.
   */
  static void lateWord(
      Deliberation d, Guest guest, Epoch refused, Event.OrderAnswered e, String otherwise) {
    var holding = guest.holders().get(e.host());
    var said =
        switch (e.answer()) {
          case Answer.Gone a -> Optional.of(a.detail());
          case Answer.Migrated a -> Optional.of(a.detail());
          case Answer.Done _,
              Answer.StillThere _,
              Answer.Failed _,
              Answer.Unknown _,
              Answer.NotNoted _,
              Answer.Refused _ ->
              Optional.<String>empty();
        };
    if (said.isEmpty() || holding == null || holding.epoch().compareTo(refused) > 0) {
      d.because(otherwise);
      return;
    }
    clear(d, guest.id(), e, refused, said.get());
    holderGone(d, guest.id(), e.host(), "host " + e.host() + "'s agent says late: " + said.get());
    d.because("gone from host " + e.host());
  }

  static void clear(Deliberation d, GuestId id, Event.OrderAnswered e, Epoch refused, String said) {
    var word = new Proof.AgentsWord(e.host(), e.boot(), id, refused, said, e.at());
    var holding = d.guest(id).holders().get(e.host());
    if (holding != null && word.covers(id, holding)) {
      d.change(new Change.HolderCleared(id, e.host(), word));
    }
  }

  /** The host is no longer proven off: each guest that rests on it gets its holder back. */
  static void takeBack(Deliberation d, HostId host, BootId boot) {
    for (var guest : List.copyOf(d.state().guests())) {
      if (!d.leavesOut(guest.id())) {
        takeBack(d, guest.id(), host, boot);
      }
    }
  }

  /** The same for one guest. */
  static void takeBack(Deliberation d, GuestId id, HostId host, BootId boot) {
    var guest = d.guest(id);
    var lost =
        guest.tenure().cleared().stream()
            .filter(c -> c.proof().host().equals(host) && c.holding().boot().equals(boot))
            .filter(c -> d.state().voids(c.proof()))
            .findFirst();
    if (lost.isEmpty() || guest.holders().containsKey(host)) {
      return;
    }
    d.change(new Change.HolderRestored(id, lost.get().holding()));
    d.tell(new Fact.GuestMayRunThere(id, host, lost.get().holding().epoch()));
    switch (guest.phase()) {
      // nobody else was ordered to run it: where it is still there, it goes on
      case GuestPhase.Waiting _, GuestPhase.Failed _, GuestPhase.Stopped _ ->
          GuestLife.askLastHolder(d, id, "host " + host + " may still run it", false);
      // nothing of it may be left at the target before it goes on at the source
      case GuestPhase.Migrating m
          when m.step() == GuestPhase.Step.STAYING && m.target().equals(host) ->
          d.phase(id, m.at(GuestPhase.Step.UNDOING, m.why()));
      // two hosts may run it now, so it goes on on neither
      case GuestPhase.Vacating v when !v.destroy() -> d.phase(id, v.destroying());
      case GuestPhase.Starting _,
          GuestPhase.Stopping _,
          GuestPhase.Vacating _,
          GuestPhase.Migrating _,
          GuestPhase.Running _ -> {}
    }
    GuestOrders.orders(d, d.guest(id));
  }
}
