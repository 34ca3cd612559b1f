package dev.haven.raft;

import dev.haven.raft.Voters.Peer;
import dev.haven.raft.port.ReplicatedLog.Leadership;
import dev.haven.raft.port.ReplicatedLog.NotLeader;
import dev.haven.raft.port.ReplicatedLog.OutcomeUnknown;
import dev.haven.raft.port.ReplicatedLog.Refused;
import dev.haven.raft.port.VoterBus;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Predicate;
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
final class HavenRaft extends RAFT implements Transport.Hall {
  static final short ID = 1900;
  private static final Logger logger = LoggerFactory.getLogger(HavenRaft.class);

  /** The longest wait of the loop: the resolution of all timers. */
  private static final long TICK = TimeUnit.MILLISECONDS.toNanos(10);

  /** Above all terms that the other side can have come to by itself. */
  private static final long FORCED_TERMS = 1_000_000;

  /** A leader asks several times a second. */
  private static final long REFUSED_NANOS = TimeUnit.SECONDS.toNanos(10);

  /** A frame of this size or less may be a datagram, and what is around it. */
  private static final int SMALL_FRAME = VoterBus.MAX_BYTES + 64;

  /** More strangers than this are not listened to. */
  private static final int MAX_LINKS = 32;

  static {
    ClassConfigurator.addProtocol(ID, HavenRaft.class);
  }

  /** What others may know of this thread's state without asking it. */
  record Published(
      long term,
      Optional<String> leader,
      boolean self,
      boolean noOpApplied,
      Voters voters,
      Map<String, Long> matches,
      long lastIndex,
      long commitIndex,
      long generation,
      Optional<String> mayOutlive) {}

  final VoterSettings settings;
  final VoterLog voterLog;
  final Halted.Switch halt;
  final Applier applier;
  final Map<String, Link> links = new ConcurrentHashMap<>();

  /** Which log each voter last spoke from. */
  final Map<String, UUID> logs = new ConcurrentHashMap<>();

  final Patience patience;

  private final Transport transport;

  /** Where this voter listens, as numbers: nobody is to look a name up for it. */
  private final String listens;

  private final Backlog backlog;
  private final Seldom seldom = new Seldom(logger);
  private final List<Consumer<Leadership>> listeners = new ArrayList<>();
  private final Consumer<Runnable> listenerThread;
  private final HavenElection election;

  private Voters voters = Voters.NONE;
  private Voters votersBefore = Voters.NONE;
  private final TreeMap<Long, Voters> votersInLog = new TreeMap<>();
  private final Map<String, Wire.Hello> greetings = new HashMap<>();

  /** Who is being added, as long as this voter leads and an operator waits for it. */
  private Optional<String> newcomer = Optional.empty();

  private volatile Set<String> admitted = Set.of();
  private volatile Set<InetAddress> addresses = Set.of();

  private long nextHello;
  private long nextSeal;
  private long nextCare;
  private long nextPublish;
  private long nextDoubt;
  private long lastStep = now();
  private boolean closing;

  /** Whether the two voters of the present set were in touch since it is in force. */
  private boolean together;

  private volatile @Nullable BiConsumer<String, byte[]> receiver;
  private volatile Published published =
      new Published(
          0, Optional.empty(), false, false, Voters.NONE, Map.of(), 0, 0, 0, Optional.empty());
  private volatile Optional<Refusal> refused = Optional.empty();
  private volatile long quorumRound;
  private volatile long contactNanos;
  private Leadership lastTold = new Leadership(0, Optional.empty(), false, false);

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
    backlog = new Backlog(settings.faults().backlogBytes());
    patience = new Patience(settings.timing().electionMin(), now());
    this.election = election;
    this.listenerThread = listenerThread;
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
    listens = print(parse(settings.listen()));
    transport = new Transport(settings, voterLog.id(), this);
  }

  // ---- the stack

  @Override
  public void start() throws Exception {
    var snapshot = voterLog.snapshot();
    if (snapshot != null) {
      votersBefore = Voters.of(snapshot.voters());
    }
    voterLog.forEach(this::noteVoters);
    newVoters();
    applier.start(snapshot);
    for (var voter : settings.listed()) {
      link(voter.name(), voter.raft());
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
    links.values().forEach(Link::close);
    transport.close();
  }

  /** Closes what was opened before there was a stack. */
  void abandon() {
    transport.close();
  }

  @Override
  public boolean admits(String name) {
    return admitted.contains(name);
  }

  @Override
  public Set<InetAddress> addresses() {
    return addresses;
  }

  @Override
  public void hear(Transport.Inbound from, byte[] frame) throws IOException {
    if (halt.isHalted()) {
      return;
    }
    var peer = from.peer();
    if (!admits(peer.name())) {
      throw new IOException("it is no voter any more");
    }
    var wire = Wire.decode(frame);
    if (wire == null) {
      return; // a newer voter's
    }
    if (links.get(peer.name()) instanceof Link link) {
      link.heard(now());
    }
    if (wire instanceof Wire.Datagram(var bytes)) {
      if (receiver instanceof BiConsumer<String, byte[]> to) {
        to.accept(peer.name(), bytes);
      }
      return;
    }
    long bytes = weight(frame, wire);
    if (!backlog.add(peer.name(), bytes, isLight(wire))) {
      return;
    }
    boolean kept =
        execute(
            () -> {
              backlog.taken(peer.name(), bytes);
              receive(from, wire);
            });
    if (!kept) {
      backlog.taken(peer.name(), bytes);
    }
  }

  /** Datagrams do not wait for the Raft thread, so they are heard while it stands still. */
  @Override
  public boolean hasRoom(Transport.Inbound from, int length) {
    return length <= SMALL_FRAME || backlog.hasRoom(from.peer().name(), length);
  }

  /** Whether it has neither entries nor state, and is soon said again. */
  private static boolean isLight(Wire wire) {
    return switch (wire) {
      case Wire.Append append -> append.entries().isEmpty();
      case Wire.SnapshotPart _ -> false;
      case Wire.Hello _,
          Wire.PreVote _,
          Wire.PreVoteAnswer _,
          Wire.Vote _,
          Wire.VoteAnswer _,
          Wire.AppendAnswer _,
          Wire.SnapshotAnswer _,
          Wire.Datagram _ ->
          true;
    };
  }

  /** Any thread. What was said to this voter and is not taken yet. */
  long backlogBytes() {
    return backlog.bytes();
  }

  private static long weight(byte[] frame, Wire wire) {
    int entries = wire instanceof Wire.Append append ? append.entries().size() : 0;
    return frame.length + Backlog.PER_FRAME + (long) entries * Backlog.PER_ENTRY;
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
    publish(now);
    lastStep = now();
  }

  private void tick(long now) {
    if (now - nextHello >= 0) {
      nextHello = now + settings.timing().hello().toNanos();
      boolean fresh = isFresh();
      var names = listedNames();
      sendAll(
          new Wire.Hello(listens, fresh, names, Math.max(1, generation()), commitIndex(), voters),
          now);
      admit();
      if (fresh) {
        formCluster(now);
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
      careForLinks(now);
    }
  }

  /**
   * Where nothing came for a second (longer where answers are late), another connection is made
   * beside the one that there is: a TCP connection that was cut for ten seconds may wait as long
   * again before it tries, while a new one works at once.
   */
  private void careForLinks(long now) {
    long silent = (long) (TimeUnit.SECONDS.toNanos(1) * patience.factor(now));
    boolean doubt = now - nextDoubt >= 0;
    if (doubt) {
      nextDoubt = now + silent;
    }
    for (var link : links.values()) {
      if (link.silentNanos(now) > silent) {
        link.clear();
        if (doubt) {
          link.doubt();
        }
      } else if (link.isStuck(now)) {
        link.doubt();
      }
    }
  }

  // ---- who may speak

  /**
   * Those whom this log has as voters, or left behind; while it has none, those whom the file
   * lists; who is being added; and whom one of these knows to be a voter by an entry that this log
   * does not have yet: a voter that was away while others came must be able to follow one of them.
   */
  private void admit() {
    var names = new HashSet<String>();
    voters.asked().forEach(voter -> names.add(voter.name()));
    voters.absent().forEach(voter -> names.add(voter.name()));
    if (names.isEmpty()) {
      settings.listed().forEach(voter -> names.add(voter.name()));
    }
    newcomer.ifPresent(names::add);
    for (var hello : vouchers(this::isOurs)) {
      hello.voters().asked().forEach(voter -> names.add(voter.name()));
    }
    names.remove(settings.name());
    if (!names.equals(admitted)) {
      admitted = Set.copyOf(names);
      transport.turnOut();
    }
    var places = new HashSet<InetAddress>();
    for (var name : names) {
      if (links.get(name) instanceof Link link) {
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
              hello.commit() > voterLog.lastAppended()
                  || hello.voters().generation() > Math.max(1, generation());
          var log = logs.get(name);
          if (more && log != null && by.test(new Peer(name, log))) {
            vouchers.add(hello);
          }
        });
    return vouchers;
  }

  /** Whether this log itself has it, or the file while there is nothing in the log. */
  private boolean isOurs(Peer peer) {
    return voters.all().isEmpty()
        ? settings.listed().stream().anyMatch(voter -> voter.name().equals(peer.name()))
        : voters.knew(peer);
  }

  /** One that was left behind is none: it is listened to, and what it says moves nothing. */
  private boolean isMember(Peer peer) {
    return voters.admits(peer) || voters.all().isEmpty() && isOurs(peer);
  }

  /** Whether what it says may move term or log. */
  private boolean mayLead(Peer peer) {
    return isMember(peer)
        || vouchers(this::isMember).stream().anyMatch(hello -> hello.voters().admits(peer));
  }

  /** Any name may be added once; it is listened to until that is done. */
  void newcomer(Optional<String> name) {
    newcomer = name;
    admit();
  }

  // ---- forming a cluster

  /** Whether this log never had an entry and this voter never voted (in term 1 nobody does). */
  private boolean isFresh() {
    return voterLog.lastAppended() == 0 && currentTerm() <= 1 && votedFor() == null;
  }

  private List<String> listedNames() {
    return settings.listed().stream().map(v -> v.name()).sorted().toList();
  }

  /**
   * Writes the first entry, the first set of voters. Only the first of the listed names does so,
   * only with a log that never had an entry, and only when each of the others says of itself that
   * its log never had one either and that it lists the same names. One of them that knows a cluster
   * says otherwise, so a wiped disk never starts a second one beside it.
   */
  private void formCluster(long now) {
    var names = listedNames();
    if (names.isEmpty() || !names.getFirst().equals(settings.name())) {
      return;
    }
    var first = new ArrayList<Voters.Voter>();
    for (var voter : settings.listed()) {
      if (voter.name().equals(settings.name())) {
        first.add(new Voters.Voter(voter, voterLog.id()));
        continue;
      }
      var link = links.get(voter.name());
      var hello = greetings.get(voter.name());
      var log = logs.get(voter.name());
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
    currentTerm(1);
    appendOwn(List.of(Internal.VOTERS.entry(1, Voters.first(first).bytes())));
    election.standNow(now);
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
    return votersInLog.isEmpty() ? 0 : votersInLog.lastKey();
  }

  private void noteVoters(LogEntry entry, long index) {
    if (entry.internal() && Internal.of(entry) == Internal.VOTERS) {
      try {
        votersInLog.put(index, Voters.of(Internal.content(entry)));
      } catch (IOException e) {
        throw halt.now("entry %d is no set of voters".formatted(index), e);
      }
    }
  }

  /** A set of voters counts from the moment it is in the log; one that is dropped never counted. */
  void newVoters() {
    voters = votersInLog.isEmpty() ? votersBefore : votersInLog.lastEntry().getValue();
    together = false;
    members(voters.asked().stream().map(Voters.Voter::name).toList());
    for (var voter : voters.asked()) {
      link(voter.name(), voter.raft());
    }
    admit();
  }

  /** Whether it needs nobody else. */
  boolean isSole() {
    return voters.all().size() == 1 && !voters.isJoint() && isAdmitted();
  }

  // ---- two voters alone: docs/adr/0011-two-alone.md

  /** What is in this log is of this generation or an older one; 0 for a log that is new. */
  long generation() {
    return Math.max(voters.generation(), voterLog.generation());
  }

  /**
   * The other one leads us, or has answered us, under the set of voters that this log has.
   *
   * @param at when the round was sent that it has answered, or came that we answer
   */
  void together(String name, long at) {
    together = true;
    if (links.get(name) instanceof Link link) {
      link.contact(at);
    }
  }

  boolean isHeard(String name, long now) {
    return links.get(name) instanceof Link link
        && link.silentNanos(now) < TimeUnit.SECONDS.toNanos(1);
  }

  /**
   * The other voter, if this one may go on alone once that one is proven off: there are two by a
   * committed entry, and the two were in touch while this host's present boot ran. So the other one
   * cannot have gone on alone: it would have needed the proof that this host is off. A voter that
   * has just booted does not know that.
   */
  private Optional<Voters.Voter> mayOutlive() {
    var other = voters.other(self());
    boolean inTouch = together && votersIndex() <= commit_index;
    boolean begun = voterLog.intent().isPresent() && voterLog.intent().equals(settings.boot());
    return other.filter(
        o ->
            settings.boot().isPresent()
                && (inTouch || begun)
                && (!(greetings.get(o.name()) instanceof Wire.Hello hello)
                    || hello.generation() != 0));
  }

  /**
   * From this generation on, this log's entries may contradict the leader's: they are set aside,
   * and the next start begins as a newcomer with a new log.
   */
  private void supersede(Peer by, long newer) {
    if (!isProven(by, newer)) {
      seldom.warn(
          "generation",
          "voter %s says that the cluster goes on under generation %d, after %d, and nobody whom this log has as a voter began that: it is not followed. If it is true, move what is in %s away and start this voter again"
              .formatted(by.name(), newer, generation(), voterLog.where()));
      return;
    }
    if (voterLog.wasSetAside() && !isAdmitted()) {
      var why =
          "voter %s goes on under generation %d, after %d, but this voter has set a log aside before and was not admitted again since: it is not followed a second time. If it is true, move what is in %s away and start this voter again"
              .formatted(by.name(), newer, generation(), voterLog.where());
      seldom.warn("generation", why);
      refused = Optional.of(new Refusal(why, now()));
      return;
    }
    logger.warn(
        "voter {} went on without this one, under generation {} after {}: this log is set aside,"
            + " and this voter begins anew as a newcomer",
        by.name(),
        newer,
        generation());
    voterLog.setAside();
    throw halt.restart("begins anew under generation " + newer);
  }

  /** A generation that is not followed, and when that was last asked for. */
  private record Refusal(String why, long at) {}

  /** Any thread. */
  Optional<String> waitsForPerson() {
    return refused.filter(r -> now() - r.at() < REFUSED_NANOS).map(Refusal::why);
  }

  /**
   * Whether a later generation was begun by a log that had a vote in ours: it says so itself, on a
   * connection of its own, and the leader is that one or one that it names as a voter.
   */
  private boolean isProven(Peer by, long newer) {
    for (var greeting : greetings.entrySet()) {
      var set = greeting.getValue().voters();
      var log = logs.get(greeting.getKey());
      if (log == null || set.generation() != newer) {
        continue;
      }
      var itself = new Peer(greeting.getKey(), log);
      if (set.began().equals(Optional.of(itself))
          && voters.knew(itself)
          && (by.equals(itself) || set.admits(by))) {
        return true;
      }
    }
    return false;
  }

  /** Notes, before it is done, that the other voter's host is fenced without a quorum. */
  void intend(String other, CompletableFuture<byte[]> future) {
    if (mayOutlive().filter(o -> o.name().equals(other)).isEmpty()) {
      future.completeExceptionally(new Refused(other + " is not to be outlived"));
    } else if (!voterLog.hasRoom(0)) {
      future.completeExceptionally(new Refused("no disk space is left at all"));
    } else {
      voterLog.intend(settings.boot().orElseThrow());
      future.complete(new byte[0]);
    }
  }

  /**
   * Goes on as the sole voter.
   *
   * @param unheardSince on {@link System#nanoTime()}'s clock: refused if the other one was heard
   *     later
   */
  void goOnAlone(String other, long unheardSince, CompletableFuture<byte[]> future) {
    if (mayOutlive().filter(o -> o.name().equals(other)).isEmpty()) {
      future.completeExceptionally(new Refused(other + " is not to be outlived"));
    } else if (leads()) {
      future.completeExceptionally(new Refused("this voter leads with " + other));
    } else if (links.get(other) instanceof Link link
        && now() - link.silentNanos(now()) - unheardSince > 0) {
      future.completeExceptionally(new Refused("voter " + other + " was heard meanwhile"));
    } else {
      begin(voters.alone(self()), currentTerm() + 1, future);
    }
  }

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

  /** Goes on as the sole voter because an operator says that the others are off and stay so. */
  void forceAlone(CompletableFuture<byte[]> future) {
    var heard =
        voters.asked().stream()
            .map(Voters.Voter::name)
            .filter(name -> isHeard(name, now()) && !name.equals(settings.name()))
            .toList();
    if (!isAdmitted()) {
      future.completeExceptionally(
          new Refused(
              "voter %s has no vote: its log is not the one that was admitted"
                  .formatted(settings.name())));
    } else if (!heard.isEmpty()) {
      future.completeExceptionally(
          new Refused("still heard: voter " + String.join(", voter ", heard)));
    } else if (isSole()) {
      future.completeExceptionally(
          new Refused("voter %s is the only voter as it is".formatted(settings.name())));
    } else {
      begin(voters.forced(self()), currentTerm() + FORCED_TERMS, future);
    }
  }

  /** No other voter can have this term: they all needed this one's vote for it. */
  private void begin(Voters next, long term, CompletableFuture<byte[]> future) {
    var entry = List.of(Internal.VOTERS.entry(term, next.bytes()));
    if (!voterLog.hasRoom(VoterLog.size(entry))) {
      future.completeExceptionally(new Refused("no disk space is left at all"));
      return;
    }
    withoutLeader();
    learnTerm(term);
    votedFor(address(self()));
    appendOwn(entry);
    logger.warn(
        "voter {} goes on alone under generation {}, without {}",
        settings.name(),
        next.generation(),
        next.absent().stream().map(Voters.Voter::name).toList());
    election.standNow(now());
    publish(now()); // whoever waits for this asks at once what is allowed now
    future.complete(new byte[0]);
  }

  // ---- the log

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
      int before = votersInLog.size();
      noteVoters(entry, index++);
      changed |= votersInLog.size() != before;
    }
    if (changed) {
      newVoters();
    }
  }

  void dropFrom(long index) {
    voterLog.deleteAllEntriesStartingFrom(index);
    last_appended = voterLog.lastAppended();
    if (!votersInLog.tailMap(index, true).isEmpty()) {
      votersInLog.tailMap(index, true).clear();
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
      if (votersInLog.size() > 1) {
        var committed = votersInLog.floorKey(index);
        if (committed != null && committed > votersInLog.firstKey()) {
          votersInLog.headMap(committed, false).clear();
        }
      }
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
    votersInLog.clear();
    votersBefore = there;
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
      quorumRound = 0;
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

  private void receive(Transport.Inbound inbound, Wire message) {
    var from = inbound.peer();
    if (!admits(from.name())) {
      return;
    }
    logs.put(from.name(), from.log());
    long now = now();
    if (termOf(message) - currentTerm() > Bounds.TERM_JUMP_MAX && voterLog.lastAppended() > 0) {
      inbound.drop(
          "it speaks of term %d, and here it is term %d".formatted(termOf(message), currentTerm()));
      return;
    }
    boolean elects =
        switch (message) {
          case Wire.PreVote _, Wire.PreVoteAnswer _, Wire.Vote _, Wire.VoteAnswer _ -> true;
          case Wire.Hello _,
              Wire.Append _,
              Wire.AppendAnswer _,
              Wire.SnapshotPart _,
              Wire.SnapshotAnswer _,
              Wire.Datagram _ ->
              false;
        };
    if (elects && !mayLead(from)) {
      return; // a log that has no vote: a wiped disk, a copy, one that was left behind
    }
    switch (message) {
      case Wire.Hello hello -> {
        greetings.put(from.name(), hello);
        link(from.name(), hello.raft());
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
          ((Following) impl).onSnapshotPart(from, part, now);
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
      supersede(from, generation);
      return false;
    }
    if (!mayLead(from)) {
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
      send(from.name(), new Wire.AppendAnswer(currentTerm(), round, false, 0, false), now);
      return false;
    }
    boolean same = !learnTerm(term) && address(from).equals(leader());
    if (!follow(from)) {
      return false;
    }
    election.heardLeader(now, same);
    if (generation != 0 && generation == generation() && voters.admits(from)) {
      together(from.name(), now);
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
      if (mayLead(from)) {
        learnTerm(term);
      } else if (impl instanceof Leading leading) {
        leading.newcomerIsAhead(from, term);
      }
      return false;
    }
    return term == currentTerm() && leads();
  }

  private static long termOf(Wire message) {
    return switch (message) {
      case Wire.PreVote request -> request.term();
      case Wire.PreVoteAnswer answer -> answer.term();
      case Wire.Vote request -> request.term();
      case Wire.VoteAnswer answer -> answer.term();
      case Wire.Append append -> append.term();
      case Wire.AppendAnswer answer -> answer.term();
      case Wire.SnapshotPart part -> part.term();
      case Wire.SnapshotAnswer answer -> answer.term();
      case Wire.Hello _, Wire.Datagram _ -> 0;
    };
  }

  void send(String to, Wire message, long now) {
    if (links.get(to) instanceof Link link) {
      carry(link, Wire.encode(message));
    }
  }

  private void sendAll(Wire message, long now) {
    var bytes = Wire.encode(message);
    links.values().forEach(link -> carry(link, bytes));
  }

  private void carry(Link link, byte[] bytes) {
    if (!halt.isHalted()) {
      settings.faults().carry(link.name(), () -> link.send(bytes));
    }
  }

  /** Gets in touch with one that may become a voter. */
  void meet(Voters.Voter voter) {
    link(voter.name(), voter.raft());
    newcomer(Optional.of(voter.name()));
  }

  private void link(String name, String raft) {
    if (name.equals(settings.name())) {
      return;
    }
    var old = links.get(name);
    InetSocketAddress address;
    try {
      address = parse(raft);
    } catch (UnknownHostException | IllegalArgumentException e) {
      logger.warn("voter {}: address {} is not known: {}", name, raft, e.getMessage());
      return;
    }
    if (old != null && old.address().equals(address) || old == null && links.size() >= MAX_LINKS) {
      return;
    }
    if (old != null) {
      old.close();
    }
    links.put(name, new Link(name, address, transport, now()).start());
  }

  static InetSocketAddress parse(String address) throws UnknownHostException {
    int colon = address.lastIndexOf(':');
    if (colon < 0) {
      throw new IllegalArgumentException(address + " is not host:port");
    }
    return new InetSocketAddress(
        InetAddress.getByName(address.substring(0, colon)),
        Integer.parseInt(address.substring(colon + 1)));
  }

  static String print(InetSocketAddress address) {
    return address.getAddress().getHostAddress() + ":" + address.getPort();
  }

  // ---- for the other threads

  void receiver(BiConsumer<String, byte[]> to) {
    receiver = to;
  }

  void broadcast(byte[] datagram) {
    var bytes = Wire.encode(new Wire.Datagram(datagram));
    long now = now();
    for (var link : links.values()) {
      settings.faults().carry(link.name(), () -> link.sendOrDrop(bytes, now()));
    }
  }

  Published published() {
    return published;
  }

  void quorumRound(long sentAt) {
    quorumRound = sentAt;
  }

  long quorumRound() {
    return quorumRound;
  }

  /** Any thread. Looks at the clock, so a leader that was stopped knows it as soon as it wakes. */
  Leadership leadership() {
    var known = published;
    return new Leadership(
        known.term(),
        known.leader(),
        known.self(),
        known.self() && known.noOpApplied() && inContact(now()));
  }

  private boolean inContact(long now) {
    long round = quorumRound;
    return round != 0 && now - round < contactNanos;
  }

  void addListener(Consumer<Leadership> listener) {
    var unused =
        execute(
            () -> {
              listeners.add(listener);
              var told = lastTold;
              listenerThread.accept(() -> listener.accept(told));
            });
  }

  /** Others may be a tick behind in the details, but not in who leads and whether it is ready. */
  private void publish(long now) {
    contactNanos = waited(settings.timing().quorumContact(), now);
    boolean leads = impl instanceof Leading;
    boolean applied = impl instanceof Leading of && applier.applied() >= of.noOpIndex();
    var known = published;
    if (known.term() == currentTerm()
        && known.self() == leads
        && known.noOpApplied() == applied
        && known.leader().isPresent() == (leader() != null)
        && now - nextPublish < 0) {
      return;
    }
    nextPublish = now + TICK;
    var leader = Optional.ofNullable(leader()).map(HavenRaft::nameOf);
    Map<String, Long> matches = impl instanceof Leading of ? of.matches() : Map.of();
    published =
        new Published(
            currentTerm(),
            leader,
            leads,
            applied,
            voters,
            matches,
            last_appended,
            commit_index,
            generation(),
            mayOutlive().map(Voters.Voter::name));
    var leadership = leadership();
    if (!leadership.equals(lastTold)) {
      lastTold = leadership;
      for (var listener : listeners) {
        listenerThread.accept(() -> listener.accept(leadership));
      }
    }
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
    var known = leadership();
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
    if (applier.applied() < leading.noOpIndex() || !known.self() || !inContact(now())) {
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
