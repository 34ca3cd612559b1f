package dev.haven.tls;

import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Base64;

/**
 * A join token as a person copies it: {@code haven1.ROLE.SECRET.AUTHORITY.CHECK}.
 *
 * @param role what it is for: {@code host}, {@code voter} or {@code witness}. The voters have it on
 *     record too, and theirs counts
 * @param secret 128 random bits
 * @param authority fingerprint of the cluster's authority: nobody else is told the secret
 */
public record TokenText(String role, String secret, String authority) {
  private static final String FORM = "haven1";
  private static final int SECRET_BYTES = 16;
  private static final int CHECK = 6;

  /** A new one. */
  public static TokenText create(String role, String authority) {
    var secret = new byte[SECRET_BYTES];
    new SecureRandom().nextBytes(secret);
    return new TokenText(
        role, Base64.getUrlEncoder().withoutPadding().encodeToString(secret), authority);
  }

  /**
   * @throws IllegalArgumentException if it is none, or not copied whole
   */
  public static TokenText of(String text) {
    var parts = text.strip().split("\\.", -1);
    if (!parts[0].equals(FORM)) {
      throw new IllegalArgumentException(
          "this is no token: one begins with %s. and comes from: haven token create"
              .formatted(FORM));
    }
    if (parts.length != 5
        || !text.strip().equals(new TokenText(parts[1], parts[2], parts[3]).text())) {
      throw new IllegalArgumentException(
          "the token was not copied whole, or a character of it is wrong; copy it again");
    }
    return new TokenText(parts[1], parts[2], parts[3]);
  }

  /** What the voters know it by: it does not tell the secret. */
  public String hash() {
    return Fingerprint.of(secret.getBytes(StandardCharsets.US_ASCII));
  }

  /** To copy. Everybody who reads it may use it. */
  public String text() {
    var all = String.join(".", FORM, role, secret, authority);
    return all + "." + Fingerprint.of(all.getBytes(StandardCharsets.UTF_8)).substring(0, CHECK);
  }

  /** Without the secret, for logs. */
  @Override
  public String toString() {
    return "token of a " + role + " by authority " + authority;
  }
}
