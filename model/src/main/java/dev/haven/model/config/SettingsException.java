package dev.haven.model.config;

import java.io.IOException;

/**
 * A file that a person wrote cannot be used. The message names the file, line and column, what is
 * wrong and what was expected.
 */
public final class SettingsException extends IOException {
  private static final long serialVersionUID = 1L;

  /** What a daemon exits with for this reason (EX_CONFIG): a restart will not help. */
  public static final int EXIT_CODE = 78;

  SettingsException(String message) {
    super(message);
  }
}
