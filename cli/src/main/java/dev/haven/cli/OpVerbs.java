package dev.haven.cli;

import dev.haven.model.OperationId;
import dev.haven.model.api.Command.CancelOperation;
import dev.haven.model.api.Views;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Operations: what takes time. */
final class OpVerbs {
  private OpVerbs() {}

  @Command(
      name = "list",
      description = "Lists the operations that are under way, and those that ended recently.")
  static final class ListAll extends Verb {
    ListAll(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var answer = haven.cluster().get("/v1/operations");
      if (!haven.forPeople()) {
        haven.printData(answer.body());
        return Exit.OK;
      }
      var operations = List.of(answer.as(Views.Operation[].class));
      if (operations.isEmpty()) {
        haven.print("No operations.");
      } else {
        haven.print(dev.haven.cli.Show.operations(operations, Instant.now()));
      }
      return Exit.OK;
    }
  }

  @Command(
      name = "show",
      description = "Shows one operation, and how far it is.",
      footer = {"Example:", "  haven op show op-17"})
  static final class Show extends Verb {
    @Parameters(paramLabel = "OPERATION", description = "The operation, such as op-17.")
    String operation = "";

    Show(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var id = new OperationId(operation);
      var answer = haven.cluster().get("/v1/operations/" + id);
      if (!haven.forPeople()) {
        haven.printData(answer.body());
        return Exit.OK;
      }
      var shown = answer.as(Views.Operation.class);
      var now = Instant.now();
      haven.print(
          haven.paint().of("bold", shown.id() + " " + shown.kind() + " " + shown.subject())
              + ": "
              + shown.state());
      haven.print("by %s, began %s".formatted(shown.by(), Units.ago(shown.began(), now)));
      if (shown.over()) {
        haven.print(
            "took " + Units.duration(Duration.between(shown.began(), shown.ended().orElse(now))));
        if (!shown.detail().isEmpty()) {
          haven.print(shown.detail());
        }
      } else {
        haven.print(OperationWatch.line(shown, now));
      }
      return Exit.OK;
    }
  }

  @Command(
      name = "wait",
      description = "Waits until an operation is over; exit 1 if it failed or was cancelled.",
      footer = {"Example:", "  haven op wait op-17 --within 5m"})
  static final class Wait extends Verb {
    @Parameters(paramLabel = "OPERATION", description = "The operation, such as op-17.")
    String operation = "";

    @Option(
        names = "--within",
        paramLabel = "TIME",
        description =
            "Wait at most so long, such as 5m; then exit 6, and the operation goes on. Default: no"
                + " limit.")
    @Nullable Duration within;

    Wait(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var id = new OperationId(operation);
      try (var interrupted = new OnInterrupt(haven, OperationWatch.goesOn(id))) {
        return new OperationWatch(haven, interrupted).untilOver(id, Optional.ofNullable(within));
      }
    }
  }

  @Command(
      name = "cancel",
      description = "Cancels an operation where that is safe; what is done stays done.",
      footer = {"Example:", "  haven op cancel op-17"})
  static final class Cancel extends Verb.Changing {
    @Parameters(paramLabel = "OPERATION", description = "The operation, such as op-17.")
    String operation = "";

    Cancel(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new CancelOperation(new OperationId(operation)));
    }
  }
}
