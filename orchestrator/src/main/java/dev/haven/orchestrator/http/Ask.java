package dev.haven.orchestrator.http;

import dev.haven.orchestrator.http.Response.Stop;
import dev.haven.tls.Peer;
import java.util.Optional;
import org.eclipse.jetty.http.HttpException;
import org.eclipse.jetty.server.Request;

/** A request that has found its route. */
record Ask(Request http, Caller caller, Peer peer, String name, byte[] body) {
  /**
   * @throws Stop with 400 if the query is not encoded as it must be
   */
  Optional<String> query(String key) {
    try {
      return Optional.ofNullable(Request.extractQueryParameters(http).getValue(key));
    } catch (IllegalArgumentException | HttpException.RuntimeException e) {
      throw new Stop(Response.lastProblem(400, "the query is not encoded as a URI's must be"));
    }
  }

  Optional<String> header(String name) {
    return Optional.ofNullable(http.getHeaders().get(name));
  }

  String path() {
    return Routes.path(http);
  }

  String method() {
    return http.getMethod();
  }

  String pathAndQuery() {
    return http.getHttpURI().getPathQuery();
  }
}
