package dev.haven.model;

import java.time.Instant;
import java.util.Locale;
import java.util.Optional;

/**
 * A right to become a part of the cluster, once. Everybody who has the secret has it; here is only
 * what tells the secret from others.
 *
 * @param hash SHA-256 of the secret, 64 hexadecimal digits
 * @param name that the newcomer must have; empty if it may choose
 * @param until when it ends by itself, by the clock of the voter that leads
 * @param use what came of it; empty while nothing did
 */
public record JoinToken(
    String hash, Role role, Optional<String> name, Instant until, Optional<Use> use) {
  private static final int ID = 8;

  /** What its holder becomes. */
  public enum Role {
    /** Runs guests; its agent obeys the voters. */
    HOST,
    /** Votes, and may be a host too by a token of its own. */
    VOTER,
    /** Votes, on a machine that runs no guests. */
    WITNESS;

    public boolean votes() {
      return this != HOST;
    }

    /** As a person says it: {@code host}. */
    public String word() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * Who used it. The same newcomer may ask again, because its first answer may have been lost.
   *
   * @param key SHA-256 of the newcomer's public key: nobody else has its private one
   */
  public record Use(String name, String key, Instant at) {
    /** Whether that is the same newcomer. */
    public boolean by(String otherName, String otherKey) {
      return name.equals(otherName) && key.equals(otherKey);
    }
  }

  public JoinToken {
    if (!hash.matches("[0-9a-f]{64}")) {
      throw new IllegalArgumentException("a token's hash must have 64 hexadecimal digits");
    }
    name.ifPresent(n -> Names.check(role.word(), n));
  }

  /** For people; says nothing of the secret. */
  public String id() {
    return hash.substring(0, ID);
  }

  public JoinToken used(Use by) {
    return new JoinToken(hash, role, name, until, Optional.of(by));
  }
}
