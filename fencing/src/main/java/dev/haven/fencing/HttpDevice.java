package dev.haven.fencing;

import com.fasterxml.jackson.core.JsonPointer;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.haven.fencing.HttpLink.Answer;
import dev.haven.model.SecretNames;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/**
 * A smart plug, or anything else that is switched and read by requests over HTTP.
 *
 * <p>A plug answers 200 to nearly everything, also to an order that it did not understand; so an
 * order counts only when its answer matches what the device says to one that it took.
 */
final class HttpDevice implements PowerDevice {
  /** What operators of common plugs need not write themselves. */
  private static final Map<String, Map<String, String>> MODELS =
      Map.of(
          "tasmota",
          Map.of(
              "off", "http://{address}/cm?{login}cmnd=Power{output}%20Off",
              "on", "http://{address}/cm?{login}cmnd=Power{output}%20On",
              "status", "http://{address}/cm?{login}cmnd=Power{output}",
              "output", "1",
              "regex", "\"POWER[0-9]*\":\"([A-Z]+)\"",
              "offValue", "OFF",
              "onValue", "ON",
              "accepted", "\"POWER[0-9]*\":\"(ON|OFF)\""),
          "shelly1",
          Map.of(
              "off", "http://{address}/relay/{output}?turn=off",
              "on", "http://{address}/relay/{output}?turn=on",
              "status", "http://{address}/relay/{output}",
              "output", "0",
              "pointer", "/ison",
              "offValue", "false",
              "onValue", "true",
              "accepted", "\"ison\""),
          "shelly2",
          Map.of(
              "off", "http://{address}/rpc/Switch.Set?id={output}&on=false",
              "on", "http://{address}/rpc/Switch.Set?id={output}&on=true",
              "status", "http://{address}/rpc/Switch.GetStatus?id={output}",
              "output", "0",
              "pointer", "/output",
              "offValue", "false",
              "onValue", "true",
              "accepted", "\"was_on\""));

  private static final Pattern SECRET =
      Pattern.compile("(?i)(%s|key)=(?!\\{)|://[^/]*@".formatted(SecretNames.WORD));

  private static final ObjectMapper JSON = new ObjectMapper();

  private final String name;
  private final DeviceSettings settings;
  private final String off;
  private final String on;
  private final String status;
  private final String method;
  private final @Nullable JsonPointer pointer;
  private final @Nullable Expression regex;
  private final Expression accepted;
  private final String offValue;
  private final String onValue;
  private final boolean tasmota;
  private final boolean unproven;
  private final Duration limit;
  private final HttpLink link;

  private HttpDevice(DeviceSpec spec) {
    name = spec.name();
    settings = withModel(spec);
    tasmota = settings.optional("model").filter("tasmota"::equals).isPresent();
    off = settings.required("off", "http://{address}/relay/0?turn=off");
    on = settings.required("on", "http://{address}/relay/0?turn=on");
    status = settings.required("status", "http://{address}/relay/0");
    method = settings.optional("method").orElse("GET");
    if (!List.of("GET", "POST", "PUT").contains(method)) {
      throw settings.wrong("method is " + method, "use GET, POST or PUT");
    }
    if (method.equals("GET")
        && (settings.optional("offBody").isPresent() || settings.optional("onBody").isPresent())) {
      throw settings.wrong("a body is set, but the method is GET", "set method: POST");
    }
    var place = settings.optional("pointer");
    var expression = settings.optional("regex");
    if (place.isPresent() == expression.isPresent()) {
      throw settings.wrong(
          "where the state stands in the answer is not clear",
          "set pointer (JSON, such as /output) or regex (its first group, or all of it), one of"
              + " them");
    }
    pointer = place.map(this::pointer).orElse(null);
    regex = expression.map(e -> expression("regex", e)).orElse(null);
    offValue = settings.required("offValue", "false");
    onValue = settings.required("onValue", "true");
    if (offValue.equals(onValue)) {
      throw settings.wrong(
          "offValue and onValue are the same", "set what the device says for each");
    }
    accepted =
        expression(
            "accepted",
            settings.required(
                "accepted", "\"ison\", an expression for the answer to an order that was taken"));
    limit = settings.duration("timeout", Duration.ofSeconds(5));
    unproven =
        settings.flag("insecure")
            || List.of(off, on, status).stream().anyMatch(url -> url.startsWith("http://"));
    if (unproven && !settings.flag("insecure")) {
      throw settings.wrong(
          "it is asked over plain HTTP, where others can read the password and answer in its place",
          "use https, or say insecure: true if nobody else is in that network");
    }
    var auth = settings.optional("auth").orElse("none");
    if (!List.of("none", "basic", "bearer").contains(auth)) {
      throw settings.wrong("auth is " + auth, "use none, basic or bearer");
    }
    checkAddresses();
    headers(false);
    link = new HttpLink(TlsTrust.of(settings));
  }

  /** What is written, over what the model says of itself. */
  private static DeviceSettings withModel(DeviceSpec spec) {
    var written = new DeviceSettings(spec);
    written.refuseUnknown(
        "model",
        "address",
        "output",
        "off",
        "on",
        "status",
        "offBody",
        "onBody",
        "method",
        "pointer",
        "regex",
        "offValue",
        "onValue",
        "accepted",
        "auth",
        "user",
        "password",
        "passwordFile",
        "caFile",
        "fingerprint",
        "insecure",
        "timeout");
    var all = new HashMap<String, String>();
    written
        .optional("model")
        .ifPresent(
            model -> {
              if (!MODELS.containsKey(model)) {
                throw written.unknown("model", model, MODELS.keySet());
              }
              all.putAll(MODELS.getOrDefault(model, Map.of()));
            });
    all.putAll(spec.settings());
    return new DeviceSettings(new DeviceSpec(spec.name(), spec.kind(), all));
  }

  private void checkAddresses() {
    for (var url : List.of(off, on, status)) {
      if (SECRET.matcher(url).find()) {
        throw settings.wrong(
            "an address has a secret in it, where it would be shown",
            "write {password} in its place and set passwordFile");
      }
      uri(url);
    }
  }

  /**
   * @throws FencingConfigException when a setting is missing, unknown or impossible
   */
  static HttpDevice open(DeviceSpec spec) {
    return new HttpDevice(spec);
  }

  private JsonPointer pointer(String text) {
    try {
      return JsonPointer.compile(text);
    } catch (IllegalArgumentException e) {
      throw settings.wrong("pointer is " + text, "write it as /output or /relays/0/ison");
    }
  }

  private Expression expression(String key, String text) {
    try {
      return Expression.of(Pattern.compile(text));
    } catch (PatternSyntaxException e) {
      throw settings.wrong(key + " is " + text, "it is no expression: " + e.getDescription());
    }
  }

  private URI uri(String template) {
    var url = template;
    for (var key : List.of("address", "output", "user")) {
      if (url.contains("{" + key + "}")) {
        var value = settings.required(key, key.equals("address") ? "10.0.0.21" : "0");
        url = url.replace("{" + key + "}", key.equals("address") ? value : encoded(value));
      }
    }
    if (url.contains("{password}")) {
      url = url.replace("{password}", encoded(password()));
    }
    if (tasmota) {
      var login =
          settings.optional("user").isEmpty()
              ? ""
              : "user="
                  + encoded(settings.required("user", "admin"))
                  + "&password="
                  + encoded(password())
                  + "&";
      url = url.replace("{login}", login);
    }
    try {
      var uri = URI.create(url);
      if (uri.getHost() != null
          && List.of("http", "https").contains(String.valueOf(uri.getScheme()))) {
        return uri;
      }
    } catch (IllegalArgumentException e) {
      // Said below, without what was put into it.
    }
    throw settings.wrong("it is no address: " + template, "write it as https://HOST/PATH");
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  private String password() {
    return settings
        .secret("password", "passwordFile")
        .orElseThrow(
            () ->
                settings.wrong(
                    "the password is missing", "add passwordFile: PATH with the password in it"));
  }

  private Map<String, String> headers(boolean body) {
    var headers = new HashMap<String, String>();
    switch (settings.optional("auth").orElse("none")) {
      case "basic" -> {
        var pair = settings.required("user", "admin") + ":" + password();
        headers.put(
            "Authorization",
            "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8)));
      }
      case "bearer" -> headers.put("Authorization", "Bearer " + password());
      default -> {}
    }
    if (body) {
      headers.put("Content-Type", "application/json");
    }
    return headers;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public List<String> warnings() {
    return unproven
        ? List.of(
            name
                + " is believed without proof of its identity (insecure: true): anybody who can"
                + " answer in its place can say off while the host runs; keep it in a network of"
                + " its own, or use https with caFile or fingerprint")
        : List.of();
  }

  @Override
  public PowerReading read(Duration within) {
    var began = Instant.now();
    var end = Expression.end(within.compareTo(limit) < 0 ? within : limit);
    var answer = ask("GET", status, Optional.empty(), within);
    var ended = Instant.now();
    if (!(answer instanceof Answer.Said said)) {
      return new PowerReading.Unknown(name, began, ended, words(answer));
    }
    Optional<String> state;
    try {
      state = said.status() == 200 ? state(said.body(), end) : Optional.empty();
    } catch (Expression.Endless e) {
      return new PowerReading.Unknown(name, began, ended, String.valueOf(e.getMessage()));
    }
    if (state.filter(offValue::equals).isPresent()) {
      return new PowerReading.Off(name, began, ended, words(answer));
    }
    return state.filter(onValue::equals).isPresent()
        ? new PowerReading.On(name, began, ended, words(answer))
        : new PowerReading.Unknown(name, began, ended, words(answer));
  }

  private Optional<String> state(String body, Deadline end) throws Expression.Endless {
    if (pointer != null) {
      try {
        var found = JSON.readTree(body).at(pointer);
        return found.isValueNode() ? Optional.of(found.asText()) : Optional.empty();
      } catch (JsonProcessingException e) {
        return Optional.empty();
      }
    }
    return regex == null
        ? Optional.empty()
        : regex
            .find(body, end)
            .map(match -> match.groupCount() > 0 ? match.group(1) : match.group());
  }

  @Override
  public SwitchResult switchOff(Duration within) {
    return order(off, settings.optional("offBody"), within);
  }

  @Override
  public SwitchResult switchOn(Duration within) {
    return order(on, settings.optional("onBody"), within);
  }

  private SwitchResult order(String url, Optional<String> body, Duration within) {
    var began = Instant.now();
    var end = Expression.end(within.compareTo(limit) < 0 ? within : limit);
    var answer = ask(method, url, body, within);
    var ended = Instant.now();
    try {
      return answer instanceof Answer.Said said
              && said.status() >= 200
              && said.status() < 300
              && accepted.isIn(said.body(), end)
          ? new SwitchResult.Accepted(name, began, ended, words(answer))
          : new SwitchResult.Failed(name, began, ended, words(answer));
    } catch (Expression.Endless e) {
      return new SwitchResult.Failed(name, began, ended, String.valueOf(e.getMessage()));
    }
  }

  @Override
  public Privilege privilege(Duration within) {
    return new Privilege.Unknown("a plug cannot tell without switching");
  }

  @Override
  public Optional<String> systemGuid(Duration within) {
    return Optional.empty();
  }

  private Answer ask(String method, String url, Optional<String> body, Duration within) {
    try {
      return link.ask(
          method,
          uri(url),
          headers(body.isPresent()),
          body,
          within.compareTo(limit) < 0 ? within : limit);
    } catch (FencingConfigException e) {
      return new Answer.Failed(e.getMessage());
    }
  }

  /** The device's own words, without secrets: some repeat the address that they were asked by. */
  private String words(Answer answer) {
    var text =
        switch (answer) {
          case Answer.Failed(var reason) -> reason;
          case Answer.Said(int status, _, var body) ->
              "HTTP "
                  + status
                  + (body.isBlank() ? "" : ": " + body.strip().replaceAll("\\s+", " "));
        };
    var secrets = new ArrayList<String>();
    try {
      settings
          .secret("password", "passwordFile")
          .ifPresent(
              secret -> {
                secrets.add(secret);
                secrets.add(encoded(secret));
              });
    } catch (FencingConfigException e) {
      // Then there is no password to hide.
    }
    text = Secrets.hide(text, secrets);
    return text.length() > 300 ? text.substring(0, 300) + " …" : text;
  }

  @Override
  public void close() {
    link.close();
  }
}
