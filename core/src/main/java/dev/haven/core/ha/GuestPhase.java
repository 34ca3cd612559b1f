package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * Where a guest is in its life, in the hard state. An order that a phase implies may be sent again
 * at any time: by the same leader, or by the next one.
 *
 * <pre>
 *             placed          started           wanted off              the agent's word
 * Waiting ──────────► Starting ──────► Running ────────────► Stopping ──────────────────► Stopped
 *    ▲  ▲                │               │ ▲ │  died, or its host must let it go             ▲
 *    │  └── start failed─┘               │ │ └──────────► Vacating ──── not wanted ──────────┘
 *    │                                   │ └─ undone ─┐      │
 *    └──────────── the agent's word, or its host is proven off ─┘
 *                                        └► Migrating ┘  (checking → moving → arrived; or undoing → staying)
 * </pre>
 */
public sealed interface GuestPhase {
  /** Off, and meant to be. No host holds it. */
  record Stopped(String why) implements GuestPhase {}

  /**
   * Wants a host, and none holds it.
   *
   * @param notBefore when it is tried again at the earliest, by the leader's wall clock
   */
  record Waiting(String why, Optional<Instant> notBefore) implements GuestPhase {
    Waiting(String why) {
      this(why, Optional.empty());
    }
  }

  /** It is on one host, which holds it so. */
  sealed interface OnHost extends GuestPhase {
    Holding holding();

    default HostId host() {
      return holding().host();
    }

    default BootId boot() {
      return holding().boot();
    }

    default Epoch epoch() {
      return holding().epoch();
    }
  }

  /** The order to start may have left. */
  record Starting(Holding holding) implements OnHost {}

  /** Its agent said that it runs. Its host may have fallen silent since: see the host's state. */
  record Running(Holding holding) implements OnHost {}

  /**
   * @param grace for the guest's own shutdown
   */
  record Stopping(Holding holding, Duration grace) implements OnHost {}

  /**
   * The agent of the host is asked for its word that the guest is gone.
   *
   * @param destroy what is left of it
   */
  record Vacating(Holding holding, boolean destroy, String why) implements OnHost {
    /** The same, and what is left of it is destroyed. */
    Vacating destroying() {
      return new Vacating(holding, true, why);
    }
  }

  /**
   * One transaction from host to host; see {@link Step}. Once it is {@code MOVING} both hosts hold
   * the guest.
   *
   * @param from how the source holds it
   * @param to how the target holds it from {@code MOVING} on
   * @param operation that asked for it
   */
  record Migrating(Holding from, Holding to, Step step, String why, Optional<OperationId> operation)
      implements GuestPhase {
    public HostId source() {
      return from.host();
    }

    public HostId target() {
      return to.host();
    }

    Migrating at(Step next, String because) {
      return new Migrating(from, to, next, because, operation);
    }

    Running back() {
      return new Running(from);
    }
  }

  /** The steps of a migration. */
  enum Step {
    /** The target is asked whether the guest can arrive. Nothing has moved. */
    CHECKING,
    /**
     * The intent is committed; libvirt moves it, and it will arrive paused. If the target is proven
     * empty meanwhile, the source is asked what became of it.
     */
    MOVING,
    /** The source is proven empty; the target is ordered to let it run. */
    ARRIVED,
    /** It did not arrive; the target is asked for its word that nothing is left. */
    UNDOING,
    /**
     * The target is proven empty; the source is ordered to let it run, since a migration that broke
     * late leaves it paused.
     */
    STAYING
  }

  /** Given up; an operator must look. No host holds it. */
  record Failed(String why) implements GuestPhase {}
}
