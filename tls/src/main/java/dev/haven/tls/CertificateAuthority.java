package dev.haven.tls;

import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.X500NameBuilder;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/**
 * The cluster's own certificate authority: a directory with {@code ca.pem} and {@code ca.key}.
 *
 * <p>Keys are EC P-256, unencrypted PKCS#8, readable by their owner alone. A person who has {@code
 * ca.key} can be any host, any voter and any operator. Where machines join by tokens, the voters
 * have it sealed in their log; else no daemon needs it, and it may live anywhere safe.
 */
public final class CertificateAuthority {
  /** Long, because nothing renews certificates yet and an expired one stops a cluster. */
  private static final Duration AUTHORITY_VALID = Duration.ofDays(20 * 365);

  private static final Duration CERTIFICATE_VALID = Duration.ofDays(10 * 365);

  /** A host whose clock is behind must still accept what was issued a moment ago. */
  private static final Duration BACKDATED = Duration.ofDays(1);

  private static final Pattern NAME =
      Pattern.compile("[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?");
  private static final Pattern DNS_NAME =
      Pattern.compile(
          "(?=.{1,253}$)(\\*\\.)?[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*");
  private static final Pattern ADDRESS = Pattern.compile("[0-9]+(\\.[0-9]+){3}|.*:.*");

  private final X509Certificate certificate;
  private final PrivateKey key;

  private CertificateAuthority(X509Certificate certificate, PrivateKey key) {
    this.certificate = certificate;
    this.key = key;
  }

  /**
   * Makes a new authority in {@code directory}, which is created if need be.
   *
   * @throws TlsException if there is one already; it is left as it was
   */
  public static CertificateAuthority create(Path directory) throws IOException {
    makeDirectory(directory);
    return create(directory.resolve("ca.pem"), directory.resolve("ca.key"));
  }

  /**
   * The same in these two files.
   *
   * @throws TlsException if there is one of them; it is left as it was
   */
  public static CertificateAuthority create(Path certificateFile, Path keyFile) throws IOException {
    refuseExisting(keyFile, certificateFile);
    var made = create();
    try {
      writePair(keyFile, made.key, certificateFile, made.certificate.getEncoded());
    } catch (CertificateEncodingException e) {
      throw new IllegalStateException("a certificate that was made can be written", e);
    }
    return made;
  }

  /** One that is nowhere but in memory. */
  public static CertificateAuthority create() {
    try {
      var pair = newKeyPair();
      var utils = new JcaX509ExtensionUtils();
      var keyId = utils.createSubjectKeyIdentifier(pair.getPublic());
      // The key's id is in the name so that an error can tell two clusters' authorities apart.
      var name =
          new X500Name("O=Haven,CN=Haven CA " + PemFile.fingerprint(keyId.getKeyIdentifier()));
      var builder = builder(name, name, pair.getPublic(), Instant.now().plus(AUTHORITY_VALID));
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
      builder.addExtension(
          Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
      builder.addExtension(Extension.subjectKeyIdentifier, false, keyId);
      return new CertificateAuthority(
          PemFile.certificate(Path.of("ca.pem"), sign(builder, pair.getPrivate())),
          pair.getPrivate());
    } catch (GeneralSecurityException | OperatorCreationException | IOException e) {
      throw new IllegalStateException("this JDK cannot make EC P-256 certificates", e);
    }
  }

  /**
   * Opens the authority that {@link #create} made.
   *
   * @throws TlsException if a file is missing or damaged, or the two do not belong together
   */
  public static CertificateAuthority open(Path directory) throws IOException {
    var certificateFile = directory.resolve("ca.pem");
    var certificate = PemFile.certificates(certificateFile).getFirst();
    if (certificate.getBasicConstraints() < 0) {
      throw new TlsException(
          certificateFile,
          PemFile.subject(certificate) + " is no certificate authority",
          "give the directory in which the authority was created");
    }
    return new CertificateAuthority(
        certificate, PemFile.keyFor(certificate, certificateFile, directory.resolve("ca.key")));
  }

  /**
   * The authority of a key that is kept elsewhere.
   *
   * @param caFile certificates of authorities, one of which is that of the key
   * @param key PKCS#8, as {@link #key} gave it
   * @throws TlsException if none is, or the file or the key cannot be read
   */
  public static CertificateAuthority of(Path caFile, byte[] key) throws TlsException {
    try {
      var secret = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(key));
      for (var certificate : PemFile.certificates(caFile)) {
        if (certificate.getBasicConstraints() >= 0
            && PemFile.belongTogether(secret, certificate.getPublicKey())) {
          return new CertificateAuthority(certificate, secret);
        }
      }
    } catch (GeneralSecurityException e) {
      // said below
    }
    throw new TlsException(
        caFile,
        "none of its authorities is the one whose key the cluster has",
        "copy ca.pem again");
  }

  /** The authority's key in a file of its own: {@code ca.key}. */
  public static CertificateAuthority of(Path caFile, Path keyFile) throws TlsException {
    TlsContext.refuseIfOpenToOthers(keyFile);
    return of(caFile, PemFile.key(keyFile, "EC").getEncoded());
  }

  /** PKCS#8. A holder of it can be anybody in the cluster. */
  public byte[] key() {
    return key.getEncoded();
  }

  /** The {@link Fingerprint} of its certificate. */
  public String fingerprint() {
    return Fingerprint.of(certificate);
  }

  /**
   * Issues a certificate with a new key: {@code NAME.pem} and {@code NAME.key}, for a voter {@code
   * voter-NAME.pem} and {@code voter-NAME.key}, in {@code outDirectory}, which is created if need
   * be.
   *
   * @param name the CN: 1 to 63 letters, digits, {@code . _ -}
   * @param sans the DNS names and addresses under which a host is reached; the name itself is added
   *     for a host and a voter
   * @throws TlsException if the name or one of {@code sans} is not valid, or a file of that name
   *     exists; it is left as it was
   */
  public void issue(String name, Role role, List<String> sans, Path outDirectory)
      throws IOException {
    var names = names(name, role, sans);
    makeDirectory(outDirectory);
    var keyFile = outDirectory.resolve(role.fileOf(name) + ".key");
    var certificateFile = outDirectory.resolve(role.fileOf(name) + ".pem");
    refuseExisting(keyFile, certificateFile);
    var pair = newKeyPair();
    writePair(
        keyFile, pair.getPrivate(), certificateFile, signed(pair.getPublic(), name, role, names));
  }

  /**
   * The same for a key that stays where it is.
   *
   * @return the certificate, as PEM
   * @throws TlsException if the name or one of {@code sans} is not valid
   */
  public String certify(PublicKey key, String name, Role role, List<String> sans)
      throws TlsException {
    return PemFile.pem("CERTIFICATE", signed(key, name, role, names(name, role, sans)));
  }

  private byte[] signed(PublicKey of, String name, Role role, List<GeneralName> names) {
    try {
      var utils = new JcaX509ExtensionUtils();
      var subject =
          new X500NameBuilder(BCStyle.INSTANCE)
              .addRDN(BCStyle.O, "Haven")
              .addRDN(BCStyle.OU, role.unit())
              .addRDN(BCStyle.CN, name)
              .build();
      var issuer = X500Name.getInstance(certificate.getSubjectX500Principal().getEncoded());
      var end = Instant.now().plus(CERTIFICATE_VALID);
      var authorityEnd = certificate.getNotAfter().toInstant();
      var builder = builder(issuer, subject, of, end.isBefore(authorityEnd) ? end : authorityEnd);
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
      builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
      builder.addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(purposes(role)));
      builder.addExtension(
          Extension.subjectKeyIdentifier, false, utils.createSubjectKeyIdentifier(of));
      builder.addExtension(
          Extension.authorityKeyIdentifier, false, utils.createAuthorityKeyIdentifier(certificate));
      if (!names.isEmpty()) {
        builder.addExtension(
            Extension.subjectAlternativeName,
            false,
            new GeneralNames(names.toArray(GeneralName[]::new)));
      }
      return sign(builder, key);
    } catch (GeneralSecurityException | OperatorCreationException | IOException e) {
      throw new IllegalStateException("this JDK cannot make EC P-256 certificates", e);
    }
  }

  private static List<GeneralName> names(String name, Role role, List<String> sans)
      throws TlsException {
    if (!NAME.matcher(name).matches()) {
      throw new TlsException(
          "\"%s\" cannot be a certificate's name; use 1 to 63 letters, digits, '.', '_' and '-'"
              .formatted(name));
    }
    var names = new ArrayList<GeneralName>();
    for (var san : sans) {
      names.add(generalName(san));
    }
    if (role != Role.OPERATOR && !sans.contains(name)) {
      names.add(generalName(name));
    }
    return names;
  }

  private static KeyPurposeId[] purposes(Role role) {
    return switch (role) {
      case VOTER ->
          new KeyPurposeId[] {KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth};
      // so that no client of ours ever takes an agent, or a person, for a voter
      case HOST, OPERATOR -> new KeyPurposeId[] {KeyPurposeId.id_kp_clientAuth};
    };
  }

  private static GeneralName generalName(String san) throws TlsException {
    if (ADDRESS.matcher(san).matches()) {
      try {
        return new GeneralName(
            GeneralName.iPAddress, new DEROctetString(InetAddress.ofLiteral(san).getAddress()));
      } catch (IllegalArgumentException e) {
        throw new TlsException(
            "\"%s\" is no IP address; correct it or give a DNS name".formatted(san));
      }
    }
    if (!DNS_NAME.matcher(san).matches()) {
      throw new TlsException(
          "\"%s\" is neither a DNS name nor an IP address; correct it".formatted(san));
    }
    return new GeneralName(GeneralName.dNSName, san.toLowerCase(Locale.ROOT));
  }

  static KeyPair newKeyPair() {
    try {
      var generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"));
      return generator.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this JDK cannot make EC P-256 keys", e);
    }
  }

  private static X509v3CertificateBuilder builder(
      X500Name issuer, X500Name subject, PublicKey key, Instant end) {
    return new JcaX509v3CertificateBuilder(
        issuer,
        new BigInteger(127, new SecureRandom()).setBit(126), // 16 bytes, positive, never zero
        Date.from(Instant.now().minus(BACKDATED)),
        Date.from(end),
        subject,
        key);
  }

  private static byte[] sign(X509v3CertificateBuilder builder, PrivateKey key)
      throws OperatorCreationException, IOException {
    return builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(key)).getEncoded();
  }

  private static void makeDirectory(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      Files.createDirectories(
          directory,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
  }

  private static void refuseExisting(Path... files) throws TlsException {
    for (var file : files) {
      if (Files.exists(file)) {
        throw new TlsException(
            file,
            "exists already and is left as it is",
            "remove it first, or choose another name or directory");
      }
    }
  }

  /** The certificate last: where there is one, its key is complete. */
  private static void writePair(
      Path keyFile, PrivateKey key, Path certificateFile, byte[] certificate) throws IOException {
    PemFile.write(keyFile, "PRIVATE KEY", key.getEncoded(), true);
    try {
      PemFile.write(certificateFile, "CERTIFICATE", certificate, false);
    } catch (IOException e) {
      Files.deleteIfExists(
          keyFile); // useless without its certificate, and in the way of the next try
      throw e;
    }
  }
}
