package dev.haven.orchestrator.http;

import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Set;

/**
 * Who asks, for the audit log, and what that allows.
 *
 * @param name the CN in the caller's certificate; where a voter passed the request on, the CN that
 *     this voter saw
 * @param mayChange whether an operator asks. A voter that passes a change on has checked that
 * @param forwarded whether a voter passed it on; it is not passed on again
 */
record Caller(String name, boolean mayChange, boolean forwarded) {
  /**
   * Names the original caller, percent-encoded, on a request that a voter passes on. Believed only
   * from a certificate with OU voter whose CN is the name of a voter, as the log has them.
   */
  static final String ON_BEHALF_OF = "Haven-On-Behalf-Of";

  static Caller of(Peer peer, Optional<String> onBehalfOf, Set<String> voters) {
    boolean voter = peer.role() == Role.VOTER && voters.contains(peer.name());
    if (voter && onBehalfOf.isPresent()) {
      return new Caller(URLDecoder.decode(onBehalfOf.get(), StandardCharsets.UTF_8), true, true);
    }
    return new Caller(peer.name(), peer.role() == Role.OPERATOR, false);
  }

  String header() {
    return URLEncoder.encode(name, StandardCharsets.UTF_8);
  }
}
