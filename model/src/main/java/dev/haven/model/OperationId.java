package dev.haven.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/** The name of an operation, such as {@code op-17}; given by the cluster when it is accepted. */
public record OperationId(@JsonValue String value) implements Comparable<OperationId> {
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public OperationId {
    Names.check("operation", value);
  }

  @Override
  public int compareTo(OperationId other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
