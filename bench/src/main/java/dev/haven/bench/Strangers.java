package dev.haven.bench;

import dev.haven.raft.port.ReplicatedLog.VoterAddress;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSocket;

/**
 * The keys of a cluster, and those who use them to speak to its voters without being one: the agent
 * of a host, a voter of no cluster, a copy of a voter.
 */
final class Strangers implements AutoCloseable {
  private static final int PATIENCE_MILLIS = 3000;

  private final Path keys;
  private final Map<String, SSLContext> contexts = new ConcurrentHashMap<>();

  Strangers(List<VoterAddress> voters) throws IOException {
    keys = Files.createTempDirectory("haven-nemesis-keys");
    var ca = CertificateAuthority.create(keys.resolve("ca"));
    ca.issue("agent", Role.HOST, List.of(), keys);
    ca.issue("x", Role.VOTER, List.of("127.0.0.1"), keys);
    for (var voter : voters) {
      var ip = voter.raft().substring(0, voter.raft().lastIndexOf(':'));
      ca.issue(voter.name(), Role.VOTER, List.of(ip), keys);
    }
  }

  SSLContext voter(String name) {
    return context("voter-" + name);
  }

  private SSLContext context(String file) {
    return contexts.computeIfAbsent(
        file,
        of -> {
          try {
            return TlsContext.load(
                keys.resolve("ca/ca.pem"), keys.resolve(of + ".pem"), keys.resolve(of + ".key"));
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  static Optional<String> voterOf(X509Certificate certificate) {
    try {
      var peer = Peer.of(certificate);
      return peer.role() == Role.VOTER ? Optional.of(peer.name()) : Optional.empty();
    } catch (SSLPeerUnverifiedException e) {
      return Optional.empty();
    }
  }

  /** Whether the agent's key was let in under the name that it claims. */
  boolean agentSpeaksAs(String name, String cluster, VoterAddress target, Random chance) {
    return speaks(context("agent"), name, cluster, target, chance);
  }

  /** Whether the key of a voter that is no member was let in. */
  boolean noMemberSpeaksAs(String name, String cluster, VoterAddress target, Random chance) {
    return speaks(voter("x"), name, cluster, target, chance);
  }

  /** A copy of a voter's key, with another log. It may be let in while the original is away. */
  boolean copySpeaks(String name, String cluster, VoterAddress target, Random chance) {
    return speaks(voter(name), name, cluster, target, chance);
  }

  private static boolean speaks(
      SSLContext key, String name, String cluster, VoterAddress target, Random chance) {
    int colon = target.raft().lastIndexOf(':');
    var place =
        new InetSocketAddress(
            target.raft().substring(0, colon),
            Integer.parseInt(target.raft().substring(colon + 1)));
    try (var socket = (SSLSocket) key.getSocketFactory().createSocket()) {
      socket.connect(place, PATIENCE_MILLIS);
      socket.setSoTimeout(PATIENCE_MILLIS);
      socket.startHandshake();
      var out = new DataOutputStream(socket.getOutputStream());
      frame(out, greeting(name, cluster, target.name()));
      var in = new DataInputStream(socket.getInputStream());
      var answer = new byte[in.readInt()];
      in.readFully(answer);
      if (answer[0] != 0) {
        return false;
      }
      for (int i = chance.nextInt(20); i >= 0; i--) {
        var noise = new byte[1 + chance.nextInt(200)];
        chance.nextBytes(noise);
        noise[0] = (byte) (1 + chance.nextInt(11));
        frame(out, noise);
      }
      if (chance.nextBoolean()) {
        out.writeInt(chance.nextInt());
        out.flush();
      }
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private static byte[] greeting(String name, String cluster, String target) throws IOException {
    var bytes = new ByteArrayOutputStream();
    var data = new DataOutputStream(bytes);
    data.writeByte(1);
    data.writeUTF(cluster);
    data.writeUTF(name);
    for (var id : List.of(UUID.randomUUID(), UUID.randomUUID())) {
      data.writeLong(id.getMostSignificantBits());
      data.writeLong(id.getLeastSignificantBits());
    }
    data.writeUTF(target);
    return bytes.toByteArray();
  }

  private static void frame(DataOutputStream out, byte[] bytes) throws IOException {
    out.writeInt(bytes.length);
    out.write(bytes);
    out.flush();
  }

  @Override
  public void close() throws IOException {
    try (var files = Files.walk(keys)) {
      for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  /**
   * What a stranger tried, and what should not have come of it.
   *
   * @param what nothing if the stranger would have spoken to itself
   */
  record Tried(Optional<String> what, Optional<String> wrong) {}

  /** Says something to a voter under another one's name, with one of the keys that are none's. */
  Tried speak(String cluster, VoterAddress target, String other, Random chance) {
    return switch (chance.nextInt(4)) {
      case 0 ->
          new Tried(
              Optional.of("a host's key"),
              agentSpeaksAs(other, cluster, target, chance)
                  ? Optional.of("voter %s lets a host's key in".formatted(target.name()))
                  : Optional.empty());
      case 1 -> {
        var as = chance.nextBoolean() ? "x" : other;
        yield new Tried(
            Optional.of("a stranger's voter key"),
            noMemberSpeaksAs(as, cluster, target, chance)
                ? Optional.of("voter %s lets x in, as voter %s".formatted(target.name(), as))
                : Optional.empty());
      }
      default -> {
        if (other.equals(target.name())) {
          yield new Tried(Optional.empty(), Optional.empty());
        }
        boolean in = copySpeaks(other, cluster, target, chance);
        yield new Tried(
            Optional.of(in ? "garbage as a voter" : "a copy turned away"), Optional.empty());
      }
    };
  }
}
