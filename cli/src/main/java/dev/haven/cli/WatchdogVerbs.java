package dev.haven.cli;

import dev.haven.model.HostId;
import dev.haven.model.api.Views;
import java.time.Duration;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code haven watchdog …}: whether a host's own watchdog can be relied on. */
final class WatchdogVerbs {
  /** A host may take minutes for its firmware. */
  private static final Duration BACK = Duration.ofMinutes(15);

  private static final Duration AGAIN = Duration.ofMillis(500);

  private WatchdogVerbs() {}

  @Command(
      name = "test",
      description =
          "Tests the watchdog of an empty, cordoned host: lets it reset the host, and waits until"
              + " the host is back.",
      footer = {
        "After the test the host pauses its guests when its leases end. If nobody can reach it,"
            + " they start elsewhere when its bound is over (haven host show).",
        "Exit 1 if the host is not back, under another boot, within 15 minutes.",
        "Example:",
        "  haven evacuate b --wait && haven watchdog test b && haven uncordon b"
      })
  static final class Test extends Verb.Changing {
    @Parameters(paramLabel = "HOST", description = "The host; it is reset.")
    String host = "";

    @Option(names = "--no-wait", description = "Do not wait for the reset and the boot after it.")
    boolean noWait;

    Test(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var id = new HostId(host);
      var before = dryRun || noWait ? Optional.<String>empty() : seen(id).flatMap(Views.Host::boot);
      var done = change(new dev.haven.model.api.Command.TestWatchdog(id));
      return before.isEmpty() || done != Exit.OK ? done : untilBack(id, before.get());
    }

    private Optional<Views.Host> seen(HostId id) {
      return haven.cluster().get("/v1/status", Views.Status.class).hosts().stream()
          .filter(h -> h.id().equals(id))
          .findFirst();
    }

    private Exit untilBack(HostId id, String before) {
      haven.say(
          "waits until host %s was reset and is back, for %s at most; ^C ends the wait only"
              .formatted(id, Units.duration(BACK)));
      long began = System.nanoTime();
      while (System.nanoTime() - began < BACK.toNanos()) {
        var now = backAs(id, before);
        if (now.isPresent()) {
          var bound = now.get().bound().orElse("not known yet");
          if (haven.forPeople()) {
            haven.print(
                "host %s was reset and is back after %s; its bound: %s"
                    .formatted(
                        id, Units.duration(Duration.ofNanos(System.nanoTime() - began)), bound));
          }
          return Exit.OK;
        }
        pause();
      }
      throw new Stop(
          Exit.FAILED,
          "host %s was not reset, or is not back, after %s: its watchdog cannot be relied on; see: haven host show %s"
              .formatted(id, Units.duration(BACK), id));
    }

    /** Online under another boot. A voter may be away meanwhile: the host may have one. */
    private Optional<Views.Host> backAs(HostId id, String before) {
      try {
        return seen(id)
            .filter(h -> h.state() == Views.Host.State.ONLINE)
            .filter(h -> h.boot().filter(b -> !b.equals(before)).isPresent());
      } catch (Stop e) {
        if (e.exit() == Exit.UNREACHABLE) {
          return Optional.empty();
        }
        throw e;
      }
    }

    private static void pause() {
      try {
        Thread.sleep(AGAIN);
      } catch (InterruptedException e) {
        throw new Stop(Exit.INTERRUPTED, "interrupted");
      }
    }
  }

  @Command(
      name = "trust",
      description = "Lets the kernel's own timer (softdog) count as this host's watchdog.",
      footer = {
        "A kernel that hangs altogether may not obey softdog. A hardware watchdog counts without"
            + " this command.",
        "Example:",
        "  haven watchdog trust b"
      })
  static final class Trust extends Verb.Changing {
    @Parameters(paramLabel = "HOST", description = "The host.")
    String host = "";

    Trust(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new dev.haven.model.api.Command.TrustSoftdog(new HostId(host), true));
    }
  }

  @Command(
      name = "distrust",
      description = "Ends haven watchdog trust: softdog no longer counts as this host's watchdog.",
      footer = {"Example:", "  haven watchdog distrust b"})
  static final class Distrust extends Verb.Changing {
    @Parameters(paramLabel = "HOST", description = "The host.")
    String host = "";

    Distrust(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new dev.haven.model.api.Command.TrustSoftdog(new HostId(host), false));
    }
  }
}
