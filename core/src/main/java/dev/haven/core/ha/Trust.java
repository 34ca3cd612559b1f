package dev.haven.core.ha;

import dev.haven.model.JoinToken;
import dev.haven.model.KnownKey;
import java.util.Collection;
import java.util.Optional;
import org.pcollections.TreePMap;

/** The authority's key, sealed, and the tokens by which others become a part of the cluster. */
final class Trust {
  static final Trust EMPTY = new Trust(Optional.empty(), TreePMap.empty(), TreePMap.empty());

  private final Optional<String> authority;
  private final TreePMap<String, JoinToken> tokens;
  private final TreePMap<String, KnownKey> keys;

  private Trust(
      Optional<String> authority,
      TreePMap<String, JoinToken> tokens,
      TreePMap<String, KnownKey> keys) {
    this.authority = authority;
    this.tokens = tokens;
    this.keys = keys;
  }

  static Trust of(
      Optional<String> authority, Collection<JoinToken> tokens, Collection<KnownKey> keys) {
    var trust = new Trust(authority, TreePMap.empty(), TreePMap.empty());
    for (var key : keys) {
      trust = trust.with(key);
    }
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

  TreePMap<String, KnownKey> keys() {
    return keys;
  }

  private Trust with(JoinToken token) {
    return new Trust(authority, tokens.plus(token.id(), token), keys);
  }

  private Trust with(KnownKey key) {
    return new Trust(authority, tokens, keys.plus(key.key(), key));
  }

  Trust apply(Change.OfTrust change) {
    return switch (change) {
      case Change.AuthorityTaken c -> new Trust(Optional.of(c.sealed()), tokens, keys);
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
        var key = keys.get(c.use().key());
        Must.hold(
            key == null || key.revoked().isEmpty(), "a revoked key joins by token %s", c.id());
        yield with(token.used(c.use())).with(of(token.role(), c.use()));
      }
      case Change.KeyRevoked c -> with(c.key());
      case Change.TokenForgotten c -> new Trust(authority, tokens.minus(c.id()), keys);
    };
  }

  private static KnownKey of(JoinToken.Role role, JoinToken.Use use) {
    var certified = role.votes() ? "voter" : "host";
    return new KnownKey(use.key(), certified, use.name(), use.at(), Optional.empty());
  }
}
