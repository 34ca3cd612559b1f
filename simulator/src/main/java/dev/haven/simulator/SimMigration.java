package dev.haven.simulator;

import dev.haven.agent.guest.DomainEvent;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * A live migration as libvirt does it, peer to peer, arriving paused: it goes on when the agent
 * that asked for it is gone, and it can break at every step.
 */
final class SimMigration {
  /** How it ended, as the source's libvirt says. */
  enum End {
    LEFT,
    FAILED,
    UNKNOWN
  }

  private enum Phase {
    PREPARING,
    COPYING,
    /** Paused on both sides; the source waits for the target's word. */
    FINISHING,
    OVER
  }

  private final World world;
  private final GuestId guest;
  private final SimHost source;
  private final SimHost target;
  private final int sourceBoots;
  private final int targetBoots;
  private final Epoch targetEpoch;
  private final List<Consumer<End>> waiting = new ArrayList<>();
  private Phase phase = Phase.PREPARING;

  SimMigration(World world, GuestId guest, SimHost source, SimHost target, Epoch targetEpoch) {
    this.world = world;
    this.guest = guest;
    this.source = source;
    this.target = target;
    this.sourceBoots = source.boots;
    this.targetBoots = target.boots;
    this.targetEpoch = targetEpoch;
  }

  void begin(Consumer<End> end) {
    waiting.add(end);
    var clock = world.clock;
    clock.afterMillis(clock.between(5, 60), this::prepare);
  }

  private boolean connected() {
    return source.boots == sourceBoots
        && target.boots == targetBoots
        && source.machine.reaches(target.machine)
        && source.libvirtUp
        && target.libvirtUp;
  }

  private boolean here() {
    var domain = source.domains.get(guest);
    return source.boots == sourceBoots
        && source.machine.power
        && domain != null
        && domain.leaving == this;
  }

  private void prepare() {
    if (phase != Phase.PREPARING) {
      return;
    }
    var there = target.domains.get(guest);
    if (!here() || !connected() || (there != null && there.state.active())) {
      fail();
      return;
    }
    var arriving = new SimDomain(targetEpoch, DomainState.INCOMING);
    arriving.neverRan = true;
    target.domains.put(guest, arriving);
    world.moment(Moment.MIGRATION_ARRIVES, target.id.value());
    phase = Phase.COPYING;
    copy(world.clock.nanos() + (long) (world.clock.between(100, 4_000) * 1e6));
  }

  private void copy(long until) {
    world.clock.afterMillis(
        50,
        () -> {
          if (phase != Phase.COPYING) {
            return;
          }
          var there = target.domains.get(guest);
          if (!here() || !connected() || there == null || there.state != DomainState.INCOMING) {
            breaks(Phase.COPYING);
          } else if (world.clock.nanos() >= until) {
            if (world.failsToMigrate(guest)) {
              fail();
            } else {
              switchOver(there);
            }
          } else {
            copy(until);
          }
        });
  }

  private void switchOver(SimDomain there) {
    phase = Phase.FINISHING;
    var here = source.domains.get(guest);
    if (here != null) {
      here.state = DomainState.PAUSED;
      here.pausedByMigration = true;
    }
    there.state = DomainState.PAUSED;
    world.moment(Moment.MIGRATION_SWITCHES, source.id.value());
    world.clock.afterMillis(world.clock.between(1, 80), this::confirm);
  }

  private void confirm() {
    if (phase != Phase.FINISHING) {
      return;
    }
    var there = target.domains.get(guest);
    if (here() && connected() && there != null && there.state == DomainState.PAUSED) {
      phase = Phase.OVER;
      var here = source.domains.get(guest);
      if (here != null) {
        here.leaving = null;
        here.state = DomainState.OFF_MIGRATED;
      }
      source.tells(
          new DomainEvent.JobCompleted(
              world.clock.instant(),
              guest.value(),
              true,
              Duration.ofSeconds(1),
              Duration.ofMillis(10),
              1 << 20));
      source.changed();
      target.changed();
      end(End.LEFT);
    } else {
      breaks(Phase.FINISHING);
    }
  }

  /** Libvirt may notice at once that the other side is gone, or when its keepalive has given up. */
  private void breaks(Phase in) {
    if (here() && source.libvirtUp && world.sometimes(world.chaos.keepalive())) {
      world.clock.afterMillis(
          world.clock.between(1_000, 60_000),
          () -> {
            if (phase == in) {
              fail();
            }
          });
    } else {
      fail();
    }
  }

  /** Somebody asked for its end, or destroyed one of its sides. */
  void cancel() {
    if (phase == Phase.PREPARING || phase == Phase.COPYING) {
      fail();
    }
  }

  private void fail() {
    boolean finishing = phase == Phase.FINISHING;
    phase = Phase.OVER;
    settleTarget(finishing);
    settleSource(finishing);
  }

  private void settleTarget(boolean complete) {
    var there = target.domains.get(guest);
    if (target.boots != targetBoots || there == null || !there.epoch.equals(targetEpoch)) {
      return;
    }
    // what arrived in part is killed by its libvirt, unless that is away; what is complete may stay
    if (target.libvirtUp && world.clock.happens(complete ? 0.5 : 0.8)) {
      target.domains.remove(guest);
    } else if (!complete && world.clock.happens(0.5)) {
      there.state = DomainState.PAUSED;
    }
    target.changed();
  }

  private void settleSource(boolean finishing) {
    if (!here()) {
      end(End.UNKNOWN);
      return;
    }
    if (source.libvirtUp) {
      goOn();
      end(End.FAILED);
      return;
    }
    end(End.UNKNOWN);
    source.whenLibvirtIsBack(
        () -> {
          if (!here()) {
            return;
          }
          // libvirt's own recovery may leave it paused: it does not know what became of the target
          if (finishing && world.clock.happens(0.4)) {
            var domain = source.domains.get(guest);
            if (domain != null) {
              domain.leaving = null;
            }
            source.changed();
          } else {
            goOn();
          }
        });
  }

  private void goOn() {
    var here = source.domains.get(guest);
    if (here == null) {
      return;
    }
    here.leaving = null;
    if (here.state == DomainState.PAUSED) {
      here.state = DomainState.RUNNING;
      here.pausedByMigration = false;
      world.executes(source, guest, here, "its migration failed");
    }
    source.changed();
  }

  private void end(End how) {
    // after libvirt has tidied up
    waiting.forEach(w -> world.clock.after(Duration.ofMillis(5), () -> w.accept(how)));
    waiting.clear();
  }
}
