package dev.haven.core.ha;

import java.time.Instant;

/**
 * Something that an operator should know, until it is over.
 *
 * @param id the same while it is about the same thing
 * @param subject the host, guest or device
 */
public record Alarm(String id, Level level, String subject, String message, Instant since) {
  public enum Level {
    WARNING,
    CRITICAL
  }
}
