package dev.haven.orchestrator.http;

import dev.haven.model.Json;
import dev.haven.model.api.Views;
import java.time.Duration;
import java.util.Optional;

/**
 * An answer to a client.
 *
 * @param json the body
 * @param retryAfter when to ask again, in whole seconds, where that may help
 * @param last whether the connection ends with it, because the rest of the request cannot be read
 * @param allow the methods that the path has, for 405
 * @param location where to ask instead, for 307
 */
record Response(
    int status,
    byte[] json,
    Optional<Duration> retryAfter,
    Optional<String> allow,
    Optional<String> location,
    boolean last) {
  Response(
      int status,
      byte[] json,
      Optional<Duration> retryAfter,
      Optional<String> allow,
      boolean last) {
    this(status, json, retryAfter, allow, Optional.empty(), last);
  }

  /** 307: the same request, with the same method and body, goes there. Nothing was done here. */
  static Response elsewhere(String location, String message) {
    return new Response(
        307,
        Json.bytes(new Views.Problem(message)),
        Optional.empty(),
        Optional.empty(),
        Optional.of(location),
        false);
  }

  static Response ok(Object body) {
    return of(200, body);
  }

  static Response of(int status, Object body) {
    return new Response(status, Json.bytes(body), Optional.empty(), Optional.empty(), false);
  }

  static Response problem(int status, String message) {
    return of(status, new Views.Problem(message));
  }

  static Response lastProblem(int status, String message) {
    return new Response(
        status, Json.bytes(new Views.Problem(message)), Optional.empty(), Optional.empty(), true);
  }

  /** 503: not now, and certainly nothing was done. */
  static Response unavailable(String message) {
    return new Response(
        503,
        Json.bytes(new Views.Problem(message)),
        Optional.of(Duration.ofSeconds(1)),
        Optional.empty(),
        false);
  }

  static Response wrongMethod(String message, String allow) {
    return new Response(
        405, Json.bytes(new Views.Problem(message)), Optional.empty(), Optional.of(allow), false);
  }

  /** Ends the handling of a request with an answer that is not the one hoped for. */
  static final class Stop extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final transient Response response;

    Stop(Response response) {
      super(null, null, false, false);
      this.response = response;
    }

    Response response() {
      return response;
    }
  }
}
