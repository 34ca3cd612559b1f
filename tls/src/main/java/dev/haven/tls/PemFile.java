package dev.haven.tls;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/** Reads and writes PEM files with the JDK alone, so that a daemon loads no other crypto code. */
final class PemFile {
  /** A PEM file of ours has a few KiB; anything large is the wrong file. */
  private static final long SIZE_MAX = 1 << 20;

  private static final Pattern BLOCK =
      Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \\1-----");

  private PemFile() {}

  private record Block(String label, byte[] der) {}

  /** The certificates of the file in their order, at least one. */
  static List<X509Certificate> certificates(Path file) throws TlsException {
    List<X509Certificate> certificates = new ArrayList<>();
    for (var block : blocks(file, "certificate")) {
      if (block.label().endsWith("CERTIFICATE")) {
        certificates.add(certificate(file, block.der()));
      }
    }
    if (certificates.isEmpty()) {
      throw new TlsException(
          file,
          "holds no certificate",
          "give the file that begins with -----BEGIN CERTIFICATE-----");
    }
    return certificates;
  }

  static X509Certificate certificate(Path file, byte[] der) throws TlsException {
    try {
      return (X509Certificate)
          CertificateFactory.getInstance("X.509")
              .generateCertificate(new ByteArrayInputStream(der));
    } catch (CertificateException e) {
      throw new TlsException(
          file,
          "a certificate in it is damaged (" + e.getMessage() + ")",
          "copy or issue it again");
    }
  }

  /** The private key of the file, checked to be the one that {@code certificate} was issued for. */
  static PrivateKey keyFor(X509Certificate certificate, Path certificateFile, Path file)
      throws TlsException {
    var key = key(file, certificate.getPublicKey().getAlgorithm());
    if (!belongTogether(key, certificate.getPublicKey())) {
      throw new TlsException(
          file,
          "is not the key of the certificate "
              + certificateFile
              + " ("
              + subject(certificate)
              + ")",
          "give the two files that were issued together");
    }
    return key;
  }

  /** The private key of the file. */
  static PrivateKey key(Path file, String algorithm) throws TlsException {
    var blocks = blocks(file, "private key");
    for (var block : blocks) {
      switch (block.label()) {
        case "PRIVATE KEY" -> {
          try {
            return KeyFactory.getInstance(algorithm)
                .generatePrivate(new PKCS8EncodedKeySpec(block.der()));
          } catch (GeneralSecurityException e) {
            throw new TlsException(
                file,
                "is damaged, or no "
                    + algorithm
                    + " key as its certificate needs ("
                    + e.getMessage()
                    + ")",
                "give the key that was issued with the certificate");
          }
        }
        case "ENCRYPTED PRIVATE KEY" ->
            throw new TlsException(
                file,
                "the key has a password, and a daemon cannot ask for one",
                "decrypt it: openssl pkcs8 -in %s -out NEW.key; chmod 600 NEW.key".formatted(file));
        case "EC PRIVATE KEY", "RSA PRIVATE KEY" ->
            throw new TlsException(
                file,
                "the key is in the old form \"" + block.label() + "\"",
                "convert it: openssl pkcs8 -topk8 -nocrypt -in %s -out NEW.key; chmod 600 NEW.key"
                    .formatted(file));
        default -> {}
      }
    }
    throw new TlsException(
        file,
        "holds no private key, only " + blocks.getFirst().label(),
        "give the file that begins with -----BEGIN PRIVATE KEY-----");
  }

  /** A key file of ours: the private key, and the public one after it. */
  static KeyPair pair(Path file) throws TlsException {
    for (var block : blocks(file, "private key")) {
      if (block.label().equals("PUBLIC KEY")) {
        try {
          var open =
              KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(block.der()));
          var pair = new KeyPair(open, key(file, "EC"));
          if (belongTogether(pair.getPrivate(), pair.getPublic())) {
            return pair;
          }
        } catch (GeneralSecurityException e) {
          // said below
        }
      }
    }
    throw new TlsException(
        file, "is no key that Haven made here, or is damaged", "move it away, and try again");
  }

  static void writePair(Path file, KeyPair pair) throws IOException {
    write(
        file,
        pem("PRIVATE KEY", pair.getPrivate().getEncoded())
            + pem("PUBLIC KEY", pair.getPublic().getEncoded()),
        true);
  }

  static boolean belongTogether(PrivateKey key, PublicKey publicKey) {
    var algorithm =
        switch (key.getAlgorithm()) {
          case "EC" -> "SHA256withECDSA";
          case "RSA" -> "SHA256withRSA";
          default -> key.getAlgorithm();
        };
    try {
      var probe = "haven".getBytes(StandardCharsets.US_ASCII);
      var signer = Signature.getInstance(algorithm);
      signer.initSign(key);
      signer.update(probe);
      var signature = signer.sign();
      signer.initVerify(publicKey);
      signer.update(probe);
      return signer.verify(signature);
    } catch (GeneralSecurityException e) {
      return false; // another kind of key, or another curve
    }
  }

  private static List<Block> blocks(Path file, String expected) throws TlsException {
    String text;
    try {
      if (Files.isDirectory(file)) {
        throw new TlsException(
            file, "is a directory", "give the " + expected + "'s PEM file itself");
      }
      if (Files.size(file) > SIZE_MAX) {
        throw new TlsException(
            file, "is too large for a PEM file", "give the " + expected + "'s PEM file");
      }
      text = Files.readString(file, StandardCharsets.ISO_8859_1);
    } catch (TlsException e) {
      throw e;
    } catch (NoSuchFileException e) {
      throw new TlsException(
          file, "there is no such file", "give the path of the " + expected + "'s PEM file");
    } catch (AccessDeniedException e) {
      throw new TlsException(
          file,
          "may not be read by user " + System.getProperty("user.name"),
          "run as its owner or change the owner");
    } catch (IOException e) {
      throw new TlsException(file, "cannot be read (" + e.getMessage() + ")", "check the disk");
    }
    List<Block> blocks = new ArrayList<>();
    var matcher = BLOCK.matcher(text);
    while (matcher.find()) {
      var label = matcher.group(1);
      try {
        blocks.add(
            new Block(
                label, label.contains("PARAMETERS") ? new byte[0] : decode(matcher.group(2))));
      } catch (IllegalArgumentException e) {
        // An old encrypted key carries header lines; its label alone decides what to say about it.
        blocks.add(new Block(label, new byte[0]));
      }
    }
    if (blocks.isEmpty()) {
      throw new TlsException(
          file,
          text.contains("-----BEGIN ") ? "is cut off in the middle" : "is no PEM file",
          "copy or issue the " + expected + " again");
    }
    return blocks;
  }

  private static byte[] decode(String body) {
    return Base64.getDecoder().decode(body.replaceAll("\\s", ""));
  }

  /**
   * Writes a new file, readable by its owner alone if {@code secret}, and syncs it to the disk.
   *
   * @throws TlsException if a file of that name exists; it is left as it was
   */
  static void write(Path file, String label, byte[] der, boolean secret) throws IOException {
    write(file, pem(label, der), secret);
  }

  static String pem(String label, byte[] der) {
    var body = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
    return "-----BEGIN " + label + "-----\n" + body + "\n-----END " + label + "-----\n";
  }

  private static void write(Path file, String pem, boolean secret) throws IOException {
    var mode = PosixFilePermissions.fromString(secret ? "rw-------" : "rw-r--r--");
    try (var channel =
        FileChannel.open(
            file,
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(mode))) {
      var bytes = ByteBuffer.wrap(pem.getBytes(StandardCharsets.US_ASCII));
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      channel.force(true);
    } catch (FileAlreadyExistsException e) {
      throw new TlsException(
          file,
          "exists already and is left as it is",
          "remove it first, or choose another name or directory");
    } catch (IOException e) {
      Files.deleteIfExists(file); // ours, and half written
      throw new TlsException(
          file, "cannot be written (" + e + ")", "check the directory's owner and its free space");
    }
  }

  static String subject(X509Certificate certificate) {
    return certificate.getSubjectX500Principal().getName();
  }

  static String fingerprint(byte[] bytes) {
    return HexFormat.of().formatHex(bytes, 0, 4);
  }
}
