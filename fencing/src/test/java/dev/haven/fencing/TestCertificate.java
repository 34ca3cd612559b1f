package dev.haven.fencing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.HexFormat;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/** A key with a certificate that it signed itself, as devices leave the factory with. */
record TestCertificate(SSLContext server, Path pem, String fingerprint) {
  /**
   * @param names as keytool writes them, such as {@code ip:127.0.0.1}
   */
  static TestCertificate make(Path folder, String names)
      throws IOException, InterruptedException, GeneralSecurityException {
    Files.createDirectories(folder);
    var file = folder.resolve("key.p12");
    var keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                "key",
                "-keyalg",
                "EC",
                "-dname",
                "CN=bmc",
                "-ext",
                "san=" + names,
                "-validity",
                "30",
                "-storetype",
                "PKCS12",
                "-storepass",
                "changeit",
                "-keystore",
                file.toString())
            .redirectErrorStream(true)
            .start();
    var said = new String(keytool.getInputStream().readAllBytes());
    if (keytool.waitFor() != 0) {
      throw new IOException(said);
    }
    var store = KeyStore.getInstance(file.toFile(), "changeit".toCharArray());
    var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(store, "changeit".toCharArray());
    var context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), null, null);
    var der = store.getCertificate("key").getEncoded();
    var pem =
        Files.writeString(
            folder.resolve("certificate.pem"),
            "-----BEGIN CERTIFICATE-----\n"
                + Base64.getMimeEncoder(64, "\n".getBytes()).encodeToString(der)
                + "\n-----END CERTIFICATE-----\n");
    return new TestCertificate(
        context,
        pem,
        HexFormat.ofDelimiter(":").formatHex(MessageDigest.getInstance("SHA-256").digest(der)));
  }
}
