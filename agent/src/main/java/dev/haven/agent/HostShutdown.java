package dev.haven.agent;

import dev.haven.model.wire.GoingDown;
import java.util.Optional;

/** Whether this host is being shut down. What a guest does then is not its owner's wish. */
interface HostShutdown extends AutoCloseable {
  /** Of a host whose shutdown nobody tells, such as the lab's. */
  HostShutdown NEVER =
      new HostShutdown() {
        @Override
        public Optional<GoingDown> last() {
          return Optional.empty();
        }

        @Override
        public boolean mayStop() {
          return false;
        }

        @Override
        public void close() {}
      };

  /** How it is being shut down, as found last; empty if it is not. Waits for nothing. */
  Optional<GoingDown> last();

  /**
   * Asks again, and waits a moment. True if the host is being shut down, and if nothing is known.
   */
  boolean mayStop();

  @Override
  void close();
}
