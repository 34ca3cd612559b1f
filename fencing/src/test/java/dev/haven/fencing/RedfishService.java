package dev.haven.fencing;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A Redfish service over TLS as a BMC has it: few sessions, that end; systems; resets that take a
 * while, or become tasks; and the ways in which it goes wrong. ClusterLabs' fence_redfish works
 * with it too, which keeps it from being only what our own client expects.
 */
final class RedfishService implements AutoCloseable {
  static final String PASSWORD = "hush \"Tr33\"-9";
  static final String UUID = "4c4c4544-0042-3510-8054-b7c04f4e3132";
  private static final int MOST_SESSIONS = 4;

  /** How the order to reset is answered. */
  enum Orders {
    /** Carried out at once: 204. */
    OK,
    /** 202, and a task that is done a few questions later, and only then switches. */
    TASK,
    /** 202, and a task that fails. */
    FAILING_TASK,
    /** 202, and a task that never ends. */
    ENDLESS_TASK,
    /** 204, and nothing happens. */
    IGNORED,
    /** What is off is not switched off: 409. */
    CONFLICT,
    /** The same as HPE says it: 400 with a message id. */
    WRONG_STATE,
    /** 400, for another reason. */
    REFUSED,
    /** 503. */
    BUSY
  }

  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpsServer server;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final CountDownLatch closed = new CountDownLatch(1);
  private final Map<String, String> power = new TreeMap<>();
  private final Map<String, String> uuids = new TreeMap<>();
  private final Map<String, String> sessions = new HashMap<>(); // token by id
  private final Map<String, Integer> tasks = new HashMap<>(); // questions until it is done
  private final Map<String, Runnable> effects = new HashMap<>();
  private final List<String> log = new ArrayList<>();
  private Orders orders = Orders.OK;
  private String role = "Operator";
  private int transitional;
  private int number;
  private boolean knowsSessions = true;
  private @Nullable CountDownLatch held;
  private String heldPath = "";

  RedfishService(TestCertificate certificate) throws IOException {
    server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setHttpsConfigurator(new HttpsConfigurator(certificate.server()));
    server.setExecutor(threads);
    server.createContext("/", this::serve);
    server.start();
    system("1", UUID);
  }

  synchronized RedfishService system(String id, String uuid) {
    power.put(id, "On");
    uuids.put(id, uuid);
    return this;
  }

  synchronized void uuid(String id, String uuid) {
    uuids.put(id, uuid);
  }

  synchronized void orders(Orders orders) {
    this.orders = orders;
  }

  synchronized void role(String role) {
    this.role = role;
  }

  synchronized void knowsNoSessions() {
    knowsSessions = false;
  }

  /** So many questions a system goes on saying PoweringOff before it says Off. */
  synchronized void transitional(int questions) {
    transitional = questions;
  }

  synchronized String power(String id) {
    return Objects.requireNonNull(power.get(id));
  }

  synchronized void power(String id, String state) {
    power.put(id, state);
  }

  /** Requests to this path get no answer until {@link #release}. */
  synchronized void hold(String path) {
    heldPath = path;
    held = new CountDownLatch(1);
  }

  synchronized void release() {
    if (held != null) {
      held.countDown();
      held = null;
    }
  }

  synchronized int sessions() {
    return sessions.size();
  }

  /** As after the BMC's own time limit: every token is unknown from now on. */
  synchronized void endSessions() {
    sessions.clear();
  }

  /** Method and path of every request. */
  synchronized List<String> log() {
    return List.copyOf(log);
  }

  DeviceSpec spec(String name, String... more) {
    Map<String, String> settings = new HashMap<>();
    settings.put("address", "127.0.0.1");
    settings.put("port", "" + port());
    settings.put("user", "haven");
    settings.put("password", PASSWORD);
    for (int i = 0; i < more.length; i += 2) {
      settings.put(more[i], more[i + 1]);
    }
    return new DeviceSpec(name, "redfish", settings);
  }

  int port() {
    return server.getAddress().getPort();
  }

  private void serve(HttpExchange exchange) throws IOException {
    var path = exchange.getRequestURI().getPath();
    var body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    CountDownLatch wait;
    synchronized (this) {
      log.add(exchange.getRequestMethod() + " " + path);
      wait = path.equals(heldPath) ? held : null;
    }
    try {
      if (wait != null) {
        wait.await(1, TimeUnit.MINUTES);
      }
      synchronized (this) {
        answer(exchange, path, body);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      exchange.close();
    }
  }

  private void answer(HttpExchange exchange, String path, String body) throws IOException {
    var method = exchange.getRequestMethod();
    var at = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    var sessionsAt = "/redfish/v1/SessionService/Sessions";
    if (at.equals("/redfish/v1")) {
      var root = resource(at);
      root.putObject("Systems").put("@odata.id", "/redfish/v1/Systems");
      root.putObject("AccountService").put("@odata.id", "/redfish/v1/AccountService");
      if (knowsSessions) {
        root.putObject("Links").putObject("Sessions").put("@odata.id", sessionsAt);
      }
      say(exchange, 200, root);
    } else if (at.equals(sessionsAt) && method.equals("POST")) {
      login(exchange, body);
    } else if (!known(exchange)) {
      say(exchange, 401, error("Base.1.8.NoValidSession", "There is no valid session."));
    } else if (at.startsWith(sessionsAt + "/") && method.equals("DELETE")) {
      sessions.remove(at.substring(sessionsAt.length() + 1));
      say(exchange, 204, null);
    } else if (at.equals("/redfish/v1/Systems")) {
      var all = resource(at);
      var members = all.putArray("Members");
      power
          .keySet()
          .forEach(id -> members.addObject().put("@odata.id", "/redfish/v1/Systems/" + id));
      say(exchange, 200, all);
    } else if (at.startsWith("/redfish/v1/Systems/")
        && at.endsWith("/Actions/ComputerSystem.Reset")) {
      reset(exchange, at.split("/")[4], JSON.readTree(body).path("ResetType").asText());
    } else if (at.startsWith("/redfish/v1/Systems/") && power.containsKey(at.split("/")[4])) {
      say(exchange, 200, shown(at.split("/")[4]));
    } else if (at.startsWith("/redfish/v1/TaskService/Tasks/")) {
      task(exchange, at);
    } else if (at.startsWith("/redfish/v1/AccountService")) {
      accounts(exchange, at);
    } else {
      say(exchange, 404, error("Base.1.8.ResourceMissingAtURI", "There is nothing at " + at));
    }
  }

  private void login(HttpExchange exchange, String body) throws IOException {
    var given = JSON.readTree(body);
    if (!knowsSessions) {
      say(exchange, 404, error("Base.1.8.ResourceMissingAtURI", "There is nothing here."));
    } else if (!given.path("UserName").asText().equals("haven")
        || !given.path("Password").asText().equals(PASSWORD)) {
      // Some services repeat what they were given.
      say(exchange, 401, error("Base.1.8.AccessDenied", "Denied: " + given.path("Password")));
    } else if (sessions.size() >= MOST_SESSIONS) {
      say(exchange, 503, error("Base.1.8.SessionLimitExceeded", "There are too many sessions."));
    } else {
      var id = "s" + ++number;
      sessions.put(id, "token-" + id);
      var place = "/redfish/v1/SessionService/Sessions/" + id;
      exchange.getResponseHeaders().set("X-Auth-Token", "token-" + id);
      // The standard allows a whole address here.
      exchange.getResponseHeaders().set("Location", "https://127.0.0.1:" + port() + place);
      say(exchange, 201, resource(place));
    }
  }

  private boolean known(HttpExchange exchange) {
    var basic = "Basic " + Base64.getEncoder().encodeToString(("haven:" + PASSWORD).getBytes());
    var token = exchange.getRequestHeaders().getFirst("X-Auth-Token");
    return (token != null && sessions.containsValue(token))
        || basic.equals(exchange.getRequestHeaders().getFirst("Authorization"));
  }

  private ObjectNode shown(String id) {
    if (power(id).equals("PoweringOff") && --transitional < 0) {
      power.put(id, "Off");
    }
    var system = resource("/redfish/v1/Systems/" + id);
    system.put("Id", id).put("UUID", uuids.get(id)).put("PowerState", power.get(id));
    var reset = system.putObject("Actions").putObject("#ComputerSystem.Reset");
    reset.put("target", "/redfish/v1/Systems/" + id + "/Actions/ComputerSystem.Reset");
    reset
        .putArray("ResetType@Redfish.AllowableValues")
        .add("On")
        .add("GracefulShutdown")
        .add("ForceOff");
    return system;
  }

  private void reset(HttpExchange exchange, String id, String type) throws IOException {
    if (role.equals("ReadOnly")) {
      say(exchange, 403, error("Base.1.8.InsufficientPrivilege", "The account may only look."));
      return;
    }
    var state =
        switch (type) {
          case "On" -> "On";
          case "ForceOff" -> transitional > 0 ? "PoweringOff" : "Off";
          default -> "";
        };
    Runnable effect = () -> power.put(id, state);
    switch (state.isEmpty() ? Orders.REFUSED : orders) {
      case OK -> {
        effect.run();
        say(exchange, 204, null);
      }
      case IGNORED -> say(exchange, 204, null);
      case TASK, FAILING_TASK, ENDLESS_TASK -> {
        var task = "/redfish/v1/TaskService/Tasks/t" + ++number;
        tasks.put(task, 3);
        effects.put(task, effect);
        exchange.getResponseHeaders().set("Location", task);
        say(exchange, 202, resource(task).put("TaskState", "New"));
      }
      case CONFLICT -> {
        if (power(id).equals("Off")) {
          say(exchange, 409, error("Base.1.8.ResourceInUse", "It is off."));
        } else {
          effect.run();
          say(exchange, 200, null);
        }
      }
      case WRONG_STATE ->
          say(exchange, 400, error("iLO.2.14.InvalidOperationForSystemState", "Invalid now."));
      case REFUSED -> say(exchange, 400, error("Base.1.8.ActionParameterNotSupported", "No."));
      case BUSY -> say(exchange, 503, error("Base.1.8.ServiceTemporarilyUnavailable", "Busy."));
    }
  }

  private void task(HttpExchange exchange, String at) throws IOException {
    int left = tasks.merge(at, -1, Integer::sum);
    var task = resource(at);
    if (orders == Orders.ENDLESS_TASK || left > 0) {
      say(exchange, 202, task.put("TaskState", "Running"));
    } else if (orders == Orders.FAILING_TASK) {
      task.put("TaskState", "Exception").put("TaskStatus", "Critical");
      task.putArray("Messages").addObject().put("Message", "The chassis does not answer.");
      say(exchange, 200, task);
    } else {
      Objects.requireNonNull(effects.get(at)).run();
      say(exchange, 200, task.put("TaskState", "Completed").put("TaskStatus", "OK"));
    }
  }

  private void accounts(HttpExchange exchange, String at) throws IOException {
    var base = "/redfish/v1/AccountService";
    var found = resource(at);
    switch (at.substring(base.length())) {
      case "" -> found.putObject("Accounts").put("@odata.id", base + "/Accounts");
      case "/Accounts" -> {
        var members = found.putArray("Members");
        members.addObject().put("@odata.id", base + "/Accounts/1");
        members.addObject().put("@odata.id", base + "/Accounts/2");
      }
      case "/Accounts/1" -> found.put("UserName", "root").put("RoleId", "Administrator");
      case "/Accounts/2" -> {
        found.put("UserName", "haven").put("RoleId", role);
        found.putObject("Links").putObject("Role").put("@odata.id", base + "/Roles/" + role);
      }
      case "/Roles/Operator" ->
          found.putArray("AssignedPrivileges").add("Login").add("ConfigureComponents");
      case "/Roles/ReadOnly" -> found.putArray("AssignedPrivileges").add("Login");
      default -> {
        say(exchange, 404, error("Base.1.8.ResourceMissingAtURI", "There is nothing at " + at));
        return;
      }
    }
    say(exchange, 200, found);
  }

  private static ObjectNode resource(String at) {
    return JSON.createObjectNode().put("@odata.id", at);
  }

  private static ObjectNode error(String id, String message) {
    var error = JSON.createObjectNode();
    error
        .putObject("error")
        .put("code", id)
        .put("message", "See the extended information.")
        .putArray("@Message.ExtendedInfo")
        .addObject()
        .put("MessageId", id)
        .put("Message", message);
    return error;
  }

  private static void say(HttpExchange exchange, int status, @Nullable ObjectNode body)
      throws IOException {
    var bytes = body == null ? new byte[0] : body.toString().getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
    if (bytes.length > 0) {
      exchange.getResponseBody().write(bytes);
    }
  }

  /** Waits until no session is left, as after a logout that nobody waits for. */
  void awaitNoSessions() throws InterruptedException {
    var deadline = Deadline.in(Duration.ofSeconds(10));
    while (sessions() > 0) {
      if (deadline.passed()) {
        throw new AssertionError(sessions() + " sessions are left behind: " + log());
      }
      closed.await(10, TimeUnit.MILLISECONDS);
    }
  }

  @Override
  public void close() {
    release();
    closed.countDown();
    server.stop(0);
    threads.shutdownNow();
  }
}
