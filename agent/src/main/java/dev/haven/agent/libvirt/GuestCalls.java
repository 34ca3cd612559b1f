package dev.haven.agent.libvirt;

import dev.haven.agent.guest.Hypervisor.Outcome;
import dev.haven.agent.guest.LibvirtState;
import dev.haven.agent.libvirt.Session.Result;
import dev.haven.agent.libvirt.Session.Work;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.libvirt.jna.DomainPointer;

/**
 * Calls that change one guest. To look and then to act is one step for each guest, and none waits
 * for another one's: a pause has only seconds.
 */
final class GuestCalls {
  /** One lock for each name that was ever ordered here. */
  private final Map<String, ReentrantLock> locks = new ConcurrentHashMap<>();

  private final Sessions sessions;

  GuestCalls(Sessions sessions) {
    this.sessions = sessions;
  }

  /** What is done with a domain that is the guest meant, as it is found. */
  interface OnOurs {
    Outcome run(Session session, DomainPointer domain, LibvirtState state) throws LibvirtError;
  }

  /** {@link Outcome.Already} where it is off. */
  Outcome unlessOff(String name, long epoch, OnOurs act, Duration within) {
    return onOurs(
        name,
        epoch,
        (session, domain, state) ->
            state.shutOff() ? new Outcome.Already() : act.run(session, domain, state),
        within);
  }

  Outcome onOurs(String name, long epoch, OnOurs act, Duration within) {
    return order(sessions, name, onOurs(name, epoch, act), within);
  }

  static Work<Outcome> onOurs(String name, long epoch, OnOurs act) {
    return session ->
        session
            .find(
                name,
                domain -> {
                  var here = session.epoch(domain);
                  if (here.isEmpty()) {
                    return new Outcome.Conflict(here, name + " here is not kept by Haven");
                  }
                  if (here.getAsLong() != epoch) {
                    return new Outcome.Conflict(
                        here, name + " has epoch " + here.getAsLong() + " here, not " + epoch);
                  }
                  return act.run(session, domain, session.state(domain));
                })
            .orElseGet(Outcome.Absent::new);
  }

  Outcome order(Sessions pool, String name, Work<Outcome> work, Duration within) {
    var deadline = System.nanoTime() + within.toNanos();
    var lock = locks.computeIfAbsent(name, _ -> new ReentrantLock());
    try {
      if (!lock.tryLock(within.toNanos(), TimeUnit.NANOSECONDS)) {
        return new Outcome.Unavailable("another order for " + name + " is under way");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Outcome.Unavailable("interrupted");
    }
    try {
      return outcome(pool.run(work, Duration.ofNanos(Math.max(deadline - System.nanoTime(), 1))));
    } finally {
      lock.unlock();
    }
  }

  /** The step of an order that changes something: only while the leader still waits for it. */
  static Outcome act(Session session, Call call) throws LibvirtError {
    session.stillWanted();
    session.check(call.on(session.api()));
    return new Outcome.Done();
  }

  /** A call of libvirt that returns -1 where it fails. */
  interface Call {
    int on(Native api);
  }

  static Outcome outcome(Result<Outcome> result) {
    return switch (result) {
      case Result.Done<Outcome>(var outcome) -> outcome;
      case Result.Refused<Outcome>(var error) -> new Outcome.Failed(error.code(), error.message());
      case Result.Lost<Outcome>(var reason) -> new Outcome.Unknown(reason);
      case Result.Unsent<Outcome>(var reason) -> new Outcome.Unavailable(reason);
    };
  }
}
