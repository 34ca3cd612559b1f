package dev.haven.agent;

import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.util.concurrent.CompletionException;

/** What a connection to a voter failed of. */
final class ConnectionFailure {
  private ConnectionFailure() {}

  /** For people, in one clause such as {@code connection refused}. */
  static String words(Throwable e) {
    Throwable cause = e;
    while (cause.getCause() != null
        && (cause instanceof CompletionException || cause instanceof UncheckedIOException)) {
      cause = cause.getCause();
    }
    // java.net.http says the cause of the cause, and at times in words of its own
    for (var deeper = cause; deeper != null; deeper = deeper.getCause()) {
      if (deeper.getMessage() != null) {
        return deeper.getClass().getSimpleName() + ": " + deeper.getMessage();
      }
    }
    return cause instanceof ConnectException
        ? "connection refused"
        : cause.getClass().getSimpleName();
  }
}
