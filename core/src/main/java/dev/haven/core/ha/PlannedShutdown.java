package dev.haven.core.ha;

import dev.haven.model.DomainState;
import dev.haven.model.api.Fact;
import dev.haven.model.wire.GoingDown;
import java.time.Duration;
import java.util.Optional;

/**
 * A host that somebody shuts down or reboots says so. That its agent says it is never a proof: each
 * guest starts elsewhere on the agent's word for that very guest. Only the silence that follows is
 * expected, and only where no guest is left.
 */
final class PlannedShutdown {
  /** A reboot that takes longer is judged like any other silence. */
  static final Duration REBOOT = Duration.ofMinutes(5);

  private PlannedShutdown() {}

  /** What the agent of an online host says about it now. */
  static void said(Deliberation d, Host host, Optional<GoingDown> how) {
    if (host.shutdown().map(Host.Shutdown::how).equals(how)) {
      return;
    }
    var shutdown = how.map(h -> new Host.Shutdown(h, d.at()));
    d.change(new Change.HostGoesDown(host.id(), shutdown));
    d.tell(new Fact.HostGoesDown(host.id(), shutdown.map(Host.Shutdown::fact)));
  }

  /** How a domain's end is judged: while its host goes down it is not its owner's doing. */
  static DomainState judged(Host host, DomainState state) {
    if (host.shutdown().isEmpty()) {
      return state;
    }
    return switch (state) {
      case OFF, OFF_SHUTDOWN, OFF_DESTROYED, OFF_CRASHED -> DomainState.OFF_BY_HOST;
      case RUNNING,
          PAUSED,
          PAUSED_NO_LEASE,
          PAUSED_IO_ERROR,
          PAUSED_NO_SPACE,
          INCOMING,
          SHUTTING_DOWN,
          OFF_BY_HOST,
          OFF_MIGRATED ->
          state;
    };
  }

  /** Whether it goes down as planned and its agent has given its word for each guest. */
  static boolean accountedFor(ClusterState s, Host host) {
    return host.shutdown().isPresent() && s.load(host.id()).guests().isEmpty();
  }

  /** Whether a silence of the host is expected: nobody is fenced for it. */
  static boolean explains(ClusterState s, Host host, Duration silence) {
    return accountedFor(s, host)
        && switch (host.shutdown().orElseThrow().how()) {
          case REBOOT -> silence.compareTo(REBOOT) < 0;
          case POWER_OFF -> true;
        };
  }
}
