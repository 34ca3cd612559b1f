package dev.haven.raft;

import dev.haven.raft.Voters.Peer;
import dev.haven.raft.port.ReplicatedLog.Leadership;
import dev.haven.raft.port.ReplicatedLog.NotLeader;
import dev.haven.raft.port.ReplicatedLog.OutcomeUnknown;
import dev.haven.raft.port.ReplicatedLog.Refused;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jgroups.Address;
import org.jgroups.conf.ClassConfigurator;
import org.jgroups.protocols.raft.LogEntry;
import org.jgroups.protocols.raft.RAFT;
import org.jgroups.protocols.raft.Role;
import org.jgroups.raft.Options;
import org.jgroups.util.ExtendedUUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * jgroups-raft's RAFT with everything that touches term, vote, role or log done on its one thread,
 * in Raft's own words. See the package's page for what of the superclass is used and what is not,
 * and why.
 *
 * <p>Methods without another remark belong to the Raft thread.
 */
final class HavenRaft extends RAFT {
  static final short ID = 1900;
  private static final Logger logger = LoggerFactory.getLogger(HavenRaft.class);

  /** The longest wait of the loop: the resolution of all timers. */
  private static final long TICK = TimeUnit.MILLISECONDS.toNanos(10);

  static {
    ClassConfigurator.addProtocol(ID, HavenRaft.class);
  }

  final VoterSettings settings;
  final VoterLog voterLog;
  final Halted.Switch halt;
  final Applier applier;

  /** Which log each voter last spoke from. */
  final Map<String, UUID> logs = new ConcurrentHashMap<>();

  final Patience patience;
  final Intake intake;
  final Peers peers;
  final Admission admission;
  final GoingAlone goingAlone;
  final Bulletin bulletin;

  private final Transport transport;

  /** Where this voter listens, as numbers: nobody is to look a name up for it. */
  private final String listens;

  private final Seldom seldom = new Seldom(logger);
  private final HavenElection election;

  private Voters voters = Voters.NONE;
  private final VoterSets voterSets = new VoterSets();
  private long nextHello;
  private long nextSeal;
  private long nextCare;
  private long lastStep = now();
  private boolean closing;

  HavenRaft(
      VoterSettings settings,
      VoterLog voterLog,
      Halted.Switch halt,
      dev.haven.raft.port.StateMachine machine,
      HavenElection election,
      Consumer<Runnable> listenerThread)
      throws IOException {
    this.settings = settings;
    this.voterLog = voterLog;
    this.halt = halt;
    patience = new Patience(settings.timing().electionMin(), now());
    this.election = election;
    applier =
        new Applier(
            machine,
            voterLog,
            settings.snapshotBytes(),
            halt,
            new Applier.Listener() {
              @Override
              public void appliedInternal() {
                execute(() -> {});
              }

              @Override
              public void snapshotWritten() {
                execute(voterLog::compact);
              }
            });
    raftId(settings.name());
    members(List.of(settings.name()));
    log(voterLog);
    maxLogCacheSize(0);
    impl = new Following(this);
    intake = new Intake(this, settings.faults().backlogBytes());
    listens = Peers.print(Peers.parse(settings.listen()));
    transport = new Transport(settings, voterLog.id(), intake);
    peers = new Peers(settings, transport, patience, halt);
    admission = new Admission(this, peers, transport, election);
    goingAlone = new GoingAlone(this, election, seldom);
    bulletin = new Bulletin(this, listenerThread);
  }

  // ---- the stack

  @Override
  public void start() throws Exception {
    var snapshot = voterLog.snapshot();
    if (snapshot != null) {
      voterSets.restart(Voters.of(snapshot.voters()));
    }
    voterLog.forEach(this::noteVoters);
    newVoters();
    applier.start(snapshot);
    for (var voter : settings.listed()) {
      peers.link(voter.name(), voter.raft());
    }
    election.startOver(now());
    super.start(); // reads term and vote from the log and starts this protocol's thread
    transport.open();
  }

  /** Stops taking part, in order, on the Raft thread; the channel is closed after it. */
  void shutDown() {
    var done = new CompletableFuture<Void>();
    execute(
        () -> {
          closing = true;
          if (impl instanceof Leading leading) {
            leading.failAll("this voter stops");
          }
          done.complete(null);
        });
    try {
      if (!halt.isHalted()) {
        done.get(5, TimeUnit.SECONDS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (Exception e) {
      logger.warn("the Raft thread does not end: {}", e.toString());
    }
    applier.close();
    peers.close();
    transport.close();
  }

  /** Closes what was opened before there was a stack. */
  void abandon() {
    transport.close();
  }

  /**
   * The address under which a voter stands in term and vote: its name and its log, nothing else.
   */
  static Address address(Peer peer) {
    return new ExtendedUUID(
            peer.log().getMostSignificantBits(), peer.log().getLeastSignificantBits())
        .put(raft_id_key, peer.name().getBytes(StandardCharsets.UTF_8));
  }

  Peer self() {
    return new Peer(settings.name(), voterLog.id());
  }

  // ---- the one thread

  private static final class Step extends Request {
    private Runnable run;

    Step(Runnable run) {
      this.run = run;
    }

    /** Once: a whole batch of steps is kept until the next one, and what they hold is not. */
    void take() {
      var step = run;
      run = () -> {};
      step.run();
    }
  }

  /** Has something done on the Raft thread; any thread may call. Not done if there is too much. */
  boolean execute(Runnable step) {
    return processing_queue.offer(new Step(step));
  }

  static long now() {
    return System.nanoTime();
  }

  @Override
  protected void processQueue() {
    try {
      var request = processing_queue.poll(TICK, TimeUnit.NANOSECONDS);
      remove_queue.clear();
      if (request != null) {
        remove_queue.add(request);
        processing_queue.drainTo(remove_queue, 512);
      }
      if (!halt.isHalted()) {
        process(remove_queue);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (Halted e) {
      logger.debug("halted");
    } catch (Throwable t) {
      var unused = halt.now("a step of the Raft thread failed", t);
    }
  }

  @Override
  protected void process(List<Request> requests) {
    for (var request : requests) {
      if (request instanceof Step step && !closing) {
        step.take();
      }
    }
    if (closing) {
      return;
    }
    long now = now();
    if (now - lastStep > settings.timing().heartbeat().toNanos()) {
      // We stood still, so others may have spoken without being read: that is no silence of theirs.
      long stood = Math.min(now - lastStep, settings.timing().electionMin().toNanos());
      election.excuse(stood);
      if (impl instanceof Leading leading) {
        leading.excuse(stood);
      }
    }
    if (impl instanceof Leading leading) {
      leading.flush(now);
      leading.tick(now);
    }
    election.tick(now);
    tick(now);
    bulletin.publish(now);
    lastStep = now();
  }

  private void tick(long now) {
    if (now - nextHello >= 0) {
      nextHello = now + settings.timing().hello().toNanos();
      boolean fresh = admission.isFresh();
      var names = admission.listedNames();
      peers.sendAll(
          new Wire.Hello(listens, fresh, names, Math.max(1, generation()), commitIndex(), voters));
      admission.admit();
      if (fresh) {
        admission.formCluster(now);
      }
    }
    if (now - nextSeal >= 0) {
      nextSeal = now + TimeUnit.SECONDS.toNanos(1);
      if (voterLog.hasRoom(0)) {
        voterLog.sealIfIdle();
      }
      voterLog.copyVoteIfSettled();
      voterLog.makeSpare();
    }
    if (now - nextCare >= 0) {
      nextCare = now + TimeUnit.SECONDS.toNanos(1);
      peers.care(now);
    }
  }

  // ---- voters

  Voters voters() {
    return voters;
  }

  /** Whether this voter has a vote: its own log says so. */
  boolean isAdmitted() {
    return voters.admits(self());
  }

  /** The index of the newest set of voters in the log, 0 if it is in the snapshot. */
  long votersIndex() {
    return voterSets.index();
  }

  private boolean noteVoters(LogEntry entry, long index) {
    try {
      return voterSets.note(entry, index);
    } catch (IOException e) {
      throw halt.now("entry %d is no set of voters".formatted(index), e);
    }
  }

  /** A set of voters counts from the moment it is in the log; one that is dropped never counted. */
  void newVoters() {
    voters = voterSets.newest();
    goingAlone.newVoters();
    members(voters.asked().stream().map(Voters.Voter::name).toList());
    for (var voter : voters.asked()) {
      peers.link(voter.name(), voter.raft());
    }
    admission.admit();
  }

  /** Whether it needs nobody else. */
  boolean isSole() {
    return voters.all().size() == 1 && !voters.isJoint() && isAdmitted();
  }

  /** What is in this log is of this generation or an older one; 0 for a log that is new. */
  long generation() {
    return Math.max(voters.generation(), voterLog.generation());
  }

  // ---- the log

  /** Has a state machine take in all that this log has, committed or not. */
  void preview(dev.haven.raft.port.StateMachine into, CompletableFuture<byte[]> future) {
    try {
      var snapshot = voterLog.snapshot();
      if (snapshot != null) {
        into.restore(new DataInputStream(new ByteArrayInputStream(snapshot.state())));
      }
      long from = snapshot == null ? 1 : snapshot.index() + 1;
      voterLog.forEach(
          (entry, index) -> {
            if (!entry.internal()) {
              into.apply(
                  index,
                  entry.term(),
                  Arrays.copyOfRange(
                      entry.command(), entry.offset(), entry.offset() + entry.length()));
            }
          },
          from,
          voterLog.lastAppended());
      future.complete(new byte[0]);
    } catch (IOException e) {
      throw halt.now("the own snapshot cannot be read", e);
    }
  }

  /** Appends, and returns when it is on the disk. */
  void appendOwn(List<LogEntry> batch) {
    long index = voterLog.lastAppended() + 1;
    stage(batch);
    voterLog.flush(index);
  }

  /** Appends to memory; {@code voterLog.flush} must follow before anything is answered. */
  void stage(List<LogEntry> batch) {
    long index = voterLog.lastAppended() + 1;
    voterLog.stage(batch);
    last_appended = voterLog.lastAppended();
    boolean changed = false;
    for (var entry : batch) {
      changed |= noteVoters(entry, index++);
    }
    if (changed) {
      newVoters();
    }
  }

  void dropFrom(long index) {
    voterLog.deleteAllEntriesStartingFrom(index);
    last_appended = voterLog.lastAppended();
    if (voterSets.drop(index)) {
      newVoters();
    }
  }

  /** Commits up to an index that is known to be on a majority's disks, and has it applied. */
  void commitTo(long index, Map<Long, CompletableFuture<byte[]>> waiting) {
    for (long i = commit_index + 1; i <= index; i++) {
      var entry = Objects.requireNonNull(voterLog.get(i));
      applier.apply(i, entry, waiting.remove(i));
    }
    if (index > commit_index) {
      commit_index = index;
      voterLog.commitIndex(index);
      voterSets.committed(index);
    }
  }

  /** Takes over the state that a leader has sent; everything in this log is replaced. */
  boolean takeOver(VoterLog.Snapshot snapshot) {
    Voters there;
    try {
      there = Voters.of(snapshot.voters());
    } catch (IOException e) {
      throw halt.now("the leader's snapshot has no set of voters", e);
    }
    try {
      applier.check(snapshot);
    } catch (IOException e) {
      seldom.warn(
          "state",
          "the state at %d that the leader sends cannot be read and is not taken over: %s"
              .formatted(snapshot.index(), e.getMessage()));
      return false;
    }
    if (!voterLog.hasRoom(0)
        || voterLog.snapshotIndex() < snapshot.index() && !voterLog.writeSnapshot(snapshot)) {
      return false;
    }
    voterLog.reset(snapshot.index(), snapshot.term());
    voterLog.compact();
    last_appended = voterLog.lastAppended();
    commit_index = snapshot.index();
    voterSets.restart(there);
    newVoters();
    applier.restore(snapshot);
    logger.info("took over the state at {} from the leader", snapshot.index());
    return true;
  }

  // ---- roles

  @Override
  protected RAFT changeRole(Role role) {
    boolean lead = role == Role.Leader;
    if (lead != impl instanceof Leading) {
      var before = impl;
      impl = lead ? new Leading(this) : new Following(this);
      before.destroy();
      impl.init();
      bulletin.quorumRound(0);
      logger.info("{}: {} in term {}", settings.name(), lead ? "leads" : "follows", currentTerm());
    }
    return this;
  }

  /** Learns of a term. True if it is newer than ours, and then we lead and have voted no more. */
  boolean learnTerm(long term) {
    return term > currentTerm() && currentTerm(term) > 0; // RaftState takes term 0 for a deposition
  }

  /** Leads no more, or follows nobody, until the next election or the leader's next word. */
  void withoutLeader() {
    if (leader() != null) {
      leader(null);
    }
  }

  void lead() {
    leader(local_addr);
  }

  boolean leads() {
    return impl instanceof Leading;
  }

  /** This voter as a leader, ready or not; null if it follows. */
  @Nullable Leading leading() {
    return impl instanceof Leading leading ? leading : null;
  }

  /** A caller that waits for this asks at once what is allowed now. */
  void publish() {
    bulletin.publish(now());
  }

  /** False if another one leads in this term already. */
  private boolean follow(Peer peer) {
    var address = address(peer);
    if (leads() || leader() != null && !leader().equals(address)) {
      // Our own log does not contradict us, so it is theirs that does: a copy of a disk, or a lie.
      logger.error(
          "two leaders in term {}: {} and {}; the second one is not followed",
          currentTerm(),
          leads() ? settings.name() : nameOf(leader()),
          peer.name());
      return false;
    }
    leader(address);
    return true;
  }

  static String nameOf(Address address) {
    return address instanceof ExtendedUUID uuid && uuid.get(raft_id_key) instanceof byte[] name
        ? new String(name, StandardCharsets.UTF_8)
        : String.valueOf(address);
  }

  // ---- messages

  void receive(Transport.Inbound inbound, Wire message) {
    var from = inbound.peer();
    if (!admission.admits(from.name())) {
      return;
    }
    logs.put(from.name(), from.log());
    long now = now();
    if (message.term() - currentTerm() > Bounds.TERM_JUMP_MAX && voterLog.lastAppended() > 0) {
      inbound.drop(
          "it speaks of term %d, and here it is term %d".formatted(message.term(), currentTerm()));
      return;
    }
    if (message.elects() && !admission.mayLead(from)) {
      return; // a log that has no vote: a wiped disk, a copy, one that was left behind
    }
    switch (message) {
      case Wire.Hello hello -> {
        admission.greeted(from.name(), hello);
        peers.link(from.name(), hello.raft());
      }
      case Wire.PreVote request -> election.onPreVote(from, request, now);
      case Wire.PreVoteAnswer answer -> election.onPreVoteAnswer(from, answer, now);
      case Wire.Vote request -> election.onVote(from, request, now);
      case Wire.VoteAnswer answer -> election.onVoteAnswer(from, answer, now);
      case Wire.Append append -> {
        if (fromLeader(from, append.term(), append.round(), append.generation(), now)) {
          patience.told(append.lateNanos(), now);
          ((Following) impl).onAppend(from, append, now);
        }
      }
      case Wire.SnapshotPart part -> {
        if (fromLeader(from, part.term(), part.round(), part.generation(), now)) {
          ((Following) impl).onSnapshotPart(from, part);
        }
      }
      case Wire.AppendAnswer answer -> {
        if (toLeader(from, answer.term())) {
          ((Leading) impl).onAnswer(from, answer, now);
        }
      }
      case Wire.SnapshotAnswer answer -> {
        if (toLeader(from, answer.term())) {
          ((Leading) impl).onSnapshotAnswer(from, answer, now);
        }
      }
      case Wire.Datagram datagram -> throw new AssertionError("never queued: " + datagram);
    }
  }

  private boolean fromLeader(Peer from, long term, long round, long generation, long now) {
    if (generation != 0 && generation < generation()) {
      return false; // of a side that we, or an operator, went on without
    }
    if (generation > Math.max(1, generation()) && voterLog.lastAppended() > 0) {
      goingAlone.supersede(from, generation);
      return false;
    }
    if (!admission.mayLead(from)) {
      seldom.warn(
          "leader " + from.name(),
          "voter %s says that it leads, and this log does not have it as a voter: it is not followed"
              .formatted(from.name()));
      return false;
    }
    if (generation > Math.max(1, generation())) {
      voterLog.begin(generation);
    }
    if (term < currentTerm()) {
      peers.send(from.name(), new Wire.AppendAnswer(currentTerm(), round, false, 0, false));
      return false;
    }
    boolean same = !learnTerm(term) && address(from).equals(leader());
    if (!follow(from)) {
      return false;
    }
    election.heardLeader(now, same);
    if (generation != 0 && generation == generation() && voters.admits(from)) {
      goingAlone.together(from.name(), now);
    }
    return true;
  }

  /**
   * A log without a vote may have caught up, but it moves no term; neither does one that is being
   * added before it is in the log. It would refuse every word of a leader in an earlier term, so it
   * is not waited for.
   */
  private boolean toLeader(Peer from, long term) {
    if (term > currentTerm()) {
      if (admission.mayLead(from)) {
        learnTerm(term);
      } else if (impl instanceof Leading leading) {
        leading.newcomerIsAhead(from, term);
      }
      return false;
    }
    return term == currentTerm() && leads();
  }

  // ---- for the other threads

  void addListener(Consumer<Leadership> listener) {
    var unused = execute(() -> bulletin.addListener(listener));
  }

  // ---- proposals

  void propose(
      @Nullable Internal kind, byte[] content, long term, CompletableFuture<byte[]> future) {
    boolean taken =
        execute(
            () -> {
              if (!(leadingFor(term, future) instanceof Leading leading)) {
                return;
              }
              if (kind == null && !voterLog.takesCommand(content.length + leading.waitingBytes())) {
                future.completeExceptionally(
                    new Refused(
                        "voter %s is short of disk space (%d MiB free): free some; running guests are not affected"
                            .formatted(settings.name(), voterLog.freeBytes() >> 20)));
                return;
              }
              leading.propose(kind, content, future);
            });
    if (!taken) {
      future.completeExceptionally(new Refused("too many commands are waiting"));
    }
  }

  /** This voter as a ready leader in that term (0: in any), or null and the future has failed. */
  @Nullable Leading leadingFor(long term, CompletableFuture<?> future) {
    var known = bulletin.leadership();
    if (!(impl instanceof Leading leading)) {
      future.completeExceptionally(
          new NotLeader(
              Optional.ofNullable(leader()).map(HavenRaft::nameOf),
              "voter %s does not lead".formatted(settings.name())));
      return null;
    }
    if (term != 0 && term != currentTerm()) {
      future.completeExceptionally(
          new NotLeader(
              Optional.of(settings.name()),
              "decided in term %d, but it is term %d now".formatted(term, currentTerm())));
      return null;
    }
    if (applier.applied() < leading.noOpIndex() || !known.self() || !bulletin.inContact(now())) {
      future.completeExceptionally(
          new NotLeader(
              Optional.empty(),
              "voter %s leads, but is not ready: %s"
                  .formatted(
                      settings.name(),
                      applier.applied() < leading.noOpIndex()
                          ? "its first entry is not committed yet"
                          : "no majority answers it")));
      return null;
    }
    return leading;
  }

  /** One of the timing's waits, longer where answers are late. */
  long waited(Duration usual, long now) {
    return (long) (usual.toNanos() * patience.factor(now));
  }

  static void unknown(Collection<CompletableFuture<byte[]>> futures, String why) {
    for (var future : futures) {
      future.completeExceptionally(new OutcomeUnknown(why));
    }
  }

  // ---- what the superclass offers and nobody may use (rule 1: reads go through the log)

  @Override
  public CompletableFuture<byte[]> getAsync(byte[] b, int offset, int length, Options options) {
    throw new UnsupportedOperationException("ReplicatedLog.barrier");
  }

  @Override
  public CompletableFuture<byte[]> setAsync(byte[] b, int offset, int length, Options options) {
    throw new UnsupportedOperationException("ReplicatedLog.propose");
  }

  @Override
  public CompletableFuture<byte[]> setAsync(
      byte[] b, int offset, int length, boolean internal, Options options) {
    throw new UnsupportedOperationException("ReplicatedLog.propose");
  }
}
