package dev.haven.lab;

import java.time.Duration;

/**
 * Hears what the lab has done, as it happens. Called from the lab's threads, one call at a time.
 */
@FunctionalInterface
public interface Progress {
  /** Tells nobody. */
  Progress SILENT = (step, took) -> {};

  /**
   * @param step what has just been finished, for example {@code host a: libvirt answers}
   * @param sinceStart time since the whole command began
   */
  void done(String step, Duration sinceStart);
}
