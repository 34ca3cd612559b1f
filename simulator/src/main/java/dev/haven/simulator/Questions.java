package dev.haven.simulator;

import dev.haven.core.ha.Event;
import dev.haven.core.lead.Inquiry;
import dev.haven.model.HostId;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/** What kernels and power devices answer to the questions of one voter. */
final class Questions {
  private static final long READING_NANOS = Inquiry.READING_WITHIN.toNanos();
  private static final long ECHO_NANOS = Inquiry.ECHO_WITHIN.toNanos();
  private static final long ROUND_NANOS = 500_000_000L;
  private static final long TOLD_NANOS = 1_000_000_000L;

  /** Kernels that answer are asked so fast that several are asked within a step of time. */
  private static final int ASKED_IN_A_STEP = 5;

  private final SimVoter voter;
  private final World world;
  private final List<Open> open = new ArrayList<>();
  private long nextRound;
  private long nextTold;

  /** What is being asked about one silent host. */
  private static final class Open {
    final Inquiry inquiry;

    /** When the question is, or was, sent to which there is no answer yet. */
    long echoAsked;

    boolean echoSent;

    /** Whether an answer is on its way; it waits for a voter that stands still. */
    boolean echoComes;

    long readingBegan;

    Open(Inquiry inquiry, long now) {
      this.inquiry = inquiry;
      this.echoAsked = now;
      this.readingBegan = now;
    }
  }

  Questions(SimVoter voter) {
    this.voter = voter;
    this.world = voter.world;
  }

  void begin(Inquiry inquiry, long now) {
    var asking = new Open(inquiry, now);
    open.add(asking);
    echo(asking, now);
  }

  /** To be called in each step of time in which the voter runs, before it looks at the silences. */
  void step(long now) {
    open.removeIf(o -> o.inquiry.over());
    for (var asking : open) {
      echo(asking, now);
      read(asking, now);
    }
    if (now >= nextRound) {
      round(now);
    }
    if (now >= nextTold && !world.calm.sparing()) {
      nextTold = now + TOLD_NANOS;
      tell(now);
    }
  }

  private void echo(Open o, long now) {
    if (o.echoSent) {
      if (!o.echoComes && now - o.echoAsked < ECHO_NANOS) {
        return;
      }
      o.inquiry.echo(o.echoAsked, o.echoComes); // its pause is shorter than a step of time
    }
    o.echoSent = true;
    o.echoAsked = now;
    o.echoComes = answers(o.inquiry.host().id());
  }

  private void read(Open o, long now) {
    if (now < o.readingBegan) {
      return;
    }
    var id = o.inquiry.host().id();
    var says = power(id, now - o.readingBegan);
    if (says != Event.Power.UNKNOWN) {
      o.readingBegan = now + o.inquiry.power(now, says, words(says)).toNanos();
    }
  }

  /** On every voter: the kernels of hosts that are heard are asked in turn. */
  private void round(long now) {
    nextRound = now;
    for (int i = 0; i < ASKED_IN_A_STEP; i++) {
      var next = voter.watch.toAsk(world.calm.watched(voter.state), now);
      if (next.isEmpty()) {
        nextRound = now + ROUND_NANOS;
        return;
      }
      var id = next.get().id();
      boolean answers = answers(id);
      var found = voter.watch.echo(id, now, answers, now, voter.instant());
      if (voter.leading != null) {
        found.ifPresent(voter.leading::post);
      }
      if (!answers) {
        nextRound = now + ECHO_NANOS;
        return;
      }
    }
  }

  private void tell(long now) {
    for (var part : voter.watch.echoes(voter.state.hosts(), now)) {
      var seconds = new TreeMap<HostId, Long>();
      part.forEach((host, age) -> seconds.put(new HostId(host), age));
      for (var other : world.voters) {
        if (other != voter && voter.reaches(other)) {
          other.watch.echoed(seconds, now);
        }
      }
    }
  }

  /** What is found by somebody who waits for the answers. */
  Event.Outlook outlook(HostId id) {
    long now = world.clock.nanos();
    var echo = answers(id) ? Event.Echo.ANSWERS : Event.Echo.SILENT;
    return voter.watch.outlook(id, echo, power(id, READING_NANOS), now, now);
  }

  private boolean answers(HostId id) {
    return world.host(id).machine.reaches(voter.machine);
  }

  /**
   * @param after how long after the reading began
   * @return {@code UNKNOWN} if the reading takes longer
   */
  private Event.Power power(HostId id, long after) {
    var host = world.host(id);
    if (!host.hasDevice) {
      return Event.Power.NO_DEVICE;
    }
    boolean hangs = host.device == PowerDevice.HANGS || host.secondDevice == PowerDevice.HANGS;
    if (hangs) {
      return after >= READING_NANOS ? Event.Power.UNREACHABLE : Event.Power.UNKNOWN;
    }
    var truth = host.machine.power ? Event.Power.ON : Event.Power.ALL_OFF;
    return switch (host.device) {
      case HANGS -> Event.Power.UNREACHABLE;
      case LIES -> Event.Power.ALL_OFF;
      case SLOW -> after < 2_000_000_000L ? Event.Power.UNKNOWN : truth;
      case WORKS, REFUSES, ASKS_FIRST, NAMELESS -> truth;
    };
  }

  private static String words(Event.Power power) {
    return switch (power) {
      case ALL_OFF -> "bmc says off";
      case ON -> "bmc says on";
      case UNREACHABLE -> "bmc does not answer";
      case UNKNOWN -> "its power device is being asked";
      case NO_DEVICE -> "it has no power device";
    };
  }
}
