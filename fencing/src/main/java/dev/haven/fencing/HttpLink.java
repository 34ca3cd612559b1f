package dev.haven.fencing;

import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.security.cert.CertificateException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;

/**
 * Requests to one device over HTTP, each with an end: the JDK's own time limit ends with the
 * headers, and a body that never ends would hold a fence for ever. Follows no redirection, which
 * would carry a secret to another place.
 */
final class HttpLink implements AutoCloseable {
  /** More than any answer that is of use; a longer one is a failure. */
  private static final long LONGEST_BODY = 1 << 20;

  private final HttpClient client;

  HttpLink(SSLContext tls) {
    client =
        HttpClient.newBuilder()
            .sslContext(tls)
            .version(HttpClient.Version.HTTP_1_1) // the HTTP/2 of some BMCs is worse than none
            .followRedirects(HttpClient.Redirect.NEVER)
            .executor(Executors.newVirtualThreadPerTaskExecutor())
            .build();
  }

  sealed interface Answer {
    record Said(int status, HttpHeaders headers, String body) implements Answer {}

    /**
     * @param reason for people; may repeat what the request contained
     */
    record Failed(String reason) implements Answer {}
  }

  /**
   * Asks and waits.
   *
   * @param headers pairs
   */
  Answer ask(
      String method, URI uri, Map<String, String> headers, Optional<String> body, Duration within) {
    if (within.toMillis() < 1) {
      return new Answer.Failed("there was no time left to ask it");
    }
    var answer = start(method, uri, headers, body);
    var result = await(answer, within);
    answer.cancel(true); // what has not ended by now is not waited for
    return result;
  }

  /** Asks; the answer may come at any time, or never. */
  CompletableFuture<HttpResponse<String>> start(
      String method, URI uri, Map<String, String> headers, Optional<String> body) {
    var request =
        HttpRequest.newBuilder(uri)
            .method(method, body.map(BodyPublishers::ofString).orElse(BodyPublishers.noBody()));
    headers.forEach(request::header);
    return client.sendAsync(
        request.build(), BodyHandlers.limiting(BodyHandlers.ofString(), LONGEST_BODY));
  }

  /** Waits for an answer, and leaves it under way when the time is over. */
  static Answer await(CompletableFuture<HttpResponse<String>> answer, Duration within) {
    try {
      var response = answer.get(within.toNanos(), TimeUnit.NANOSECONDS);
      return new Answer.Said(response.statusCode(), response.headers(), response.body());
    } catch (TimeoutException e) {
      return new Answer.Failed("no answer in " + Program.seconds(within));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Answer.Failed("the call was interrupted");
    } catch (ExecutionException e) {
      return new Answer.Failed(reason(e));
    }
  }

  private static String reason(Throwable failure) {
    Throwable first = failure;
    for (var cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof CertificateException && cause.getMessage() != null) {
        return cause.getMessage();
      }
      if (!(cause instanceof ExecutionException || cause instanceof CompletionException)
          && (first == failure || first instanceof ExecutionException)) {
        first = cause;
      }
    }
    return switch (first) {
      case HttpTimeoutException _ -> "no answer in time";
      case SSLException tls -> "TLS failed: " + tls.getMessage();
      case ConnectException _ -> "nothing answers at its address";
      case IOException io ->
          "the connection broke ("
              + (io.getMessage() == null ? io.getClass().getSimpleName() : io.getMessage())
              + ")";
      default -> first.toString();
    };
  }

  /** Cuts off what is still under way. */
  @Override
  public void close() {
    client.shutdownNow();
  }
}
