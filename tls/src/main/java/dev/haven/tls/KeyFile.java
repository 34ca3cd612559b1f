package dev.haven.tls;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;

/** A private key on the machine where it was made, with its public half beside it in the file. */
public final class KeyFile {
  private KeyFile() {}

  /**
   * The key in the file; a new one if there is no file.
   *
   * @throws TlsException if there is another file of that name, or it cannot be written
   */
  public static KeyPair readOrMake(Path file) throws IOException {
    if (!Files.exists(file)) {
      PemFile.writePair(file, CertificateAuthority.newKeyPair());
    }
    return PemFile.pair(file);
  }

  /** The same without a file, to say what would be done. */
  public static KeyPair make() {
    return CertificateAuthority.newKeyPair();
  }
}
