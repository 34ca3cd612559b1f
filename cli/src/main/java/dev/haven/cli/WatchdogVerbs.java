package dev.haven.cli;

import dev.haven.model.HostId;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code haven watchdog …}: whether a host's own watchdog can be relied on. */
final class WatchdogVerbs {
  private WatchdogVerbs() {}

  @Command(
      name = "test",
      description =
          "Lets the watchdog of an empty, cordoned host reset it, so that it is seen to do so.",
      footer = {
        "Once it was seen, the host pauses its guests when its leases end, and where nobody can"
            + " reach it they start elsewhere when its bound is over (haven host show).",
        "Example:",
        "  haven evacuate b --wait && haven watchdog test b && haven uncordon b"
      })
  static final class Test extends Verb.Changing {
    @Parameters(paramLabel = "HOST", description = "The host; it is reset.")
    String host = "";

    Test(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new dev.haven.model.api.Command.TestWatchdog(new HostId(host)));
    }
  }

  @Command(
      name = "trust",
      description = "Relies on the kernel's own timer (softdog) as this host's watchdog.",
      footer =
          "A kernel that hangs altogether may not obey it; a hardware watchdog needs no such word.")
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
      description = "Does not rely on the kernel's own timer as this host's watchdog any more.")
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
