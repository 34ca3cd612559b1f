package dev.haven.tls;

import java.io.IOException;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.PublicKey;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x9.X9ObjectIdentifiers;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.pkcs.PKCSException;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

/**
 * A PKCS#10 request: a public key, signed by its private one. What else stands in it is only what
 * somebody wishes, so nothing of that is read.
 */
public final class SigningRequest {
  /** One of ours has 300 bytes. */
  private static final int SIZE_MAX = 4 << 10;

  private SigningRequest() {}

  /** In DER. */
  public static byte[] make(KeyPair pair) {
    try {
      return new JcaPKCS10CertificationRequestBuilder(new X500Name("O=Haven"), pair.getPublic())
          .build(new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate()))
          .getEncoded();
    } catch (OperatorCreationException | IOException e) {
      throw new IllegalStateException("this JDK cannot sign with EC P-256", e);
    }
  }

  /**
   * The key of a request from anybody.
   *
   * @throws TlsException if it is no request, its key is not EC P-256, or it was not signed by that
   *     key
   */
  public static PublicKey keyOf(byte[] der) throws TlsException {
    if (der.length > SIZE_MAX) {
      throw new TlsException("the certificate request has more than %d bytes".formatted(SIZE_MAX));
    }
    try {
      var request = new JcaPKCS10CertificationRequest(der);
      var key = request.getPublicKey();
      if (!(key instanceof ECPublicKey ec) || !isP256(ec.getParams())) {
        throw new TlsException("the certificate request must have a key of EC P-256");
      }
      if (!request
              .getSignatureAlgorithm()
              .getAlgorithm()
              .equals(X9ObjectIdentifiers.ecdsa_with_SHA256)
          || !request.isSignatureValid(new JcaContentVerifierProviderBuilder().build(key))) {
        throw new TlsException("the certificate request is not signed by its own key");
      }
      return key;
    } catch (IOException e) {
      throw e instanceof TlsException said ? said : unreadable();
    } catch (GeneralSecurityException
        | OperatorCreationException
        | PKCSException
        | RuntimeException e) { // whatever a parser makes of a stranger's bytes
      throw unreadable();
    }
  }

  private static TlsException unreadable() {
    return new TlsException("the certificate request cannot be read");
  }

  private static boolean isP256(ECParameterSpec found) throws GeneralSecurityException {
    var parameters = AlgorithmParameters.getInstance("EC");
    parameters.init(new ECGenParameterSpec("secp256r1"));
    var p256 = parameters.getParameterSpec(ECParameterSpec.class);
    return found.getCurve().equals(p256.getCurve())
        && found.getGenerator().equals(p256.getGenerator())
        && found.getOrder().equals(p256.getOrder());
  }
}
