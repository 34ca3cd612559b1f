package dev.haven.raft;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jgroups.protocols.raft.LogEntry;
import org.jspecify.annotations.Nullable;

/**
 * What voters say to each other. Who says it is who has dialled the connection, see {@link
 * Transport}. A kind that is not known is ignored, and so is what follows the known fields of a
 * kind: voters are upgraded one by one.
 *
 * <p>{@link #decode} takes nothing that a voter of ours would not say: no size that is more than
 * what follows, no number that cannot be, no entry that could not be applied.
 */
sealed interface Wire {

  /** The sender's term; 0 where the message speaks of none. */
  default long term() {
    return 0;
  }

  /** Whether it is a question or an answer about who is to lead. */
  default boolean elects() {
    return switch (this) {
      case PreVote _, PreVoteAnswer _, Vote _, VoteAnswer _ -> true;
      case Hello _, Append _, AppendAnswer _, SnapshotPart _, SnapshotAnswer _, Datagram _ -> false;
    };
  }

  /** Whether it has neither entries nor state, and is soon said again. */
  default boolean isLight() {
    return switch (this) {
      case Append append -> append.entries().isEmpty();
      case SnapshotPart _ -> false;
      case Hello _,
          PreVote _,
          PreVoteAnswer _,
          Vote _,
          VoteAnswer _,
          AppendAnswer _,
          SnapshotAnswer _,
          Datagram _ ->
          true;
    };
  }

  /**
   * "I am here", to everyone that this voter knows of.
   *
   * @param raft where this voter listens
   * @param fresh whether its log has never had an entry
   * @param listed the names of the voters that its configuration file lists
   * @param generation of its log; 0 from a voter that knows of none
   * @param commit the last entry that it knows to be committed
   * @param voters as its log has them
   */
  record Hello(
      String raft, boolean fresh, List<String> listed, long generation, long commit, Voters voters)
      implements Wire {}

  /**
   * How long this voter has lately had to wait for what came in the end, and when the question was
   * asked, on the asker's own clock: the answer repeats it.
   */
  record Pace(long stamp, long lateNanos) {}

  /**
   * Would you vote for me in this term? Binds nobody, so a voter that was cut off deposes no
   * leader.
   *
   * @param yourLog the id of the log that the candidate's set of voters has for the one asked
   */
  record PreVote(long term, long lastIndex, long lastTerm, UUID yourLog, Pace pace)
      implements Wire {}

  record PreVoteAnswer(long term, long forTerm, boolean granted, long stamp) implements Wire {}

  record Vote(long term, long lastIndex, long lastTerm, UUID yourLog, Pace pace) implements Wire {}

  record VoteAnswer(long term, boolean granted, long stamp) implements Wire {}

  /**
   * The leader's word: entries, or none as a heartbeat.
   *
   * @param round numbers the leader's rounds within its term; the answer repeats it
   * @param previous the index before the first entry
   * @param previousTerm that entry's term
   * @param generation of the leader's log; 0 from a voter that knows of none
   * @param lateNanos how long the leader has lately had to wait for answers
   */
  record Append(
      long term,
      long round,
      long previous,
      long previousTerm,
      long commit,
      List<LogEntry> entries,
      long generation,
      long lateNanos)
      implements Wire {}

  /**
   * @param matches whether the log agreed at {@code previous}
   * @param index if it does, the last entry known to be equal to the leader's and on the disk; if
   *     not, the last entry that may be
   * @param full whether entries were left out for want of space
   */
  record AppendAnswer(long term, long round, boolean matches, long index, boolean full)
      implements Wire {}

  /** A part of a snapshot: state and voters up to an entry. */
  record SnapshotPart(
      long term,
      long round,
      long index,
      long indexTerm,
      byte[] voters,
      int offset,
      int total,
      byte[] bytes,
      long generation)
      implements Wire {}

  /**
   * @param next the offset that is wanted next
   */
  record SnapshotAnswer(long term, long round, long index, int next) implements Wire {}

  /** Term, kind and length. */
  int ENTRY_MIN = 13;

  /** For {@link dev.haven.raft.port.VoterBus}. */
  record Datagram(byte[] bytes) implements Wire {}

  static byte[] encode(Wire message) {
    var bytes = new ByteArrayOutputStream(256);
    var out = new DataOutputStream(bytes);
    try {
      write(message, out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  private static void write(Wire message, DataOutputStream out) throws IOException {
    switch (message) {
      case Hello(var raft, var fresh, var listed, var generation, var commit, var voters) -> {
        out.writeByte(1);
        out.writeUTF(raft);
        out.writeBoolean(fresh);
        out.writeShort(listed.size());
        for (var name : listed) {
          out.writeUTF(name);
        }
        write(out, generation, commit);
        write(out, voters.bytes());
      }
      case PreVote(var term, var lastIndex, var lastTerm, var yourLog, var pace) -> {
        out.writeByte(2);
        write(out, term, lastIndex, lastTerm, yourLog);
        write(out, pace.stamp, pace.lateNanos);
      }
      case PreVoteAnswer(var term, var forTerm, var granted, var stamp) -> {
        out.writeByte(3);
        write(out, term, forTerm);
        out.writeBoolean(granted);
        write(out, stamp);
      }
      case Vote(var term, var lastIndex, var lastTerm, var yourLog, var pace) -> {
        out.writeByte(4);
        write(out, term, lastIndex, lastTerm, yourLog);
        write(out, pace.stamp, pace.lateNanos);
      }
      case VoteAnswer(var term, var granted, var stamp) -> {
        out.writeByte(5);
        write(out, term);
        out.writeBoolean(granted);
        write(out, stamp);
      }
      case Append(
              var term,
              var round,
              var previous,
              var previousTerm,
              var commit,
              var entries,
              var generation,
              var lateNanos) -> {
        out.writeByte(6);
        write(out, term, round, previous, previousTerm, commit);
        out.writeInt(entries.size());
        for (var entry : entries) {
          out.writeLong(entry.term());
          out.writeBoolean(entry.internal());
          out.writeInt(entry.length());
          out.write(entry.command(), entry.offset(), entry.length());
        }
        write(out, generation, lateNanos);
      }
      case AppendAnswer(var term, var round, var matches, var index, var full) -> {
        out.writeByte(7);
        write(out, term, round);
        out.writeBoolean(matches);
        out.writeLong(index);
        out.writeBoolean(full);
      }
      case SnapshotPart part -> {
        out.writeByte(8);
        write(out, part.term, part.round, part.index, part.indexTerm);
        write(out, part.voters);
        out.writeInt(part.offset);
        out.writeInt(part.total);
        write(out, part.bytes);
        out.writeLong(part.generation);
      }
      case SnapshotAnswer(var term, var round, var index, var next) -> {
        out.writeByte(9);
        write(out, term, round, index);
        out.writeInt(next);
      }
      case Datagram(var bytes) -> {
        out.writeByte(10);
        write(out, bytes);
      }
    }
  }

  /**
   * @return null for a kind that this version does not know
   * @throws IOException if it is no message that a voter says
   */
  static @Nullable Wire decode(byte[] bytes) throws IOException {
    try {
      var message = read(new DataInputStream(new ByteArrayInputStream(bytes)));
      if (message != null) {
        Bounds.check(message);
      }
      return message;
    } catch (RuntimeException e) {
      throw new IOException("not understood: " + e, e);
    }
  }

  private static @Nullable Wire read(DataInputStream in) throws IOException {
    return switch (in.readByte()) {
      case 1 ->
          new Hello(
              in.readUTF(),
              in.readBoolean(),
              readNames(in),
              in.readLong(),
              in.readLong(),
              Voters.of(readBytes(in)));
      case 2 -> new PreVote(in.readLong(), in.readLong(), in.readLong(), readId(in), readPace(in));
      case 3 -> new PreVoteAnswer(in.readLong(), in.readLong(), in.readBoolean(), in.readLong());
      case 4 -> new Vote(in.readLong(), in.readLong(), in.readLong(), readId(in), readPace(in));
      case 5 -> new VoteAnswer(in.readLong(), in.readBoolean(), in.readLong());
      case 6 ->
          new Append(
              in.readLong(),
              in.readLong(),
              in.readLong(),
              in.readLong(),
              in.readLong(),
              readEntries(in),
              in.readLong(),
              in.readLong());
      case 7 ->
          new AppendAnswer(
              in.readLong(), in.readLong(), in.readBoolean(), in.readLong(), in.readBoolean());
      case 8 ->
          new SnapshotPart(
              in.readLong(),
              in.readLong(),
              in.readLong(),
              in.readLong(),
              readBytes(in),
              in.readInt(),
              in.readInt(),
              readBytes(in),
              in.readLong());
      case 9 -> new SnapshotAnswer(in.readLong(), in.readLong(), in.readLong(), in.readInt());
      case 10 -> new Datagram(readBytes(in));
      default -> null;
    };
  }

  private static void write(DataOutputStream out, long... numbers) throws IOException {
    for (long number : numbers) {
      out.writeLong(number);
    }
  }

  private static void write(DataOutputStream out, long a, long b, long c, UUID id)
      throws IOException {
    write(out, a, b, c, id.getMostSignificantBits(), id.getLeastSignificantBits());
  }

  private static void write(DataOutputStream out, byte[] bytes) throws IOException {
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  private static byte[] readBytes(DataInputStream in) throws IOException {
    int length = in.readInt();
    if (length < 0 || length > in.available()) {
      throw new IOException("%d bytes announced, %d left".formatted(length, in.available()));
    }
    return in.readNBytes(length);
  }

  private static Pace readPace(DataInputStream in) throws IOException {
    return new Pace(in.readLong(), in.readLong());
  }

  private static UUID readId(DataInputStream in) throws IOException {
    return new UUID(in.readLong(), in.readLong());
  }

  private static List<String> readNames(DataInputStream in) throws IOException {
    int count = in.readUnsignedShort();
    if (count > Bounds.NAMES_MAX) {
      throw new IOException("%d names".formatted(count));
    }
    var names = new ArrayList<String>();
    for (int i = 0; i < count; i++) {
      names.add(in.readUTF());
    }
    return names;
  }

  private static List<LogEntry> readEntries(DataInputStream in) throws IOException {
    int count = in.readInt();
    if (count < 0 || count > in.available() / ENTRY_MIN) {
      throw new IOException("%d entries announced, %d bytes left".formatted(count, in.available()));
    }
    var entries = new ArrayList<LogEntry>();
    for (int i = 0; i < count; i++) {
      long term = in.readLong();
      boolean internal = in.readBoolean();
      entries.add(new LogEntry(term, readBytes(in)).internal(internal));
    }
    return entries;
  }
}
