package dev.haven.tls;

import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/** Shows the same key to everyone: the peer decides whether it trusts our CA. */
final class OwnKey extends X509ExtendedKeyManager {
  /** A key, and the certificates that lead from it to the CA. */
  record Pair(PrivateKey key, List<X509Certificate> chain) {
    Pair {
      chain = List.copyOf(chain);
    }
  }

  /** A handshake asks for key and chain one after the other: both must be of one pair. */
  private record Numbered(long number, Pair pair) {
    String alias() {
      return "haven-" + number;
    }
  }

  private final Supplier<Optional<Pair>> newer;
  private volatile Numbered now;
  private volatile Numbered before;

  /**
   * @param newer asked at each handshake: a pair that takes the place of the present one
   */
  OwnKey(Pair pair, Supplier<Optional<Pair>> newer) {
    this.newer = newer;
    this.now = new Numbered(0, pair);
    this.before = now;
  }

  private Numbered present() {
    newer.get().ifPresent(this::put);
    return now;
  }

  private synchronized void put(Pair pair) {
    before = now;
    now = new Numbered(now.number + 1, pair);
  }

  private @Nullable Numbered of(String alias) {
    var first = now;
    if (first.alias().equals(alias)) {
      return first;
    }
    return before.alias().equals(alias) ? before : null;
  }

  private @Nullable String alias(String keyType) {
    var pair = present();
    return keyType.equals(pair.pair.key().getAlgorithm()) ? pair.alias() : null;
  }

  private @Nullable String aliasOfAny(String[] keyTypes) {
    for (var keyType : keyTypes) {
      var alias = alias(keyType);
      if (alias != null) {
        return alias;
      }
    }
    return null;
  }

  private String @Nullable [] aliases(String keyType) {
    var alias = alias(keyType);
    return alias == null ? null : new String[] {alias};
  }

  @Override
  public String @Nullable [] getClientAliases(String keyType, Principal @Nullable [] issuers) {
    return aliases(keyType);
  }

  @Override
  public @Nullable String chooseClientAlias(
      String[] keyTypes, Principal @Nullable [] issuers, @Nullable Socket socket) {
    return aliasOfAny(keyTypes);
  }

  @Override
  public @Nullable String chooseEngineClientAlias(
      String[] keyTypes, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
    return aliasOfAny(keyTypes);
  }

  @Override
  public String @Nullable [] getServerAliases(String keyType, Principal @Nullable [] issuers) {
    return aliases(keyType);
  }

  @Override
  public @Nullable String chooseServerAlias(
      String keyType, Principal @Nullable [] issuers, @Nullable Socket socket) {
    return alias(keyType);
  }

  @Override
  public @Nullable String chooseEngineServerAlias(
      String keyType, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
    return alias(keyType);
  }

  @Override
  public X509Certificate @Nullable [] getCertificateChain(String alias) {
    var of = of(alias);
    return of == null ? null : of.pair.chain().toArray(X509Certificate[]::new);
  }

  @Override
  public @Nullable PrivateKey getPrivateKey(String alias) {
    var of = of(alias);
    return of == null ? null : of.pair.key();
  }
}
