package dev.haven.raft;

import java.io.IOException;

/** The log on this disk is not what was written; the message says where and what to do. */
public final class DamagedLogException extends IOException {
  DamagedLogException(String where, String file, String what) {
    super(
        """
        %s/%s: %s. This voter does not start, because it could have lost what it acknowledged. \
        Look for disk errors; then move %s away, start again, and on another voter run \
        `haven voter remove NAME` and `haven voter add NAME`. Do that only while the other voters have a quorum.\
        """
            .formatted(where, file, what, where));
  }
}
