package dev.haven.tls;

import java.util.Locale;
import java.util.Optional;

/** What the holder of a certificate may be to the cluster; written as the certificate's OU. */
public enum Role {
  /** A machine of the cluster: an agent or an orchestrator. Both serves and calls. */
  HOST,
  /** A person or a program that gives commands. Only calls. */
  OPERATOR;

  /** The OU that stands for this role: {@code host} or {@code operator}. */
  public String unit() {
    return name().toLowerCase(Locale.ROOT);
  }

  static Optional<Role> ofUnit(String unit) {
    for (var role : values()) {
      if (role.unit().equals(unit)) {
        return Optional.of(role);
      }
    }
    return Optional.empty();
  }
}
