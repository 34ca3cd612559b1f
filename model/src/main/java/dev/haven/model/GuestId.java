package dev.haven.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import org.jspecify.annotations.Nullable;

/** The name of a guest, which is also libvirt's name of its domain. Unique in the cluster. */
public record GuestId(@JsonValue String value) implements Exclusive {
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public GuestId {
    Names.check("guest", value);
  }

  // What the compiler makes for a record takes twice as long under the JVM's first compiler, and a
  // leader compares ids for each heartbeat.
  @Override
  public boolean equals(@Nullable Object other) {
    return this == other || (other instanceof GuestId id && value.equals(id.value));
  }

  @Override
  public int hashCode() {
    return value.hashCode();
  }

  @Override
  public String toString() {
    return value;
  }
}
