package dev.haven.model.api;

import dev.haven.model.OperationId;
import java.util.List;
import java.util.Optional;

/** What became of a command. */
public sealed interface Reply {
  /**
   * It is done or has begun, and is on the disks of a majority of voters.
   *
   * @param message one sentence for people
   * @param operation what to wait for, if it takes time
   * @param plan the steps, for a dry run and for operations that know them
   */
  record Accepted(String message, Optional<OperationId> operation, List<String> plan)
      implements Reply {
    public Accepted {
      plan = List.copyOf(plan);
    }
  }

  /** Nothing was changed. Says what, where and the way out. */
  record Refused(Reason reason, String message) implements Reply {}

  /** Why, for programs; HTTP status and exit code follow from it. */
  enum Reason {
    /** There is nothing of that name. */
    UNKNOWN_NAME,
    /** There is something else of that name. */
    NAME_TAKEN,
    /** No host can take the guest, or not the one that was named. */
    FITS_NOWHERE,
    /** Not while it is as it is now. */
    WRONG_STATE,
    /** A guest might run twice, or stop for good. */
    NOT_SAFE,
    /** In so many seconds, as the message says, it would be safe. */
    TOO_EARLY,
    /** The command itself is wrong, whatever the state. */
    INVALID
  }
}
