package dev.haven.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import org.jspecify.annotations.Nullable;

/**
 * What the kernel of a host calls its present boot; another one means that all that ran before is
 * gone.
 */
public record BootId(@JsonValue String value) implements Comparable<BootId> {
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public BootId {
    Names.present("boot id", value);
  }

  // What the compiler makes for a record takes twice as long under the JVM's first compiler, and a
  // leader compares ids for each heartbeat.
  @Override
  public boolean equals(@Nullable Object other) {
    return this == other || (other instanceof BootId id && value.equals(id.value));
  }

  @Override
  public int hashCode() {
    return value.hashCode();
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
