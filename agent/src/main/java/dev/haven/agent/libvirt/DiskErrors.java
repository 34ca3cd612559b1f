package dev.haven.agent.libvirt;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import dev.haven.agent.guest.Hypervisor.DiskError;
import dev.haven.agent.guest.Hypervisor.Domain;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import dev.haven.agent.libvirt.Session.Result;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.libvirt.jna.DomainPointer;

/** What QEMU says of a guest's disks that failed. */
final class DiskErrors {
  private static final Duration WITHIN = Duration.ofSeconds(1);

  private final Sessions sessions;

  /** Domains whose QEMU has not yet answered: asked once at a time, for it may hang. */
  private final Set<String> asked = ConcurrentHashMap.newKeySet();

  DiskErrors(Sessions sessions) {
    this.sessions = sessions;
  }

  /**
   * Disk errors are asked over the pool: QEMU may hang on the very disk that fails, and would take
   * the question along.
   */
  Result<List<Domain>> with(Result<List<Domain>> result) {
    if (!(result instanceof Result.Done<List<Domain>>(var domains))
        || domains.stream().noneMatch(DiskErrors::stoppedByItsDisk)) {
      return result;
    }
    // side by side: each may take as long as it is given
    var looks =
        domains.stream()
            .map(
                d ->
                    stoppedByItsDisk(d)
                        ? CompletableFuture.supplyAsync(() -> with(d), Thread::startVirtualThread)
                        : CompletableFuture.completedFuture(d))
            .toList();
    return new Result.Done<>(looks.stream().map(CompletableFuture::join).toList());
  }

  private static boolean stoppedByItsDisk(Domain domain) {
    return domain.state().run() == Run.PAUSED && domain.state().why() == Why.IO_ERROR;
  }

  private Domain with(Domain domain) {
    if (!asked.add(domain.name())) {
      return domain;
    }
    var answer =
        sessions.run(
            session -> {
              try {
                return session.with(domain.name(), pointer -> read(session, pointer));
              } finally {
                asked.remove(domain.name());
              }
            },
            WITHIN);
    if (answer instanceof Result.Unsent<List<DiskError>>) {
      asked.remove(domain.name());
    }
    if (!(answer instanceof Result.Done<List<DiskError>>(var errors))) {
      return domain;
    }
    return new Domain(
        domain.name(),
        domain.uuid(),
        domain.id(),
        domain.state(),
        domain.epoch(),
        domain.job(),
        domain.persistent(),
        domain.autostart(),
        domain.memoryMib(),
        domain.vcpus(),
        errors);
  }

  private static List<DiskError> read(Session session, DomainPointer domain) throws LibvirtError {
    var most = session.check(session.api().virDomainGetDiskErrors(domain, null, 0, 0));
    if (most == 0) {
      return List.of();
    }
    try (var array = new Memory(16L * most)) {
      var count = session.check(session.api().virDomainGetDiskErrors(domain, array, most, 0));
      var errors = new ArrayList<DiskError>();
      for (var i = 0; i < count; i++) {
        var disk = array.getPointer(16L * i);
        errors.add(
            new DiskError(
                disk.getString(0), array.getInt(16L * i + 8) == Native.DISK_ERROR_NO_SPACE));
        com.sun.jna.Native.free(Pointer.nativeValue(disk));
      }
      return errors;
    }
  }
}
