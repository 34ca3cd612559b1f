package dev.haven.cli;

import dev.haven.model.api.Command;
import dev.haven.model.api.Mistakes;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import java.util.List;
import java.util.Optional;
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

  /** Shows all of one kind that the cluster's status has. */
  abstract static class Listing<T> extends Verb {
    Listing(Haven haven) {
      super(haven);
    }

    abstract List<T> all(Views.Status status);

    abstract Table table(List<T> all);

    /** What to say where there is none: how to make the first. */
    abstract String none();

    @Override
    final Exit run() {
      var all = all(haven.cluster().get("/v1/status", Views.Status.class));
      if (!haven.forPeople()) {
        haven.printData(all);
      } else if (all.isEmpty()) {
        haven.print(none());
      } else {
        haven.print(table(all));
      }
      return Exit.OK;
    }
  }

  /** A line of what is known of one thing. */
  final void fact(String name, String value) {
    haven.print("%-18s %s".formatted(name, value.isEmpty() ? "-" : value));
  }

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

    /**
     * @throws Stop before anything is sent, if it can be seen here that it is wrong
     */
    Exit change(Command command, boolean wait) {
      var mistakes = Mistakes.of(command);
      if (!mistakes.isEmpty()) {
        throw new Stop(Exit.USAGE, String.join("\n", mistakes));
      }
      if (dryRun) {
        return shown(haven.cluster().command(command, true));
      }
      try (var interrupted = OnInterrupt.whileUnanswered(haven)) {
        var accepted = haven.cluster().command(command, false);
        var operation = accepted.operation();
        operation.ifPresentOrElse(
            id -> interrupted.say(OperationWatch.goesOn(id)), interrupted::sayNothing);
        if (operation.isEmpty() || !wait) {
          return shown(accepted);
        }
        if (haven.forPeople()) {
          printForPeople(accepted);
          haven.around.out().flush(); // not lost where ^C ends the wait
        }
        return new OperationWatch(haven, interrupted).untilOver(operation.get(), Optional.empty());
      }
    }

    private Exit shown(Reply.Accepted accepted) {
      if (!haven.forPeople()) {
        haven.printData(accepted);
        return Exit.OK;
      }
      printForPeople(accepted);
      if (dryRun) {
        haven.print(haven.paint().of("faint", "Dry run: nothing was changed."));
      } else {
        accepted.operation().ifPresent(id -> haven.print("Follow it with: haven op wait " + id));
      }
      haven.around.out().flush();
      return Exit.OK;
    }

    private void printForPeople(Reply.Accepted accepted) {
      haven.print(accepted.message());
      accepted.plan().forEach(step -> haven.print("  " + step));
    }
  }

  /** Begins an operation and, unless told otherwise, sees it through. */
  abstract static class Operating extends Changing {
    @Option(
        names = "--no-wait",
        description = "Begin the operation, print its name (such as op-17) and return.")
    boolean noWait;

    @Option(names = "--wait", description = "Wait until the operation is over. The default.")
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
    return operation.state() != Views.Operation.State.DONE;
  }
}
