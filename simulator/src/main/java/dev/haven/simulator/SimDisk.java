package dev.haven.simulator;

import dev.haven.core.obey.Refusals;
import java.io.IOException;

/** The disk of one host's agent: what stands there survives restarts and power cuts. */
final class SimDisk {
  private final Clock clock;
  private Refusals.Noted noted = Refusals.Noted.NOTHING;

  /** What is written is answered with an error; whether it stands there is chance. */
  boolean fails;

  SimDisk(Clock clock) {
    this.clock = clock;
  }

  /** The order book, as a new process of the agent reads it. */
  Refusals open() {
    return new Refusals(noted) {
      @Override
      protected void write(Noted next) throws IOException {
        if (!fails || clock.happens(0.5)) {
          noted = next;
        }
        if (fails) {
          throw new IOException("Input/output error");
        }
      }
    };
  }
}
