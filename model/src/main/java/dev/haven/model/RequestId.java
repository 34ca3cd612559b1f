package dev.haven.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/** What a client calls one request, so that a request sent twice is applied once. */
public record RequestId(@JsonValue String value) implements Comparable<RequestId> {
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public RequestId {
    Names.present("request id", value);
  }

  @Override
  public int compareTo(RequestId other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
