package dev.haven.simulator;

import dev.haven.core.obey.Lanes;
import dev.haven.model.BootId;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestId;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One process of an agent: what {@link Order} and {@link Answer} promise, with libvirt's delays.
 */
final class SimAgent {
  private static final double LIBVIRT_BACK_MILLIS = 10_000;

  /** The agent's own limit for a start, in milliseconds. */
  private static final double SLOWEST_START = 60_000;

  final SimHost host;
  final ProcessId process;
  boolean stopped;
  @Nullable SimLeader leader;
  private final World world;
  private final Clock clock;
  private final int boot;
  private final Lanes lanes;
  private final Map<GuestId, Epoch> started = new HashMap<>();
  private final List<Runnable> parked = new ArrayList<>();
  final SimGuard guard;
  long lostSince = -1;

  /** Its hello may be on its way until then. */
  long helloUntil;

  SimAgent(SimHost host, ProcessId process) {
    this.host = host;
    this.process = process;
    this.world = host.world;
    this.clock = world.clock;
    this.boot = host.boots;
    this.guard = new SimGuard(host, this);
    this.lanes = new Lanes(host.book);
    clock.againAfterMillis(1_000, () -> now(this::reportRegularly));
  }

  private boolean lives() {
    return host.agent == this && host.boots == boot && host.machine.power;
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

  private void reportRegularly() {
    if (!world.calm.saysNothingNew(host)) {
      report();
    }
    clock.againAfterMillis(5_000, () -> now(this::reportRegularly));
  }

  void report() {
    say(
        new FromAgent.Domains(
            FromAgent.VERSION,
            host.libvirtUp,
            host.libvirtUp ? host.reports() : List.of(),
            Optional.ofNullable(host.goingDown)));
  }

  void say(FromAgent frame) {
    var to = leader;
    boolean lost = world.sometimes(world.chaos.lost());
    if (to != null && !lost && host.machine.reaches(to.voter.machine, Machine.CONTROL)) {
      var boot = host.boot();
      clock.afterMillis(
          world.delayMillis() + host.stallMillis(host.stalledOut),
          () -> to.said(this, boot, frame));
    }
  }

  /** The leader says what this host is given. */
  void take(ToAgent.Leased leased) {
    now(
        () -> {
          if (guard.rules.told(leased)) {
            lanes
                .expect(leased.exclusives())
                .forEach(
                    (of, epoch) -> {
                      switch (of) {
                        case GuestId guest -> expect(guest, epoch);
                      }
                      next(of);
                    });
          }
          world.beat(host, clock.nanos());
        });
  }

  private void expect(GuestId guest, Epoch epoch) {
    try {
      var _ = admit(guest, epoch, false);
    } catch (IOException e) {
      world.log("truth", "host %s cannot note epoch %s of %s".formatted(host.id, epoch, guest));
    }
  }

  private Optional<String> admit(GuestId guest, Epoch epoch, boolean refusedToo)
      throws IOException {
    return host.book.admit(guest, epoch, refusedToo, host.isHereBefore(guest, epoch));
  }

  void testWatchdog() {
    now(guard.rules::test);
  }

  Heartbeat heartbeat(BootId boot, long number, int network, long now) {
    var name = network == Machine.CONTROL ? "control" : "migration";
    return new Heartbeat(host.id, boot, process, number, now, name, 0, 0);
  }

  /** A heartbeat is answered with a lease. */
  void granted(long term, long sequence, long guests) {
    now(
        () -> {
          if (guard.table.granted(term, sequence, guests)) {
            world.judge.takesLease(this, term);
          }
        });
  }

  /** Does this once a lease names the guest, or gives up. */
  private void leased(GuestId guest, Epoch epoch, Consumer<Answer> done, Runnable act) {
    leased(guest, epoch, done, act, clock.nanos() + 3_000_000_000L);
  }

  private void leased(
      GuestId guest, Epoch epoch, Consumer<Answer> done, Runnable act, long deadline) {
    if (guard.table.forbidsToRun(guest, epoch, clock.nanos()).isEmpty()) {
      var no = guard.rules.missing(guest, epoch, false, clock.nanos());
      if (no.isPresent()) {
        done.accept(new Answer.Unknown(no.get()));
      } else {
        act.run();
      }
    } else if (clock.nanos() > deadline) {
      done.accept(new Answer.Unknown("no lease names it"));
    } else {
      if (host.pulse.calm) {
        world.beat(host, clock.nanos()); // those that are not simulated had been answered
      }
      later(20, () -> leased(guest, epoch, done, act, deadline));
    }
  }

  /** A frame that was sent to this process has arrived, on whichever connection. */
  void take(long number, long term, Order order) {
    now(() -> taken(number, term, order));
  }

  private void taken(long number, long term, Order order) {
    if (!host.disk.fails) { // else its term may not have been noted: then it is not obeyed
      world.judge.met(host, term);
    }
    for (var step : lanes.take(new ToAgent.OrderFrame(ToAgent.VERSION, number, term, 0, order))) {
      switch (step) {
        case Lanes.Step.Answered s -> answer(List.of(number), s.answer());
        case Lanes.Step.Aside s ->
            later(
                clock.between(1, 10),
                () -> begins(s.work(), answer -> answer(lanes.ended(s.work()), answer)));
        case Lanes.Step.Lane s -> next(s.of());
        case Lanes.Step.CallOff s -> abort(s.guest());
      }
    }
  }

  private void abort(GuestId guest) {
    var domain = host.domains.get(guest);
    if (host.libvirtUp && domain != null && domain.leaving != null) {
      domain.leaving.cancel();
    }
  }

  private void next(Exclusive of) {
    lanes
        .next(of)
        .ifPresent(
            work ->
                later(
                    clock.between(0.5, 5),
                    () ->
                        begins(
                            work,
                            answer -> {
                              answer(lanes.ended(work), answer);
                              next(of);
                            })));
  }

  private void begins(Lanes.Work work, Consumer<Answer> done) {
    var refused = lanes.refused(work);
    if (refused.isPresent()) {
      done.accept(refused.get());
      return;
    }
    noting(done, () -> obey(work, done));
  }

  /** A part of an order that notes something first. */
  private interface Part {
    void act() throws IOException;
  }

  /** Does this, or answers that nothing was done because the disk took no note. */
  private static void noting(Consumer<Answer> done, Part part) {
    try {
      part.act();
    } catch (IOException e) {
      done.accept(Lanes.notNoted("it cannot be noted on disk", e));
    }
  }

  private void letRun(GuestId guest, Epoch epoch) {
    try {
      host.book.runs(guest, epoch);
    } catch (IOException e) {
      world.log("truth", "host %s cannot note that guest %s runs".formatted(host.id, guest));
    }
  }

  private void answer(List<Long> numbers, Answer answer) {
    for (long number : numbers) {
      say(new FromAgent.AnswerFrame(FromAgent.VERSION, number, answer));
    }
  }

  private void obey(Lanes.Work work, Consumer<Answer> done) throws IOException {
    switch (work.order()) {
      case Order.StartGuest o ->
          admitted(
              work,
              o.epoch(),
              done,
              () -> leased(o.guest(), o.epoch(), done, () -> start(o, done)));
      case Order.ResumeGuest o ->
          admitted(
              work,
              o.epoch(),
              done,
              () -> leased(o.guest(), o.epoch(), done, () -> resume(o, done, clock.nanos())));
      case Order.AbortMigration o ->
          admitted(
              work,
              o.epoch(),
              done,
              () -> {
                host.book.begin(o.guest(), o.targetEpoch());
                abort(o.guest());
                done.accept(new Answer.Done("asked to stop"));
              });
      case Order.Precheck o -> {
        var no = host.book.check(o.guest(), o.epoch(), false);
        if (no.isPresent()) {
          done.accept(new Answer.Refused(no.get()));
        } else {
          host.book.tryDisk();
          precheck(o, done);
        }
      }
      case Order.MigrateOut o -> {
        if (host.book.moved(o.guest(), o.epoch(), o.targetEpoch())) {
          left(o, done);
        } else {
          admitted(work, o.epoch(), done, () -> migrate(o, work, done));
        }
      }
      case Order.StopGuest o -> {
        var no = admit(o.guest(), o.epoch(), true);
        if (no.isPresent()) {
          done.accept(new Answer.Refused(no.get()));
        } else {
          world.judge.obeys(host, work.term(), o, o.epoch());
          stop(o, work, done, clock.nanos() + o.grace().toNanos());
        }
      }
      case Order.ForgetGuest o -> {
        var no = admit(o.guest(), o.epoch(), true);
        if (no.isPresent()) {
          done.accept(new Answer.Refused(no.get()));
        } else {
          world.judge.obeys(host, work.term(), o, o.epoch());
          forget(o, done);
        }
      }
      case Order.ConfirmGone o -> {
        var no = host.book.check(o.guest(), o.refuse(), true);
        if (no.isPresent()) {
          done.accept(new Answer.Refused(no.get()));
        } else {
          world.judge.obeys(host, work.term(), o, o.refuse());
          confirmGone(o, done);
        }
      }
      case Order.PauseGuest o -> {
        var here = host.domains.get(o.guest());
        if (host.libvirtUp && here != null && here.epoch.equals(o.epoch()) && here.executes()) {
          here.state = DomainState.PAUSED;
          host.changed();
        }
        done.accept(new Answer.Done("paused"));
      }
    }
  }

  private void admitted(Lanes.Work work, Epoch epoch, Consumer<Answer> done, Part act)
      throws IOException {
    var no =
        switch (work.order()) {
          case Order.OfGuest o -> admit(o.guest(), epoch, false);
        };
    if (no.isPresent()) {
      done.accept(new Answer.Refused(no.get()));
    } else {
      world.judge.obeys(host, work.term(), work.order(), epoch);
      act.act();
    }
  }

  /** Does this once libvirt is there, or gives up. */
  private void withLibvirt(Consumer<Answer> done, Runnable act) {
    withLibvirt(done, act, clock.nanos() + (long) (LIBVIRT_BACK_MILLIS * 1e6));
  }

  private void withLibvirt(Consumer<Answer> done, Runnable act, long deadline) {
    if (host.libvirtUp) {
      act.run();
    } else if (clock.nanos() > deadline) {
      done.accept(new Answer.Unknown("libvirt is away"));
    } else {
      later(200, () -> withLibvirt(done, act, deadline));
    }
  }

  private void start(Order.StartGuest o, Consumer<Answer> done) {
    withLibvirt(
        done,
        () -> {
          var here = host.domains.get(o.guest());
          if (here != null && (here.creating || here.callPending)) {
            later(20, () -> start(o, done)); // libvirt does one thing after the other
            return;
          }
          if (here != null && here.state.active()) {
            if (!here.epoch.equals(o.epoch())) {
              done.accept(new Answer.Failed("a domain of this name runs with another epoch"));
            } else if (here.state == DomainState.PAUSED
                && o.epoch().equals(host.book.created().get(o.guest()))) {
              letRun(o, here, done);
            } else {
              done.accept(runs(o, "ran already"));
            }
            return;
          }
          if (o.epoch().equals(started.get(o.guest()))) {
            word(o.guest(), o.epoch(), Optional.of("it has ended since it was started"), done);
            return;
          }
          var domain = new Domain(o.epoch(), DomainState.OFF);
          host.domains.put(o.guest(), domain);
          domain.caller = this;
          domain.creating = true;
          var forbidden = mayBeCreated(o);
          if (forbidden.isPresent()) {
            domain.creating = false;
            done.accept(new Answer.Unknown(forbidden.get()));
            return;
          }
          if (clock.happens(world.chaos.startTimesOut()) || host.startsUnclear) {
            clock.afterMillis(clock.between(0, SLOWEST_START), () -> isCreated(o, domain));
            later(clock.between(100, 1_000), () -> done.accept(new Answer.Unknown("timed out")));
            return;
          }
          double takes = clock.between(50, 400);
          clock.afterMillis(takes, () -> isCreated(o, domain));
          later(
              takes,
              () -> {
                if (domain.creating) {
                  done.accept(new Answer.Unknown("libvirt went away"));
                } else if (!domain.state.active()) {
                  word(o.guest(), o.epoch(), Optional.of("no such disk"), done);
                } else {
                  letRun(o, domain, done);
                }
              });
        });
  }

  /**
   * Asked with the call already on its way: why it must not be created, paused; notes that it is.
   */
  private Optional<String> mayBeCreated(Order.StartGuest o) {
    var no = guard.rules.missing(o.guest(), o.epoch(), true, clock.nanos());
    if (no.isPresent()) {
      return no;
    }
    try {
      host.book.creating(o.guest(), o.epoch());
      return Optional.empty();
    } catch (IOException e) {
      return Optional.of("it cannot be remembered on disk");
    }
  }

  /** libvirt's call that creates it, paused, has come to its end. */
  private void isCreated(Order.StartGuest o, Domain domain) {
    if (!isHere(o.guest(), domain)) {
      return;
    }
    if (!host.libvirtUp) {
      host.whenLibvirtIsBack(() -> isCreated(o, domain));
      return;
    }
    domain.creating = false;
    if (!host.failsToStart(o.guest())) {
      domain.state = DomainState.PAUSED;
    }
  }

  private boolean isHere(GuestId guest, Domain domain) {
    return host.boots == boot && host.machine.power && host.domains.get(guest) == domain;
  }

  /** Lets run what was created here: under a lease that is looked at now. */
  private void letRun(Order.StartGuest o, Domain domain, Consumer<Answer> done) {
    leased(
        o.guest(),
        o.epoch(),
        done,
        () -> {
          if (!host.libvirtUp
              || !isHere(o.guest(), domain)
              || domain.state != DomainState.PAUSED
              || domain.callPending) {
            done.accept(new Answer.Unknown("it is not here any more, or libvirt is away"));
            return;
          }
          if (guard.letsRun(o.guest(), domain, "started")) {
            done.accept(runs(o, "started"));
          } else {
            later(clock.between(100, 1_000), () -> done.accept(new Answer.Unknown("timed out")));
          }
        });
  }

  private Answer runs(Order.StartGuest o, String how) {
    started.put(o.guest(), o.epoch());
    letRun(o.guest(), o.epoch());
    return new Answer.Done(how);
  }

  private void resume(Order.ResumeGuest o, Consumer<Answer> done, long began) {
    withLibvirt(
        done,
        () -> {
          var here = host.domains.get(o.guest());
          if (here == null) {
            done.accept(new Answer.Failed("libvirt knows no domain of this name"));
          } else if (!here.epoch.equals(o.epoch())) {
            done.accept(new Answer.Failed("the domain here has another epoch"));
          } else if (here.state == DomainState.INCOMING) {
            if (clock.nanos() - began > Duration.ofSeconds(20).toNanos()) {
              done.accept(new Answer.Unknown("its migration does not end"));
            } else {
              later(50, () -> resume(o, done, began));
            }
          } else if (here.callPending) {
            later(20, () -> resume(o, done, began)); // libvirt does one thing after the other
          } else if (here.state == DomainState.RUNNING) {
            if (o.arrived()) {
              letRun(o.guest(), o.epoch());
            }
            done.accept(new Answer.Done("ran already"));
          } else if (here.state == DomainState.PAUSED) {
            if (o.arrived()) {
              try {
                host.book.arrived(o.guest(), o.epoch());
              } catch (IOException e) {
                done.accept(new Answer.Unknown("it cannot be remembered on disk"));
                return;
              }
            }
            if (guard.letsRun(o.guest(), here, "resumed")) {
              letRun(o.guest(), o.epoch());
              later(clock.between(1, 10), () -> done.accept(new Answer.Done("runs")));
            } else {
              later(clock.between(100, 1_000), () -> done.accept(new Answer.Unknown("timed out")));
            }
          } else {
            done.accept(new Answer.Failed("it is " + here.state));
          }
        });
  }

  private void precheck(Order.Precheck o, Consumer<Answer> done) {
    precheck(o, done, clock.between(5, 60), clock.nanos() + 3_000_000_000L);
  }

  private void precheck(Order.Precheck o, Consumer<Answer> done, double after, long deadline) {
    later(
        after,
        () -> {
          var here = host.domains.get(o.guest());
          if (guard.rules.forbidsToReceive(clock.nanos()).isPresent()) {
            if (clock.nanos() > deadline) {
              done.accept(new Answer.Failed("this host has no lease"));
              return;
            }
            if (host.pulse.calm) {
              world.beat(host, clock.nanos()); // those that are not simulated had been answered
            }
            precheck(o, done, 20, deadline);
          } else if (!host.libvirtUp) {
            done.accept(new Answer.Unknown("libvirt is away"));
          } else if (here != null && here.state.active()) {
            done.accept(new Answer.Failed("a domain of this name is here already"));
          } else {
            done.accept(new Answer.Done("nothing is in its way"));
          }
        });
  }

  private void stop(Order.StopGuest o, Lanes.Work work, Consumer<Answer> done, long deadline) {
    if (!host.libvirtUp) {
      done.accept(new Answer.Unknown("libvirt is away"));
      return;
    }
    var here = host.domains.get(o.guest());
    if (here == null || (!here.state.active() && !here.callPending && !here.creating)) {
      word(o.guest(), o.epoch(), Optional.empty(), done);
      return;
    }
    if (!here.executes() || work.hurried() || clock.nanos() >= deadline) {
      destroy(o.guest(), o.epoch(), done);
      return;
    }
    if (here.state == DomainState.RUNNING && here.leaving == null && clock.happens(0.8)) {
      here.state = DomainState.SHUTTING_DOWN;
      clock.afterMillis(
          clock.between(200, 3_000),
          () -> {
            if (here.state == DomainState.SHUTTING_DOWN && host.boots == boot) {
              host.ends(o.guest(), DomainState.OFF_SHUTDOWN);
            }
          });
    }
    later(200, () -> stop(o, work, done, deadline));
  }

  private void destroy(GuestId guest, Epoch epoch, Consumer<Answer> done) {
    withLibvirt(
        done,
        () -> {
          var here = host.domains.get(guest);
          if (here != null && here.state.active()) {
            if (host.destroysHang && here.state != DomainState.INCOMING) {
              later(
                  clock.between(500, 5_000),
                  () -> done.accept(new Answer.StillThere(host.said(guest, here))));
              return;
            }
            if (here.state == DomainState.INCOMING) {
              host.domains.remove(guest);
            } else {
              host.ends(guest, DomainState.OFF_DESTROYED);
            }
            host.changed();
          }
          later(clock.between(20, 200), () -> word(guest, epoch, Optional.empty(), done));
        });
  }

  private void confirmGone(Order.ConfirmGone o, Consumer<Answer> done) throws IOException {
    if (!host.libvirtUp) {
      if (o.destroy()) {
        host.book.refuse(o.guest(), o.refuse());
      }
      done.accept(new Answer.Unknown("libvirt is away"));
      return;
    }
    var here = host.domains.get(o.guest());
    if (here == null || !here.state.active()) {
      word(o.guest(), o.refuse(), Optional.empty(), done);
    } else if (!o.destroy() || here.epoch.compareTo(o.refuse()) > 0) {
      done.accept(new Answer.StillThere(host.said(o.guest(), here)));
    } else {
      host.book.refuse(o.guest(), o.refuse());
      destroy(o.guest(), o.refuse(), done);
    }
  }

  /** Refuses the epoch from now on, and then asks libvirt whether the guest is gone. */
  private void word(GuestId guest, Epoch epoch, Optional<String> failure, Consumer<Answer> done) {
    noting(
        done,
        () -> {
          host.book.refuse(guest, epoch);
          confirmed(guest, epoch, failure, done);
        });
  }

  private void confirmed(
      GuestId guest, Epoch epoch, Optional<String> failure, Consumer<Answer> done) {
    later(
        clock.between(1, 10),
        () -> {
          var here = host.domains.get(guest);
          if (!host.libvirtUp) {
            done.accept(new Answer.Unknown("libvirt is away"));
          } else if (here != null && (here.state.active() || here.job())) {
            done.accept(new Answer.StillThere(host.said(guest, here)));
          } else {
            gone(guest, epoch);
            done.accept(new Answer.Gone(here == null ? "not defined" : "shut off", failure));
          }
        });
  }

  private void gone(GuestId guest, Epoch epoch) {
    try {
      host.book.gone(guest, epoch);
    } catch (IOException e) {
      world.log("truth", "host %s cannot note that guest %s is gone".formatted(host.id, guest));
    }
  }

  private void migrate(Order.MigrateOut o, Lanes.Work work, Consumer<Answer> done)
      throws IOException {
    if (work.aborted()) {
      done.accept(new Answer.Failed("aborted before it began"));
      return;
    }
    if (!host.libvirtUp) {
      done.accept(new Answer.Unknown("libvirt is away"));
      return;
    }
    var here = host.domains.get(o.guest());
    if (here == null || (!here.state.active() && !here.callPending && !here.creating)) {
      word(o.guest(), o.epoch(), Optional.empty(), done);
      return;
    }
    if (here.job()) {
      later(200, () -> noting(done, () -> migrate(o, work, done)));
      return;
    }
    if (!host.book.begin(o.guest(), o.targetEpoch())) {
      done.accept(
          here.state == DomainState.RUNNING
              ? new Answer.Failed(
                  "its migration was begun before or called off, and it is still here")
              : new Answer.StillThere(host.said(o.guest(), here)));
      return;
    }
    if (!here.executes()) {
      done.accept(new Answer.Failed("it is " + here.state + ", not running"));
      return;
    }
    var migration = new Migration(world, o.guest(), host, world.host(o.target()), o.targetEpoch());
    here.leaving = migration;
    migration.begin(
        end ->
            now(
                () -> {
                  switch (end) {
                    case LEFT -> left(o, done);
                    case UNKNOWN -> done.accept(new Answer.Unknown("libvirt went away"));
                    case FAILED -> {
                      var after = host.domains.get(o.guest());
                      if (after == null || !after.state.active()) {
                        word(o.guest(), o.epoch(), Optional.empty(), done);
                      } else if (after.state == DomainState.RUNNING) {
                        done.accept(new Answer.Failed("the migration failed"));
                      } else {
                        done.accept(new Answer.StillThere(host.said(o.guest(), after)));
                      }
                    }
                  }
                }));
  }

  private void left(Order.MigrateOut o, Consumer<Answer> done) {
    try {
      host.book.refuse(o.guest(), o.epoch(), o.targetEpoch());
    } catch (IOException e) {
      done.accept(new Answer.Unknown("it left, but this cannot be remembered on disk"));
      return;
    }
    var here = host.domains.get(o.guest());
    if (!host.libvirtUp) {
      done.accept(new Answer.Unknown("libvirt is away"));
    } else if (here != null && here.state.active()) {
      done.accept(new Answer.StillThere(host.said(o.guest(), here)));
    } else {
      done.accept(
          new Answer.Migrated(
              Duration.ofSeconds(1), Optional.of(Duration.ofMillis(10)), "shut off"));
    }
  }

  private void forget(Order.ForgetGuest o, Consumer<Answer> done) throws IOException {
    started.remove(o.guest());
    var here = host.domains.get(o.guest());
    if (!host.libvirtUp) {
      done.accept(new Answer.Unknown("libvirt is away"));
    } else if (here != null && here.state.active()) {
      done.accept(new Answer.Failed("it is " + here.state));
    } else {
      host.domains.remove(o.guest());
      host.book.forget(o.guest());
      done.accept(new Answer.Done("forgotten"));
    }
  }
}
