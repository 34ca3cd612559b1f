package dev.haven.orchestrator.join;

import dev.haven.core.ha.ClusterState;
import dev.haven.model.JoinToken;
import dev.haven.model.api.Views;
import dev.haven.model.wire.ToAgent;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/** The tokens as people may see them. */
public final class TokenViews implements Function<ClusterState, Views.Tokens> {
  private final Authority authority;
  private final Optional<Integer> port;
  private final Supplier<List<ToAgent.Voter>> voters;

  /**
   * @param port of all voters for newcomers; nobody can join if it is empty
   */
  public TokenViews(
      Authority authority, Optional<Integer> port, Supplier<List<ToAgent.Voter>> voters) {
    this.authority = authority;
    this.port = port;
    this.voters = voters;
  }

  @Override
  public Views.Tokens apply(ClusterState state) {
    var now = Instant.now();
    return new Views.Tokens(
        authority.fingerprint(),
        port.map(p -> voters.get().stream().map(v -> JoinDesk.doorOf(v, p)).toList())
            .orElse(List.of()),
        state.tokens().stream()
            .map(
                t ->
                    new Views.Token(
                        t.id(),
                        t.role(),
                        t.name(),
                        t.until(),
                        !now.isBefore(t.until()),
                        t.use().map(JoinToken.Use::name)))
            .toList());
  }
}
