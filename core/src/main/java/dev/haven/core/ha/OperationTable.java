package dev.haven.core.ha;

import dev.haven.model.GuestId;
import dev.haven.model.OperationId;
import java.util.Collection;
import java.util.Optional;
import org.pcollections.TreePMap;

/** The operations of the hard state: those that run, and the last ones that are over. */
final class OperationTable {
  /** Operations that are over and still shown. */
  static final int KEPT = 200;

  static final OperationTable EMPTY = new OperationTable(TreePMap.empty(), 1);

  private final TreePMap<Long, Operation> operations;
  private final long next;

  private OperationTable(TreePMap<Long, Operation> operations, long next) {
    this.operations = operations;
    this.next = next;
  }

  static OperationTable of(Collection<Operation> all, long next) {
    TreePMap<Long, Operation> operations = TreePMap.empty();
    for (var o : all) {
      operations = operations.plus(number(o.id()), o);
    }
    return new OperationTable(operations, next);
  }

  Collection<Operation> all() {
    return operations.values();
  }

  Optional<Operation> operation(OperationId id) {
    return id.value().startsWith("op-")
        ? parse(id.value().substring(3)).map(operations::get)
        : Optional.empty();
  }

  long nextNumber() {
    return next;
  }

  OperationId nextId() {
    return new OperationId("op-" + next);
  }

  /** The move of a group with one of these guests that has not ended. There is one at a time. */
  Optional<Operation> moving(Collection<GuestId> guests) {
    return operations.values().stream()
        .filter(o -> o.running() && o.movesOneOf(guests))
        .findFirst();
  }

  OperationTable apply(Change.OfOperation change) {
    return switch (change) {
      case Change.OperationBegun c -> begin(c.operation());
      case Change.OperationChanged c -> {
        long number = number(c.operation().id());
        Must.hold(
            operations.containsKey(number), "operation %s does not exist", c.operation().id());
        yield new OperationTable(operations.plus(number, c.operation()), next);
      }
    };
  }

  private OperationTable begin(Operation operation) {
    Must.hold(
        operation.id().equals(nextId()), "operation %s begins, not %s", operation.id(), nextId());
    if (operation.kind() instanceof Operation.Kind.MoveGroup k) {
      moving(k.from().keySet())
          .ifPresent(
              other -> {
                throw new IllegalStateException(
                    "operation %s moves guests that operation %s moves already"
                        .formatted(operation.id(), other.id()));
              });
    }
    return new OperationTable(trimmed(operations.plus(next, operation)), next + 1);
  }

  private static TreePMap<Long, Operation> trimmed(TreePMap<Long, Operation> all) {
    if (all.size() <= KEPT) {
      return all;
    }
    for (var e : all.entrySet()) {
      // one fence an hour for guests that cannot be ended: when the last was must be known
      boolean counted = e.getValue().kind() instanceof Operation.Kind.FenceStuck;
      if (!e.getValue().running() && !counted) {
        return all.minus(e.getKey());
      }
    }
    return all;
  }

  private static long number(OperationId id) {
    return parse(id.value().substring(3)).orElseThrow();
  }

  private static Optional<Long> parse(String digits) {
    try {
      return Optional.of(Long.parseLong(digits));
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }
}
