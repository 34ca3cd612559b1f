package dev.haven.raft;

import dev.haven.raft.port.ReplicatedLog;
import dev.haven.raft.port.StateMachine;
import dev.haven.raft.port.VoterBus;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jgroups.JChannel;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One voter: a log on a disk, a JGroups channel to the others, and Raft between the two. */
public final class Voter implements ReplicatedLog {
  private static final Logger log = LoggerFactory.getLogger(Voter.class);

  private final VoterSettings settings;
  private final VoterLog voterLog;
  private final HavenRaft raft;
  private final JChannel channel;
  private final ExecutorService listeners;

  /**
   * Opens the log, brings the state machine to where its snapshot is and gets in touch with the
   * others. Returns without waiting for a leader.
   *
   * @throws DamagedLogException if the log is not what was written; says which record and what to
   *     do
   * @throws IOException if the disk or the address cannot be used, says which
   */
  public static Voter start(VoterSettings settings, Disk disk, StateMachine machine)
      throws IOException {
    var halt = new Halted.Switch(settings.halt());
    var voterLog = VoterLog.open(disk, settings.segmentBytes(), halt);
    try {
      return new Voter(settings, voterLog, machine, halt);
    } catch (IOException | RuntimeException e) {
      voterLog.close();
      throw e;
    } catch (Exception e) {
      voterLog.close();
      throw new IOException(
          "voter %s cannot listen on %s: %s"
              .formatted(settings.name(), settings.listen(), e.getMessage()),
          e);
    }
  }

  private Voter(VoterSettings settings, VoterLog voterLog, StateMachine machine, Halted.Switch halt)
      throws Exception {
    this.settings = settings;
    this.voterLog = voterLog;
    listeners =
        Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("haven-leadership").factory());
    var election = new HavenElection();
    raft = new HavenRaft(settings, voterLog, halt, machine, election, this::tell);
    election.bind(raft);
    try {
      channel = new JChannel(new NoTransport(), election, raft);
      channel.name(settings.name());
      channel.connect(settings.cluster());
    } catch (Exception e) {
      raft.abandon();
      listeners.shutdownNow();
      throw e;
    }
    log.info("voter {} listens on {}", settings.name(), settings.listen());
  }

  private void tell(Runnable call) {
    try {
      listeners.execute(call);
    } catch (RejectedExecutionException e) {
      log.debug("closed: {}", e.getMessage());
    }
  }

  @Override
  public CompletableFuture<byte[]> propose(byte[] command, long requiredTerm) {
    var future = new CompletableFuture<byte[]>();
    if (command.length > MAX_COMMAND_BYTES) {
      future.completeExceptionally(
          new Refused(
              "a command of %d bytes; at most %d are taken"
                  .formatted(command.length, MAX_COMMAND_BYTES)));
    } else {
      raft.propose(null, command.clone(), requiredTerm, future);
    }
    return future;
  }

  @Override
  public CompletableFuture<Long> barrier() {
    var future = new CompletableFuture<byte[]>();
    raft.propose(Internal.BARRIER, new byte[0], 0, future);
    return future.thenApply(done -> raft.applier.applied());
  }

  @Override
  public Leadership leadership() {
    return raft.bulletin.leadership();
  }

  @Override
  public void onLeadership(Consumer<Leadership> listener) {
    raft.addListener(listener);
  }

  @Override
  public OptionalLong lastQuorumRound() {
    var known = raft.bulletin.published();
    long round = raft.bulletin.quorumRound();
    return known.self() && round != 0 ? OptionalLong.of(round) : OptionalLong.empty();
  }

  @Override
  public CompletableFuture<Void> addVoter(VoterAddress voter) {
    // The log's id is what the newcomer says itself; it is filled in when it has caught up.
    var wanted = new Voters.Voter(voter, new UUID(0, 0));
    return change((leading, future) -> leading.addVoter(wanted, future));
  }

  @Override
  public CompletableFuture<Void> removeVoter(String name) {
    return change((leading, future) -> leading.removeVoter(name, future));
  }

  private CompletableFuture<Void> change(BiConsumer<Leading, CompletableFuture<byte[]>> how) {
    return onRaftThread(
        future -> {
          if (raft.leadingFor(0, future) instanceof Leading leading) {
            how.accept(leading, future);
          }
        });
  }

  @Override
  public Members members() {
    var known = raft.bulletin.published();
    var voters = new ArrayList<Member>();
    for (var voter : known.voters().all()) {
      var log = voter.name().equals(settings.name()) ? voterLog.id() : raft.logs.get(voter.name());
      voters.add(member(voter.address(), log == null || voter.log().equals(log)));
    }
    var learners =
        raft.peers.all().stream()
            .filter(link -> known.voters().named(link.name()).isEmpty())
            .map(link -> member(new VoterAddress(link.name(), Peers.print(link.address())), false))
            .filter(Member::reachable)
            .sorted(Comparator.comparing(Member::name))
            .toList();
    return new Members(voters, learners);
  }

  private Member member(VoterAddress address, boolean counts) {
    var known = raft.bulletin.published();
    var name = address.name();
    boolean self = name.equals(settings.name());
    boolean reachable = self;
    if (raft.peers.get(name) instanceof Link link) {
      reachable = link.silentNanos(HavenRaft.now()) < settings.timing().electionMin().toNanos();
    }
    var match = known.matches().get(name);
    OptionalLong index =
        self && known.self()
            ? OptionalLong.of(known.lastIndex())
            : match == null ? OptionalLong.empty() : OptionalLong.of(match);
    return new Member(
        name,
        address.raft(),
        address.api(),
        self,
        reachable,
        counts,
        address.networks(),
        address.witness(),
        index);
  }

  @Override
  public VoterBus bus() {
    return new VoterBus() {
      @Override
      public void broadcast(byte[] datagram) {
        if (datagram.length > MAX_BYTES) {
          throw new IllegalArgumentException(
              "a datagram of %d bytes, allowed %d".formatted(datagram.length, MAX_BYTES));
        }
        raft.peers.broadcast(datagram);
      }

      @Override
      public void onMessage(BiConsumer<String, byte[]> receiver) {
        raft.intake.receiver(receiver);
      }
    };
  }

  @Override
  public Alone alone() {
    return new Going();
  }

  private final class Going implements Alone {
    @Override
    public long generation() {
      return Math.max(1, raft.bulletin.published().generation());
    }

    @Override
    public List<String> absent() {
      return raft.bulletin.published().voters().absent().stream().map(Voters.Voter::name).toList();
    }

    @Override
    public Optional<String> waitsForPerson() {
      return raft.goingAlone.waitsForPerson();
    }

    @Override
    public Optional<Other> other() {
      return raft.bulletin
          .published()
          .mayOutlive()
          .map(
              name -> {
                long now = HavenRaft.now();
                var link = raft.peers.get(name);
                return link == null
                    ? new Other(name, now, now)
                    : new Other(name, now - link.silentNanos(now), link.contact());
              });
    }

    @Override
    public CompletableFuture<Void> intend(String other) {
      return onRaftThread(future -> raft.goingAlone.intend(other, future));
    }

    @Override
    public CompletableFuture<Void> goOnAlone(String other, long unheardSince) {
      return onRaftThread(future -> raft.goingAlone.goOnAlone(other, unheardSince, future));
    }

    @Override
    public CompletableFuture<Void> preview(StateMachine into) {
      return onRaftThread(future -> raft.preview(into, future));
    }

    @Override
    public CompletableFuture<Void> force() {
      return onRaftThread(raft.goingAlone::forceAlone);
    }
  }

  /** What others have said to this voter and its Raft thread has not taken yet. */
  long backlogBytes() {
    return raft.intake.backlogBytes();
  }

  private CompletableFuture<Void> onRaftThread(Consumer<CompletableFuture<byte[]>> step) {
    var future = new CompletableFuture<byte[]>();
    if (!raft.execute(() -> step.accept(future))) {
      future.completeExceptionally(new Refused("too much is waiting"));
    }
    return future.thenApply(done -> null);
  }

  @Override
  public Status status() {
    var known = raft.bulletin.published();
    return new Status(
        voterLog.id().toString(),
        known.lastIndex(),
        known.commitIndex(),
        raft.applier.applied(),
        voterLog.snapshotIndex(),
        voterLog.sizeInBytes(),
        voterLog.freeBytes(),
        !voterLog.takesCommand(0));
  }

  @Override
  public void close() {
    raft.shutDown();
    channel.close();
    listeners.shutdown();
    try {
      voterLog.close();
    } catch (IOException e) {
      log.warn("closing the log: {}", e.getMessage());
    }
  }
}
