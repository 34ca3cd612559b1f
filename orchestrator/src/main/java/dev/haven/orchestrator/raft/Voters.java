package dev.haven.orchestrator.raft;

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
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * The voters as an entry of the log has them. A voter is its name <em>and</em> the id of its log: a
 * host whose disk was wiped comes back under the same name with another log, has forgotten what it
 * acknowledged and voted, and is therefore somebody else until it is removed and added anew.
 */
record Voters(List<Voter> all) {

  static final Voters NONE = new Voters(List.of());

  /**
   * @param raft host:port
   * @param log the id of the log that was admitted under this name
   */
  record Voter(String name, String raft, UUID log) {
    boolean is(Peer peer) {
      return name.equals(peer.name()) && log.equals(peer.log());
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
    out.writeByte(1); // format; fields are only ever added behind
    out.writeInt(all.size());
    for (var voter : all) {
      out.writeUTF(voter.name());
      out.writeUTF(voter.raft());
      out.writeLong(voter.log().getMostSignificantBits());
      out.writeLong(voter.log().getLeastSignificantBits());
    }
  }

  static Voters read(DataInput in) throws IOException {
    in.readByte();
    int count = in.readInt();
    var voters = new ArrayList<Voter>();
    for (int i = 0; i < count; i++) {
      voters.add(new Voter(in.readUTF(), in.readUTF(), new UUID(in.readLong(), in.readLong())));
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
