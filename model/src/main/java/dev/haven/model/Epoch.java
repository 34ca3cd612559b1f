package dev.haven.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/**
 * Counts the owners of one guest, from 1; 0 means that it never had one. An agent refuses an older
 * one.
 */
public record Epoch(@JsonValue long value) implements Comparable<Epoch> {
  public static final Epoch NONE = new Epoch(0);

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public Epoch {
    if (value < 0) {
      throw new IllegalArgumentException("epoch " + value + ": must not be negative");
    }
  }

  public Epoch next() {
    return new Epoch(value + 1);
  }

  @Override
  public int compareTo(Epoch other) {
    return Long.compare(value, other.value);
  }

  @Override
  public String toString() {
    return Long.toString(value);
  }
}
