package dev.haven.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/**
 * What the kernel of a host calls its present boot; another one means that all that ran before is
 * gone.
 */
public record BootId(@JsonValue String value) implements Comparable<BootId> {
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public BootId {
    Names.present("boot id", value);
  }

  @Override
  public int compareTo(BootId other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
