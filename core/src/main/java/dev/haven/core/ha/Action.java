package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.wire.Order;
import java.time.Duration;
import java.util.OptionalInt;

/**
 * What to do in the world once the changes are committed. Each may be done twice unharmed, and each
 * that matters comes back as an event.
 */
public sealed interface Action {
  /**
   * Send an order that makes no guest run. One that cannot be delivered is dropped: it is implied
   * by the state and comes again when the agent joins.
   */
  record Send(HostId host, BootId boot, Order order) implements Action {
    public Send {
      if (order instanceof Order.StartGuest || order instanceof Order.ResumeGuest) {
        throw new IllegalArgumentException("starting and resuming need a vacancy: " + order);
      }
    }
  }

  /** Start the guest. */
  record Start(GuestId guest, Vacancy vacancy) implements Action {}

  /**
   * Let a guest run that has {@code arrived}, or one that a broken migration may have left paused.
   */
  record Resume(GuestId guest, Vacancy vacancy, boolean arrived) implements Action {}

  /**
   * Cut the host's power and read it back, {@code after} a while. Another fence of this host under
   * way is left to go on.
   *
   * @param unlessOn the level of its devices that has said off: if that says on now, nothing is
   *     ordered, and {@link Event.HostSwitchedOn} is told
   */
  record FenceHost(HostId host, BootId boot, int attempt, Duration after, OptionalInt unlessOn)
      implements Action {
    FenceHost(HostId host, BootId boot, int attempt, Duration after) {
      this(host, boot, attempt, after, OptionalInt.empty());
    }
  }

  /** Stop trying to cut the host's power: it is heard again. */
  record DropFence(HostId host) implements Action {}

  /** Have the host's agent stop feeding its watchdog, to see that it resets the host. */
  record TestWatchdog(HostId host, BootId boot) implements Action {}

  /** Switch the host's power on again. */
  record PowerOn(HostId host) implements Action {}
}
