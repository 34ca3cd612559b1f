package dev.haven.agent;

import java.util.Optional;

/** Why a session of {@link LeaderChannel} with a voter ended. */
sealed interface End {
  /** A newer leader is known, or the hello has to be said again: go on at once. */
  record Left(String why) implements End {}

  record NotLeader(Optional<String> leader) implements End {}

  record Rejected(String why) implements End {}

  /** The voter speaks a version that this agent does not understand. */
  record NotUnderstood(int version) implements End {}

  record Broken(String why) implements End {}
}
