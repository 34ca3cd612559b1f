package dev.haven.tls;

import java.util.Locale;
import java.util.Optional;

/** What the holder of a certificate may be to the cluster; written as the certificate's OU. */
public enum Role {
  /** The agent of a host. Only calls, and speaks for this host alone. */
  HOST,
  /**
   * An orchestrator. Serves and calls; leads agents, passes requests on and has a vote. On a host
   * that runs both it has a key of its own, so that an agent's key is never a voter's.
   */
  VOTER,
  /** A person or a program that gives commands. Only calls. */
  OPERATOR;

  /** The OU that stands for this role: {@code host}, {@code voter} or {@code operator}. */
  public String unit() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The name of the two files of such a certificate, without {@code .pem} and {@code .key}: {@code
   * voter-NAME} for a voter, so that the agent and the voter of one host fit in one directory.
   */
  public String fileOf(String name) {
    return this == VOTER ? "voter-" + name : name;
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
