package dev.haven.orchestrator.raft;

import dev.haven.orchestrator.port.ReplicatedLog.VoterAddress;
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
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;

/**
 * The voters as an entry of the log has them. A voter is its name <em>and</em> the id of its log: a
 * host whose disk was wiped comes back under the same name with another log, has forgotten what it
 * acknowledged and voted, and is therefore somebody else until it is removed and added anew.
 */
record Voters(List<Voter> all) {

  static final Voters NONE = new Voters(List.of());

  /** The first format had only names, logs and their addresses. */
  private static final int FORMAT = 2;

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
  }

  int majority() {
    return all.size() / 2 + 1;
  }

  boolean admits(Peer peer) {
    return all.stream().anyMatch(voter -> voter.is(peer));
  }

  Optional<Voter> named(String name) {
    return all.stream().filter(voter -> voter.name().equals(name)).findFirst();
  }

  Voters with(Voter voter) {
    var more = new ArrayList<>(all);
    more.add(voter);
    return new Voters(more);
  }

  Voters without(String name) {
    return new Voters(all.stream().filter(voter -> !voter.name().equals(name)).toList());
  }

  void write(DataOutput out) throws IOException {
    out.writeByte(FORMAT); // older voters read what they know: fields are only ever added behind
    out.writeInt(all.size());
    for (var voter : all) {
      out.writeUTF(voter.name());
      out.writeUTF(voter.raft());
      out.writeLong(voter.log().getMostSignificantBits());
      out.writeLong(voter.log().getLeastSignificantBits());
    }
    for (var voter : all) {
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
    int count = in.readInt();
    var voters = new ArrayList<Voter>();
    for (int i = 0; i < count; i++) {
      var address = new VoterAddress(in.readUTF(), in.readUTF());
      voters.add(new Voter(address, new UUID(in.readLong(), in.readLong())));
    }
    for (int i = 0; i < count && format >= 2; i++) {
      var voter = voters.get(i);
      var api = in.readUTF();
      var networks = new HashMap<String, String>();
      for (int left = in.readShort(); left > 0; left--) {
        networks.put(in.readUTF(), in.readUTF());
      }
      var address =
          new VoterAddress(
              voter.name(),
              voter.raft(),
              api.isEmpty() ? Optional.empty() : Optional.of(api),
              networks);
      voters.set(i, new Voter(address, voter.log()));
    }
    return new Voters(voters);
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

  static Voters of(byte[] bytes) throws IOException {
    return read(new DataInputStream(new ByteArrayInputStream(bytes)));
  }
}
