package dev.haven.model;

import java.util.List;

/**
 * One of a host's networks.
 *
 * @param name the same on all hosts that share it, such as {@code control}
 * @param address this host's own address in it
 * @param roles what it carries besides heartbeats, which use every network
 */
public record Network(String name, String address, List<Role> roles) {
  public enum Role {
    CONTROL,
    MIGRATION,
    REPLICATION
  }

  public Network {
    roles = List.copyOf(roles);
  }
}
