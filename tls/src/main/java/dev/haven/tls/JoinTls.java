package dev.haven.tls;

import java.net.Socket;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateException;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Set;
import javax.net.ssl.CertPathTrustManagerParameters;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * TLS between a voter and a machine that has no certificate yet. The newcomer knows the authority's
 * fingerprint from its token, so it knows to whom it speaks before it sends anything; the voter
 * knows nothing of the newcomer until it has seen the token.
 */
public final class JoinTls {
  private JoinTls() {}

  /**
   * The voter's side: shows the authority's certificate too, so that the newcomer can compare it.
   *
   * @throws TlsException as {@link TlsContext#load(Path, Path, Path)}
   */
  public static SSLContext voter(Path ca, Path certificate, Path key) throws TlsException {
    TlsContext.load(ca, certificate, key); // says what is wrong with the files
    var anchors = TlsContext.anchors(ca);
    var chain = new ArrayList<>(PemFile.certificates(certificate));
    var own = PemFile.keyFor(chain.getFirst(), certificate, key);
    var issuer = chain.getLast().getIssuerX500Principal();
    anchors.stream()
        .map(TrustAnchor::getTrustedCert)
        .filter(anchor -> anchor.getSubjectX500Principal().equals(issuer))
        .forEach(chain::add);
    return TlsContext.context(anchors, own, chain, TlsContext.ServerCheck.ANY);
  }

  /**
   * The newcomer's side: speaks only with a voter of that authority.
   *
   * @param authority the {@link Fingerprint} of its certificate
   */
  public static SSLContext newcomer(String authority, Clock clock) {
    try {
      var context = SSLContext.getInstance("TLSv1.3");
      context.init(null, new TrustManager[] {new OneAuthority(authority, clock)}, null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this JDK cannot do TLS 1.3: " + e.getMessage(), e);
    }
  }

  private static final class OneAuthority extends X509ExtendedTrustManager {
    private final String authority;
    private final Clock clock;

    OneAuthority(String authority, Clock clock) {
      this.authority = authority;
      this.clock = clock;
    }

    private void check(X509Certificate[] chain, String authType) throws CertificateException {
      var root = chain[chain.length - 1];
      var found = Fingerprint.of(root);
      if (chain.length < 2 || !found.equals(authority)) {
        throw new CertificateException(
            "it is no voter of the cluster that the token is from (authority %s there, %s in the token): the token belongs to another cluster, or somebody stands in between. Nothing was sent to it"
                .formatted(found.substring(0, 16), authority.substring(0, 16)));
      }
      for (var certificate : chain) {
        inTime(certificate);
      }
      if (root.getBasicConstraints() < 0) {
        throw new CertificateException("its authority is none");
      }
      trust(root)
          .checkServerTrusted(Arrays.copyOf(chain, chain.length - 1), authType, (Socket) null);
      try {
        var peer = Peer.of(chain[0]);
        if (peer.role() != Role.VOTER) {
          throw new CertificateException("it is %s, and no voter".formatted(peer));
        }
      } catch (SSLPeerUnverifiedException e) {
        throw new CertificateException(e.getMessage(), e);
      }
    }

    private void inTime(X509Certificate certificate) throws CertificateException {
      var now = clock.instant();
      var from = certificate.getNotBefore().toInstant();
      var to = certificate.getNotAfter().toInstant();
      if (now.isBefore(from) || now.isAfter(to)) {
        throw new CertificateException(
            "its certificate is valid from %s to %s, and this machine's clock says %s; set the clock, and join again"
                .formatted(from, to, now));
      }
    }

    private static X509ExtendedTrustManager trust(X509Certificate root) {
      try {
        var factory = TrustManagerFactory.getInstance("PKIX");
        var parameters =
            new PKIXBuilderParameters(Set.of(new TrustAnchor(root, null)), new X509CertSelector());
        parameters.setRevocationEnabled(false); // a cluster's own CA publishes no list
        factory.init(new CertPathTrustManagerParameters(parameters));
        return (X509ExtendedTrustManager) factory.getTrustManagers()[0];
      } catch (GeneralSecurityException e) {
        throw new IllegalStateException("this JDK cannot check certificates", e);
      }
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
        throws CertificateException {
      check(chain, authType);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
        throws CertificateException {
      check(chain, authType);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType)
        throws CertificateException {
      check(chain, authType);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
        throws CertificateException {
      throw new CertificateException("a newcomer serves nobody");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
        throws CertificateException {
      throw new CertificateException("a newcomer serves nobody");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType)
        throws CertificateException {
      throw new CertificateException("a newcomer serves nobody");
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}
