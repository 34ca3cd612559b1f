package dev.haven.fencing;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** A smart plug that answers as Tasmota, Shelly's first and Shelly's second generation do. */
final class Plug implements AutoCloseable {
  static final String PASSWORD = "hush &Tr33/9";

  private final HttpServer server;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final CountDownLatch closed = new CountDownLatch(1);
  private volatile boolean on = true;
  private volatile String mode = "ok";

  Plug(Optional<TestCertificate> certificate) throws IOException {
    var address = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    if (certificate.isPresent()) {
      var secure = HttpsServer.create(address, 0);
      secure.setHttpsConfigurator(new HttpsConfigurator(certificate.get().server()));
      server = secure;
    } else {
      server = HttpServer.create(address, 0);
    }
    server.setExecutor(threads);
    server.createContext("/", this::serve);
    server.start();
  }

  String address() {
    return "127.0.0.1:" + server.getAddress().getPort();
  }

  boolean on() {
    return on;
  }

  /**
   * {@code ok}, {@code hang}, {@code ignore} (takes orders and does nothing), {@code strange} (200
   * and words without meaning), {@code login} (wants basic authentication).
   */
  void mode(String mode) {
    this.mode = mode;
  }

  private void serve(HttpExchange exchange) throws IOException {
    try (exchange) {
      if (mode.equals("hang")) {
        closed.await(1, TimeUnit.MINUTES);
        return;
      }
      var login =
          "Basic "
              + Base64.getEncoder()
                  .encodeToString(("admin:" + PASSWORD).getBytes(StandardCharsets.UTF_8));
      if (mode.equals("login")
          && !login.equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
        say(exchange, 401, "");
        return;
      }
      say(exchange, 200, mode.equals("strange") ? "{\"Command\":\"Unknown\"}" : answer(exchange));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private String answer(HttpExchange exchange) throws IOException {
    var raw = exchange.getRequestURI().getRawQuery();
    var query = raw == null ? "" : raw;
    switch (exchange.getRequestURI().getPath()) {
      case "/cm" -> {
        if (!query.contains("user=admin&password=hush%20%26Tr33%2F9")) {
          return "{\"WARNING\":\"Need user=<username>&password=<password>, not " + query + "\"}";
        }
        set(query.endsWith("Power1%20Off"), query.endsWith("Power1%20On"));
        return "{\"POWER1\":\"" + (on ? "ON" : "OFF") + "\"}";
      }
      case "/relay/0" -> {
        set(query.equals("turn=off"), query.equals("turn=on"));
        return "{\"ison\":" + on + ",\"has_timer\":false}";
      }
      case "/rpc/Switch.Set" -> {
        var was = on;
        set(query.equals("id=0&on=false"), query.equals("id=0&on=true"));
        return "{\"was_on\":" + was + "}";
      }
      case "/rpc/Switch.GetStatus" -> {
        return "{\"id\":0, \"output\":" + on + ",\"apower\":12.0}";
      }
      case "/outlet" -> {
        if (exchange.getRequestMethod().equals("POST")) {
          var body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
          set(body.equals("{\"power\":0}"), body.equals("{\"power\":1}"));
          return "done";
        }
        return "outlet is " + (on ? "live" : "dead");
      }
      default -> {
        return "nothing here";
      }
    }
  }

  private void set(boolean off, boolean on) {
    if ((off || on) && !mode.equals("ignore")) {
      this.on = on;
    }
  }

  private static void say(HttpExchange exchange, int status, String body) throws IOException {
    var bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  @Override
  public void close() {
    closed.countDown();
    server.stop(0);
    threads.shutdownNow();
  }
}
