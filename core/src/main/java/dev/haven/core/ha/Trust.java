package dev.haven.core.ha;

import dev.haven.model.JoinToken;
import java.util.Collection;
import java.util.Optional;
import org.pcollections.TreePMap;

/** The authority's key, sealed, and the tokens by which others become a part of the cluster. */
final class Trust {
  static final Trust EMPTY = new Trust(Optional.empty(), TreePMap.empty());

  private final Optional<String> authority;
  private final TreePMap<String, JoinToken> tokens;

  private Trust(Optional<String> authority, TreePMap<String, JoinToken> tokens) {
    this.authority = authority;
    this.tokens = tokens;
  }

  static Trust of(Optional<String> authority, Collection<JoinToken> tokens) {
    var trust = new Trust(authority, TreePMap.empty());
    for (var token : tokens) {
      trust = trust.with(token);
    }
    return trust;
  }

  Optional<String> authority() {
    return authority;
  }

  Collection<JoinToken> tokens() {
    return tokens.values();
  }

  private Trust with(JoinToken token) {
    return new Trust(authority, tokens.plus(token.id(), token));
  }

  Trust apply(Change.OfTrust change) {
    return switch (change) {
      case Change.AuthorityTaken c -> new Trust(Optional.of(c.sealed()), tokens);
      case Change.TokenCreated c -> {
        Must.hold(!tokens.containsKey(c.token().id()), "token %s is there twice", c.token().id());
        Must.hold(c.token().use().isEmpty(), "token %s is used before it is", c.token().id());
        yield with(c.token());
      }
      case Change.TokenUsed c -> {
        var token = tokens.get(c.id());
        if (token == null) {
          throw new IllegalStateException("token %s does not exist".formatted(c.id()));
        }
        Must.hold(token.use().isEmpty(), "token %s is used twice", c.id());
        yield with(token.used(c.use()));
      }
      case Change.TokenForgotten c -> new Trust(authority, tokens.minus(c.id()));
    };
  }
}
