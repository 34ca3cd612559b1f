package dev.haven.tls;

import java.io.IOException;
import java.nio.file.Path;

/**
 * A key or certificate cannot be used. The message names the file, what is wrong and the way out.
 */
public final class TlsException extends IOException {
  private static final long serialVersionUID = 1L;

  TlsException(String message) {
    super(message);
  }

  TlsException(Path file, String wrong, String wayOut) {
    super(file + ": " + wrong + "; " + wayOut);
  }
}
