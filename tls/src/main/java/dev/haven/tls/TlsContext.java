package dev.haven.tls;

import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import javax.net.ssl.CertPathTrustManagerParameters;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Mutual TLS 1.3 from three PEM files. Uses the JDK alone.
 *
 * <p>The context trusts the cluster's CA and nothing else. It does not make a server ask for the
 * client's certificate: that is a property of each connection, so use {@link #parameters()} too.
 */
public final class TlsContext {
  /** How often a daemon looks for new files, at most. */
  private static final Duration LOOK = Duration.ofSeconds(10);

  private static final int SESSION_SECONDS = 300;

  private TlsContext() {}

  /**
   * Reads and checks the files now, so that a wrong one shows at start and not at the first call.
   *
   * @param ca the certificates that are trusted, one or more
   * @param certificate our own certificate first, then those between it and the CA if any
   * @param key our own key, PKCS#8 without a password
   * @throws TlsException if a file is missing or damaged, the key is another certificate's, the
   *     certificate was not issued by the CA, or its time has not come or is over
   */
  public static SSLContext load(Path ca, Path certificate, Path key) throws TlsException {
    return load(ca, certificate, key, ServerCheck.ANY, Clock.systemUTC());
  }

  /**
   * As {@link #load(Path, Path, Path)} does, for a client that looks at who answers.
   *
   * @param servers asked within each handshake; a server that it does not mean gets nothing
   * @throws TlsException as there
   */
  public static SSLContext load(Path ca, Path certificate, Path key, ServerCheck servers)
      throws TlsException {
    return load(ca, certificate, key, servers, Clock.systemUTC());
  }

  /** Whether a server with a certificate of our CA is the one that a client means to speak to. */
  @FunctionalInterface
  public interface ServerCheck {
    /** Anybody whom the CA has certified. */
    ServerCheck ANY = (server, host, port) -> true;

    /**
     * @param host as the client dialled it, empty if the library does not say
     * @param port as dialled, -1 if the library does not say
     */
    boolean isMeant(Peer server, String host, int port);
  }

  /**
   * Refuses a certificate that is somebody else's, or of another role, at start instead of at the
   * first call.
   *
   * @throws TlsException with the command that issues the right one
   */
  public static void checkIs(Path certificateFile, Peer expected) throws TlsException {
    Peer found;
    try {
      found = Peer.of(PemFile.certificates(certificateFile).getFirst());
    } catch (SSLPeerUnverifiedException e) {
      throw new TlsException(certificateFile, String.valueOf(e.getMessage()), "issue it again");
    }
    if (!found.equals(expected)) {
      throw new TlsException(
          certificateFile,
          "is the certificate of %s, expected that of %s".formatted(found, expected),
          "haven ca issue %s%s makes one"
              .formatted(
                  expected.name(),
                  expected.role() == Role.HOST ? "" : " --role " + expected.role().unit()));
    }
  }

  /**
   * As {@link #load} does, but believes the files: for a client that lives for one request, whose
   * time those checks would double. Where a handshake fails, {@code load} says what is wrong with
   * them.
   *
   * @throws TlsException if a file is missing or damaged
   */
  public static SSLContext loadUnchecked(Path ca, Path certificate, Path key) throws TlsException {
    var chain = PemFile.certificates(certificate);
    return context(
        anchors(ca),
        PemFile.key(key, chain.getFirst().getPublicKey().getAlgorithm()),
        chain,
        ServerCheck.ANY);
  }

  static SSLContext load(
      Path caFile, Path certificateFile, Path keyFile, ServerCheck servers, Clock clock)
      throws TlsException {
    var anchors = anchors(caFile);
    var pair = pair(anchors, caFile, certificateFile, keyFile, clock);
    return context(anchors, pair.key(), pair.chain(), servers);
  }

  /**
   * As {@link #load(Path, Path, Path, ServerCheck)} does, for a daemon: a certificate and key that
   * take the place of these files are used within minutes, by new connections. Where the two do not
   * belong together yet, or are not of the CA, the old ones stay in use.
   *
   * @throws TlsException as there
   */
  public static SSLContext watched(Path ca, Path certificate, Path key, ServerCheck servers)
      throws TlsException {
    return watched(ca, certificate, key, servers, Clock.systemUTC(), LOOK);
  }

  static SSLContext watched(
      Path ca, Path certificate, Path key, ServerCheck servers, Clock clock, Duration each)
      throws TlsException {
    var anchors = anchors(ca);
    var files =
        new WatchedFiles(
            List.of(certificate, key), each, () -> pair(anchors, ca, certificate, key, clock));
    var context = context(anchors, new OwnKey(files.first(), files), servers);
    // a session that is resumed shows no certificate, so it would go on with the old one
    context.getClientSessionContext().setSessionTimeout(SESSION_SECONDS);
    context.getServerSessionContext().setSessionTimeout(SESSION_SECONDS);
    return context;
  }

  private static OwnKey.Pair pair(
      Set<TrustAnchor> anchors, Path caFile, Path certificateFile, Path keyFile, Clock clock)
      throws TlsException {
    var chain = PemFile.certificates(certificateFile);
    var key = PemFile.keyFor(chain.getFirst(), certificateFile, keyFile);
    refuseIfOpenToOthers(keyFile);
    checkDates(certificateFile, chain, clock.instant());
    checkIssuedBy(anchors, caFile, chain, certificateFile, clock.instant());
    return new OwnKey.Pair(key, chain);
  }

  static SSLContext context(
      Set<TrustAnchor> anchors, PrivateKey key, List<X509Certificate> chain, ServerCheck servers) {
    return context(anchors, new OwnKey(new OwnKey.Pair(key, chain), Optional::empty), servers);
  }

  private static SSLContext context(Set<TrustAnchor> anchors, OwnKey keys, ServerCheck servers) {
    try {
      var trust = TrustManagerFactory.getInstance("PKIX");
      var parameters = new PKIXBuilderParameters(anchors, new X509CertSelector());
      parameters.setRevocationEnabled(false); // a cluster's own CA publishes no list
      trust.init(new CertPathTrustManagerParameters(parameters));
      var context = SSLContext.getInstance("TLSv1.3");
      var managers = trust.getTrustManagers();
      if (servers != ServerCheck.ANY && managers[0] instanceof X509ExtendedTrustManager ours) {
        managers = new TrustManager[] {new CheckedServers(ours, servers)};
      }
      context.init(new KeyManager[] {keys}, managers, null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this JDK cannot do TLS 1.3: " + e.getMessage(), e);
    }
  }

  /**
   * TLS 1.3 and nothing older, and a server accepts no client without a certificate. A client has
   * to add the endpoint identification "HTTPS" where its library does not (java.net.http does).
   */
  public static SSLParameters parameters() {
    var parameters = new SSLParameters();
    parameters.setProtocols(new String[] {"TLSv1.3"});
    parameters.setNeedClientAuth(true);
    return parameters;
  }

  static Set<TrustAnchor> anchors(Path file) throws TlsException {
    Set<TrustAnchor> anchors = new HashSet<>();
    for (var ca : PemFile.certificates(file)) {
      if (ca.getBasicConstraints() < 0) {
        throw new TlsException(
            file,
            PemFile.subject(ca) + " is no certificate authority",
            "give the ca.pem of the cluster");
      }
      anchors.add(new TrustAnchor(ca, null));
    }
    return anchors;
  }

  private static void checkDates(Path file, List<X509Certificate> chain, Instant now)
      throws TlsException {
    for (var certificate : chain) {
      var from = certificate.getNotBefore().toInstant();
      var to = certificate.getNotAfter().toInstant();
      if (now.isBefore(from)) {
        throw new TlsException(
            file,
            "is valid only from %s and this machine's clock says %s".formatted(from, now),
            "set the clock");
      }
      if (now.isAfter(to)) {
        throw new TlsException(
            file,
            "ended at %s and this machine's clock says %s".formatted(to, now),
            "issue a new certificate, or set the clock if it is wrong");
      }
    }
  }

  private static void checkIssuedBy(
      Set<TrustAnchor> anchors,
      Path caFile,
      List<X509Certificate> chain,
      Path certificateFile,
      Instant now)
      throws TlsException {
    try {
      var parameters = new PKIXParameters(anchors);
      parameters.setRevocationEnabled(false);
      parameters.setDate(Date.from(now));
      var path = CertificateFactory.getInstance("X.509").generateCertPath(chain);
      CertPathValidator.getInstance("PKIX").validate(path, parameters);
    } catch (CertPathValidatorException e) {
      var issuers =
          anchors.stream()
              .map(anchor -> PemFile.subject(anchor.getTrustedCert()))
              .collect(Collectors.joining(", "));
      throw new TlsException(
          certificateFile,
          "was not issued by the authority in %s: its issuer is %s, the authority is %s (%s)"
              .formatted(
                  caFile,
                  chain.getLast().getIssuerX500Principal().getName(),
                  issuers,
                  e.getMessage()),
          "use the certificate and the ca.pem of the same cluster");
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this JDK cannot check certificates: " + e.getMessage(), e);
    }
  }

  static void refuseIfOpenToOthers(Path file) throws TlsException {
    try {
      var modes = Files.getPosixFilePermissions(file);
      if (modes.stream().anyMatch(mode -> !mode.name().startsWith("OWNER"))) {
        throw new TlsException(
            file, "others than its owner can read or change this private key", "chmod 600 it");
      }
    } catch (TlsException e) {
      throw e;
    } catch (IOException | UnsupportedOperationException e) {
      log().debug("{}: permissions unknown: {}", file, e.getMessage());
    }
  }

  /** Not a constant: a client that has nothing to say should not wait for a logger. */
  private static Logger log() {
    return LoggerFactory.getLogger(TlsContext.class);
  }

  /** The CA's judgement first, then whether this is the server that was meant. */
  private static final class CheckedServers extends X509ExtendedTrustManager {
    private final X509ExtendedTrustManager ours;
    private final ServerCheck servers;

    CheckedServers(X509ExtendedTrustManager ours, ServerCheck servers) {
      this.ours = ours;
      this.servers = servers;
    }

    private void check(X509Certificate[] chain, @Nullable String host, int port)
        throws CertificateException {
      try {
        var peer = Peer.of(chain[0]);
        if (!servers.isMeant(peer, host == null ? "" : host, port)) {
          throw new CertificateException(
              "the server at %s:%d is %s, and another one was meant".formatted(host, port, peer));
        }
      } catch (SSLPeerUnverifiedException e) {
        throw new CertificateException(e.getMessage(), e);
      }
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
        throws CertificateException {
      ours.checkServerTrusted(chain, authType, engine);
      check(chain, engine.getPeerHost(), engine.getPeerPort());
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
        throws CertificateException {
      ours.checkServerTrusted(chain, authType, socket);
      var address = socket.getInetAddress();
      check(chain, address == null ? null : address.getHostAddress(), socket.getPort());
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType)
        throws CertificateException {
      ours.checkServerTrusted(chain, authType);
      check(chain, null, -1);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
        throws CertificateException {
      ours.checkClientTrusted(chain, authType, socket);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
        throws CertificateException {
      ours.checkClientTrusted(chain, authType, engine);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType)
        throws CertificateException {
      ours.checkClientTrusted(chain, authType);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return ours.getAcceptedIssuers();
    }
  }
}
