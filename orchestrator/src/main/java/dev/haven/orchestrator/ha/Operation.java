package dev.haven.orchestrator.ha;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/**
 * Something that takes time, in the hard state, so that the next leader goes on with it.
 *
 * @param detail for people: what is going on, or how it ended
 * @param done steps of {@code total}
 */
public record Operation(
    OperationId id,
    Kind kind,
    Instant began,
    String by,
    State state,
    String detail,
    int done,
    int total,
    Optional<Instant> ended) {
  /** What it is for. */
  public sealed interface Kind {
    String subject();

    record MoveGuest(GuestId guest, HostId from, HostId to) implements Kind {
      @Override
      public String subject() {
        return guest.value();
      }
    }

    /** Stop, move, start. */
    record RelocateGuest(GuestId guest, HostId from, HostId to) implements Kind {
      @Override
      public String subject() {
        return guest.value();
      }
    }

    /**
     * @param failures of guests that could not be moved, with the reason; not tried again
     */
    record EvacuateHost(HostId host, Map<GuestId, String> failures) implements Kind {
      public EvacuateHost {
        failures = Map.copyOf(failures);
      }

      @Override
      public String subject() {
        return host.value();
      }
    }

    record StartGuest(GuestId guest) implements Kind {
      @Override
      public String subject() {
        return guest.value();
      }
    }

    record StopGuest(GuestId guest) implements Kind {
      @Override
      public String subject() {
        return guest.value();
      }
    }

    record FenceHost(HostId host) implements Kind {
      @Override
      public String subject() {
        return host.value();
      }
    }

    /**
     * @param level of its fencing devices, from 1
     */
    record TestFencing(HostId host, int level) implements Kind {
      @Override
      public String subject() {
        return host.value();
      }
    }
  }

  public enum State {
    RUNNING,
    DONE,
    FAILED,
    CANCELLED
  }

  public boolean running() {
    return state == State.RUNNING;
  }
}
