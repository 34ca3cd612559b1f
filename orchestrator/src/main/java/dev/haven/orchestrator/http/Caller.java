package dev.haven.orchestrator.http;

import dev.haven.orchestrator.http.Response.Stop;
import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Who asks, for the audit log, and what that allows. No voter vouches for anybody but its own
 * machine's root: a caller with a certificate is sent to the leader, which sees that certificate
 * itself.
 *
 * @param name the CN in the caller's certificate, or the user at a voter's machine: {@code root@b}
 * @param operator whether an operator asks, or a machine's root; nobody else reads or changes
 *     anything
 * @param local whether it is this machine's own root, who has no certificate to be sent on with
 * @param forwarded whether a voter passed it on for its own machine; it is not passed on again
 */
record Caller(String name, boolean operator, boolean local, boolean forwarded) {
  /**
   * Names the user of a voter's own machine on a request that this voter passes on. It means
   * nothing but from a certificate with OU voter whose CN is the name of a voter in the log.
   */
  static final String LOCAL_USER = "Haven-Local-User";

  private static final Pattern USER = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}");

  /**
   * @throws Stop if the voter names a user who cannot be one
   */
  static Caller of(Peer peer, Optional<String> localUser, Set<String> voters) {
    boolean voter = peer.role() == Role.VOTER && voters.contains(peer.name());
    if (voter && localUser.isPresent()) {
      if (!USER.matcher(localUser.get()).matches()) {
        throw new Stop(Response.problem(400, LOCAL_USER + ": no user has such a name"));
      }
      return new Caller(localUser.get() + "@" + peer.name(), true, false, true);
    }
    return new Caller(peer.name(), peer.role() == Role.OPERATOR, false, false);
  }

  /** The user of this machine, who the kernel says is at the other end. */
  static Caller local(String user, String voter) {
    return new Caller(user + "@" + voter, true, true, false);
  }

  /** Of a local caller, what {@link #LOCAL_USER} says. */
  String localUser() {
    return name.substring(0, name.lastIndexOf('@'));
  }
}
