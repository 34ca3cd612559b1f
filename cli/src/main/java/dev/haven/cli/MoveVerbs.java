package dev.haven.cli;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Moving guests, and keeping them off a host. */
final class MoveVerbs {
  private MoveVerbs() {}

  /** One guest, to a host that is named or chosen. */
  abstract static class Moving extends Verb.Operating {
    @Parameters(paramLabel = "GUEST", description = "The guest.")
    String guest = "";

    @Option(
        names = "--to",
        paramLabel = "HOST",
        description = "The host to move it to. Default: the best; haven explain shows which.")
    @Nullable String to;

    @Option(
        names = "--with-group",
        description = "Move the guests of its group too, which must stay together with it.")
    boolean withGroup;

    Moving(Haven haven) {
      super(haven);
    }

    final GuestId guest() {
      return new GuestId(guest);
    }

    final Optional<HostId> to() {
      return Optional.ofNullable(to).map(HostId::new);
    }
  }

  @Command(
      name = "migrate",
      description = "Moves a guest to another host while it runs.",
      footer = {
        "Examples:",
        "  haven migrate web                 to the host that suits it best",
        "  haven migrate web --to b --dry-run",
        "  haven migrate web --with-group    and all that must stay together with it"
      })
  static final class Migrate extends Moving {
    Migrate(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new dev.haven.model.api.Command.Migrate(guest(), to(), withGroup));
    }
  }

  @Command(
      name = "relocate",
      description = {
        "Stops a guest and starts it on another host, for guests that cannot be migrated.",
        "If that host can no longer take it once it is off, it starts where it fits."
      },
      footer = {
        "Examples:",
        "  haven relocate web                to the host that suits it best",
        "  haven relocate web --to b --dry-run"
      })
  static final class Relocate extends Moving {
    @Option(
        names = "--grace",
        paramLabel = "TIME",
        description =
            "How long it may take to shut down before its power is cut; 0s or more. Default: 60s.")
    Duration grace = Duration.ofSeconds(60);

    Relocate(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new dev.haven.model.api.Command.Relocate(guest(), to(), grace, withGroup));
    }
  }

  @Command(
      name = "evacuate",
      description = {
        "Cordons a host, and moves all its guests off while they run.",
        "Bring it back into use with: haven uncordon HOST"
      },
      footer = {
        "Examples:",
        "  haven evacuate a --dry-run        which guest would go where",
        "  haven evacuate a && ssh a reboot"
      })
  static final class Evacuate extends Verb.Operating {
    @Parameters(paramLabel = "HOST", description = "The host.")
    String host = "";

    Evacuate(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new dev.haven.model.api.Command.Evacuate(new HostId(host)));
    }
  }

  @Command(
      name = "cordon",
      description = "Lets no new guest onto a host. Those that run there stay.",
      footer = {"Example:", "  haven cordon a"})
  static final class Cordon extends Verb.Changing {
    @Parameters(paramLabel = "HOST", description = "The host.")
    String host = "";

    Cordon(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new dev.haven.model.api.Command.Cordon(new HostId(host)));
    }
  }

  @Command(
      name = "uncordon",
      description =
          "Lets guests onto a host again. Those that left do not come back by themselves.",
      footer = {"Example:", "  haven uncordon a"})
  static final class Uncordon extends Verb.Changing {
    @Parameters(paramLabel = "HOST", description = "The host.")
    String host = "";

    Uncordon(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new dev.haven.model.api.Command.Uncordon(new HostId(host)));
    }
  }
}
