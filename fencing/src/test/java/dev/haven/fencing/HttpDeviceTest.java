package dev.haven.fencing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import dev.haven.fencing.FencingOutcome.Confirmed;
import dev.haven.fencing.FencingOutcome.Failed;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class HttpDeviceTest {
  private static final Duration WITHIN = Duration.ofSeconds(15);
  private static final Duration SHORT = Duration.ofSeconds(1);
  private static final FencingTarget HOST = new FencingTarget("a", Optional.empty(), Map.of());

  @TempDir static Path folder;
  private Plug plug;
  private Fencer fencer;

  @BeforeEach
  void start() throws Exception {
    plug = new Plug(Optional.empty());
    fencer = new Fencer(folder);
  }

  @AfterEach
  void stop() {
    plug.close();
  }

  private DeviceSpec spec(String... pairs) {
    return spec(Map.of("address", plug.address(), "insecure", "true"), pairs);
  }

  private static DeviceSpec spec(Map<String, String> first, String... pairs) {
    var settings = new HashMap<>(first);
    for (int i = 0; i < pairs.length; i += 2) {
      settings.put(pairs[i], pairs[i + 1]);
    }
    return new DeviceSpec("plug-a", "http", settings);
  }

  private FencingOutcome off(DeviceSpec spec, Duration within) {
    return fencer.powerOff(HOST, FencingPlan.of(spec), within, FencingListener.NONE);
  }

  @ParameterizedTest
  @ValueSource(strings = {"tasmota", "shelly1", "shelly2"})
  void aPlugIsSwitchedByItsModelAlone(String model) {
    var spec = spec("model", model, "user", "admin", "password", Plug.PASSWORD);
    assertThat(off(spec, WITHIN)).isInstanceOf(Confirmed.class);
    assertThat(plug.on()).isFalse();
    assertThat(fencer.powerOn(HOST, FencingPlan.of(spec), WITHIN, FencingListener.NONE))
        .isInstanceOf(PowerOnOutcome.On.class);
    assertThat(plug.on()).isTrue();
    plug.mode("ignore");
    assertThat(off(spec, SHORT)).isInstanceOf(Failed.class);
    plug.mode("strange");
    assertThat(off(spec, SHORT))
        .isInstanceOfSatisfying(
            Failed.class, failed -> assertThat(failed.reasons().get("plug-a")).contains("Unknown"));
    plug.mode("hang");
    assertThat(off(spec, SHORT)).isInstanceOf(Failed.class);
  }

  /** It would have held up a fence for hours, or ended it with an error of the JVM. */
  @ParameterizedTest
  @ValueSource(strings = {"power.*power.*(off)", "(\\w| )*(off)", "(?:power ?)*.*power(off)"})
  void anAnswerThatAnExpressionNeverComesToAnEndWithIsNoReading(String regex) throws Exception {
    var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 9);
    var body = "power ".repeat(10_000).getBytes(StandardCharsets.US_ASCII);
    server.createContext(
        "/",
        exchange -> {
          exchange.sendResponseHeaders(200, body.length);
          try (var out = exchange.getResponseBody()) {
            out.write(body);
          }
        });
    server.start();
    try {
      var at = "http://127.0.0.1:" + server.getAddress().getPort();
      var spec =
          spec(
              Map.of("insecure", "true"),
              "address",
              at.substring(7),
              "off",
              at + "/off",
              "on",
              at + "/on",
              "status",
              at + "/state",
              "regex",
              regex,
              "offValue",
              "off",
              "onValue",
              "on",
              "accepted",
              "power");
      var outcome =
          CompletableFuture.supplyAsync(() -> off(spec, Duration.ofSeconds(2)))
              .get(WITHIN.toSeconds(), TimeUnit.SECONDS);
      assertThat(outcome).isInstanceOf(Failed.class);
    } finally {
      server.stop(0);
    }
  }

  @Test
  void anOrderThatWasNotUnderstoodIsNotTakenWhateverTheStateIs() {
    var right = spec("model", "tasmota", "user", "admin", "password", Plug.PASSWORD);
    assertThat(off(right, WITHIN)).isInstanceOf(Confirmed.class);
    var wrong = spec("model", "shelly1", "off", "http://{address}/relay/7?turn=off");
    assertThat(plug.on()).isFalse();
    assertThat(off(wrong, SHORT)).as("it says off, and took no order").isInstanceOf(Failed.class);
  }

  @Test
  void anyDeviceIsDescribedByItsRequestsAndWhatItsAnswersMean() {
    plug.mode("login");
    var spec =
        spec(
            "off", "http://{address}/outlet",
            "on", "http://{address}/outlet",
            "status", "http://{address}/outlet",
            "method", "POST",
            "offBody", "{\"power\":0}",
            "onBody", "{\"power\":1}",
            "regex", "outlet is (\\w+)",
            "offValue", "dead",
            "onValue", "live",
            "accepted", "^done$",
            "auth", "basic",
            "user", "admin",
            "password", Plug.PASSWORD);
    assertThat(off(spec, WITHIN)).isInstanceOf(Confirmed.class);
    assertThat(plug.on()).isFalse();
    assertThat(fencer.powerOn(HOST, FencingPlan.of(spec), WITHIN, FencingListener.NONE))
        .isInstanceOf(PowerOnOutcome.On.class);
  }

  @Test
  void overTlsAPlugIsBelievedByItsFingerprintAndOverPlainHttpNotWithoutAWarning() throws Exception {
    var certificate = TestCertificate.make(folder.resolve("tls"), "dns:plug.example");
    try (var secure = new Plug(Optional.of(certificate))) {
      var urls =
          Map.of(
              "model", "shelly1",
              "address", secure.address(),
              "off", "https://{address}/relay/0?turn=off",
              "on", "https://{address}/relay/0?turn=on",
              "status", "https://{address}/relay/0");
      assertThat(off(spec(urls), SHORT))
          .isInstanceOfSatisfying(
              Failed.class,
              failed -> assertThat(failed.reasons().get("plug-a")).contains("not trusted"));
      assertThat(secure.on()).isTrue();
      var pinned = spec(urls, "fingerprint", certificate.fingerprint());
      assertThat(off(pinned, WITHIN)).isInstanceOf(Confirmed.class);
      assertThat(fencer.check(HOST, FencingPlan.of(pinned), WITHIN).getFirst().warnings())
          .isEmpty();
    }
    assertThat(
            fencer
                .check(HOST, FencingPlan.of(spec("model", "shelly1")), WITHIN)
                .getFirst()
                .warnings())
        .singleElement()
        .asString()
        .contains("without proof of its identity");
  }

  @Test
  void noSecretIsInAnythingThatIsShown() {
    var wrong = spec("model", "tasmota", "user", "admin", "password", "other &Secret");
    var shown =
        List.of(
            wrong.toString(),
            off(wrong, SHORT).toString(),
            fencer.check(HOST, FencingPlan.of(wrong), WITHIN).toString());
    assertThat(shown)
        .allSatisfy(text -> assertThat(text).doesNotContain("other &Secret", "other%20%26Secret"));
    assertThat(shown.get(1)).contains("password=(hidden)");
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource(
      delimiter = ';',
      value = {
        "model    ; shely2                              ; did you mean shelly",
        "insecure ; false                               ; over plain HTTP",
        "pointer  ; output                              ; write it as /output",
        "regex    ; x                                   ; one of them",
        "offValue ; true                                ; are the same",
        "off      ; http://{address}/cm?password=secret ; write {password} in its place",
        "off      ; http://a:b@{address}/               ; write {password} in its place",
        "off      ; relay/0                             ; it is no address",
        "auth     ; digest                              ; use none, basic or bearer",
        "accepted ; (                                   ; it is no expression",
        "offBody  ; x                                   ; set method: POST",
      })
  void aWrongSettingIsNamedWithAWayOut(String key, String value, String complaint) {
    assertThatThrownBy(() -> HttpDevice.open(spec("model", "shelly2", key, value)))
        .isInstanceOf(FencingConfigException.class)
        .hasMessageContaining(complaint);
  }
}
