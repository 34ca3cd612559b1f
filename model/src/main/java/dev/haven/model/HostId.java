package dev.haven.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/** The name of a host: a machine that runs our agent. A DNS label or dotted name. */
public record HostId(@JsonValue String value) implements Comparable<HostId> {
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public HostId {
    Names.check("host", value);
  }

  @Override
  public int compareTo(HostId other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
