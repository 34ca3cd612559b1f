package dev.haven.tls;

import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import javax.naming.NamingException;
import javax.naming.ldap.LdapName;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/**
 * Who is at the other end, as our CA has certified it.
 *
 * @param name the certificate's CN: a host's name, a voter's or an operator's
 * @param role from the certificate's OU
 */
public record Peer(String name, Role role) {

  /**
   * Reads the peer of a finished handshake.
   *
   * @throws SSLPeerUnverifiedException if the peer showed no certificate, or one that names no role
   */
  public static Peer of(SSLSession session) throws SSLPeerUnverifiedException {
    if (session.getPeerCertificates()[0] instanceof X509Certificate certificate) {
      return of(certificate);
    }
    throw new SSLPeerUnverifiedException("the peer's certificate is not an X.509 certificate");
  }

  /**
   * Reads a certificate that TLS has verified already; this method does not verify it.
   *
   * @throws SSLPeerUnverifiedException if it has not exactly one CN and one OU, or another OU than
   *     the roles'
   */
  public static Peer of(X509Certificate certificate) throws SSLPeerUnverifiedException {
    var subject = certificate.getSubjectX500Principal().getName();
    var name = only("CN", subject);
    var unit = only("OU", subject);
    var role =
        Role.ofUnit(unit)
            .orElseThrow(
                () ->
                    new SSLPeerUnverifiedException(
                        "certificate \"%s\": OU is \"%s\", expected host, voter or operator; issue it as one of these"
                            .formatted(subject, unit)));
    return new Peer(name, role);
  }

  /** As a person says it: {@code host a}. */
  @Override
  public String toString() {
    return role.unit() + " " + name;
  }

  private static String only(String type, String subject) throws SSLPeerUnverifiedException {
    List<String> values = new ArrayList<>();
    try {
      for (var rdn : new LdapName(subject).getRdns()) {
        var all = rdn.toAttributes().get(type);
        for (int i = 0; all != null && i < all.size(); i++) {
          values.add(String.valueOf(all.get(i)));
        }
      }
    } catch (NamingException e) {
      throw new SSLPeerUnverifiedException("certificate \"" + subject + "\": " + e.getMessage());
    }
    if (values.size() != 1) {
      throw new SSLPeerUnverifiedException(
          "certificate \"%s\": has %s %s, expected one"
              .formatted(subject, values.isEmpty() ? "no" : values.size(), type));
    }
    return values.getFirst();
  }
}
