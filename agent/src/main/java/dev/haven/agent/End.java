package dev.haven.agent;

import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.util.Optional;
import java.util.concurrent.CompletionException;

/** Why a session of {@link LeaderChannel} with a voter ended. */
sealed interface End {
  /** A newer leader is known, or the hello has to be said again: go on at once. */
  record Left(String why) implements End {}

  record NotLeader(Optional<String> leader) implements End {}

  record Rejected(String why) implements End {}

  /** The voter speaks a version that this agent does not understand. */
  record NotUnderstood(int version) implements End {}

  record Broken(String why) implements End {}

  /** For people: what a connection failed of. */
  static String reason(Throwable e) {
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
