package dev.haven.raft;

import dev.haven.raft.Voters.Peer;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Who may speak to this voter, and whose word moves its log. Belongs to the Raft thread. */
final class Admission {
  private static final Logger logger = LoggerFactory.getLogger(Admission.class);

  private final HavenRaft raft;
  private final Peers peers;
  private final Transport transport;
  private final HavenElection election;
  private final Map<String, Wire.Hello> greetings = new HashMap<>();

  /** Who is being added, as long as this voter leads and an operator waits for it. */
  private Optional<String> newcomer = Optional.empty();

  private volatile Set<String> admitted = Set.of();
  private volatile Set<InetAddress> addresses = Set.of();

  Admission(HavenRaft raft, Peers peers, Transport transport, HavenElection election) {
    this.raft = raft;
    this.peers = peers;
    this.transport = transport;
    this.election = election;
  }

  /** Any thread. */
  boolean admits(String name) {
    return admitted.contains(name);
  }

  /** Any thread. Where those are who may speak. */
  Set<InetAddress> addresses() {
    return addresses;
  }

  /** What each voter said of itself last. */
  Map<String, Wire.Hello> greetings() {
    return greetings;
  }

  void greeted(String name, Wire.Hello hello) {
    greetings.put(name, hello);
  }

  /**
   * Those whom this log has as voters, or left behind; while it has none, those whom the file
   * lists; who is being added; and whom one of these knows to be a voter by an entry that this log
   * does not have yet: a voter that was away while others came must be able to follow one of them.
   */
  void admit() {
    var names = new HashSet<String>();
    raft.voters().asked().forEach(voter -> names.add(voter.name()));
    raft.voters().absent().forEach(voter -> names.add(voter.name()));
    if (names.isEmpty()) {
      raft.settings.listed().forEach(voter -> names.add(voter.name()));
    }
    newcomer.ifPresent(names::add);
    for (var hello : vouchers(this::isOurs)) {
      hello.voters().asked().forEach(voter -> names.add(voter.name()));
    }
    names.remove(raft.settings.name());
    if (!names.equals(admitted)) {
      admitted = Set.copyOf(names);
      transport.turnOut();
    }
    var places = new HashSet<InetAddress>();
    for (var name : names) {
      if (peers.get(name) instanceof Link link) {
        places.add(link.address().getAddress());
      }
    }
    addresses = places;
  }

  /** The words of these, as far as they know more than this log does. */
  private List<Wire.Hello> vouchers(Predicate<Peer> by) {
    var vouchers = new ArrayList<Wire.Hello>();
    greetings.forEach(
        (name, hello) -> {
          boolean more =
              hello.commit() > raft.voterLog.lastAppended()
                  || hello.voters().generation() > Math.max(1, raft.generation());
          var log = raft.logs.get(name);
          if (more && log != null && by.test(new Peer(name, log))) {
            vouchers.add(hello);
          }
        });
    return vouchers;
  }

  /** Whether this log itself has it, or the file while there is nothing in the log. */
  private boolean isOurs(Peer peer) {
    return raft.voters().all().isEmpty()
        ? raft.settings.listed().stream().anyMatch(voter -> voter.name().equals(peer.name()))
        : raft.voters().knew(peer);
  }

  /** One that was left behind is none: it is listened to, and what it says moves nothing. */
  private boolean isMember(Peer peer) {
    return raft.voters().admits(peer) || raft.voters().all().isEmpty() && isOurs(peer);
  }

  /** Whether what it says may move term or log. */
  boolean mayLead(Peer peer) {
    return isMember(peer)
        || vouchers(this::isMember).stream().anyMatch(hello -> hello.voters().admits(peer));
  }

  /** Any name may be added once; it is listened to until that is done. */
  void newcomer(Optional<String> name) {
    newcomer = name;
    admit();
  }

  /** Whether this log never had an entry and this voter never voted (in term 1 nobody does). */
  boolean isFresh() {
    return raft.voterLog.lastAppended() == 0 && raft.currentTerm() <= 1 && raft.votedFor() == null;
  }

  List<String> listedNames() {
    return raft.settings.listed().stream().map(v -> v.name()).sorted().toList();
  }

  /**
   * Writes the first entry, the first set of raft.voters(). Only the first of the listed names does
   * so, only with a log that never had an entry, and only when each of the others says of itself
   * that its log never had one either and that it lists the same names. One of them that knows a
   * cluster says otherwise, so a wiped disk never starts a second one beside it.
   */
  void formCluster(long now) {
    var names = listedNames();
    if (names.isEmpty() || !names.getFirst().equals(raft.settings.name())) {
      return;
    }
    var first = new ArrayList<Voters.Voter>();
    for (var voter : raft.settings.listed()) {
      if (voter.name().equals(raft.settings.name())) {
        first.add(new Voters.Voter(voter, raft.voterLog.id()));
        continue;
      }
      var link = peers.get(voter.name());
      var hello = greetings.get(voter.name());
      var log = raft.logs.get(voter.name());
      boolean there =
          link != null
              && link.silentNanos(now) < TimeUnit.SECONDS.toNanos(1)
              && hello != null
              && log != null
              && hello.fresh()
              && hello.listed().equals(names);
      if (!there) {
        return;
      }
      first.add(new Voters.Voter(voter, Objects.requireNonNull(log)));
    }
    logger.info("a new cluster: {}", names);
    raft.currentTerm(1);
    raft.appendOwn(List.of(Internal.VOTERS.entry(1, Voters.first(first).bytes())));
    election.standNow(now);
  }
}
