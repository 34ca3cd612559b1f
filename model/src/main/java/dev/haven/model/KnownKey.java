package dev.haven.model;

import java.time.Instant;
import java.util.Optional;

/**
 * A public key that the cluster has certified, or has revoked.
 *
 * @param key SHA-256 of it, 64 hexadecimal digits: the same in every certificate of the key
 * @param role its holder's, as the certificate's OU says it: {@code host}, {@code voter} or {@code
 *     operator}
 * @param since when it came on record
 * @param revoked when it was revoked; empty while it counts
 */
public record KnownKey(
    String key, String role, String name, Instant since, Optional<Instant> revoked) {
  public KnownKey {
    if (!key.matches("[0-9a-f]{64}")) {
      throw new IllegalArgumentException("a key's fingerprint must have 64 hexadecimal digits");
    }
    if (!role.matches("host|voter|operator")) {
      throw new IllegalArgumentException("role '%s': host, voter or operator".formatted(role));
    }
    Names.check(role, name);
  }

  public KnownKey revoked(Instant at) {
    return new KnownKey(key, role, name, since, Optional.of(at));
  }

  /** Whether both are of one holder. */
  public boolean sameHolder(KnownKey other) {
    return role.equals(other.role) && name.equals(other.name);
  }
}
