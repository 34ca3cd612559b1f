package dev.haven.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/** The name of a guest, which is also libvirt's name of its domain. Unique in the cluster. */
public record GuestId(@JsonValue String value) implements Comparable<GuestId> {
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public GuestId {
    Names.check("guest", value);
  }

  @Override
  public int compareTo(GuestId other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
