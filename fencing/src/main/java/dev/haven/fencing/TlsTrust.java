package dev.haven.fencing;

import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/**
 * How a device proves over TLS that it is the one that is meant: by a certificate of a known
 * authority with its address in it (the machine's own list, or {@code caFile}), by the fingerprint
 * of its certificate ({@code fingerprint}), or not at all ({@code insecure: true}).
 */
final class TlsTrust {
  /** The settings that it reads. */
  static final List<String> SETTINGS = List.of("caFile", "fingerprint", "insecure");

  private TlsTrust() {}

  /**
   * @throws FencingConfigException when the settings contradict each other or a file is unreadable
   */
  static SSLContext of(DeviceSettings settings) {
    var caFile = settings.optional("caFile");
    var fingerprint = settings.optional("fingerprint");
    boolean insecure = settings.flag("insecure");
    if ((caFile.isPresent() ? 1 : 0) + (fingerprint.isPresent() ? 1 : 0) + (insecure ? 1 : 0) > 1) {
      throw settings.wrong(
          "more than one of caFile, fingerprint and insecure is set",
          "keep the one by which the device is to be known");
    }
    try {
      var context = SSLContext.getInstance("TLS");
      context.init(null, new TrustManager[] {judge(settings, caFile, fingerprint, insecure)}, null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static X509ExtendedTrustManager judge(
      DeviceSettings settings,
      Optional<String> caFile,
      Optional<String> fingerprint,
      boolean insecure)
      throws GeneralSecurityException {
    if (insecure) {
      return new Judge() {
        @Override
        void judge(X509Certificate[] chain, String type, @Nullable SSLEngine engine) {
          // The operator spelled out that nothing is to be checked; the device's health says so.
        }
      };
    }
    return fingerprint.isPresent()
        ? pinned(digits(settings, fingerprint.get()))
        : signed(authorities(settings, caFile));
  }

  private static Judge pinned(byte[] expected) {
    return new Judge() {
      @Override
      void judge(X509Certificate[] chain, String type, @Nullable SSLEngine engine)
          throws CertificateException {
        var shown = print(chain[0]);
        if (!MessageDigest.isEqual(shown, expected)) {
          throw new CertificateException(
              "its certificate is another one than the setting fingerprint names; it shows "
                  + text(shown));
        }
      }
    };
  }

  private static Judge signed(X509ExtendedTrustManager authorities) {
    return new Judge() {
      @Override
      void judge(X509Certificate[] chain, String type, @Nullable SSLEngine engine)
          throws CertificateException {
        try {
          // With the engine the JDK also compares the certificate's names with the address.
          if (engine == null) {
            throw new CertificateException("no connection to compare its names with");
          }
          authorities.checkServerTrusted(chain, type, engine);
        } catch (CertificateException e) {
          throw new CertificateException(
              "its certificate is not trusted ("
                  + e.getMessage()
                  + "); give its authority as caFile, or, once compared with what the device itself"
                  + " shows, fingerprint: "
                  + text(print(chain[0])),
              e);
        }
      }
    };
  }

  private static X509ExtendedTrustManager authorities(
      DeviceSettings settings, Optional<String> caFile) throws GeneralSecurityException {
    @Nullable KeyStore store = null; // the machine's own list
    if (caFile.isPresent()) {
      store = KeyStore.getInstance(KeyStore.getDefaultType());
      try (var in = Files.newInputStream(Path.of(caFile.get()))) {
        store.load(null, null);
        int n = 0;
        for (Certificate authority :
            CertificateFactory.getInstance("X.509").generateCertificates(in)) {
          store.setCertificateEntry("authority" + n++, authority);
        }
        if (n == 0) {
          throw new CertificateException("no certificate in it");
        }
      } catch (IOException | CertificateException e) {
        throw settings.wrong(
            "cannot read caFile " + caFile.get() + " (" + e.getClass().getSimpleName() + ")",
            "put the authority's certificate into it, as PEM");
      }
    }
    var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    return Arrays.stream(factory.getTrustManagers())
        .filter(X509ExtendedTrustManager.class::isInstance)
        .map(X509ExtendedTrustManager.class::cast)
        .findFirst()
        .orElseThrow();
  }

  private static byte[] digits(DeviceSettings settings, String fingerprint) {
    var digits =
        fingerprint
            .replaceFirst("(?i)^sha-?256[:= ]", "")
            .replaceAll("[:\\s]", "")
            .toLowerCase(Locale.ROOT);
    if (!digits.matches("[0-9a-f]{64}")) {
      throw settings.wrong(
          "fingerprint is " + fingerprint,
          "give the SHA-256 of the certificate, 64 hexadecimal digits, such as openssl x509 -noout"
              + " -fingerprint -sha256 prints");
    }
    return HexFormat.of().parseHex(digits);
  }

  private static byte[] print(X509Certificate certificate) throws CertificateException {
    try {
      return MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded());
    } catch (GeneralSecurityException e) {
      throw new CertificateException(e);
    }
  }

  private static String text(byte[] print) {
    return HexFormat.ofDelimiter(":").withUpperCase().formatHex(print);
  }

  /** All ways in which the JDK may ask lead to one judgement. */
  private abstract static class Judge extends X509ExtendedTrustManager {
    abstract void judge(X509Certificate[] chain, String type, @Nullable SSLEngine engine)
        throws CertificateException;

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine)
        throws CertificateException {
      judge(chain, type, engine);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket)
        throws CertificateException {
      judge(chain, type, null);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      judge(chain, type, null);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
        throws CertificateException {
      throw new CertificateException("we are no server");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
        throws CertificateException {
      throw new CertificateException("we are no server");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      throw new CertificateException("we are no server");
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}
