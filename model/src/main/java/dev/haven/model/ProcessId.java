package dev.haven.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import org.jspecify.annotations.Nullable;

/** One run of an agent's process, drawn at random when it starts. */
public record ProcessId(@JsonValue String value) implements Comparable<ProcessId> {
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public ProcessId {
    Names.present("process id", value);
  }

  // What the compiler makes for a record takes twice as long under the JVM's first compiler, and a
  // leader compares ids for each heartbeat.
  @Override
  public boolean equals(@Nullable Object other) {
    return this == other || (other instanceof ProcessId id && value.equals(id.value));
  }

  @Override
  public int hashCode() {
    return value.hashCode();
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
