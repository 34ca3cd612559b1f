package dev.haven.orchestrator.http;

import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.ToAgent;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** An agent's end of the WebSocket, by the JDK's client. */
final class TestAgent implements WebSocket.Listener {
  final BlockingQueue<ToAgent> heard = new LinkedBlockingQueue<>();
  final CompletableFuture<String> closed = new CompletableFuture<>();
  private final StringBuilder text = new StringBuilder();
  final WebSocket socket;

  /** Connects, and says nothing yet. */
  TestAgent(HttpClient client, URI api) throws Exception {
    var uri = URI.create(api.toString().replace("https:", "wss:"));
    this.socket = client.newWebSocketBuilder().buildAsync(uri, this).get(10, TimeUnit.SECONDS);
  }

  static FromAgent.Hello hello(String host, String boot) {
    return new FromAgent.Hello(
        FromAgent.VERSION,
        new HostId(host),
        new BootId(boot),
        new ProcessId("p"),
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        Optional.empty(),
        Capacity.UNKNOWN,
        "0.1.0",
        0,
        Optional.empty(),
        true,
        List.of());
  }

  TestAgent say(FromAgent frame) throws Exception {
    return say(Json.text(frame));
  }

  TestAgent say(String json) throws Exception {
    socket.sendText(json, true).get(10, TimeUnit.SECONDS);
    return this;
  }

  @Nullable ToAgent next() throws InterruptedException {
    return heard.poll(10, TimeUnit.SECONDS);
  }

  @Override
  public @Nullable CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
    text.append(data);
    if (last) {
      heard.add(Json.read(text.toString(), ToAgent.class));
      text.setLength(0);
    }
    from.request(1);
    return null;
  }

  @Override
  public @Nullable CompletionStage<?> onClose(WebSocket from, int code, String reason) {
    closed.complete(code == 1006 ? "broken" : "closed " + code);
    return null;
  }

  @Override
  public void onError(WebSocket from, Throwable error) {
    closed.complete("broken");
  }
}
