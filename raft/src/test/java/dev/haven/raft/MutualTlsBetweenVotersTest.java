package dev.haven.raft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.raft.port.ReplicatedLog.VoterAddress;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MutualTlsBetweenVotersTest {
  private static final Duration SOON = Duration.ofSeconds(30);

  @TempDir private Path directory;
  private final Map<String, VoterAddress> addresses = new LinkedHashMap<>();
  private final Map<String, Voter> voters = new LinkedHashMap<>();

  @AfterEach
  void close() {
    voters.values().forEach(Voter::close);
  }

  private void address(String name, String ip) throws Exception {
    addresses.put(name, new VoterAddress(name, ip + ":" + FreePorts.at(ip)));
  }

  private SSLContext context(CertificateAuthority authority, Path at, String name, String ip)
      throws Exception {
    authority.issue(name, Role.VOTER, List.of(ip), at);
    return TlsContext.load(
        at.resolve("ca.pem"),
        at.resolve("voter-" + name + ".pem"),
        at.resolve("voter-" + name + ".key"));
  }

  private void start(String name, SSLContext context) throws Exception {
    var listed = List.copyOf(addresses.values());
    var listen = listed.stream().filter(v -> v.name().equals(name)).findAny().orElseThrow().raft();
    var settings =
        VoterSettings.of(
            "test",
            name,
            listen,
            listed,
            Optional.of(context),
            certificate -> Optional.of(Cluster.name(certificate)));
    voters.put(
        name,
        Voter.start(settings, new DirectoryDisk(directory.resolve(name)), new Cluster.Words()));
  }

  private boolean someoneLeads() {
    return voters.values().stream().anyMatch(voter -> voter.leadership().ready());
  }

  @Test
  void votersOfOneAuthorityMeetAlsoWhileAStrangerHoldsConnectionsOpen() throws Exception {
    var ca = directory.resolve("ca");
    var authority = CertificateAuthority.create(ca);
    address("a", "127.0.0.31");
    address("b", "127.0.0.32");
    start("a", context(authority, ca, "a", "127.0.0.31"));
    var target = addresses.values().iterator().next().raft().split(":");
    try (var silent = new Socket(target[0], Integer.parseInt(target[1]))) {
      assertThat(silent.isConnected()).isTrue();
      start("b", context(authority, ca, "b", "127.0.0.32"));
      Cluster.await(SOON, this::someoneLeads);
    }
  }

  @Test
  void aVoterWithAnotherAuthoritysCertificateIsNotHeard() throws Exception {
    var ours = directory.resolve("ca");
    var theirs = directory.resolve("other");
    address("a", "127.0.0.33");
    address("b", "127.0.0.34");
    start("a", context(CertificateAuthority.create(ours), ours, "a", "127.0.0.33"));
    start("b", context(CertificateAuthority.create(theirs), theirs, "b", "127.0.0.34"));
    Thread.sleep(3000); // nothing happens, so there is nothing to wait for
    assertThat(someoneLeads()).isFalse();
    for (var voter : voters.values()) {
      assertThat(voter.members().learners()).isEmpty();
      assertThat(voter.members().voters()).isEmpty();
    }
  }
}
