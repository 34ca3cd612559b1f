package dev.haven.core.lead;

import dev.haven.core.ha.Action;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Proof;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;

/**
 * What the leader is told once an attempt to cut a host's power has ended: how it ended, and any
 * sign of life of the host since the evidence began.
 */
public final class FenceVerdict {
  private final Watch watch;
  private final Action.FenceHost fence;

  public FenceVerdict(Watch watch, Action.FenceHost fence) {
    this.watch = watch;
    this.fence = fence;
  }

  /** How long the verdict is put off, see {@link LifeShows}. */
  public Duration wait(Cut cut, long now) {
    return cut instanceof Cut.Off off
        ? LifeShows.wait(
            since -> watch.signOfLifeSince(fence.host(), since, now).isPresent(), off.began(), now)
        : Duration.ZERO;
  }

  /**
   * The event for the leader. From now on this voter can say since when the proof holds.
   *
   * @param begun when the devices were first asked, for the flight record
   * @param at of the proof and of the event
   */
  public Event of(Cut cut, Instant begun, long now, Instant at) {
    return switch (cut) {
      case Cut.Off off -> {
        watch.proofTimes().gathered(fence.host(), fence.boot(), at, off.began());
        yield new Event.FencingConfirmed(
            fence.host(),
            fence.boot(),
            fence.attempt(),
            new Proof.PowerReadOff(fence.host(), fence.boot(), off.readings(), at),
            off.unidentified(),
            signOfLife(off.began(), now),
            times(off.times(), begun, now, at),
            at);
      }
      case Cut.Poisoned poisoned -> {
        watch.proofTimes().gathered(fence.host(), fence.boot(), at, poisoned.over());
        yield new Event.HostPoisoned(
            fence.host(),
            fence.boot(),
            fence.attempt(),
            poisoned.pill(),
            signOfLife(poisoned.over(), now),
            times(poisoned.times(), begun, now, at),
            at);
      }
      case Cut.Failed failed -> failed(failed.reason(), failed.saidOff(), now, at);
    };
  }

  /** The attempt ended by a fault of ours. */
  public Event fault(RuntimeException fault, long now, Instant at) {
    return failed("fencing failed by a fault of ours: " + fault, OptionalInt.empty(), now, at);
  }

  private Event failed(String reason, OptionalInt saidOff, long now, Instant at) {
    return new Event.FencingFailed(
        fence.host(), fence.boot(), fence.attempt(), reason, saidOff, watch.quorum(now), at);
  }

  private String signOfLife(long since, long now) {
    return watch.signOfLifeSince(fence.host(), since, now).orElse("");
  }

  private TreeMap<String, Instant> times(
      Map<String, Instant> ofTheCut, Instant begun, long now, Instant at) {
    var times = new TreeMap<>(ofTheCut);
    times.put("fence-begun", begun);
    watch.lastHeard(fence.host(), now).ifPresent(ago -> times.put("last-heard", at.minus(ago)));
    return times;
  }
}
