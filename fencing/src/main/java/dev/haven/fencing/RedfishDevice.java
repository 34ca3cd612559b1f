package dev.haven.fencing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.haven.fencing.HttpLink.Answer;
import java.net.URI;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A baseboard management controller, over Redfish (DMTF DSP0266) with TLS.
 *
 * <pre>
 *   first question --> service root --> session --> which system --> its PowerState, its Reset
 *                                          |  ^
 *                               401 (ended)+--+ once more, with a new session
 *   close -------------------------------> session removed, also one whose login answered too late
 * </pre>
 *
 * A BMC has few sessions (often 8 to 32) and refuses every login once they are used up, so none is
 * left behind: neither after an error nor when the time was over before the login was answered.
 */
final class RedfishDevice implements PowerDevice {
  /** So long a login that came too late for its call may still come, to be logged out then. */
  private static final Duration LATE_LOGIN = Duration.ofSeconds(30);

  /** For logging out, which nobody waits for. */
  private static final Duration LOGOUT = Duration.ofSeconds(10);

  /** Pages of systems, and accounts, that are read at most: a chassis holds fewer. */
  private static final int MOST = 64;

  /** How BMCs say that they do not switch off what is off: HPE, Dell, and in plain words. */
  private static final Pattern ALREADY =
      Pattern.compile("InvalidOperationForSystemState|PSU501|already[^\"]{0,20}off", 2);

  private static final ObjectMapper JSON = new ObjectMapper();

  private final String name;
  private final DeviceSettings settings;
  private final URI service;
  private final String user;
  private final boolean basic;
  private final Optional<String> wanted;
  private final Duration limit;
  private final Duration task;
  private final Duration stale;
  private final HttpLink link;

  /** Calls come one after the other: they share a session. */
  private final ReentrantLock turn = new ReentrantLock();

  private final List<CompletableFuture<HttpResponse<String>>> lateLogins = new ArrayList<>();
  private @Nullable JsonNode root;
  private @Nullable String system;
  private @Nullable Session session;

  private record Session(String token, Optional<String> path) {}

  /** Ends a call of several requests: what went wrong, for people, without secrets. */
  private static final class NoAnswer extends Exception {
    private static final long serialVersionUID = 1L;

    NoAnswer(String reason) {
      super(reason, null, false, false);
    }

    String reason() {
      return String.valueOf(getMessage());
    }
  }

  private RedfishDevice(DeviceSpec spec) {
    name = spec.name();
    settings = new DeviceSettings(spec);
    settings.refuseUnknown(
        "address",
        "port",
        "user",
        "password",
        "passwordFile",
        "system",
        "auth",
        "caFile",
        "fingerprint",
        "insecure",
        "timeout",
        "taskTimeout",
        "stale");
    var address = settings.required("address", "10.0.0.11");
    if (!address.matches("[A-Za-z0-9_.-]+|\\[?[0-9A-Fa-f:.]+]?")) {
      throw settings.wrong(
          "address is " + address, "give the BMC's host name or IP address, without https://");
    }
    var host = address.contains(":") && !address.startsWith("[") ? "[" + address + "]" : address;
    service = URI.create("https://" + host + ":" + settings.number("port", 443, 1, 65535));
    user = settings.required("user", "haven");
    var auth = settings.optional("auth").orElse("session");
    if (!auth.equals("session") && !auth.equals("basic")) {
      throw settings.wrong(
          "auth is " + auth, "use session, or basic for a BMC that knows no sessions");
    }
    basic = auth.equals("basic");
    wanted = settings.optional("system").map(String::strip);
    limit = settings.duration("timeout", Duration.ofSeconds(10));
    task = settings.duration("taskTimeout", Duration.ofSeconds(30));
    stale = settings.duration("stale", FenceAgentDevice.STALE);
    password();
    link = new HttpLink(TlsTrust.of(settings));
  }

  /**
   * @throws FencingConfigException when a setting is missing, unknown or impossible
   */
  static RedfishDevice open(DeviceSpec spec) {
    return new RedfishDevice(spec);
  }

  private String password() {
    return settings
        .secret("password", "passwordFile")
        .orElseThrow(
            () ->
                settings.wrong(
                    "the password is missing", "add passwordFile: PATH with the password in it"));
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public List<String> warnings() {
    return settings.flag("insecure")
        ? List.of(
            name
                + " is believed without proof of its identity (insecure: true): anybody who can"
                + " answer in its place learns its password and can say off while the host runs;"
                + " set caFile or fingerprint instead")
        : List.of();
  }

  @Override
  public PowerReading read(Duration within) {
    var began = Instant.now();
    try {
      var state = inTurn(within, until -> system(until).path("PowerState")).asText("").strip();
      var ended = Instant.now();
      var words = "PowerState " + state;
      return switch (state) {
        case "Off" -> new PowerReading.Off(name, began, ended, words);
        // On its way off it may yet run: only Off is off.
        case "On", "PoweringOn", "PoweringOff", "Paused" ->
            new PowerReading.On(name, began, ended, words);
        default ->
            new PowerReading.Unknown(
                name,
                began,
                ended,
                state.isEmpty() ? "it gives no PowerState" : "it gives the " + words);
      };
    } catch (NoAnswer e) {
      return new PowerReading.Unknown(name, began, Instant.now(), e.reason());
    }
  }

  @Override
  public SwitchResult switchOff(Duration within) {
    return reset(List.of("ForceOff"), within);
  }

  @Override
  public SwitchResult switchOn(Duration within) {
    return reset(List.of("On", "ForceOn"), within);
  }

  /**
   * @param types of a reset, best first; the first that the system offers is ordered
   */
  private SwitchResult reset(List<String> types, Duration within) {
    var began = Instant.now();
    try {
      return inTurn(within, until -> reset(types, began, until));
    } catch (NoAnswer e) {
      return new SwitchResult.Failed(name, began, Instant.now(), e.reason());
    }
  }

  private SwitchResult reset(List<String> types, Instant began, Deadline until) throws NoAnswer {
    var action = system(until).path("Actions").path("#ComputerSystem.Reset");
    var offered = new ArrayList<String>();
    action.path("ResetType@Redfish.AllowableValues").forEach(value -> offered.add(value.asText()));
    var type = types.stream().filter(t -> offered.isEmpty() || offered.contains(t)).findFirst();
    if (!action.path("target").isTextual() || type.isEmpty()) {
      throw new NoAnswer(
          "its system cannot be reset by "
              + String.join(" or ", types)
              + "; it offers "
              + (offered.isEmpty() ? "nothing" : String.join(", ", offered)));
    }
    var order = JSON.createObjectNode().put("ResetType", type.get()).toString();
    var said = ask("POST", action.path("target").asText(), Optional.of(order), until);
    int status = said.status();
    if (status == 202) {
      finish(said, until);
      return new SwitchResult.Accepted(
          name, began, Instant.now(), type.get() + " (its task is done)");
    }
    if (status == 200 || status == 201 || status == 204) {
      return new SwitchResult.Accepted(
          name, began, Instant.now(), type.get() + " (HTTP " + status + ")");
    }
    var refusal = refusal("the order " + type.get(), said);
    if (type.get().equals("ForceOff")
        && (status == 409 || (status == 400 && ALREADY.matcher(said.body()).find()))
        && system(until).path("PowerState").asText("").equals("Off")) {
      return new SwitchResult.AlreadyOff(name, began, Instant.now(), refusal, stale);
    }
    throw new NoAnswer(refusal);
  }

  /** A slow BMC takes the order as a task; until that is done nothing was switched. */
  private void finish(Answer.Said accepted, Deadline until) throws NoAnswer {
    var deadline = until.atMost(task);
    var monitor =
        accepted
            .headers()
            .firstValue("Location")
            .flatMap(RedfishJson::path)
            .or(() -> RedfishJson.link(RedfishJson.json(accepted)))
            .orElseThrow(() -> new NoAnswer("it answered 202 without naming its task"));
    var pause = new Backoff();
    while (deadline.left().isPositive()) {
      var said = ask("GET", monitor, Optional.empty(), deadline);
      if (said.status() >= 300) {
        throw new NoAnswer(refusal("the task of the order", said));
      }
      var result = RedfishJson.json(said);
      var state = result.path("TaskState").asText("");
      switch (state) {
        case "Completed" -> {
          if (result.path("TaskStatus").asText("OK").equals("Critical")) {
            throw new NoAnswer(
                "the task of the order failed" + RedfishJson.message(result.path("Messages")));
          }
          return;
        }
        case "Exception", "Killed", "Cancelled", "Interrupted" ->
            throw new NoAnswer(
                "the task of the order ended as "
                    + state
                    + RedfishJson.message(result.path("Messages")));
        case "" -> {
          if (said.status() != 202) {
            return; // the monitor answers as the order itself would have
          }
        }
        default -> {
          // New, Starting, Running, Pending, Service, Suspended, Stopping, Cancelling: not done.
        }
      }
      sleep(pause, deadline);
    }
    throw new NoAnswer(
        "it took the order, but its task was not done in time (at most "
            + Program.seconds(task)
            + ", setting taskTimeout)");
  }

  private static void sleep(Backoff pause, Deadline until) throws NoAnswer {
    try {
      pause.sleep(until);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new NoAnswer("the call was interrupted");
    }
  }

  /**
   * The role of the account, where the service tells it: a reset takes {@code ConfigureComponents}
   * (DSP0266, 13.4), which a read-only account lacks.
   */
  @Override
  public Privilege privilege(Duration within) {
    try {
      return inTurn(within, this::role);
    } catch (NoAnswer e) {
      return new Privilege.Unknown(e.reason());
    }
  }

  private Privilege role(Deadline until) throws NoAnswer {
    var accounts = RedfishJson.link(root(until).path("AccountService"));
    if (accounts.isEmpty()) {
      return new Privilege.Unknown("it has no account service");
    }
    var all = RedfishJson.link(get(accounts.get(), until).path("Accounts"));
    for (var member : all.isEmpty() ? List.<String>of() : members(all.get(), until)) {
      var account = get(member, until);
      if (!account.path("UserName").asText("").equals(user)) {
        continue;
      }
      var name = account.path("RoleId").asText("");
      var role = RedfishJson.link(account.path("Links").path("Role"));
      if (role.isEmpty()) {
        return named(name);
      }
      for (var privilege : get(role.get(), until).path("AssignedPrivileges")) {
        if (privilege.asText().equals("ConfigureComponents")) {
          return new Privilege.Enough();
        }
      }
      return new Privilege.Missing(
          "account " + user + " has the role " + name + ", without ConfigureComponents");
    }
    return new Privilege.Unknown("the service does not show the account " + user);
  }

  private Privilege named(String role) {
    return switch (role) {
      case "Administrator", "Operator" -> new Privilege.Enough();
      case "ReadOnly" -> new Privilege.Missing("account " + user + " has the role ReadOnly");
      default -> new Privilege.Unknown("the rights of its role " + role + " are not known");
    };
  }

  @Override
  public Optional<Duration> stale() {
    return Optional.of(stale);
  }

  @Override
  public Optional<String> systemGuid(Duration within) {
    try {
      var uuid = inTurn(within, until -> system(until).path("UUID"));
      return uuid.isTextual() ? Optional.of(uuid.asText()) : Optional.empty();
    } catch (NoAnswer e) {
      return Optional.empty();
    }
  }

  // --- which system --------------------------------------------------------------------------

  private JsonNode system(Deadline until) throws NoAnswer {
    var known = system;
    if (known == null) {
      known = find(until);
      system = known;
    }
    var found = get(known, until);
    if (wanted.isPresent()
        && RedfishJson.isUuid(wanted.get())
        && !RedfishJson.sameUuid(found, wanted.get())) {
      // A blade was put into another slot: what we knew is about another machine now.
      system = null;
      throw new NoAnswer("its system " + known + " is no longer the one with UUID " + wanted.get());
    }
    return found;
  }

  private String find(Deadline until) throws NoAnswer {
    var systems =
        RedfishJson.link(root(until).path("Systems"))
            .orElseThrow(() -> new NoAnswer("its service root names no systems"));
    var members = members(systems, until);
    if (wanted.isEmpty()) {
      if (members.size() == 1) {
        return members.getFirst();
      }
      throw new NoAnswer(
          "it controls "
              + members.size()
              + " systems; say which one is this host with the setting system: "
              + String.join(" or ", members.stream().map(RedfishJson::id).toList()));
    }
    for (var member : members) {
      if (RedfishJson.id(member).equals(wanted.get())) {
        return member;
      }
    }
    if (RedfishJson.isUuid(wanted.get())) {
      for (var member : members) {
        if (RedfishJson.sameUuid(get(member, until), wanted.get())) {
          return member;
        }
      }
    }
    throw new NoAnswer(
        "it has no system "
            + wanted.get()
            + "; it has "
            + String.join(", ", members.stream().map(RedfishJson::id).toList()));
  }

  private List<String> members(String collection, Deadline until) throws NoAnswer {
    var members = new ArrayList<String>();
    Optional<String> page = Optional.of(collection);
    for (int i = 0; page.isPresent() && i < MOST; i++) {
      var found = get(page.get(), until);
      for (var member : found.path("Members")) {
        RedfishJson.link(member).ifPresent(members::add);
      }
      page = RedfishJson.path(found.path("Members@odata.nextLink").asText(""));
    }
    return members;
  }

  // --- requests ------------------------------------------------------------------------------

  private interface Call<T> {
    T run(Deadline until) throws NoAnswer;
  }

  private <T> T inTurn(Duration within, Call<T> call) throws NoAnswer {
    var until = Deadline.in(within);
    try {
      if (!turn.tryLock(within.toNanos(), TimeUnit.NANOSECONDS)) {
        throw new NoAnswer("there was no time left to ask it");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new NoAnswer("the call was interrupted");
    }
    try {
      return call.run(until);
    } finally {
      turn.unlock();
    }
  }

  private JsonNode root(Deadline until) throws NoAnswer {
    var known = root;
    if (known == null) {
      // Everyone may read the root: the session service has to be found before there is a session.
      known = good("/redfish/v1/", once("GET", "/redfish/v1/", Map.of(), Optional.empty(), until));
      root = known;
    }
    return known;
  }

  private JsonNode get(String path, Deadline until) throws NoAnswer {
    return good(path, ask("GET", path, Optional.empty(), until));
  }

  private JsonNode good(String path, Answer.Said said) throws NoAnswer {
    if (said.status() != 200) {
      throw new NoAnswer(refusal(path, said));
    }
    var json = RedfishJson.json(said);
    if (!json.isObject()) {
      throw new NoAnswer(path + " is not readable as Redfish");
    }
    return json;
  }

  /** With credentials; a session that has ended meanwhile is begun again, once. */
  private Answer.Said ask(String method, String path, Optional<String> body, Deadline until)
      throws NoAnswer {
    boolean fresh = session == null;
    var said = once(method, path, credentials(until), body, until);
    if (said.status() == 401 && !basic && !fresh) {
      session = null;
      said = once(method, path, credentials(until), body, until);
    }
    return said;
  }

  private Map<String, String> credentials(Deadline until) throws NoAnswer {
    if (basic) {
      var pair = (user + ":" + secret()).getBytes(StandardCharsets.UTF_8);
      return Map.of("Authorization", "Basic " + Base64.getEncoder().encodeToString(pair));
    }
    var current = session;
    if (current == null) {
      current = login(until);
      session = current;
    }
    return Map.of("X-Auth-Token", current.token());
  }

  private Session login(Deadline until) throws NoAnswer {
    var path =
        RedfishJson.link(root(until).path("Links").path("Sessions"))
            .orElse("/redfish/v1/SessionService/Sessions");
    var body = JSON.createObjectNode().put("UserName", user).put("Password", secret()).toString();
    var within = limited(until);
    if (!within.isPositive()) {
      throw new NoAnswer("there was no time left to ask it");
    }
    var answer = link.start("POST", uri(path), headers(Map.of(), true), Optional.of(body));
    var result = HttpLink.await(answer, within);
    if (!answer.isDone()) {
      lateLogins.add(answer); // it may have begun a session that nobody has asked for any more
    }
    var said = said(result);
    var begun = session(said);
    if (begun.isPresent()) {
      return begun.get();
    }
    throw new NoAnswer(
        switch (said.status()) {
          case 400, 401, 403 -> refusal("the login of " + user, said);
          case 404, 405, 501 ->
              refusal("a session", said) + "; if it knows no sessions, set auth: basic";
          default -> refusal("a session", said);
        });
  }

  private static Optional<Session> session(Answer.Said said) {
    return said.status() >= 200 && said.status() < 300
        ? said.headers()
            .firstValue("X-Auth-Token")
            .map(
                token ->
                    new Session(
                        token,
                        said.headers()
                            .firstValue("Location")
                            .flatMap(RedfishJson::path)
                            .or(() -> RedfishJson.link(RedfishJson.json(said)))))
        : Optional.empty();
  }

  private Answer.Said once(
      String method,
      String path,
      Map<String, String> credentials,
      Optional<String> body,
      Deadline until)
      throws NoAnswer {
    return said(
        link.ask(method, uri(path), headers(credentials, body.isPresent()), body, limited(until)));
  }

  private Answer.Said said(Answer answer) throws NoAnswer {
    return switch (answer) {
      case Answer.Said said -> said;
      case Answer.Failed(var reason) -> throw new NoAnswer(hide(reason));
    };
  }

  private static Map<String, String> headers(Map<String, String> credentials, boolean body) {
    var all = new HashMap<>(credentials);
    all.put("Accept", "application/json");
    all.put("OData-Version", "4.0");
    if (body) {
      all.put("Content-Type", "application/json");
    }
    return all;
  }

  private Duration limited(Deadline until) {
    var left = until.left();
    return left.compareTo(limit) < 0 ? left : limit;
  }

  private String secret() throws NoAnswer {
    try {
      return password();
    } catch (FencingConfigException e) {
      throw new NoAnswer(e.getMessage());
    }
  }

  private URI uri(String path) throws NoAnswer {
    try {
      return service.resolve(path);
    } catch (IllegalArgumentException e) {
      throw new NoAnswer("it names an impossible place, " + path);
    }
  }

  private String refusal(String what, Answer.Said said) {
    var text = hide(what + " was answered with HTTP " + said.status() + RedfishJson.words(said));
    return text.length() > 400 ? text.substring(0, 400) + " …" : text;
  }

  private String hide(String text) {
    var secrets = new ArrayList<String>();
    var current = session;
    if (current != null) {
      secrets.add(current.token());
    }
    try {
      secrets.add(password());
    } catch (FencingConfigException e) {
      // Then there is no password to hide.
    }
    return Secrets.hide(text, secrets);
  }

  // --- the end -------------------------------------------------------------------------------

  /** Logs out, without keeping anyone waiting for it. */
  @Override
  public void close() {
    Thread.ofVirtual().name("redfish-logout-" + name).start(this::logOut);
  }

  private void logOut() {
    turn.lock();
    try {
      var until = Deadline.in(LATE_LOGIN);
      if (session != null) {
        remove(session);
        session = null;
      }
      for (var login : lateLogins) {
        if (HttpLink.await(login, until.left()) instanceof Answer.Said said) {
          session(said).ifPresent(this::remove);
        }
      }
      lateLogins.clear();
    } finally {
      link.close();
      turn.unlock();
    }
  }

  /** A session that cannot be removed ends by the service's own time limit. */
  private void remove(Session session) {
    session
        .path()
        .ifPresent(
            path ->
                link.ask(
                    "DELETE",
                    service.resolve(path),
                    headers(Map.of("X-Auth-Token", session.token()), false),
                    Optional.empty(),
                    LOGOUT));
  }
}
