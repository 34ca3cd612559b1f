package dev.haven.agent.libvirt;

import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.Hypervisor.Domain;
import dev.haven.agent.guest.Hypervisor.Ping;
import dev.haven.agent.guest.LibvirtState;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import org.libvirt.jna.DomainPointer;

/** How a domain is found to be: all that a report of a guest says, and whether it answers. */
final class Looks {
  private final Driver driver;
  private final Predicate<String> migrating;

  /** Domains that shut themselves down since they were started, as libvirt's events say. */
  private final Set<String> poweredOff = ConcurrentHashMap.newKeySet();

  /**
   * @param migrating whether a domain of that name is being migrated from here
   */
  Looks(Driver driver, Predicate<String> migrating) {
    this.driver = driver;
    this.migrating = migrating;
  }

  /** To be told of each event before anything is asked because of it. */
  void hear(DomainEvent event) {
    if (event instanceof DomainEvent.Changed(_, var name, var change, var why)) {
      if (change == DomainEvent.Change.SHUTDOWN && why == Why.SHUTDOWN) {
        poweredOff.add(name);
      } else if (change == DomainEvent.Change.SHUTDOWN || change == DomainEvent.Change.STARTED) {
        poweredOff.remove(name);
      }
    }
  }

  Domain look(Session session, DomainPointer domain) throws LibvirtError {
    var api = session.api();
    var name = session.name(domain);
    var state = byWhom(name, session.state(domain));
    var info = session.info(domain);
    return new Domain(
        name,
        UUID.fromString(session.uuid(domain)),
        api.virDomainGetID(domain),
        state,
        session.epoch(domain),
        migrating.test(name) || busy(session, domain, state),
        session.check(api.virDomainIsPersistent(domain)) == 1,
        session.autostart(domain),
        info.maxMem.longValue() / 1024,
        Short.toUnsignedInt(info.nrVirtCpu),
        List.of());
  }

  /** The state alone does not tell a guest's own shutdown from a signal to its QEMU. */
  private LibvirtState byWhom(String name, LibvirtState state) {
    return driver == Driver.QEMU
            && state.shutOff()
            && state.why() == Why.SHUTDOWN
            && !poweredOff.contains(name)
        ? new LibvirtState(state.run(), Why.BY_HOST)
        : state;
  }

  Ping ping(Session session, String name, long epoch) throws LibvirtError {
    int before = undisturbed(session, name, epoch);
    if (before < 0) {
      return new Ping.NotAsked("it does not run undisturbed");
    }
    try {
      session.with(name, domain -> session.text(GuestAgent.ping(domain)));
      return new Ping.Answered(before);
    } catch (LibvirtError e) {
      if (e.code() != Native.ERROR_AGENT_UNRESPONSIVE) {
        return new Ping.NotAsked(e.message());
      }
      boolean open =
          session.with(
              name,
              domain ->
                  GuestAgent.portOpen(session.text(session.api().virDomainGetXMLDesc(domain, 0))));
      if (!open) {
        return new Ping.NotAsked("its agent's port is closed");
      }
      return undisturbed(session, name, epoch) == before
          ? new Ping.Missed(before)
          : new Ping.NotAsked("it was disturbed meanwhile");
    }
  }

  /** The number of a turn that runs with no job of libvirt's on it; -1 if it does not. */
  private int undisturbed(Session session, String name, long epoch) throws LibvirtError {
    if (migrating.test(name)) {
      return -1;
    }
    return session
        .find(
            name,
            domain -> {
              var state = session.state(domain);
              return state.run() == Run.RUNNING
                      && session.epoch(domain).equals(OptionalLong.of(epoch))
                      && !busy(session, domain, state)
                  ? session.api().virDomainGetID(domain)
                  : -1;
            })
        .orElse(-1);
  }

  private static boolean busy(Session session, DomainPointer domain, LibvirtState state)
      throws LibvirtError {
    if (state.shutOff()) {
      return false;
    }
    if (state.run() == Run.PAUSED && state.why() == Why.MIGRATION) {
      return true;
    }
    try {
      return session.occupied(domain);
    } catch (LibvirtError e) {
      if (e.code() == Native.ERROR_OPERATION_INVALID || e.code() == Native.ERROR_NO_SUPPORT) {
        return false; // it stopped since, or this driver does not tell
      }
      throw e;
    }
  }
}
