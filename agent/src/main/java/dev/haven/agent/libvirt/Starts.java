package dev.haven.agent.libvirt;

import dev.haven.agent.guest.Hypervisor.GuestStart;
import dev.haven.agent.guest.Hypervisor.Outcome;
import dev.haven.agent.guest.Hypervisor.Permit;
import dev.haven.agent.guest.Letting;
import dev.haven.agent.guest.LibvirtState;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.libvirt.jna.DomainPointer;

/** Starts a guest: defined under its mark, created paused, let run at the last moment. */
final class Starts {
  private final Looks looks;
  private final Letting letting;

  Starts(Looks looks, Letting letting) {
    this.looks = looks;
    this.letting = letting;
  }

  Outcome start(Session session, GuestStart order, MarkedDomain xml, Permit permit)
      throws LibvirtError {
    var api = session.api();
    record Before(Optional<Outcome> verdict, String uuid, boolean autostart) {}
    var before =
        session
            .find(
                order.name(),
                domain -> {
                  var state = session.state(domain);
                  var mark = session.mark(domain, Native.AFFECT_CURRENT);
                  var report = looks.look(session, domain);
                  return new Before(
                      verdict(order, state, report.epoch()),
                      report.uuid().toString(),
                      report.autostart()
                          || mark.map(MarkedDomain.Mark::autostartFound).orElse(false));
                })
            // drawn here, so that the mark names it
            .orElseGet(() -> new Before(Optional.empty(), UUID.randomUUID().toString(), false));
    if (before.verdict.isPresent()) {
      return order.created() && before.verdict.get() instanceof Outcome.Already
          ? goOn(session, order, permit)
          : before.verdict.get();
    }
    session.stillWanted();
    @Nullable DomainPointer domain =
        api.virDomainDefineXML(
            session.connection(), xml.marked(order.epoch(), before.autostart, before.uuid));
    if (domain == null) {
      throw session.lastError();
    }
    try {
      if (session.autostart(domain)) {
        session.check(api.virDomainSetAutostart(domain, 0));
      }
      // a saved image would bring back old memory over disks that have moved on
      if (api.virDomainHasManagedSaveImage(domain, 0) == 1) {
        session.check(api.virDomainManagedSaveRemove(domain, 0));
      }
      session.stillWanted();
      var created =
          letting.run(
              session::alive,
              order.name(),
              order.epoch(),
              () -> {
                var no = permit.toCreate();
                if (no.isPresent()) {
                  return new Outcome.Unavailable(no.get());
                }
                session.check(api.virDomainCreateWithFlags(domain, Native.START_PAUSED));
                return new Outcome.Done();
              });
      return created instanceof Outcome.Done
          ? letRun(session, order.name(), order.epoch(), permit, domain)
          : created;
    } finally {
      api.virDomainFree(domain);
    }
  }

  /** Created by an earlier try, which may have found no lease to let it run under. */
  private Outcome goOn(Session session, GuestStart order, Permit permit) throws LibvirtError {
    return session.with(
        order.name(),
        domain -> {
          var state = session.state(domain);
          if (startsUp(state)) {
            return notYet(order.name());
          }
          return state.run() == Run.PAUSED && state.why() == Why.USER
              ? letRun(session, order.name(), order.epoch(), permit, domain)
              : new Outcome.Already();
        });
  }

  /** An earlier process of the agent has had it created, and libvirt is not done with that. */
  private static boolean startsUp(LibvirtState state) {
    return state.run() == Run.PAUSED && state.why() == Why.STARTING_UP;
  }

  private static Outcome notYet(String name) {
    return new Outcome.Unavailable("libvirt is still starting " + name + " up");
  }

  private static Optional<Outcome> verdict(
      GuestStart order, LibvirtState state, OptionalLong epoch) {
    if (epoch.isEmpty()) {
      return Optional.of(
          new Outcome.Conflict(
              epoch, "a domain " + order.name() + " that Haven does not keep is here: " + state));
    }
    var here = epoch.getAsLong();
    if (!state.shutOff()) {
      return Optional.of(
          here == order.epoch()
              ? startsUp(state) ? notYet(order.name()) : new Outcome.Already()
              : new Outcome.Conflict(
                  epoch, order.name() + " is " + state + " here with epoch " + here));
    }
    return here > order.epoch()
        ? Optional.of(
            new Outcome.Conflict(
                epoch, order.name() + " is defined here with the newer epoch " + here))
        : Optional.empty();
  }

  /** Asks for the right to at the last moment. */
  Outcome letRun(Session session, String name, long epoch, Permit permit, DomainPointer domain)
      throws LibvirtError {
    session.stillWanted();
    return letting.run(
        session::alive,
        name,
        epoch,
        () -> {
          var no = permit.toRun();
          if (no.isPresent()) {
            return new Outcome.Unavailable(no.get());
          }
          session.check(session.api().virDomainResume(domain));
          return new Outcome.Done();
        });
  }
}
