package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.haven.model.config.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The short way of reading cli.yaml must never say anything else than the whole one. */
class CliConfigTest {
  @TempDir Path directory;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "voters: [\"10.0.0.1:7700\"]\ntls: {ca: ca.pem, certificate: admin.pem, key: admin.key}\n",
        """
        # where it is

        voters: ["10.0.0.1:7700", "https://b.example:7701", "[fd00::3]:7700"]  # any of them
        tls: {ca: /etc/haven/ca.pem, certificate: tls/me-1.pem, key: tls/me_1.key} # ours
        """,
        """
        voters: ["/run/haven/orchestrator.sock", "10.0.0.1:7700"]
        tls: {ca: ca.pem, certificate: admin.pem, key: admin.key}
        """,
      })
  void whatWeWriteOurselvesIsReadTheShortWay(String text) throws Exception {
    var file = Files.writeString(directory.resolve("cli.yaml"), text);
    assertThat(CliConfig.readPlain(file)).contains(Settings.read(file, CliConfig.class));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "voters: [\"a\"]\n",
        "voters: []\ntls: {ca: ca.pem, certificate: admin.pem, key: admin.key}\n",
        "voters: [12:30]\ntls: {ca: ca.pem, certificate: admin.pem, key: admin.key}\n",
        "voters: [\"a\"]\nvoters: [\"b\"]\ntls: {ca: a.pem, certificate: b.pem, key: c.key}\n",
        "voters: [\"a\"]\ntlss: {ca: ca.pem, certificate: admin.pem, key: admin.key}\n",
        "voters: [\"a\"]\ntls: {ca: null, certificate: admin.pem, key: admin.key}\n",
        "voters: [\"a\"]\ntls: {ca: ~/ca.pem, certificate: admin.pem, key: admin.key}\n",
        "voters: [\"a\\x41\"]\ntls: {ca: ca.pem, certificate: admin.pem, key: admin.key}\n",
        "voters: [\"a\"]\ntls: {ca: ca.pem, certificate: admin.pem, key: admin.key, x: y.z}\n",
        "voters: [\"a\"]\ntls:\n  ca: ca.pem\n  certificate: admin.pem\n  key: admin.key\n",
        "  voters: [\"a\"]\ntls: {ca: ca.pem, certificate: admin.pem, key: admin.key}\n",
        "voters: [\"a/b/c\"]\ntls: {ca: ca.pem, certificate: admin.pem, key: admin.key}\n",
        "voters: [\"a#b\"]\ntls: {ca: ca.pem, certificate: admin.pem, key: admin.key}\n",
      })
  void everythingElseIsLeftToSettings(String text) throws IOException {
    var file = Files.writeString(directory.resolve("cli.yaml"), text);
    assertThat(CliConfig.readPlain(file)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"rw-rw-r--", "rw-r--rw-", "dir"})
  void aFoundFileThatOthersCanWriteIsNotBelieved(String modes) throws IOException {
    var file =
        Files.writeString(
            Files.createDirectory(directory.resolve(".haven")).resolve("cli.yaml"),
            "voters: [/run/v.sock]\n");
    assertThat(CliConfig.find(null, Map.of(), directory).voters()).containsExactly("/run/v.sock");
    if (modes.equals("dir")) {
      Files.setPosixFilePermissions(file.getParent(), PosixFilePermissions.fromString("rwxrwxrwx"));
    } else {
      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(modes));
    }
    assertThatThrownBy(() -> CliConfig.find(null, Map.of(), directory))
        .isInstanceOf(Stop.class)
        .hasMessageContaining("others may write");
    assertThat(CliConfig.find(file, Map.of(), directory).voters()).containsExactly("/run/v.sock");
  }

  /** Both ends of it were ours, and somebody else had chosen which of our clusters it is. */
  @ParameterizedTest
  @ValueSource(strings = {".haven", ".haven/cli.yaml"})
  void aLinkOfSomebodyElsesIsNotFollowed(String which) throws Exception {
    assumeTrue(
        Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0),
        "SKIPPED: only root can make a link that belongs to somebody else");
    var other = Files.createDirectories(directory.resolve("other"));
    Files.writeString(other.resolve("cli.yaml"), "voters: [/run/v.sock]\n");
    var link = directory.resolve(which);
    if (which.equals(".haven")) {
      Files.createSymbolicLink(link, other);
    } else {
      Files.createDirectories(link.getParent());
      Files.createSymbolicLink(link, other.resolve("cli.yaml"));
    }
    assertThat(CliConfig.find(null, Map.of(), directory).voters()).containsExactly("/run/v.sock");
    Files.setAttribute(link, "unix:uid", 12_345, LinkOption.NOFOLLOW_LINKS);
    assertThatThrownBy(() -> CliConfig.find(null, Map.of(), directory))
        .isInstanceOf(Stop.class)
        .hasMessageContaining(link + " belongs to another user")
        .hasMessageContaining("--config");
  }

  @Test
  void whatAVoterSaysMovesNoCursor() {
    assertThat(Paint.harmless("a\u001b[2Jb\u001b[31mred\u001b[0m\u009b\u001b[8mhidden\n"))
        .isEqualTo("a\\u001b[2Jb\u001b[31mred\u001b[0m\\u009b\\u001b[8mhidden\n");
    assertThat(Table.cell("x\u001b]0;title\u0007").text()).isEqualTo("x\\u001b]0;title\\u0007");
  }

  @Test
  void onlyWhoAsksByAddressNeedsCertificates() throws IOException {
    var file = Files.writeString(directory.resolve("cli.yaml"), "voters: [/run/v.sock]\n");
    assertThat(Settings.read(file, CliConfig.class).tls()).isEmpty();
    Files.writeString(file, "voters: [/run/v.sock, 10.0.0.1]\n");
    assertThatThrownBy(() -> Settings.read(file, CliConfig.class))
        .hasMessageContaining("tls: is missing; voter 10.0.0.1 is reached by TLS only");
  }
}
