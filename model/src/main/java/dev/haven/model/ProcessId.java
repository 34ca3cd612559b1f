package dev.haven.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/** One run of an agent's process, drawn at random when it starts. */
public record ProcessId(@JsonValue String value) implements Comparable<ProcessId> {
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public ProcessId {
    Names.present("process id", value);
  }

  @Override
  public int compareTo(ProcessId other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
