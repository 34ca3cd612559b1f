package dev.haven.fencing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.fencing.FencingOutcome.Confirmed;
import dev.haven.fencing.RedfishService.Orders;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class RedfishDeviceTest {
  private static final Duration WITHIN = Duration.ofSeconds(20);
  private static final FencingTarget HOST =
      new FencingTarget("a", Optional.of(RedfishService.UUID), Map.of());
  private static final String SYSTEM = "/redfish/v1/Systems/1";

  @TempDir static Path folder;
  private static TestCertificate certificate;
  private RedfishService bmc;
  private final Fencer fencer = new Fencer(folder);
  private final List<FencingStep> heard = Collections.synchronizedList(new ArrayList<>());

  @BeforeAll
  static void makeCertificate() throws Exception {
    certificate = TestCertificate.make(folder.resolve("tls"), "ip:127.0.0.1");
  }

  @BeforeEach
  void start() throws Exception {
    bmc = new RedfishService(certificate);
  }

  @AfterEach
  void stop() {
    bmc.close();
  }

  private DeviceSpec spec(String... more) {
    var all = new ArrayList<>(List.of("caFile", certificate.pem().toString(), "stale", "300ms"));
    all.addAll(List.of(more));
    return bmc.spec("bmc-a", all.toArray(String[]::new));
  }

  private FencingOutcome off(DeviceSpec spec, Duration within) {
    return fencer.powerOff(HOST, FencingPlan.of(spec), within, heard::add);
  }

  private PowerReading read(DeviceSpec spec) {
    try (var device = RedfishDevice.open(spec)) {
      return device.read(WITHIN);
    }
  }

  @Test
  void aHostIsSwitchedOffAndOnAndNoSessionIsLeft() throws Exception {
    var outcome = off(spec(), WITHIN);
    assertThat(outcome).as(heard.toString()).isInstanceOf(Confirmed.class);
    var confirmed = (Confirmed) outcome;
    assertThat(confirmed.identities()).isEqualTo(Map.of("bmc-a", new DeviceIdentity.Same()));
    assertThat(confirmed.readings())
        .hasSize(2)
        .allSatisfy(reading -> assertThat(reading.evidence()).isEqualTo("PowerState Off"));
    assertThat(bmc.power("1")).isEqualTo("Off");
    bmc.awaitNoSessions();
    assertThat(bmc.log())
        .filteredOn(line -> line.startsWith("POST") && line.endsWith("Sessions"))
        .as("one session serves a whole fence")
        .hasSize(1);
    assertThat(fencer.powerOn(HOST, FencingPlan.of(spec()), WITHIN, heard::add))
        .isInstanceOf(PowerOnOutcome.On.class);
    assertThat(bmc.power("1")).isEqualTo("On");
    bmc.awaitNoSessions();
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = ';',
      value = {
        "a slow BMC that makes a task of it                ; TASK         ; On  ; off",
        "a task that fails proves nothing                  ; FAILING_TASK ; On  ; The chassis does"
            + " not answer.",
        "a failed task proves nothing of what says off     ; FAILING_TASK ; Off ; The chassis does"
            + " not answer.",
        "a task without end proves nothing                 ; ENDLESS_TASK ; On  ; was not done in"
            + " time",
        "a task without end proves nothing of what says off; ENDLESS_TASK ; Off ; was not done in"
            + " time",
        "it takes the order and does nothing               ; IGNORED      ; On  ; it took the order"
            + " and still says on: PowerState On",
        "what is off is not switched off again: believed when not stale ; CONFLICT ; Off ; off",
        "the same in HPE's words                           ; WRONG_STATE  ; Off ; off",
        "these words of a host that is on are a refusal    ; WRONG_STATE  ; On  ; HTTP 400",
        "another refusal is no proof, whatever state it gives ; REFUSED   ; Off ; HTTP 400: No.",
        "it is busy                                        ; BUSY         ; Off ; HTTP 503",
      })
  void onlyAnOrderThatWasCarriedOutCounts(
      String reason, Orders orders, String before, String expected) throws Exception {
    bmc.orders(orders);
    bmc.power("1", before);
    var within = Duration.ofSeconds(expected.equals("off") ? 20 : 2);
    switch (off(spec("taskTimeout", "500ms"), within)) {
      case Confirmed _ -> assertThat("off").as(reason + heard).isEqualTo(expected);
      case FencingOutcome.Failed failed ->
          assertThat(failed.reasons().get("bmc-a")).as(reason).contains(expected);
      case FencingOutcome.NeedsOperator other -> throw new AssertionError(other);
      case FencingOutcome.Poisoned other -> throw new AssertionError(other);
    }
    bmc.awaitNoSessions();
  }

  @Test
  void onItsWayOffIsNotOff() {
    bmc.transitional(3);
    assertThat(off(spec(), WITHIN)).isInstanceOf(Confirmed.class);
    assertThat(heard)
        .filteredOn(step -> step.kind() == FencingStep.Kind.STILL_ON)
        .extracting(FencingStep::detail)
        .contains("PowerState PoweringOff");
    bmc.power("1", "PoweringOff");
    bmc.transitional(1);
    assertThat(read(spec())).isInstanceOf(PowerReading.On.class);
    bmc.power("1", "Asleep");
    assertThat(read(spec())).isInstanceOf(PowerReading.Unknown.class);
  }

  @Test
  void aSessionThatHasEndedIsBegunAnewOnce() throws Exception {
    try (var device = RedfishDevice.open(spec())) {
      assertThat(device.read(WITHIN)).isInstanceOf(PowerReading.On.class);
      bmc.endSessions();
      assertThat(device.switchOff(WITHIN)).isInstanceOf(SwitchResult.Accepted.class);
      bmc.endSessions();
      assertThat(device.read(WITHIN)).isInstanceOf(PowerReading.Off.class);
      assertThat(bmc.sessions()).isEqualTo(1);
    }
    bmc.awaitNoSessions();
  }

  @Test
  void basicAuthenticationTakesNoSession() {
    bmc.knowsNoSessions();
    assertThat(read(spec()))
        .isInstanceOfSatisfying(
            PowerReading.Unknown.class,
            unknown -> assertThat(unknown.reason()).contains("set auth: basic"));
    assertThat(off(spec("auth", "basic"), WITHIN)).isInstanceOf(Confirmed.class);
    assertThat(bmc.sessions()).isZero();
  }

  @Test
  void aSilentServiceCostsNoMoreThanItsTimeAndALateLoginIsLoggedOutToo() throws Exception {
    bmc.hold("/redfish/v1/SessionService/Sessions");
    var began = System.nanoTime();
    assertThat(read(spec("timeout", "200ms")))
        .isInstanceOfSatisfying(
            PowerReading.Unknown.class,
            unknown -> assertThat(unknown.reason()).contains("no answer in 0.2 s"));
    assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(WITHIN);
    assertThat(bmc.sessions()).isZero();
    bmc.release();
    var deadline = Deadline.in(Duration.ofSeconds(10));
    while (bmc.log().stream().noneMatch(line -> line.startsWith("DELETE"))) {
      assertThat(deadline.passed()).as("the late session is logged out").isFalse();
      Thread.onSpinWait();
    }
    bmc.awaitNoSessions();
  }

  @Test
  void aSystemThatGoesSilentInTheMiddleLeavesNoSessionBehind() throws Exception {
    bmc.hold(SYSTEM);
    assertThat(off(spec("timeout", "200ms"), Duration.ofSeconds(1)))
        .isInstanceOf(FencingOutcome.Failed.class);
    bmc.awaitNoSessions();
    assertThat(bmc.power("1")).isEqualTo("On");
  }

  @Test
  void oneOfSeveralSystemsIsFoundByItsIdOrItsUuid() {
    bmc.system("Blade7", "4c4c4544-0042-3510-8054-b7c04f4e3133");
    assertThat(read(spec()))
        .isInstanceOfSatisfying(
            PowerReading.Unknown.class,
            unknown -> assertThat(unknown.reason()).contains("2 systems", "system: 1 or Blade7"));
    assertThat(read(spec("system", "Blade8")))
        .isInstanceOfSatisfying(
            PowerReading.Unknown.class,
            unknown -> assertThat(unknown.reason()).contains("no system Blade8; it has 1, Blade7"));
    assertThat(off(spec("system", "4C4C4544-0042-3510-8054-B7C04F4E3132"), WITHIN))
        .isInstanceOf(Confirmed.class);
    assertThat(bmc.power("1")).isEqualTo("Off");
    assertThat(bmc.power("Blade7")).isEqualTo("On");
    try (var device = RedfishDevice.open(spec("system", "Blade7"))) {
      assertThat(device.systemGuid(WITHIN)).contains("4c4c4544-0042-3510-8054-b7c04f4e3133");
    }
  }

  @Test
  void aBladeThatTookAnothersSlotIsNotMistakenForIt() {
    try (var device = RedfishDevice.open(spec("system", RedfishService.UUID))) {
      assertThat(device.read(WITHIN)).isInstanceOf(PowerReading.On.class);
      bmc.uuid("1", "4c4c4544-0042-3510-8054-b7c04f4e3139");
      bmc.power("1", "Off");
      assertThat(device.read(WITHIN)).isInstanceOf(PowerReading.Unknown.class);
      assertThat(device.switchOff(WITHIN)).isInstanceOf(SwitchResult.Failed.class);
    }
  }

  @Test
  void anotherHostsBmcGetsNoOrder() {
    bmc.uuid("1", "4c4c4544-0042-3510-8054-b7c04f4e3139");
    assertThat(off(spec(), WITHIN))
        .isInstanceOfSatisfying(
            FencingOutcome.Failed.class,
            failed -> assertThat(failed.reasons().get("bmc-a")).contains("not host a"));
    assertThat(bmc.power("1")).isEqualTo("On");
  }

  @Test
  void healthSaysWhetherTheAccountMaySwitch() {
    var health = fencer.check(HOST, FencingPlan.of(spec()), WITHIN).getFirst();
    assertThat(health.sentence())
        .isEqualTo("bmc-a answers, says on, may switch, and is this host's");
    assertThat(health.warnings()).isEmpty();
    bmc.role("ReadOnly");
    health = fencer.check(HOST, FencingPlan.of(spec()), WITHIN).getFirst();
    assertThat(health.usable()).isFalse();
    assertThat(health.sentence()).contains("may not switch", "role ReadOnly");
    assertThat(off(spec(), Duration.ofSeconds(1)))
        .isInstanceOfSatisfying(
            FencingOutcome.Failed.class,
            failed -> assertThat(failed.reasons().get("bmc-a")).contains("may only look"));
  }

  @Test
  void noSecretIsInAnythingThatIsShown() {
    var wrong = spec("password", "other-Secret-1");
    var shown =
        List.of(
            read(wrong).toString(),
            off(wrong, Duration.ofSeconds(1)).toString(),
            fencer.check(HOST, FencingPlan.of(wrong), WITHIN).toString(),
            off(spec(), WITHIN).toString(),
            wrong.toString());
    assertThat(shown).allSatisfy(text -> assertThat(text).doesNotContain("other-Secret-1"));
    assertThat(shown)
        .allSatisfy(text -> assertThat(text).doesNotContain(RedfishService.PASSWORD, "token-"));
    assertThat(shown.getFirst()).contains("HTTP 401").contains("(hidden)");
  }

  @Test
  void aCertificateIsBelievedByItsAuthorityOrItsFingerprintAndNothingElse() throws Exception {
    // neither: the machine's own list of authorities does not know it
    var strange = bmc.spec("bmc-a");
    assertThat(read(strange))
        .isInstanceOfSatisfying(
            PowerReading.Unknown.class,
            unknown ->
                assertThat(unknown.reason().toLowerCase())
                    .contains("not trusted", certificate.fingerprint()));
    assertThat(read(bmc.spec("bmc-a", "fingerprint", certificate.fingerprint())))
        .isInstanceOf(PowerReading.On.class);
    var other = certificate.fingerprint().replaceAll("^..", "00");
    var another =
        certificate.fingerprint().startsWith("00") ? other.replaceAll("^..", "11") : other;
    assertThat(read(bmc.spec("bmc-a", "fingerprint", another)))
        .isInstanceOfSatisfying(
            PowerReading.Unknown.class,
            unknown -> assertThat(unknown.reason()).contains("is another one"));
    var insecure = bmc.spec("bmc-a", "insecure", "true");
    assertThat(read(insecure)).isInstanceOf(PowerReading.On.class);
    var health = fencer.check(HOST, FencingPlan.of(insecure), WITHIN).getFirst();
    assertThat(health.usable()).isTrue();
    assertThat(health.warnings())
        .singleElement()
        .asString()
        .contains("without proof of its identity");
    assertThat(bmc.log()).filteredOn(line -> line.startsWith("POST")).hasSize(3);
  }

  @Test
  void aCertificateForAnotherAddressIsBelievedOnlyByItsFingerprint() throws Exception {
    var named = TestCertificate.make(folder.resolve("named"), "dns:bmc.example");
    try (var service = new RedfishService(named)) {
      assertThat(read(service.spec("bmc-a", "caFile", named.pem().toString())))
          .isInstanceOfSatisfying(
              PowerReading.Unknown.class,
              unknown -> assertThat(unknown.reason()).contains("not trusted", "127.0.0.1"));
      assertThat(read(service.spec("bmc-a", "fingerprint", named.fingerprint())))
          .isInstanceOf(PowerReading.On.class);
    }
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource(
      delimiter = ';',
      value = {
        "address ; https://bmc       ; without https://",
        "auth    ; digest            ; use session, or basic",
        "insecure; yes               ; use true or false",
        "fingerprint ; ab:cd         ; 64 hexadecimal digits",
        "caFile  ; /nowhere/ca.pem   ; cannot read caFile",
        "sistem  ; 1                 ; did you mean system?",
        "timeout ; soon              ; give a time",
      })
  void aWrongSettingIsNamedWithAWayOut(String key, String value, String complaint) {
    assertThatThrownBy(() -> RedfishDevice.open(bmc.spec("bmc-a", key, value)))
        .isInstanceOf(FencingConfigException.class)
        .hasMessageContaining("fencing device bmc-a")
        .hasMessageContaining(complaint);
  }

  @Test
  void clusterLabsOwnRedfishAgentWorksWithTheSameService() throws Exception {
    var password = Files.writeString(folder.resolve("password"), RedfishService.PASSWORD + "\n");
    var settings = new HashMap<String, String>();
    settings.put("agent", "fence_redfish");
    settings.put("ip", "127.0.0.1");
    settings.put("ipport", "" + bmc.port());
    settings.put("username", "haven");
    settings.put("passwordFile", password.toString());
    settings.put("ssl_insecure", "1");
    settings.put("power_wait", "0");
    var agent = new DeviceSpec("bmc-a", "agent", settings);
    assertThat(fencer.powerOff(HOST, FencingPlan.of(agent), WITHIN, heard::add))
        .as(heard.toString())
        .isInstanceOf(Confirmed.class);
    assertThat(bmc.power("1")).isEqualTo("Off");
    assertThat(read(spec())).isInstanceOf(PowerReading.Off.class);
  }
}
