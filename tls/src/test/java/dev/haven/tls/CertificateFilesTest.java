package dev.haven.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files as they are made, and what is said about wrong ones. */
class CertificateFilesTest {
  @TempDir Path dir = Path.of("");

  @BeforeEach
  void issueCertificates() throws IOException {
    var ca = CertificateAuthority.create(dir);
    ca.issue("a", Role.HOST, List.of("10.77.1.1"), dir);
    ca.issue("b", Role.HOST, List.of("10.77.1.2"), dir);
  }

  @Test
  void keysAreForTheirOwnerAlone() throws IOException {
    for (var key : List.of("ca.key", "a.key")) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(dir.resolve(key))))
          .isEqualTo("rw-------");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"rw-r-----", "rw--w----", "rw----r--", "rw------x"})
  void aKeyThatOthersCanReadIsRefused(String modes) throws IOException {
    Files.setPosixFilePermissions(dir.resolve("a.key"), PosixFilePermissions.fromString(modes));
    assertThatThrownBy(
            () ->
                TlsContext.load(dir.resolve("ca.pem"), dir.resolve("a.pem"), dir.resolve("a.key")))
        .isInstanceOf(TlsException.class)
        .hasMessageContaining("a.key: others than its owner can read or change")
        .hasMessageContaining("chmod 600");
  }

  @Test
  void theKeyForSecretsIsForItsOwnerAloneAndNeverOverwritten() throws IOException {
    var file = dir.resolve("secrets.key");
    SecretsKey.create(file);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");
    assertThat(Files.readString(file)).matches("[0-9a-f]{64}\n");
    assertThatThrownBy(() -> SecretsKey.create(file)).hasMessageContaining("exists already");
  }

  @Test
  void nothingIsOverwritten() throws IOException {
    var before = Files.readString(dir.resolve("ca.key"));
    assertThatThrownBy(() -> CertificateAuthority.create(dir))
        .isInstanceOf(TlsException.class)
        .hasMessageContaining("ca.key: exists already and is left as it is; remove it");
    assertThat(Files.readString(dir.resolve("ca.key"))).isEqualTo(before);
    assertThatThrownBy(() -> CertificateAuthority.open(dir).issue("a", Role.HOST, List.of(), dir))
        .hasMessageContaining("a.key: exists already");
    // Half of a pair counts as well.
    Files.delete(dir.resolve("a.key"));
    assertThatThrownBy(() -> CertificateAuthority.open(dir).issue("a", Role.HOST, List.of(), dir))
        .hasMessageContaining("a.pem: exists already");
  }

  @Test
  void anAuthorityOpenedAgainIssuesForTheSameCluster() throws IOException {
    CertificateAuthority.open(dir).issue("c", Role.HOST, List.of(), dir.resolve("new"));
    assertThat(
            TlsContext.load(
                dir.resolve("ca.pem"), dir.resolve("new/c.pem"), dir.resolve("new/c.key")))
        .isNotNull();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "../a", "a/b", "-a", "a b", "ä", "a\n"})
  void namesThatCouldEscapeAreRefused(String name) {
    assertThatThrownBy(() -> CertificateAuthority.open(dir).issue(name, Role.HOST, List.of(), dir))
        .isInstanceOf(TlsException.class)
        .hasMessageContaining("cannot be a certificate's name");
  }

  @ParameterizedTest
  @ValueSource(strings = {"10.77.1.256", "10.77.1.1/24", "a b", "fe80::zz", "http://a", ""})
  void wrongAddressesAreRefused(String san) {
    assertThatThrownBy(
            () -> CertificateAuthority.open(dir).issue("n", Role.HOST, List.of(san), dir))
        .isInstanceOf(TlsException.class)
        .hasMessageContaining("\"" + san + "\" is n");
    assertThat(dir.resolve("n.key")).doesNotExist();
  }

  @Test
  void eachWrongFileIsNamedWithTheWayOut() throws Exception {
    var other = dir.resolve("other");
    CertificateAuthority.create(other);
    saying(
        "ca.pem", "a.pem", "b.key", "b.key: is not the key of the certificate", "issued together");
    saying("ca.pem", "a.pem", "none.key", "none.key: there is no such file; give the path");
    saying(
        "other/ca.pem",
        "a.pem",
        "a.key",
        "a.pem: was not issued by the authority in",
        "same cluster");
    saying(
        "b.pem",
        "a.pem",
        "a.key",
        "b.pem: ",
        "OU=host",
        "is no certificate authority; give the ca.pem");
    saying(
        "ca.pem", "a.key", "a.key", "a.key: holds no certificate; give the file that begins with");
    saying("ca.pem", "a.pem", "a.pem", "a.pem: holds no private key, only CERTIFICATE");
    saying(".", "a.pem", "a.key", "is a directory");
    saying("empty", "a.pem", "a.key", "empty: is no PEM file", write("empty", ""));
    var pem = Files.readString(dir.resolve("a.pem"));
    saying(
        "ca.pem",
        "cut",
        "a.key",
        "cut: is cut off in the middle",
        write("cut", pem.substring(0, 300)));
    saying(
        "ca.pem",
        "bad",
        "a.key",
        "bad: a certificate in it is damaged",
        write("bad", pem.replaceFirst("(?s)\n.{200}", "\n")));
    var key = Files.readString(dir.resolve("a.key"));
    saying(
        "ca.pem",
        "a.pem",
        "bad.key",
        "bad.key: is damaged",
        write("bad.key", key.replaceFirst("\n....", "\n")));
    saying(
        "ca.pem",
        "a.pem",
        "old",
        "old form \"EC PRIVATE KEY\"; convert it: openssl pkcs8 -topk8",
        write("old", key.replace("PRIVATE", "EC PRIVATE")));
    saying(
        "ca.pem",
        "a.pem",
        "pw",
        "has a password",
        "openssl pkcs8 -in",
        write("pw", key.replace("PRIVATE", "ENCRYPTED PRIVATE")));
  }

  @Test
  void clockOutsideTheCertificatesTimeIsSaid() {
    for (var wrong : List.of(Duration.ofDays(-400), Duration.ofDays(366 * 11))) {
      var clock = Clock.fixed(Instant.now().plus(wrong), ZoneOffset.UTC);
      assertThatThrownBy(
              () ->
                  TlsContext.load(
                      dir.resolve("ca.pem"),
                      dir.resolve("a.pem"),
                      dir.resolve("a.key"),
                      TlsContext.ServerCheck.ANY,
                      clock))
          .isInstanceOf(TlsException.class)
          .hasMessageContaining("a.pem: ")
          .hasMessageContaining("this machine's clock says " + clock.instant())
          .hasMessageContaining("set the clock");
    }
  }

  @Test
  void foreignKeysMadeWithOpensslWork() throws Exception {
    // An operator may have a CA of their own, with RSA keys and a bundle of comments and
    // parameters.
    run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "x.key",
        "-out",
        "x.pem",
        "-days",
        "30",
        "-subj",
        "/CN=own",
        "-addext",
        "basicConstraints=critical,CA:TRUE");
    run(
        "openssl",
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "h.key",
        "-out",
        "h.csr",
        "-subj",
        "/OU=host/CN=h");
    run(
        "openssl",
        "x509",
        "-req",
        "-in",
        "h.csr",
        "-CA",
        "x.pem",
        "-CAkey",
        "x.key",
        "-CAcreateserial",
        "-days",
        "30",
        "-out",
        "h.pem");
    Files.writeString(
        dir.resolve("h.pem"), "h, issued by hand\n" + Files.readString(dir.resolve("h.pem")));
    assertThat(TlsContext.load(dir.resolve("x.pem"), dir.resolve("h.pem"), dir.resolve("h.key")))
        .isNotNull();
    assertThat(Peer.of(PemFile.certificates(dir.resolve("h.pem")).getFirst()))
        .isEqualTo(new Peer("h", Role.HOST));
    assertThatThrownBy(() -> Peer.of(PemFile.certificates(dir.resolve("x.pem")).getFirst()))
        .hasMessageContaining("has no OU");
  }

  private String write(String name, String text) throws IOException {
    Files.writeString(dir.resolve(name), text);
    return "";
  }

  private void saying(String ca, String certificate, String key, String... parts) {
    assertThatThrownBy(
            () -> TlsContext.load(dir.resolve(ca), dir.resolve(certificate), dir.resolve(key)))
        .isInstanceOf(TlsException.class)
        .message()
        .contains(parts);
  }

  private void run(String... command) throws Exception {
    var process =
        new ProcessBuilder(command).directory(dir.toFile()).redirectErrorStream(true).start();
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
  }
}
