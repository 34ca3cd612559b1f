package dev.haven.tls;

import java.nio.file.Path;
import java.util.List;

/** {@code ca.pem}: the authorities that a machine trusts. */
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
}
