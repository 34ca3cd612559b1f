package dev.haven.cli;

import dev.haven.model.HostId;
import dev.haven.model.api.Views;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/** How things look in a table. */
final class Show {
  private Show() {}

  static Table.Cell state(Object of) {
    var state = of.toString();
    var style =
        switch (state) {
          case "online", "running", "done" -> "green";
          case "stopped", "cancelled", "" -> "";
          case "failed", "fenced", "fencing", "lost", "unreachable" -> "red";
          default -> "yellow";
        };
    return new Table.Cell(state, style);
  }

  static Table voters(List<Views.Voter> voters) {
    var table =
        new Table().column("VOTER").column("RAFT").column("API").column("STATE").column("DETAIL");
    for (var voter : voters) {
      var state =
          !voter.reachable()
              ? new Table.Cell("unreachable", "red")
              : voter.leader()
                  ? new Table.Cell("leader", "green")
                  : voter.lag() > 0
                      ? new Table.Cell(voter.lag() + " behind", "yellow")
                      : new Table.Cell("follows", "green");
      table.row(voter.name(), voter.address(), voter.api().orElse("-"), state, voter.detail());
    }
    return table;
  }

  static Table hosts(List<Views.Host> hosts) {
    var table =
        new Table()
            .column("HOST")
            .column("STATE")
            .column("HEARD")
            .number("MEMORY")
            .number("USED")
            .number("VCPUS")
            .number("GUESTS")
            .column("FENCING");
    for (var host : hosts) {
      var capacity = host.capacity();
      table.row(
          host.id(),
          host.cordoned()
              ? new Table.Cell(host.state() + ", cordoned", "yellow")
              : state(host.state()),
          host.lastHeard().map(Units::ago).orElse("never"),
          capacity.memoryMib() == 0 ? "?" : Units.mib(capacity.memoryMib()),
          capacity.memoryMib() == 0
              ? Units.mib(host.memoryUsedMib())
              : Units.percent(host.memoryUsedMib(), capacity.memoryMib()),
          host.vcpusUsed() + " on " + (capacity.cpus() == 0 ? "?" : capacity.cpus()),
          host.guests(),
          host.device());
    }
    return table;
  }

  static Table devices(List<Views.Device> devices) {
    var table =
        new Table()
            .column("DEVICE")
            .column("KIND")
            .column("STATE")
            .column("CHECKED")
            .column("BEHAVIOUR")
            .column("DETAIL");
    for (var device : devices) {
      table.row(
          device.device().name(),
          device.device().kind(),
          device.state(),
          device.checkedAgo().map(Units::ago).orElse("never"),
          device.behaviour().isEmpty() ? "-" : device.behaviour(),
          device.detail());
    }
    return table;
  }

  static Table guests(List<Views.Guest> guests) {
    var table =
        new Table()
            .column("GUEST")
            .column("STATE")
            .column("HOST")
            .number("MEMORY")
            .number("VCPUS")
            .number("PRIORITY")
            .column("DETAIL");
    for (var guest : guests) {
      var host = guest.host().map(HostId::value).orElse("-");
      table.row(
          guest.id(),
          state(guest.state()),
          guest.movingTo().map(to -> host + " → " + to).orElse(host),
          Units.mib(guest.memoryMib()),
          guest.vcpus(),
          guest.priority(),
          guest.detail());
    }
    return table;
  }

  static Table operations(List<Views.Operation> operations, Instant now) {
    var table =
        new Table()
            .column("OPERATION")
            .column("KIND")
            .column("SUBJECT")
            .column("STATE")
            .number("DONE")
            .column("BEGAN")
            .column("TOOK")
            .column("BY")
            .column("DETAIL");
    for (var operation : operations) {
      table.row(
          operation.id(),
          operation.kind(),
          operation.subject(),
          state(operation.state()),
          progress(operation),
          Units.ago(operation.began(), now),
          Units.duration(Duration.between(operation.began(), operation.ended().orElse(now))),
          operation.by(),
          operation.detail());
    }
    return table;
  }

  private static String progress(Views.Operation operation) {
    if (operation.bytesTotal() > 0) {
      return Units.percent(operation.bytesDone(), operation.bytesTotal());
    }
    return operation.total() > 0 ? operation.done() + "/" + operation.total() : "-";
  }
}
