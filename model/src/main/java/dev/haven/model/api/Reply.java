package dev.haven.model.api;

import dev.haven.model.OperationId;
import java.util.List;
import java.util.Optional;

/** What became of a command. */
public sealed interface Reply {
  /**
   * On the disks of a majority.
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
    UNKNOWN_NAME,
    NAME_TAKEN,
    FITS_NOWHERE,
    WRONG_STATE,
    NOT_SAFE,
    /** In so many seconds, as the message says, it would be safe. */
    TOO_EARLY,
    INVALID
  }
}
