package dev.haven.raft;

import dev.haven.raft.port.ReplicatedLog.VoterAddress;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInput;
import java.io.DataInputStream;
import java.io.DataOutput;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;

/**
 * The voters as an entry of the log has them. A voter is its name <em>and</em> the id of its log: a
 * host whose disk was wiped comes back under the same name with another log, has forgotten what it
 * acknowledged and voted, and is therefore somebody else until it is removed and added again.
 *
 * <p>A change away from two voters passes through a joint set, which needs a majority of the old
 * two as well: either of the two may go on alone once the other is proven off, so nothing may count
 * without it before its own log says that there are others.
 *
 * @param also the voters of the set before, while the change to this one needs them too
 * @param generation 1, and one more each time that a voter went on without a quorum; forced by an
 *     operator it is the next thousand, above whatever another side counted by itself
 * @param absent who was left behind by that: admitted again by itself as a newcomer
 * @param began who went on without a quorum and so began this generation; empty in the first
 */
record Voters(
    List<Voter> all, List<Voter> also, long generation, List<Voter> absent, Optional<Peer> began) {

  static final Voters NONE = new Voters(List.of(), List.of(), 0, List.of(), Optional.empty());

  /**
   * The first format had only names, logs and their addresses; the second had no generations, no
   * joint sets and no witnesses; the third did not say who began the generation.
   */
  private static final int FORMAT = 4;

  private static final long FORCED = 1_000;

  /** Of each list. What comes from outside must not ask for more memory than there is. */
  private static final int MANY = 64;

  /** Generations count split brains: more than these are none. */
  static final long GENERATION_MAX = 1L << 40;

  /**
   * @param log the id of the log that was admitted under this name
   */
  record Voter(VoterAddress address, UUID log) {
    String name() {
      return address.name();
    }

    String raft() {
      return address.raft();
    }

    boolean is(Peer peer) {
      return name().equals(peer.name()) && log.equals(peer.log());
    }
  }

  /** Who sent a message: read from its address. */
  record Peer(String name, UUID log) {}

  Voters {
    all = all.stream().sorted(Comparator.comparing(Voter::name)).toList();
    also = List.copyOf(also);
    absent = List.copyOf(absent);
  }

  /** The first set of a cluster. */
  static Voters first(List<Voter> all) {
    return new Voters(all, List.of(), 1, List.of(), Optional.empty());
  }

  /** The highest value that a majority has reached, of each set where there are two. */
  long reached(ToLongFunction<Voter> of) {
    long reached = reached(all, of);
    return isJoint() ? Math.min(reached, reached(also, of)) : reached;
  }

  private static long reached(List<Voter> set, ToLongFunction<Voter> of) {
    if (set.isEmpty()) {
      return 0; // nobody has a say yet
    }
    var values = set.stream().mapToLong(of).sorted().toArray();
    return values[(values.length - 1) / 2];
  }

  boolean isJoint() {
    return !also.isEmpty();
  }

  /** Everyone who has a vote, in either set. */
  Set<Voter> asked() {
    var asked = new LinkedHashSet<>(all);
    asked.addAll(also);
    return asked;
  }

  boolean admits(Peer peer) {
    return asked().stream().anyMatch(voter -> voter.is(peer));
  }

  /** Whether this log had a vote here, or was left behind by those who have one. */
  boolean knew(Peer peer) {
    return admits(peer) || absent.stream().anyMatch(voter -> voter.is(peer));
  }

  Optional<Voter> named(String name) {
    return all.stream().filter(voter -> voter.name().equals(name)).findFirst();
  }

  /** The other one, where there are two for good. */
  Optional<Voter> other(Peer self) {
    return all.size() == 2 && !isJoint() && admits(self)
        ? all.stream().filter(voter -> !voter.is(self)).findFirst()
        : Optional.empty();
  }

  Voters with(Voter voter) {
    var more = new ArrayList<>(all);
    more.add(voter);
    return changed(more, voter.name());
  }

  /** Without a voter, or without one that is absent. */
  Voters without(String name) {
    return changed(all.stream().filter(voter -> !voter.name().equals(name)).toList(), name);
  }

  private Voters changed(List<Voter> next, String name) {
    boolean joint = all.size() == 2 && next.size() != 2;
    return new Voters(
        next,
        joint ? all : List.of(),
        generation,
        absent.stream().filter(voter -> !voter.name().equals(name)).toList(),
        began);
  }

  /** The joint set is on a majority's disks, of both: now the new one is enough. */
  Voters settled() {
    return new Voters(all, List.of(), generation, absent, began);
  }

  /** This voter alone, because the other one is proven off. */
  Voters alone(Peer self) {
    return alone(self, generation + 1);
  }

  /** This voter alone, because an operator says so. */
  Voters forced(Peer self) {
    return alone(self, (generation / FORCED + 1) * FORCED);
  }

  private Voters alone(Peer self, long next) {
    return new Voters(
        all.stream().filter(voter -> voter.is(self)).toList(),
        List.of(),
        next,
        Stream.concat(absent.stream(), all.stream().filter(voter -> !voter.is(self))).toList(),
        Optional.of(self));
  }

  void write(DataOutput out) throws IOException {
    out.writeByte(FORMAT); // older voters read what they know: fields are only ever added behind
    writePlaces(out, all);
    writeAddresses(out, all);
    out.writeLong(generation);
    for (var others : List.of(also, absent)) {
      writePlaces(out, others);
      writeAddresses(out, others);
    }
    for (var voters : List.of(all, also, absent)) {
      for (var voter : voters) {
        out.writeBoolean(voter.address().witness());
      }
    }
    out.writeUTF(began.map(Peer::name).orElse(""));
    var log = began.map(Peer::log).orElse(new UUID(0, 0));
    out.writeLong(log.getMostSignificantBits());
    out.writeLong(log.getLeastSignificantBits());
  }

  private static void writePlaces(DataOutput out, List<Voter> voters) throws IOException {
    out.writeInt(voters.size());
    for (var voter : voters) {
      out.writeUTF(voter.name());
      out.writeUTF(voter.raft());
      out.writeLong(voter.log().getMostSignificantBits());
      out.writeLong(voter.log().getLeastSignificantBits());
    }
  }

  private static void writeAddresses(DataOutput out, List<Voter> voters) throws IOException {
    for (var voter : voters) {
      out.writeUTF(voter.address().api().orElse(""));
      var networks = new TreeMap<>(voter.address().networks());
      out.writeShort(networks.size());
      for (var network : networks.entrySet()) {
        out.writeUTF(network.getKey());
        out.writeUTF(network.getValue());
      }
    }
  }

  static Voters read(DataInput in) throws IOException {
    int format = in.readByte();
    var all = readPlaces(in);
    if (format >= 2) {
      all = readAddresses(in, all);
    }
    if (format < 3) {
      return all.isEmpty() ? NONE : first(all);
    }
    long generation = in.readLong();
    var also = readAddresses(in, readPlaces(in));
    var absent = readAddresses(in, readPlaces(in));
    all = readWitnesses(in, all);
    also = readWitnesses(in, also);
    absent = readWitnesses(in, absent);
    if (generation < 0 || generation > GENERATION_MAX) {
      throw new IOException("a set of voters of generation " + generation);
    }
    return new Voters(all, also, generation, absent, format < 4 ? Optional.empty() : began(in));
  }

  private static Optional<Peer> began(DataInput in) throws IOException {
    var name = in.readUTF();
    var log = new UUID(in.readLong(), in.readLong());
    return name.isEmpty() ? Optional.empty() : Optional.of(new Peer(name, log));
  }

  private static List<Voter> readWitnesses(DataInput in, List<Voter> voters) throws IOException {
    var marked = new ArrayList<Voter>();
    for (var voter : voters) {
      var a = voter.address();
      marked.add(
          new Voter(
              new VoterAddress(a.name(), a.raft(), a.api(), a.networks(), in.readBoolean()),
              voter.log()));
    }
    return marked;
  }

  private static List<Voter> readPlaces(DataInput in) throws IOException {
    int count = in.readInt();
    if (count < 0 || count > MANY) {
      throw new IOException("a set of %d voters".formatted(count));
    }
    var voters = new ArrayList<Voter>();
    for (int i = 0; i < count; i++) {
      var address = new VoterAddress(in.readUTF(), in.readUTF());
      voters.add(new Voter(address, new UUID(in.readLong(), in.readLong())));
    }
    return voters;
  }

  private static List<Voter> readAddresses(DataInput in, List<Voter> places) throws IOException {
    var voters = new ArrayList<Voter>();
    for (var voter : places) {
      var api = in.readUTF();
      var networks = new HashMap<String, String>();
      int networksThere = in.readShort();
      if (networksThere > MANY) {
        throw new IOException("a voter on %d networks".formatted(networksThere));
      }
      for (int left = networksThere; left > 0; left--) {
        networks.put(in.readUTF(), in.readUTF());
      }
      var address =
          new VoterAddress(
              voter.name(),
              voter.raft(),
              api.isEmpty() ? Optional.empty() : Optional.of(api),
              networks);
      voters.add(new Voter(address, voter.log()));
    }
    return voters;
  }

  byte[] bytes() {
    var bytes = new ByteArrayOutputStream();
    try {
      write(new DataOutputStream(bytes));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  /**
   * @throws IOException if it is no set of voters
   */
  static Voters of(byte[] bytes) throws IOException {
    try {
      return read(new DataInputStream(new ByteArrayInputStream(bytes)));
    } catch (RuntimeException e) {
      throw new IOException("no set of voters: " + e.getMessage(), e);
    }
  }
}
