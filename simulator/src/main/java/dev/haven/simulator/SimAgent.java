package dev.haven.simulator;

import dev.haven.agent.guest.Changes;
import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.GuestKeeper;
import dev.haven.agent.guest.GuestPauses;
import dev.haven.agent.guest.HostLeases;
import dev.haven.agent.guest.LeasedRight;
import dev.haven.agent.guest.Orders;
import dev.haven.core.lease.Enforcement;
import dev.haven.core.lease.Handover;
import dev.haven.core.lease.LeaseTable;
import dev.haven.core.lease.Opened;
import dev.haven.core.lease.SelfFencing;
import dev.haven.core.obey.Lanes;
import dev.haven.core.obey.Refusals;
import dev.haven.model.BootId;
import dev.haven.model.DomainReport;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.HeartbeatAnswer;
import dev.haven.model.wire.LeaseLength;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.Watchdog;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.helpers.NOPLogger;

/**
 * One process of an agent: the shipped orders, guest keeper and self-fence, with a libvirt, a disk,
 * a watchdog and a network that are made up. It can be stopped, and it can die at any moment.
 */
final class SimAgent {
  final SimHost host;
  final ProcessId process;
  boolean stopped;
  @Nullable SimLeader leader;
  long lostSince = -1;

  /** Its hello may be on its way until then. */
  long helloUntil;

  final LeaseTable table = new LeaseTable();
  final SelfFencing rules;
  private final World world;
  private final Clock clock;
  private final int boot;
  private final boolean armedBefore;
  private final Refusals book;
  private final Lived time;
  private final Changes changes;
  private final HostLeases leases;
  private final SimLibvirt libvirt;
  private static final double SLOW_TO_PAUSE = 0.1;
  private final GuestPauses pauses;
  private final GuestKeeper keeper;
  private final Orders orders;
  private final List<Runnable> parked = new ArrayList<>();

  /** What waits for one of the threads that pause guests. */
  private final ArrayDeque<Runnable> pausing = new ArrayDeque<>();

  private int pausers;
  private long beats;

  SimAgent(SimHost host, ProcessId process) {
    this.host = host;
    this.process = process;
    this.world = host.world;
    this.clock = world.clock;
    this.boot = host.boots;
    this.armedBefore = host.fedAt != 0;
    this.book = host.book;
    this.time = new Lived();
    this.changes = new Changes(time);
    this.leases = new HostLeases(table, clock::nanos, time);
    this.libvirt = new SimLibvirt(host, time);
    this.pauses = new GuestPauses(libvirt, this::missing, clock::nanos, NOPLogger.NOP_LOGGER);
    this.rules =
        new SelfFencing(
            host.boot(), table, Optional.ofNullable(host.run), new Here(), clock.nanos());
    this.keeper = new Keeper(new LeasedRight(leases, rules));
    this.orders =
        new Orders(book, keeper, this::say, this::start, this::start, NOPLogger.NOP_LOGGER);
    rules.keep();
    clock.againAfterMillis(1_000, () -> now(this::reportRegularly));
    clock.againAfterMillis(10_000, () -> now(this::measures));
  }

  /** Whether all its guests could be paused in time: nothing rests on what comes of it. */
  private void measures() {
    boolean slow = world.chaos.any() && world.sometimes(SLOW_TO_PAUSE);
    rules.asks(slow ? LeaseLength.LONG : LeaseLength.SHORT);
  }

  private Optional<String> missing(GuestId guest, Epoch epoch) {
    return rules.missing(guest, epoch, true, clock.nanos());
  }

  // its life

  private boolean lives() {
    return host.agent == this && host.boots == boot && host.machine.power;
  }

  /** This process is no more: the thread that finds out does nothing any more. */
  private static final class Dead extends Error {
    private static final long serialVersionUID = 1;
  }

  /** Time as this process lives through it. */
  private final class Lived extends LivedTime {
    Lived() {
      super(world.time);
    }

    @Override
    void goOn() throws InterruptedException {
      while (lives() && (stopped || host.machine.hung)) {
        var bell = new ArrayBlockingQueue<Boolean>(1);
        parked.add(() -> bell.offer(true));
        world.time.take(bell);
      }
      if (!lives()) {
        throw new Dead();
      }
    }
  }

  /** Does this on a thread of its own. */
  private void start(Runnable job) {
    var _ =
        world
            .time
            .threads()
            .start(
                () -> {
                  try {
                    time.goOn();
                    job.run();
                  } catch (Dead | InterruptedException e) {
                    // a process that has ended does nothing more
                  }
                });
  }

  /** Does this in this process, if it still lives then; while it is stopped it waits. */
  void later(double millis, Runnable what) {
    clock.afterMillis(millis, () -> now(what));
  }

  private void now(Runnable what) {
    if (!lives()) {
      return;
    }
    if (stopped || host.machine.hung) {
      parked.add(what);
    } else {
      what.run();
    }
  }

  void goOn() {
    var all = List.copyOf(parked);
    parked.clear();
    all.forEach(this::now);
  }

  // what it says

  private void reportRegularly() {
    if (!world.calm.saysNothingNew(host)) {
      report();
    }
    clock.againAfterMillis(5_000, () -> now(this::reportRegularly));
  }

  /** libvirt has said something new. */
  void changed() {
    changes.happened();
    report();
  }

  void heard(DomainEvent event) {
    keeper.heard(event);
  }

  private void report() {
    say(
        new FromAgent.Domains(
            FromAgent.VERSION,
            host.libvirtUp,
            host.libvirtUp ? host.reports() : List.of(),
            Optional.ofNullable(host.goingDown)));
  }

  private void say(FromAgent frame) {
    var to = leader;
    boolean lost = world.sometimes(world.chaos.lost());
    if (to != null && !lost && host.machine.reaches(to.voter.machine, Machine.CONTROL)) {
      var boot = host.boot();
      clock.afterMillis(
          world.delayMillis() + host.stallMillis(host.stalledOut),
          () -> to.said(this, boot, frame));
    }
  }

  Heartbeat heartbeat(BootId boot, long number, int network, long now) {
    var name = network == Machine.CONTROL ? "control" : "migration";
    return new Heartbeat(host.id, boot, process, number, now, name, 0, 0);
  }

  /** A heartbeat is about to leave; its number. */
  long nextBeat(long now) {
    table.sent(++beats, now);
    return beats;
  }

  // what it hears

  /** The leader says what this host is given. */
  void take(ToAgent.Leased leased) {
    now(
        () -> {
          boolean counts = rules.told(leased);
          world.beat(host, clock.nanos());
          if (counts) {
            orders.expect(leased.exclusives());
          }
        });
  }

  void testWatchdog() {
    now(rules::test);
  }

  /** A heartbeat is answered with a lease. */
  void granted(long term, long sequence, HeartbeatAnswer.Lease lease) {
    now(
        () -> {
          if (leases.granted(term, sequence, lease)) {
            world.judge.takesLease(this, term);
          }
        });
  }

  /** A frame that was sent to this process has arrived, on whichever connection. */
  void take(long number, long term, Order order) {
    now(
        () -> {
          if (!host.disk.fails) { // else its term may not have been noted: then it is not obeyed
            world.judge.met(host, term);
          }
          orders.take(new ToAgent.OrderFrame(ToAgent.VERSION, number, term, 0, order));
        });
  }

  /** The shipped one, and the judge who looks on. */
  private final class Keeper extends GuestKeeper {
    Keeper(Right right) {
      super(libvirt, book, changes, false, right, time, NOPLogger.NOP_LOGGER);
    }

    @Override
    public Answer obey(Lanes.Work work, Watch watch) throws IOException, InterruptedException {
      var order = work.order();
      if (order instanceof Order.MigrateOut o) {
        libvirt.leadsTo(o.guest(), o.target());
      }
      if (host.pulse.calm) { // its heartbeats had been answered
        if (order instanceof Order.StartGuest || order instanceof Order.ResumeGuest) {
          world.calm.wake(host, clock.nanos()); // it may wait for the answer to the next one
        } else {
          world.calm.bringUpToDate(host);
        }
      }
      var look = world.judge.begins(host, work.term(), order);
      try {
        var answer = super.obey(work, watch);
        world.judge.obeyed(look, answer);
        return answer;
      } catch (RuntimeException e) {
        world.violation("a fault of ours in %s: %s".formatted(order, e));
        throw e;
      }
    }
  }

  // the self-fence

  /** Whether its steps change nothing as long as its heartbeats are answered. */
  boolean calm() {
    return !rules.starving() && book.paused().isEmpty();
  }

  /** Its heartbeats were answered, and the watchdog fed, without being simulated; the last then. */
  void answered(long last, long term, HeartbeatAnswer.Lease lease) {
    if (host.agent == this) {
      leases.granted(term, nextBeat(last), lease);
      host.fedAt = last;
      rules.keep();
    }
  }

  /** A step of the process, several times a second. */
  void step(long now) {
    if (rules.mayFeed(now)) {
      host.fedAt = now;
    }
    rules.afterFeeding(now);
  }

  private void pause(Runnable job) {
    pausing.add(job);
    if (pausers < Enforcement.AT_A_TIME) {
      pausers++;
      start(
          () -> {
            for (var next = pausing.poll(); next != null; next = pausing.poll()) {
              next.run();
            }
            pausers--;
          });
    }
  }

  /** The parts of this host, as the shipped self-fence needs them. */
  private final class Here implements SelfFencing.Host {
    @Override
    public Optional<List<DomainReport>> seen() {
      return host.libvirtUp
          ? Optional.of(
              host.domains.entrySet().stream()
                  .map(d -> d.getValue().report(d.getKey().value()))
                  .toList())
          : Optional.empty();
    }

    @Override
    public void begin(Runnable job) {
      pause(job);
    }

    @Override
    public SelfFencing.Guests guests() {
      return pauses;
    }

    @Override
    public Refusals notes() {
      return book;
    }

    @Override
    public void keep(Handover page) throws IOException {
      if (world.sometimes(world.chaos.runIsFull())) {
        throw new IOException("No space left on device");
      }
      host.run = page;
    }

    @Override
    public Optional<Watchdog> watchdog() {
      return host.watchdog();
    }

    @Override
    public boolean armedBefore() {
      return armedBefore;
    }

    @Override
    public Opened opened() {
      return host.keepsWatchdogOpen ? Opened.KEPT : Opened.BY_US_ALONE;
    }

    @Override
    public List<String> hazards() {
      return List.of();
    }

    @Override
    public Optional<SelfFencing.Hearing> hearing() {
      return Optional.empty();
    }

    @Override
    public void pillsAreReliedOn() {}

    @Override
    public void tell(Watchdog watchdog) {
      say(new FromAgent.Guarded(FromAgent.VERSION, watchdog));
    }

    @Override
    public void failed(String doing, RuntimeException e) {
      throw new IllegalStateException(doing, e);
    }
  }
}
