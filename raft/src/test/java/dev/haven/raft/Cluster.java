package dev.haven.raft;

import dev.haven.raft.port.ReplicatedLog.Leadership;
import dev.haven.raft.port.ReplicatedLog.VoterAddress;
import dev.haven.raft.port.StateMachine;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import javax.net.ssl.SSLContext;

/** Real voters on loopback addresses of their own, each with a directory. */
final class Cluster implements AutoCloseable {
  private final Path directory;
  private final Function<String, Optional<SSLContext>> tls;
  final Map<String, VoterAddress> addresses = new LinkedHashMap<>();
  final Map<String, Voter> voters = new LinkedHashMap<>();
  final Map<String, Words> words = new LinkedHashMap<>();

  /** How often each host was switched on; once, where nothing is said. */
  final Map<String, Integer> boots = new ConcurrentHashMap<>();

  /** What is between a voter and its disk; nothing, where nothing is said. */
  final Map<String, UnaryOperator<Disk>> disks = new ConcurrentHashMap<>();

  final Map<String, Throwable> halted = new ConcurrentHashMap<>();

  /** What the kernel keeps of a connection, each way; 0: as much as it likes. */
  int socketBytes;

  /** What a voter keeps of another one's words. */
  long backlogBytes = Backlog.BYTES_MAX;

  /** How long a newcomer is waited for. */
  Duration newcomerPatience = VoterFaults.NONE.newcomerPatience();

  /** How many messages went, by pairs "from>to". */
  final Map<String, Integer> carried = new ConcurrentHashMap<>();

  /** Pairs "from>to" through which nothing gets. */
  final Set<String> cut = ConcurrentHashMap.newKeySet();

  /** Remembers all commands in order. */
  static final class Words implements StateMachine {
    private final List<String> all = Collections.synchronizedList(new ArrayList<>());

    List<String> all() {
      synchronized (all) {
        return List.copyOf(all);
      }
    }

    @Override
    public byte[] apply(long index, long term, byte[] command) {
      all.add(new String(command, StandardCharsets.UTF_8));
      return Long.toString(index).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public void snapshot(DataOutput out) throws IOException {
      var now = all();
      out.writeInt(now.size());
      for (var word : now) {
        out.writeUTF(word);
      }
    }

    @Override
    public void check(DataInput in) throws IOException {
      new Words().restore(in);
    }

    @Override
    public void restore(DataInput in) throws IOException {
      all.clear();
      for (int i = in.readInt(); i > 0; i--) {
        all.add(in.readUTF());
      }
    }
  }

  Cluster(Path directory, Optional<SSLContext> tls, String... names) throws IOException {
    this(directory, name -> tls, names);
  }

  /** With mutual TLS, each voter with a certificate of its own. */
  Cluster(Path directory, Function<String, Optional<SSLContext>> tls, String... names)
      throws IOException {
    this.directory = directory;
    this.tls = tls;
    for (var name : names) {
      newAddress(name);
    }
  }

  VoterAddress newAddress(String name) throws IOException {
    var ip = "127.0.0." + (10 + addresses.size());
    var address = new VoterAddress(name, ip + ":" + FreePorts.at(ip));
    addresses.put(name, address);
    return address;
  }

  VoterAddress addressOf(String name) {
    return Objects.requireNonNull(addresses.get(name));
  }

  Voter voter(String name) {
    return Objects.requireNonNull(voters.get(name));
  }

  List<String> said(String name) {
    return Objects.requireNonNull(words.get(name)).all();
  }

  Voter start(String name) throws IOException {
    return start(name, List.copyOf(addresses.values()));
  }

  Voter start(String name, List<VoterAddress> listed) throws IOException {
    var settings =
        new VoterSettings(
            "test",
            name,
            addressOf(name).raft(),
            listed,
            tls.apply(name),
            IntrudersTest::voterOf,
            Timing.DEFAULT,
            4 << 20,
            64 << 10,
            (reason, cause) -> halted.put(name, cause),
            Optional.of("boot " + boots.getOrDefault(name, 1)),
            new VoterFaults() {
              @Override
              public void carry(String to, Runnable message) {
                carried.merge(name + ">" + to, 1, Integer::sum);
                if (!cut.contains(name + ">" + to)) {
                  message.run();
                }
              }

              @Override
              public Duration newcomerPatience() {
                return newcomerPatience;
              }

              @Override
              public int socketBytes() {
                return socketBytes;
              }

              @Override
              public long backlogBytes() {
                return backlogBytes;
              }
            });
    var state = new Words();
    words.put(name, state);
    var disk =
        disks
            .getOrDefault(name, UnaryOperator.identity())
            .apply(new DirectoryDisk(directory.resolve(name)));
    var voter = Voter.start(settings, disk, state);
    voters.put(name, voter);
    return voter;
  }

  static String name(X509Certificate certificate) {
    var subject = certificate.getSubjectX500Principal().getName();
    return subject.replaceAll(".*CN=([^,]*).*", "$1");
  }

  Cluster startAll() throws IOException {
    for (var name : List.copyOf(addresses.keySet())) {
      start(name);
    }
    return this;
  }

  void stop(String name) {
    voter(name).close();
    voters.remove(name);
  }

  void isolate(String name) {
    for (var other : addresses.keySet()) {
      cut.add(name + ">" + other);
      cut.add(other + ">" + name);
    }
  }

  String leader() {
    await(Duration.ofSeconds(20), () -> ready().isPresent());
    return ready().orElseThrow();
  }

  private Optional<String> ready() {
    return voters.entrySet().stream()
        .filter(voter -> voter.getValue().leadership().ready())
        .map(Map.Entry::getKey)
        .findFirst();
  }

  Leadership leadership(String name) {
    return voter(name).leadership();
  }

  /** Says a word through whoever leads. */
  String say(String word) throws Exception {
    var leader = leader();
    var answer =
        voter(leader)
            .propose(word.getBytes(StandardCharsets.UTF_8), leadership(leader).term())
            .get(10, TimeUnit.SECONDS);
    return new String(answer, StandardCharsets.UTF_8);
  }

  static void await(Duration within, BooleanSupplier condition) {
    long end = System.nanoTime() + within.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - end > 0) {
        throw new AssertionError("not within " + within);
      }
      LockSupport.parkNanos(2_000_000);
    }
  }

  @Override
  public void close() {
    voters.values().forEach(Voter::close);
  }
}
