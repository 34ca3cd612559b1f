package dev.haven.raft;

import dev.haven.raft.port.ReplicatedLog.VoterAddress;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import javax.net.ssl.SSLContext;

/**
 * How one voter is set up.
 *
 * @param cluster voters of another cluster's name are not heard
 * @param name this voter's name, unique in the cluster
 * @param listen host:port on which it listens for the others; port 0 is not possible
 * @param listed the voters that the configuration file lists, this one among them. They matter only
 *     until there is a cluster: it is formed when all of them are there with new logs and list each
 *     other; from then on the log says who votes. Empty for a voter that waits to be added.
 * @param tls mutual TLS; without it everything is in plain text, for tests
 * @param voterOf the voter that a certificate, already known to be our CA's, names; empty if it is
 *     no voter's
 * @param timing the same on all voters
 * @param segmentBytes size of the log's files, 4 MiB to 1 GiB; two are always on the disk
 * @param snapshotBytes after so many bytes of commands a snapshot is made and the log compacted
 * @param halt how this voter is stopped when it must not go on
 * @param boot of this host: of two voters, one goes on alone only within the boot in which the two
 *     were in touch; empty if it never does
 * @param faults what goes wrong between voters in tests
 */
public record VoterSettings(
    String cluster,
    String name,
    String listen,
    List<VoterAddress> listed,
    Optional<SSLContext> tls,
    Function<X509Certificate, Optional<String>> voterOf,
    Timing timing,
    int segmentBytes,
    long snapshotBytes,
    Halt halt,
    Optional<String> boot,
    VoterFaults faults) {

  public VoterSettings {
    listed = List.copyOf(listed);
    if (!listed.isEmpty()
        && listed.stream().noneMatch(v -> v.name().equals(name) && v.raft().equals(listen))) {
      throw new IllegalArgumentException(
          "voter %s at %s is not among the listed voters %s".formatted(name, listen, listed));
    }
  }

  /**
   * The usual settings: segments of 8 MiB, a snapshot after 4 MiB, and an end of the process as
   * halt.
   */
  public static VoterSettings of(
      String cluster,
      String name,
      String listen,
      List<VoterAddress> listed,
      Optional<SSLContext> tls,
      Function<X509Certificate, Optional<String>> voterOf) {
    return new VoterSettings(
        cluster,
        name,
        listen,
        listed,
        tls,
        voterOf,
        Timing.DEFAULT,
        8 << 20,
        4 << 20,
        Halt.PROCESS,
        Optional.empty(),
        VoterFaults.NONE);
  }

  public VoterSettings withTiming(Timing other) {
    return new VoterSettings(
        cluster,
        name,
        listen,
        listed,
        tls,
        voterOf,
        other,
        segmentBytes,
        snapshotBytes,
        halt,
        boot,
        faults);
  }

  /** The same within this boot of the host. */
  public VoterSettings withBoot(Optional<String> other) {
    return new VoterSettings(
        cluster,
        name,
        listen,
        listed,
        tls,
        voterOf,
        timing,
        segmentBytes,
        snapshotBytes,
        halt,
        other,
        faults);
  }
}
