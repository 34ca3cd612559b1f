package dev.haven.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import org.jspecify.annotations.Nullable;

/** The name of a host: a machine that runs our agent. A DNS label or dotted name. */
public record HostId(@JsonValue String value) implements Comparable<HostId> {
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public HostId {
    Names.check("host", value);
  }

  // What the compiler makes for a record takes twice as long under the JVM's first compiler, and a
  // leader compares ids for each heartbeat.
  @Override
  public boolean equals(@Nullable Object other) {
    return this == other || (other instanceof HostId id && value.equals(id.value));
  }

  @Override
  public int hashCode() {
    return value.hashCode();
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
