package dev.haven.raft;

import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Unwinds a thread of a voter that has halted; where {@link Halt} ends the process, never seen. */
final class Halted extends RuntimeException {
  private Halted(String reason, @Nullable Throwable cause) {
    super(reason, cause);
  }

  /** No fault: the process is to be restarted. */
  static final class Restart extends RuntimeException {
    Restart(String why) {
      super(why, null, false, false);
    }
  }

  /** Halts one voter, once. */
  static final class Switch {
    private static final Logger log = LoggerFactory.getLogger(Switch.class);
    private final Halt halt;
    private final AtomicBoolean halted = new AtomicBoolean();

    Switch(Halt halt) {
      this.halt = halt;
    }

    boolean isHalted() {
      return halted.get();
    }

    /** Halts; what is returned is for the caller to throw, so that nothing after it runs. */
    Halted now(String reason, Throwable cause) {
      if (cause instanceof Halted already) {
        return already;
      }
      if (halted.compareAndSet(false, true)) {
        log.error("this voter halts: {}", reason, cause);
        halt.halt(reason, cause);
      }
      return new Halted(reason, cause);
    }

    /** Halts so that a supervisor restarts it. */
    Halted restart(String why) {
      return now(why, new Restart(why));
    }

    /** Halts because an invariant does not hold. */
    Halted broken(String invariant) {
      return now(invariant, new IllegalStateException(invariant));
    }
  }
}
