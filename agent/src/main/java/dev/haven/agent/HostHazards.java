package dev.haven.agent;

import dev.haven.core.lease.Opened;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Services of this host that could undo its leases: they start guests, or feed its watchdog. */
final class HostHazards {
  static final HostHazards NONE = new HostHazards(Optional.empty(), Optional.empty());

  private final Optional<LibvirtGuests> guests;
  private final Optional<OtherFeeders> feeders;
  private List<String> seen = List.of();

  HostHazards(Optional<LibvirtGuests> guests, Optional<OtherFeeders> feeders) {
    this.guests = guests;
    this.feeders = feeders;
  }

  /**
   * Those of this machine.
   *
   * @param watchdog null if the agent feeds none
   */
  static HostHazards of(@Nullable WatchdogDevice watchdog) {
    return new HostHazards(
        Optional.of(new LibvirtGuests(Path.of("/etc/systemd/system"), Systemd::program)),
        Optional.ofNullable(watchdog)
            .map(w -> new OtherFeeders(Systemd::program, () -> w.opened() == Opened.KEPT)));
  }

  /** What is known of them now, one sentence each. */
  List<String> now() {
    return Stream.concat(
            guests.flatMap(LibvirtGuests::hazard).stream(),
            feeders.flatMap(OtherFeeders::hazard).stream())
        .toList();
  }

  /**
   * Switches off what it can, and looks for the others. May take seconds.
   *
   * @return whether {@link #now} says something else than after the last look
   */
  synchronized boolean look() {
    guests.ifPresent(LibvirtGuests::off);
    feeders.ifPresent(OtherFeeders::look);
    var before = seen;
    seen = now();
    return !seen.equals(before);
  }
}
