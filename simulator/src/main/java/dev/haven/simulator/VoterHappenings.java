package dev.haven.simulator;

import java.time.Duration;

/** What happens to voters, their clocks and their disks. */
final class VoterHappenings {
  private final World world;

  VoterHappenings(World world) {
    this.world = world;
  }

  void voterDies(String voter, Duration backAfter) {
    world.log("happens", "the voter on " + voter + " dies");
    world.voters.stream()
        .filter(v -> v.name().equals(voter))
        .forEach(v -> v.restartAfter((double) backAfter.toMillis()));
  }

  /** All at once. */
  void votersDie(Duration backAfter) {
    world.log("happens", "all voters die");
    world.voters.forEach(v -> v.restartAfter((double) backAfter.toMillis()));
  }

  void voterStops(String name, boolean stops) {
    for (var voter : world.voters) {
      if (voter.name().equals(name) && voter.stopped != stops) {
        world.log("happens", "the voter on " + name + (stops ? " is stopped" : " goes on"));
        if (stops) {
          voter.stopped = true;
        } else {
          voter.goesOn();
        }
      }
    }
  }

  /**
   * The machine of a voter is suspended to memory, or goes on: its clock stands still meanwhile.
   */
  void voterSleeps(String name, boolean sleeps) {
    for (var voter : world.voters) {
      if (voter.name().equals(name) && voter.up && voter.stopped != sleeps) {
        world.log("happens", "the voter on " + name + (sleeps ? " is suspended" : " wakes"));
        if (sleeps) {
          voter.sleeps();
        } else {
          voter.goesOn();
        }
      }
    }
  }

  /** The wall clock of a voter is that much ahead from now on. */
  void clockJumps(String name, Duration ahead) {
    for (var voter : world.voters) {
      if (voter.name().equals(name)) {
        world.log("happens", "the clock of %s is %d s ahead".formatted(name, ahead.toSeconds()));
        voter.skew = ahead;
      }
    }
  }

  /** Of all voters: who leads goes on leading and granting leases, and commits nothing. */
  void disksFull(boolean full) {
    world.log("happens", full ? "the disks of all voters are full" : "the voters' disks have room");
    world.disksFull = full;
  }

  /** Another election, though the leader may be well. */
  void elect() {
    world.elect();
  }
}
