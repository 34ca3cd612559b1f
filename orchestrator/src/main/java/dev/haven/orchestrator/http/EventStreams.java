package dev.haven.orchestrator.http;

import dev.haven.model.Json;
import dev.haven.model.api.Views;
import dev.haven.orchestrator.http.Response.Stop;
import dev.haven.orchestrator.port.ClusterApi;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpHeaderValue;
import org.eclipse.jetty.io.Content;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The audit log as server-sent events. Served by any voter from what it applies itself; what a
 * client has missed comes from the leader. So a stream lives on when the leader changes.
 */
final class EventStreams {
  private static final Logger log = LoggerFactory.getLogger(EventStreams.class);

  /** Lines waiting for one client; more means that it does not keep up. */
  static final int QUEUE_MAX = 1_024;

  private static final int STREAMS_MAX = 256;

  /** For one certificate, so that nobody keeps others from theirs. */
  static final int STREAMS_OF_ONE = 32;

  private static final int PAGE = 500;

  private final ClusterApi api;
  private final Deadlines deadlines;
  private final Semaphore free = new Semaphore(STREAMS_MAX);
  private final ConcurrentHashMap<String, Integer> streams = new ConcurrentHashMap<>();

  EventStreams(ClusterApi api, Deadlines deadlines) {
    this.api = api;
    this.deadlines = deadlines;
  }

  /** Lines of the audit log after {@code since}, or a {@link Stop}. */
  interface Backlog {
    List<Views.Event> after(long since, int limit);
  }

  /**
   * Serves one client until it goes.
   *
   * @param who the client is
   * @param since the last line it has; empty to begin with the next one
   * @throws Stop if nothing was sent yet and the backlog cannot be had
   * @throws Gone if it was broken off
   */
  void serve(
      org.eclipse.jetty.server.Response response,
      Links.Link link,
      String who,
      OptionalLong since,
      Backlog backlog) {
    if (streams.merge(who, 1, Integer::sum) > STREAMS_OF_ONE) {
      ended(who);
      throw new Stop(
          Response.unavailable(
              "%s has %d event streams at this voter already".formatted(who, STREAMS_OF_ONE)));
    }
    try {
      serve(response, link, since, backlog);
    } finally {
      ended(who);
    }
  }

  /** A stream was broken off: its connection has to end. */
  static final class Gone extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Gone(String message, Throwable cause) {
      super(message, cause);
    }
  }

  private void ended(String who) {
    streams.computeIfPresent(who, (_, count) -> count == 1 ? null : count - 1);
  }

  private void serve(
      org.eclipse.jetty.server.Response response,
      Links.Link link,
      OptionalLong since,
      Backlog backlog) {
    if (!free.tryAcquire()) {
      throw new Stop(
          Response.unavailable(
              "this voter serves %d event streams already; ask another".formatted(STREAMS_MAX)));
    }
    var stream = new Stream();
    try (var following = api.follow(stream::offer)) {
      // From before the backlog is read, so that no line falls between the two.
      stream.serve(response, link, since, backlog);
    } catch (InterruptedException | IOException | UncheckedIOException e) {
      throw new Gone("the client is gone, or this server is stopping", e);
    } catch (Stop e) {
      throw e;
    } catch (Exception e) {
      log.error("an event stream is broken off", e);
      throw new Gone("an event stream is broken off", e);
    } finally {
      free.release();
    }
  }

  private final class Stream {
    private final BlockingQueue<Views.Event> queue = new ArrayBlockingQueue<>(QUEUE_MAX);
    private volatile boolean overflowed;
    private long last = -1;

    /** Called on the log's thread. */
    void offer(Views.Event event) {
      if (!queue.offer(event)) {
        overflowed = true;
      }
    }

    void serve(
        org.eclipse.jetty.server.Response response,
        Links.Link link,
        OptionalLong since,
        Backlog backlog)
        throws IOException, InterruptedException {
      last = since.orElse(-1);
      var page = since.isPresent() ? backlog.after(last, PAGE) : List.<Views.Event>of();
      response.getHeaders().put(HttpHeader.CONTENT_TYPE, "text/event-stream");
      response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-store");
      response.getHeaders().put(HttpHeader.CONNECTION, HttpHeaderValue.CLOSE);
      try (var out = Content.Sink.asOutputStream(response)) {
        write(out, link, ": the audit log\n\n"); // so that the client sees the headers at once
        try {
          catchUp(out, link, page, backlog);
        } catch (Stop e) {
          var problem = Json.read(e.response().json(), Views.Problem.class);
          write(out, link, ": " + problem.message() + "\n\n");
          return;
        }
        live(out, link);
      }
    }

    private void catchUp(
        OutputStream out, Links.Link link, List<Views.Event> first, Backlog backlog)
        throws IOException {
      var page = first;
      while (!page.isEmpty()) {
        send(out, link, page);
        page = page.size() < PAGE && !overflowed ? List.of() : next(backlog);
      }
    }

    /** What overflowed while older lines were sent is in the backlog too. */
    private List<Views.Event> next(Backlog backlog) {
      if (overflowed) {
        queue.clear();
        overflowed = false;
      }
      return backlog.after(last, PAGE);
    }

    private void live(OutputStream out, Links.Link link) throws IOException, InterruptedException {
      var batch = new ArrayList<Views.Event>();
      while (true) {
        var event = queue.poll(deadlines.heartbeat().toMillis(), TimeUnit.MILLISECONDS);
        if (overflowed) {
          write(
              out,
              link,
              ": too slow: %d lines were waiting; resume after %d\n\n".formatted(QUEUE_MAX, last));
          return;
        }
        if (event == null) {
          // Also how a gone client is noticed: by the second write after it went.
          write(out, link, ": still here\n\n");
          continue;
        }
        batch.add(event);
        queue.drainTo(batch, PAGE - 1);
        send(out, link, batch);
        batch.clear();
      }
    }

    private void send(OutputStream out, Links.Link link, List<Views.Event> events)
        throws IOException {
      var text = new StringBuilder();
      for (var event : events) {
        if (event.index() > last) {
          last = event.index();
          text.append("id: ").append(last).append("\ndata: ").append(Json.text(event));
          text.append("\n\n");
        }
      }
      if (!text.isEmpty()) {
        write(out, link, text.toString());
      }
    }

    private void write(OutputStream out, Links.Link link, String text) throws IOException {
      link.writing(deadlines.line());
      out.write(text.getBytes(StandardCharsets.UTF_8));
      out.flush();
      link.written();
    }
  }
}
