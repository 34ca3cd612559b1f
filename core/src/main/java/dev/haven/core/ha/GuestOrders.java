package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Stopping;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.model.Network;
import dev.haven.model.wire.Order;
import java.util.Set;

/** The orders that the phase of a guest implies. Each may have been sent before. */
final class GuestOrders {
  private GuestOrders() {}

  /** The orders that a guest's phase implies; each may have been sent before. */
  static void orders(Deliberation d, Guest guest) {
    var id = guest.id();
    switch (guest.phase()) {
      case Starting p -> {
        if (guest.holders().keySet().equals(Set.of(p.host()))) {
          d.act(new Action.Start(id, Vacancy.of(guest, p.holding())));
        } else { // a contradicted proof holds it back: the host that lives is asked for its word
          guest
              .holders()
              .forEach(
                  (host, holding) -> {
                    if (!host.equals(p.host())) {
                      d.send(holding, new Order.ConfirmGone(id, holding.epoch(), true));
                    }
                  });
        }
      }
      case Stopping p -> d.send(p.holding(), new Order.StopGuest(id, p.epoch(), p.grace()));
      case Vacating p -> d.send(p.holding(), new Order.ConfirmGone(id, p.epoch(), p.destroy()));
      case Migrating p -> orders(d, guest, p);
      case GuestPhase.Stopped _,
          GuestPhase.Waiting _,
          GuestPhase.Running _,
          GuestPhase.Failed _ -> {}
    }
  }

  static void orders(Deliberation d, Guest guest, Migrating m) {
    var id = guest.id();
    switch (m.step()) {
      case CHECKING ->
          d.send(m.to(), new Order.Precheck(id, m.to().epoch(), guest.spec().domainXml()));
      case MOVING -> {
        if (!guest.holders().containsKey(m.target())) {
          // in this order: what the source answers then is said after the migration has ended
          d.send(m.from(), new Order.AbortMigration(id, m.from().epoch(), m.to().epoch()));
          d.send(m.from(), new Order.ConfirmGone(id, m.from().epoch(), false));
        } else {
          d.state()
              .host(m.target())
              .ifPresent(
                  target ->
                      d.send(
                          m.from(),
                          new Order.MigrateOut(
                              id,
                              m.from().epoch(),
                              m.to().epoch(),
                              m.target(),
                              target.spec().migrationUri(),
                              migrationAddress(target),
                              d.state().policy().bandwidthMibPerSecond())));
        }
      }
      case ARRIVED -> d.act(resumed(guest, m));
      case UNDOING -> d.send(m.to(), new Order.ConfirmGone(id, m.to().epoch(), true));
      case STAYING -> d.act(new Action.Resume(id, Vacancy.of(guest, m.from()), false));
    }
  }

  static Action.Resume resumed(Guest guest, Migrating m) {
    return new Action.Resume(guest.id(), Vacancy.of(guest, m.to()), true);
  }

  private static String migrationAddress(Host host) {
    var networks = host.spec().networks();
    return networks.stream()
        .filter(n -> n.roles().contains(Network.Role.MIGRATION))
        .findFirst()
        .or(() -> networks.stream().findFirst())
        .map(Network::address)
        .orElse("");
  }
}
