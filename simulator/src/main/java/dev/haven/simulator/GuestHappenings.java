package dev.haven.simulator;

import dev.haven.model.DomainState;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;

/** What happens inside guests. */
final class GuestHappenings {
  private final World world;

  GuestHappenings(World world) {
    this.world = world;
  }

  /** The guest ends or is paused by itself. */
  void guestBecomes(String guest, DomainState state) {
    for (var host : world.hosts.values()) {
      var domain = host.domains.get(new GuestId(guest));
      if (domain != null && domain.state == DomainState.RUNNING && domain.leaving == null) {
        world.log("happens", "guest %s on host %s: %s".formatted(guest, host.id, state));
        world.judge.mayStop(new GuestId(guest));
        host.ends(new GuestId(guest), state);
      }
    }
  }

  /** The guest does nothing useful any more; it may well go on writing. */
  void guestHangs(String guest) {
    for (var host : world.hosts.values()) {
      var domain = host.domains.get(new GuestId(guest));
      if (domain != null && domain.state == DomainState.RUNNING && domain.leaving == null) {
        world.log("happens", "guest %s on host %s hangs".formatted(guest, host.id));
        host.hangs(new GuestId(guest));
      }
    }
  }

  /** A disk of this guest is written through the page cache: a pause of it proves nothing. */
  void pageCache(String guest) {
    world.cached.add(new GuestId(guest));
  }

  /**
   * libvirt says that a guest is off there, and its process runs on; or somebody ends that process.
   */
  void qemuLost(String guest, String on, boolean lost) {
    var id = new GuestId(guest);
    var host = world.host(new HostId(on));
    var domain = host.domains.get(id);
    boolean runs = domain != null && domain.state == DomainState.RUNNING && domain.leaving == null;
    if (lost ? runs : host.strays.contains(id)) {
      world.log(
          "happens",
          "the process of guest %s on host %s %s"
              .formatted(guest, on, lost ? "is lost to libvirt and runs on" : "is ended"));
      host.loses(id, lost);
    }
  }
}
