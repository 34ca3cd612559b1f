package dev.haven.orchestrator.power;

import dev.haven.core.ha.Action;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.Operation;
import dev.haven.core.lead.FenceVerdict;
import dev.haven.core.lead.Fences;
import dev.haven.core.lead.Watch;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Time;
import dev.haven.orchestrator.port.PowerDevices;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * Cuts the power of hosts, and switches them on again, as one voter decided while it leads: on one
 * virtual thread for each attempt. What comes of it is told as an event.
 */
public final class PowerCuts {
  private static final Duration FENCE_WITHIN = Duration.ofSeconds(20);
  private static final Duration LOOK_WITHIN = Duration.ofSeconds(3);
  private static final Duration POWER_ON_WITHIN = Duration.ofSeconds(60);

  private final Supplier<ClusterState> state;
  private final Supplier<Watch> watch;
  private final PowerDevices power;
  private final Time time;
  private final Listener listener;
  private final Fences fences = new Fences();
  private final Map<Fences.Attempt, Thread> cutting = new ConcurrentHashMap<>();
  private final PowerOns powerOns = new PowerOns();

  /** Hears what comes of it, on the thread of the attempt. Must not block. */
  public interface Listener {
    /** For the leader. */
    void found(Event event);

    /** For the log. */
    void note(String what);

    /** For the log; somebody may have to do something. */
    void warn(String what);

    /** A fault of ours, for the log. */
    void fault(String what, RuntimeException fault);
  }

  /**
   * @param time on whose clock the devices and the watch count, too
   */
  public PowerCuts(
      Supplier<ClusterState> state,
      Supplier<Watch> watch,
      PowerDevices power,
      Time time,
      Listener listener) {
    this.state = state;
    this.watch = watch;
    this.power = power;
    this.time = time;
    this.listener = listener;
  }

  /** The host's power is to be cut, unless this very attempt is under way. */
  public void fence(Action.FenceHost action) {
    var begun = fences.begin(action);
    begun.flatMap(Fences.Begun::dropped).ifPresent(this::letGo);
    begun.map(Fences.Begun::begun).ifPresent(this::begin);
  }

  /** Nobody wants the host's power cut any more. */
  public void drop(HostId host) {
    fences.drop(host).ifPresent(this::letGo);
  }

  /** This voter leads no more. */
  public void dropAll() {
    fences.dropAll().forEach(this::letGo);
  }

  private void begin(Fences.Attempt attempt) {
    var thread =
        time.threads()
            .name("fence-" + attempt.action().host())
            .unstarted(
                () -> {
                  try {
                    cut(attempt.action());
                  } finally {
                    fences.ended(attempt);
                    cutting.remove(attempt);
                  }
                });
    cutting.put(attempt, thread);
    thread.start();
  }

  private void letGo(Fences.Attempt attempt) {
    var thread = cutting.get(attempt);
    if (thread != null) {
      thread.interrupt();
    }
  }

  private void cut(Action.FenceHost a) {
    var verdict = new FenceVerdict(watch.get(), a);
    try {
      time.sleep(a.after());
      var host = state.get().host(a.host());
      if (host.isEmpty()) {
        return;
      }
      if (saysOnAgain(host.get(), a.unlessOn())) {
        listener.found(new Event.HostSwitchedOn(a.host(), a.boot(), a.attempt(), time.instant()));
        return;
      }
      var begun = time.instant();
      var cut = power.cut(a.host(), tried(host.get()), others(a.host()), FENCE_WITHIN);
      time.sleep(verdict.wait(cut, time.nanos()));
      listener.found(verdict.of(cut, begun, time.nanos(), time.instant()));
    } catch (InterruptedException e) {
      listener.note("fencing of host %s is dropped".formatted(a.host()));
    } catch (RuntimeException e) {
      listener.fault("fencing of host " + a.host(), e);
      listener.found(verdict.fault(e, time.nanos(), time.instant()));
    }
  }

  /**
   * Whether this level of devices, which has said off, says on: a host that somebody has switched
   * on is left to boot.
   */
  private boolean saysOnAgain(Host host, OptionalInt level) throws InterruptedException {
    if (level.isEmpty() || level.getAsInt() > host.spec().fencing().size()) {
      return false;
    }
    var spec = host.spec().with(List.of(host.spec().fencing().get(level.getAsInt() - 1)));
    return power.look(host.id(), spec, LOOK_WITHIN).says() == Event.Power.ON;
  }

  /** With all its fencing devices, or those alone that are tested. */
  private HostSpec tried(Host host) {
    return state.get().operations().stream()
        .filter(Operation::running)
        .map(Operation::kind)
        .filter(k -> k instanceof Operation.Kind.TestFencing t && t.host().equals(host.id()))
        .map(k -> ((Operation.Kind.TestFencing) k).level())
        .findFirst()
        .map(level -> host.spec().with(List.of(host.spec().fencing().get(level - 1))))
        .orElse(host.spec());
  }

  private Map<String, String> others(HostId host) {
    return PowerDevices.others(state.get(), host);
  }

  /** The host is to be switched on, unless that was done too often within an hour. */
  public void powerOn(HostId host) {
    time.threads().name("power-on-" + host).start(() -> switchOn(host));
  }

  private void switchOn(HostId id) {
    try {
      var host = state.get().host(id);
      if (host.isEmpty()) {
        return;
      }
      if (!powerOns.may(id, time.nanos())) {
        listener.warn(
            "host %s was switched on %d times within an hour; it stays off until an operator looks"
                .formatted(id, PowerOns.PER_HOUR));
        return;
      }
      var problem = power.on(id, host.get().spec(), others(id), POWER_ON_WITHIN);
      if (problem.isEmpty()) {
        listener.note("host %s is switched on again".formatted(id));
      } else {
        listener.warn("host %s could not be switched on again: %s".formatted(id, problem));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      listener.fault("switching on host " + id, e);
    }
  }
}
