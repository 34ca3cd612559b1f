package dev.haven.bench;

import dev.haven.core.lease.Lease;
import dev.haven.core.lease.LeaseTable;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.HeartbeatAnswer;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * One host as the voters see it: what its agent beats, says, is told and answers. There is no
 * libvirt behind it: a guest that it is ordered to start runs as soon as a lease names it.
 *
 * <p>Safe for several threads; it has none of its own.
 */
final class StandIn {
  /** As the agent waits for a lease that names a guest before it gives the start up. */
  private static final long LEASE_COMES_WITHIN = Duration.ofSeconds(3).toNanos();

  /** Five beats: an agent whose newest lease is older than that was not served in time. */
  private static final long LATE = Duration.ofSeconds(1).toNanos();

  private static final long GUEST_MIB = 1024;

  /** The sequences of one stand-in begin at its number times this, so that an answer names it. */
  private static final int SEQUENCE_BITS = 32;

  private final int number;
  private final HostId host;
  private final int guestsMeant;
  private final Tally tally;
  private final Runnable beatNow;
  private final Runnable reportSoon;
  private final TreeMap<String, DomainReport> domains = new TreeMap<>();
  private final List<Waiting> waiting = new ArrayList<>();
  private final Challenge[][] challenges;
  private volatile Life life = Life.begin();
  private @Nullable WebSocket socket;
  private CompletableFuture<?> sent = CompletableFuture.completedFuture(null);
  private long sequence;
  private long digest;
  private long grantedAt;
  private boolean late;
  private boolean ended;
  private boolean welcomed;
  private boolean silent;

  /** From when the host is switched on until it is switched off. */
  private record Life(BootId boot, ProcessId process, byte[] key, LeaseTable table) {
    static Life begin() {
      var key = new byte[32];
      ThreadLocalRandom.current().nextBytes(key);
      return new Life(
          new BootId(UUID.randomUUID().toString()),
          new ProcessId(UUID.randomUUID().toString()),
          key,
          new LeaseTable());
    }
  }

  /** A start that waits for its lease. */
  private record Waiting(long order, Order.StartGuest what, long since) {}

  /**
   * What a voter wants to see in the next beat of a network.
   *
   * @param sequence of the beat that it answered
   */
  private record Challenge(long sequence, long value) {
    static final Challenge NONE = new Challenge(0, 0);
  }

  /**
   * @param number from 0
   * @param guestsMeant for how many its capacity is thrice enough
   * @param beatNow asks for a beat out of turn
   * @param reportSoon asks for a {@link #report} a moment later
   */
  StandIn(
      int number,
      HostId host,
      int networks,
      int voters,
      int guestsMeant,
      Tally tally,
      Runnable beatNow,
      Runnable reportSoon) {
    this.number = number;
    this.host = host;
    this.guestsMeant = guestsMeant;
    this.tally = tally;
    this.beatNow = beatNow;
    this.reportSoon = reportSoon;
    this.sequence = ((long) number + 1) << SEQUENCE_BITS;
    challenges = new Challenge[networks][voters];
    for (var row : challenges) {
      java.util.Arrays.fill(row, Challenge.NONE);
    }
  }

  /** The number of the stand-in whose beat has this sequence. */
  static long numberOf(long sequence) {
    return (sequence >> SEQUENCE_BITS) - 1;
  }

  HostId host() {
    return host;
  }

  byte[] key() {
    return life.key();
  }

  synchronized boolean welcomed() {
    return welcomed && !silent;
  }

  synchronized boolean silent() {
    return silent;
  }

  synchronized int guests() {
    return domains.size();
  }

  /** Its power is gone: it says nothing any more, and hears nothing. */
  synchronized void silence() {
    silent = true;
  }

  /** It is switched on again, and has nothing. */
  synchronized void boot() {
    life = Life.begin();
    domains.clear();
    waiting.clear();
    digest = 0;
    grantedAt = 0;
    disconnected();
    silent = false;
  }

  synchronized FromAgent.Hello hello() {
    return new FromAgent.Hello(
        FromAgent.VERSION,
        host,
        life.boot(),
        life.process(),
        Base64.getEncoder().encodeToString(life.key()),
        Optional.empty(),
        new Capacity(
            (3L * guestsMeant + 1) * GUEST_MIB, Math.max(2, guestsMeant), "stand-in, no libvirt"),
        "stand-in",
        0,
        Optional.empty(),
        true,
        List.copyOf(domains.values()));
  }

  /** The connection is open: says hello, before anything else. */
  synchronized void connected(WebSocket with) {
    socket = with;
    sent = CompletableFuture.completedFuture(null);
    say(hello());
  }

  synchronized void disconnected() {
    socket = null;
    welcomed = false;
  }

  synchronized void report() {
    if (welcomed) {
      say(new FromAgent.Domains(FromAgent.VERSION, true, List.copyOf(domains.values())));
    }
  }

  synchronized void ping() {
    var with = socket;
    if (with != null && !silent) {
      sent = sent.handle((_, _) -> with.sendPing(ByteBuffer.allocate(0))).thenCompose(f -> f);
    }
  }

  /** One frame after the other, as the client wants it. */
  private void say(FromAgent frame) {
    var with = socket;
    if (with != null && !silent) {
      var text = Json.text(frame);
      sent = sent.handle((_, _) -> with.sendText(text, true)).thenCompose(f -> f);
    }
  }

  /**
   * The datagrams of one beat, one for each voter in each network; none once it is silent.
   *
   * @param networks their names
   */
  synchronized byte[][][] beat(List<String> networks, long now) {
    if (silent) {
      return new byte[0][][];
    }
    sequence++;
    life.table().sent(sequence, now);
    lookAtLease(now);
    var datagrams = new byte[networks.size()][challenges[0].length][];
    for (int n = 0; n < networks.size(); n++) {
      for (int v = 0; v < challenges[n].length; v++) {
        datagrams[n][v] =
            new Heartbeat(
                    host,
                    life.boot(),
                    life.process(),
                    sequence,
                    now,
                    networks.get(n),
                    digest,
                    challenges[n][v].value())
                .sign(life.key());
      }
    }
    return datagrams;
  }

  private void lookAtLease(long now) {
    long age = welcomed && grantedAt != 0 ? now - grantedAt : 0;
    if (age > LATE && !late) {
      late = true;
      tally.leaseLate();
    }
    if (age > Lease.LONGEST.toNanos() && !ended) {
      ended = true;
      tally.leaseEnded();
    }
    for (var start : List.copyOf(waiting)) {
      if (now - start.since() > LEASE_COMES_WITHIN) {
        waiting.remove(start);
        tally.leaseEnded();
        answer(start.order(), new Answer.Failed("no lease names guest " + start.what().guest()));
      }
    }
  }

  /** A voter has answered a beat over a network. */
  synchronized void answered(int network, int voter, HeartbeatAnswer answer, long now) {
    if (answer.sequence() >= challenges[network][voter].sequence()) {
      challenges[network][voter] = new Challenge(answer.sequence(), answer.challenge());
    }
    if (silent
        || answer.lease().isEmpty()
        || !took(answer.term(), answer.sequence(), answer.lease().get())) {
      return;
    }
    if (grantedAt != 0) {
      tally.leaseAfter(now - grantedAt);
    }
    grantedAt = now;
    late = false;
    ended = false;
    for (var start : List.copyOf(waiting)) {
      if (mayRun(start.what(), now)) {
        waiting.remove(start);
        runs(start, now);
      }
    }
  }

  private boolean took(long term, long sequence, HeartbeatAnswer.Lease lease) {
    return life.table().granted(term, sequence, lease.guests(), lease.length());
  }

  private boolean mayRun(Order.StartGuest start, long now) {
    return life.table().covers(start.guest(), start.epoch(), now + Lease.TO_RUN.toNanos());
  }

  private void runs(Waiting start, long now) {
    tally.startedAfter(now - start.since());
    var guest = start.what().guest();
    put(guest, start.what().epoch(), DomainState.RUNNING);
    answer(start.order(), new Answer.Done("runs"));
  }

  private void put(GuestId guest, Epoch epoch, DomainState state) {
    domains.put(guest.value(), new DomainReport(guest.value(), state, epoch, false, "stand-in"));
    changed();
  }

  private void changed() {
    digest = domains.hashCode();
    reportSoon.run();
  }

  private void answer(long order, Answer answer) {
    say(new FromAgent.AnswerFrame(FromAgent.VERSION, order, answer));
  }

  /**
   * What the leader says over the connection, besides that it does not lead.
   *
   * @param at when it arrived
   */
  synchronized void told(ToAgent frame, long now, Instant at) {
    if (silent) {
      return;
    }
    switch (frame) {
      case ToAgent.Welcome _ -> welcomed = true;
      case ToAgent.Leased leased -> {
        if (life.table().told(leased.term(), leased.state(), leased.exclusives())) {
          beatNow.run();
        }
      }
      case ToAgent.OrderFrame order -> obey(order, now, at);
      case ToAgent.LookAtDisks look ->
          say(new FromAgent.DisksSeen(FromAgent.VERSION, look.question(), List.of()));
      case ToAgent.TestWatchdog _,
          ToAgent.Voters _,
          ToAgent.NotLeader _,
          ToAgent.Rejected _ -> {} // nothing of it is played here
    }
  }

  private void obey(ToAgent.OrderFrame frame, long now, Instant at) {
    long order = frame.order();
    switch (frame.what()) {
      case Order.StartGuest start -> {
        tally.ordered(host, start.guest(), at);
        var waits = new Waiting(order, start, now);
        if (mayRun(start, now)) {
          runs(waits, now);
        } else {
          waiting.add(waits);
        }
      }
      case Order.StopGuest stop -> {
        put(stop.guest(), stop.epoch(), DomainState.OFF_SHUTDOWN);
        answer(order, new Answer.Done("off"));
      }
      case Order.ConfirmGone gone -> {
        var here = domains.get(gone.guest().value());
        if (here != null && here.state().active() && !gone.destroy()) {
          answer(order, new Answer.StillThere(here));
        } else {
          domains.remove(gone.guest().value());
          changed();
          answer(order, new Answer.Gone("not there", Optional.empty()));
        }
      }
      case Order.ForgetGuest forget -> {
        domains.remove(forget.guest().value());
        changed();
        answer(order, new Answer.Done("forgotten"));
      }
      case Order.MigrateOut _ -> answer(order, new Answer.Failed("a stand-in migrates nothing"));
      case Order.Precheck _, Order.AbortMigration _, Order.ResumeGuest _, Order.PauseGuest _ ->
          answer(order, new Answer.Done("done"));
    }
  }

  @Override
  public String toString() {
    return "stand-in " + number + " for host " + host;
  }
}
