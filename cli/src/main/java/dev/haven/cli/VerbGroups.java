package dev.haven.cli;

import picocli.CommandLine.Command;

/** The verbs that only have others under them, with what their help says. */
final class VerbGroups {
  private VerbGroups() {}

  @Command(name = "guest", description = "Guests: the virtual machines that Haven keeps running.")
  static final class Guest {}

  @Command(name = "config", description = "The files of settings of this machine's daemons.")
  static final class Config {}

  @Command(name = "host", description = "Hosts: the machines that run Haven's agent.")
  static final class Host {}

  @Command(name = "op", description = "Operations: commands that take time, and how far they are.")
  static final class Op {}

  @Command(
      name = "voter",
      description = "Voters: the orchestrators that decide by quorum, and keep the cluster's log.")
  static final class Voter {}

  @Command(
      name = "lab",
      description =
          "A whole cluster of real parts on this machine, to learn on and to break. Needs root.")
  static final class Lab {}

  @Command(name = "bench", description = "Measures and tests Haven itself.")
  static final class Bench {}

  @Command(
      name = "watchdog",
      description = "Watchdogs: whether a host's own one counts as proof that it stopped.")
  static final class Watchdog {}

  @Command(name = "policy", description = "Settings that hold for the whole cluster.")
  static final class Policy {}

  @Command(
      name = "token",
      description = "Tokens: each lets one machine become a part of the cluster, once.")
  static final class Token {}

  @Command(name = "ca", description = "The cluster's certificate authority, and its keys.")
  static final class Ca {}
}
