package dev.haven.simulator;

import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.core.lead.Inquiry;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;

/** What kernels and power devices answer to the questions of one voter. */
final class SimQuestions {
  private static final Duration OUTLOOK_POWER = Duration.ofMillis(2_500);
  private static final long ECHO_NANOS = Inquiry.ECHO_WITHIN.toNanos();
  private static final long ROUND_NANOS = 500_000_000L;
  private static final long TOLD_NANOS = 1_000_000_000L;
  private static final long CHECK_NANOS = 60_000_000_000L;

  /** Kernels that answer are asked so fast that several are asked within a step of time. */
  private static final int ASKED_IN_A_STEP = 5;

  private final SimVoter voter;
  private final World world;
  private final List<Open> open = new ArrayList<>();
  private long nextRound;
  private long nextTold;
  private final Map<HostId, Due> checks = new TreeMap<>();

  /** When a host's devices are to be checked again, unless it boots before. */
  private record Due(long at, Optional<BootId> boot) {}

  /** What is being asked about one silent host. */
  private static final class Open {
    final Inquiry inquiry;

    /** When the question is, or was, sent to which there is no answer yet. */
    long echoAsked;

    boolean echoSent;

    /** Whether an answer is on its way; it waits for a voter that stands still. */
    boolean echoComes;

    Open(Inquiry inquiry, long now) {
      this.inquiry = inquiry;
      this.echoAsked = now;
    }
  }

  SimQuestions(SimVoter voter) {
    this.voter = voter;
    this.world = voter.world;
  }

  /** Looks who is silent, and asks whom it takes to know more. */
  List<Event> look(long now) {
    var found = voter.watch.look(world.calm.watched(voter.state), now, voter.instant());
    for (var inquiry : found.begun()) {
      var asking = new Open(inquiry, now);
      open.add(asking);
      echo(asking, now);
    }
    for (var inquiry : found.devices()) {
      voter.time.threads().name("power-" + inquiry.host().id()).start(() -> read(inquiry));
    }
    return found.events();
  }

  /** On the leader: each minute, and soon after a boot, what the devices of the hosts say. */
  private void checkDevices(long now) {
    for (var host : world.calm.watched(voter.state)) {
      var id = host.id();
      var ago = voter.watch.lastHeard(id, now);
      boolean heard = host.online() && ago.filter(a -> a.toMillis() < 600).isPresent();
      var due = checks.get(id);
      if (heard && (due == null || now >= due.at() || !due.boot().equals(host.boot()))) {
        checks.put(id, new Due(now + CHECK_NANOS, host.boot()));
        var devices = host.spec().fencing().stream().flatMap(List::stream).toList();
        for (var device : devices) {
          var off = world.host(id).device(SimVoter.supply(device.name())).says();
          voter.watch.checked(
              new Event.DeviceChecked(
                  id,
                  device.name(),
                  "",
                  off.isEmpty(),
                  false,
                  off.orElse(false),
                  true,
                  voter.instant()),
              now);
        }
      }
    }
  }

  /** To be called in each step of time in which the voter runs, before it looks at the silences. */
  void step(long now) {
    open.removeIf(o -> o.inquiry.over());
    for (var asking : open) {
      echo(asking, now);
    }
    if (now >= nextRound) {
      round(now);
    }
    if (voter.leading != null) {
      checkDevices(now);
    } else {
      look(now);
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

  /** Asks the host's devices, as they ship, until the inquiry is over. */
  private void read(Inquiry inquiry) {
    var host = inquiry.host();
    try {
      while (!inquiry.over() && voter.questions == this) {
        world.deviceReadings++;
        var look = voter.looks.look(host.id(), host.spec(), Inquiry.READING_WITHIN);
        voter.time.sleep(
            inquiry.power(voter.time.nanos(), look.says(), words(look.says()), look.level()));
      }
    } catch (InterruptedException e) {
      // nobody asks any more
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
    for (var part : voter.watch.devices(now)) {
      for (var other : world.voters) {
        if (other != voter && voter.reaches(other)) {
          other.watch.devicesSaid(part, now);
        }
      }
    }
  }

  /** What is found by somebody who waits for the answers. */
  void outlook(Host host, Consumer<Event.Outlook> then) {
    var id = host.id();
    long began = voter.nanos();
    var echo = answers(id) ? Event.Echo.ANSWERS : Event.Echo.SILENT;
    voter
        .time
        .threads()
        .name("outlook-" + id)
        .start(
            () -> {
              try {
                var says = voter.looks.look(id, host.spec(), OUTLOOK_POWER).says();
                if (voter.questions == this) {
                  then.accept(voter.watch.outlook(id, echo, says, began, voter.nanos()));
                }
              } catch (InterruptedException e) {
                // nobody waits any more
              }
            });
  }

  private boolean answers(HostId id) {
    return world.host(id).machine.reaches(voter.machine)
        && (world.noise == null || world.noise.echoes());
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
