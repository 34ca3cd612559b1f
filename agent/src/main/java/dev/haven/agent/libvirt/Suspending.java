package dev.haven.agent.libvirt;

import dev.haven.agent.guest.Hypervisor.Outcome;
import dev.haven.agent.guest.LibvirtState;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import org.libvirt.jna.DomainPointer;
import org.libvirt.jna.virDomainBlockJobInfo;

/** Stops a guest's processors and everything else that writes to its disks. */
final class Suspending {
  private final Driver driver;

  Suspending(Driver driver) {
    this.driver = driver;
  }

  Outcome suspend(Session session, DomainPointer domain, LibvirtState state) throws LibvirtError {
    session.stillWanted();
    // also where it is paused already: the call waits for what libvirt is still at with it, which
    // may be to let it go on
    session.check(session.api().virDomainSuspend(domain));
    var after = session.state(domain);
    if (after.run() != Run.PAUSED) {
      return new Outcome.Failed(
          0, session.name(domain) + " is " + after + " after it was suspended");
    }
    endBlockJobs(session, domain);
    if (state.run() != Run.PAUSED) {
      return new Outcome.Done();
    }
    return state.why() == Why.USER || isDrained(session, domain)
        ? new Outcome.Already()
        : new Outcome.Failed(
            0,
            session.name(domain)
                + " is "
                + after
                + ", and it cannot be proven that nothing is written");
  }

  /** A commit or a copy of a disk goes on writing while the guest is paused. */
  private void endBlockJobs(Session session, DomainPointer domain) throws LibvirtError {
    if (driver != Driver.QEMU) {
      return;
    }
    var api = session.api();
    var xml = MarkedDomain.parse(session.text(api.virDomainGetXMLDesc(domain, 0)));
    for (var disk : xml.disks()) {
      if (blockJob(session, domain, disk)) {
        session.stillWanted();
        session.check(api.virDomainBlockJobAbort(domain, disk, 0));
        if (blockJob(session, domain, disk)) {
          throw new LibvirtError(0, "a block job of disk " + disk + " goes on writing");
        }
      }
    }
  }

  private static boolean blockJob(Session session, DomainPointer domain, String disk)
      throws LibvirtError {
    var info = new virDomainBlockJobInfo();
    return session.check(session.api().virDomainGetBlockJobInfo(domain, disk, info, 0)) != 0;
  }

  /**
   * Of a guest that QEMU has paused by itself libvirt knows only an event, which comes before what
   * was in flight has ended, and its suspend does nothing.
   */
  private boolean isDrained(Session session, DomainPointer domain) throws LibvirtError {
    return driver == Driver.QEMU && QemuMonitor.stopped(session, domain);
  }
}
