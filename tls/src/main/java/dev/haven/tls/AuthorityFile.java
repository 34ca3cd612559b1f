package dev.haven.tls;

import java.nio.file.Path;
import java.util.List;
import javax.net.ssl.SSLPeerUnverifiedException;

/** What stands in a file of certificates, such as {@code ca.pem}. */
public final class AuthorityFile {
  private AuthorityFile() {}

  /**
   * The {@link Fingerprint} of each.
   *
   * @throws TlsException if the file cannot be read, or holds no certificate
   */
  public static List<String> fingerprints(Path file) throws TlsException {
    return PemFile.certificates(file).stream().map(Fingerprint::of).toList();
  }

  /**
   * The {@link Fingerprint} of each one's key.
   *
   * @throws TlsException as {@link #fingerprints}
   */
  public static List<String> keys(Path file) throws TlsException {
    return PemFile.certificates(file).stream().map(c -> Fingerprint.of(c.getPublicKey())).toList();
  }

  /**
   * Whose certificate the first one is.
   *
   * @throws TlsException as {@link #fingerprints}, or if it names no role of ours
   */
  public static Peer holder(Path file) throws TlsException {
    try {
      return Peer.of(PemFile.certificates(file).getFirst());
    } catch (SSLPeerUnverifiedException e) {
      throw new TlsException(file, String.valueOf(e.getMessage()), "give another certificate");
    }
  }
}
