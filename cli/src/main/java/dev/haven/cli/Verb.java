package dev.haven.cli;

import dev.haven.model.api.Command;
import dev.haven.model.api.Views;
import java.util.concurrent.Callable;
import picocli.CommandLine.Option;

/** One thing that a person can ask for. */
abstract class Verb implements Callable<Integer> {
  final Haven haven;

  Verb(Haven haven) {
    this.haven = haven;
  }

  @Override
  public final Integer call() {
    return run().code;
  }

  /**
   * @throws Stop to end it with a message
   */
  abstract Exit run();

  /** Changes something at once. */
  abstract static class Changing extends Verb {
    @Option(names = "--dry-run", description = "Say what would be done, and do nothing.")
    boolean dryRun;

    Changing(Haven haven) {
      super(haven);
    }

    Exit change(Command command) {
      return change(command, false);
    }

    Exit change(Command command, boolean wait) {
      var accepted = haven.cluster().command(command, dryRun);
      if (haven.forPeople()) {
        haven.print(accepted.message());
        accepted.plan().forEach(step -> haven.print("  " + step));
        if (dryRun) {
          haven.print(haven.paint().of("faint", "Dry run: nothing was changed."));
        }
      }
      if (wait && !dryRun && accepted.operation().isPresent()) {
        return new Watch(haven).untilOver(accepted.operation().get());
      }
      if (!haven.forPeople()) {
        haven.printData(accepted);
      } else if (!dryRun) {
        accepted.operation().ifPresent(id -> haven.print("Follow it with: haven op wait " + id));
      }
      return Exit.OK;
    }
  }

  /** Begins an operation and, unless told otherwise, sees it through. */
  abstract static class Operating extends Changing {
    @Option(names = "--no-wait", description = "Begin it, print its name and return.")
    boolean noWait;

    @Option(names = "--wait", description = "Wait until it is over. The default.")
    boolean wait;

    Operating(Haven haven) {
      super(haven);
    }

    @Override
    Exit change(Command command) {
      return change(command, !noWait);
    }
  }

  static boolean failed(Views.Operation operation) {
    return !operation.state().equals("done");
  }
}
