package dev.haven.fencing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.fencing.FencingOutcome.Confirmed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** With ClusterLabs' own agents, and with agents written here to misbehave. */
final class FenceAgentDeviceTest {
  private static final Duration WITHIN = Duration.ofSeconds(15);
  private static final FencingTarget HOST = new FencingTarget("a", Optional.empty(), Map.of());
  private static final String METADATA =
      """
      <?xml version="1.0" ?>
      <resource-agent name="fence_test" shortdesc="test">
      <parameters>
        <parameter name="action" required="1"><content type="string" default="reboot"/></parameter>
        <parameter name="ip" required="1" obsoletes="ipaddr"><content type="string"/><shortdesc>its address</shortdesc></parameter>
        <parameter name="ipaddr" required="1" deprecated="1"><content type="string"/></parameter>
        <parameter name="ipport" unique="1"><content type="integer" default="623"/></parameter>
        <parameter name="ssl"><content type="boolean" default="0"/></parameter>
        <parameter name="method"><content type="select" default="onoff"><option value="onoff"/><option value="cycle"/></content></parameter>
        <parameter name="password"><content type="string"/></parameter>
        <parameter name="debug_file"><content type="string"/></parameter>
      </parameters>
      <actions><action name="on" automatic="0"/><action name="off"/><action name="status"/></actions>
      </resource-agent>
      """;

  @TempDir Path folder;
  private Fencer fencer;

  @BeforeEach
  void open() {
    fencer = new Fencer(folder);
  }

  private static DeviceSpec spec(String agent, String... pairs) {
    var settings = new HashMap<String, String>();
    settings.put("agent", agent);
    for (int i = 0; i < pairs.length; i += 2) {
      settings.put(pairs[i], pairs[i + 1]);
    }
    return new DeviceSpec("pdu", "agent", settings);
  }

  private DeviceSpec scripted(String body, String... pairs) throws IOException {
    return describedBy(METADATA, body, pairs);
  }

  /** The options of a call are in the file {@code in}, the action in {@code $action}. */
  private DeviceSpec describedBy(String metadata, String body, String... pairs) throws IOException {
    Files.writeString(folder.resolve("metadata.xml"), metadata);
    var agent = folder.resolve("fence_test");
    Files.writeString(
        agent,
        """
        #!/bin/sh
        cd %s; cat > in; action=$(sed -n s/^action=//p in)
        [ "$action" = metadata ] && exec cat metadata.xml
        %s
        """
            .formatted(folder, body));
    agent.toFile().setExecutable(true);
    var all = new ArrayList<>(List.of("ip", "10.0.0.1"));
    all.addAll(List.of(pairs));
    return spec(agent.toString(), all.toArray(String[]::new));
  }

  @Test
  void fenceIpmilanSwitchesARealBmcOffAndOn() throws Exception {
    try (var bmc = new SimulatedBmc(folder.resolve("bmc"), SimulatedBmc.GUID)) {
      var passwordFile =
          Files.writeString(folder.resolve("password"), SimulatedBmc.PASSWORD + "\n");
      var spec =
          spec(
              "fence_ipmilan",
              "ip",
              "127.0.0.1",
              "ipport",
              "" + bmc.port(),
              "lanplus",
              "1",
              "cipher",
              "3",
              "username",
              "haven",
              "privlvl",
              "operator",
              "power_wait",
              "0",
              "passwordFile",
              passwordFile.toString());
      var heard = Collections.synchronizedList(new ArrayList<FencingStep>());
      assertThat(fencer.powerOff(HOST, FencingPlan.of(spec), WITHIN, heard::add))
          .as(heard.toString())
          .isInstanceOf(Confirmed.class);
      assertThat(bmc.power()).isFalse();
      assertThat(heard.toString()).doesNotContain(SimulatedBmc.PASSWORD);
      assertThat(fencer.readAll(FencingPlan.of(spec), WITHIN))
          .isInstanceOf(EvidenceReading.PowerOff.class);
      assertThat(fencer.powerOn(HOST, FencingPlan.of(spec), WITHIN, FencingListener.NONE))
          .isInstanceOf(PowerOnOutcome.On.class);
      var health = fencer.check(HOST, FencingPlan.of(spec), WITHIN).getFirst();
      assertThat(health.usable()).isTrue();
      assertThat(health.sentence())
          .startsWith("pdu answers, says on, whether it may switch is not known");
      assertThat(health.wayOut()).contains("test it once");
    }
  }

  /** ClusterLabs' library asks first, and gives no order to what says off already. */
  @Test
  void anAgentThatSendsNoOrderIsBelievedOnlyWhenItsWordCannotBeStale() throws Exception {
    try (var bmc = new SimulatedBmc(folder.resolve("bmc"), SimulatedBmc.GUID)) {
      bmc.power(false);
      var spec =
          spec(
              "fence_ipmilan",
              "ip",
              "127.0.0.1",
              "ipport",
              "" + bmc.port(),
              "lanplus",
              "1",
              "cipher",
              "3",
              "username",
              "haven",
              "password",
              SimulatedBmc.PASSWORD,
              "stale",
              "2s");
      var heard = Collections.synchronizedList(new ArrayList<FencingStep>());
      var outcome = fencer.powerOff(HOST, FencingPlan.of(spec), WITHIN, heard::add);
      assertThat(bmc.orders()).isZero();
      assertThat(outcome)
          .isInstanceOfSatisfying(
              Confirmed.class,
              confirmed -> {
                var already =
                    heard.stream()
                        .filter(step -> step.kind() == FencingStep.Kind.ALREADY_OFF)
                        .findFirst()
                        .orElseThrow();
                assertThat(Duration.between(already.at(), confirmed.readingBegan()))
                    .isGreaterThanOrEqualTo(Duration.ofSeconds(2));
              });
      // it has gone on saying off since: the next fence need not wait again
      assertThat(fencer.powerOff(HOST, FencingPlan.of(spec), WITHIN, heard::add))
          .isInstanceOf(Confirmed.class);
    }
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = ';',
      value = {
        "on                                   ; exit 0                       ; On",
        "off                                  ; exit 2                       ; Off",
        "unreachable                          ; exit 1                       ; Unknown",
        "an exit status that means nothing    ; exit 7                       ; Unknown",
        "killed                               ; kill -9 $$                   ; Unknown",
        "off, but its words say on            ; echo Status: ON && exit 2    ; Unknown",
        "on, but its words say off            ; echo Status: OFF             ; Unknown",
        "a wrong call, which also ends with 2 ; echo usage: fence && exit 2  ; Unknown",
        "too slow                             ; sleep 30                     ; Unknown",
        "stderr means nothing                 ; echo Status: OFF >&2         ; On",
      })
  void theExitStatusOfStatusIsTheReading(String reason, String body, String expected)
      throws Exception {
    var reading = FenceAgentDevice.open(scripted(body, "timeout", "2s")).read(WITHIN);
    assertThat(reading.getClass().getSimpleName()).as(reason + ": " + reading).isEqualTo(expected);
  }

  @Test
  void anAgentThatHangsIsKilledWithAllItsChildren() throws Exception {
    var spec =
        scripted(
            "sleep 987.125 & sh -c 'echo $$ > child; exec sleep 987.25' & wait", "timeout", "1s");
    var began = System.nanoTime();
    var result = FenceAgentDevice.open(spec).switchOff(WITHIN);
    assertThat(result)
        .isInstanceOfSatisfying(
            SwitchResult.Failed.class,
            failed -> assertThat(failed.reason()).isEqualTo("no answer in 1.0 s"));
    assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(3));
    long child = Long.parseLong(Files.readString(folder.resolve("child")).strip());
    var deadline = Deadline.in(Duration.ofSeconds(5));
    while (running(child) && deadline.left().isPositive()) {
      Thread.onSpinWait();
    }
    assertThat(running(child)).isFalse();
  }

  private static boolean running(long pid) throws IOException {
    var stat = Path.of("/proc/" + pid + "/stat");
    try {
      return Files.exists(stat) && !Files.readString(stat).contains(") Z ");
    } catch (IOException e) {
      return Files.exists(stat);
    }
  }

  @Test
  void optionsGoInByStandardInputAndNotByTheCommandLine() throws Exception {
    var spec =
        scripted(
            "tr '\\0' ' ' < /proc/$$/cmdline > cmdline; env > environment; cp in seen; echo"
                + " hush-Tr33-9 >&2; exit 1",
            "password",
            SimulatedBmc.PASSWORD,
            "ipport",
            "1623");
    var reading = FenceAgentDevice.open(spec).read(WITHIN);
    assertThat(Files.readAllLines(folder.resolve("seen")))
        .contains("action=status", "ip=10.0.0.1", "ipport=1623", "password=hush-Tr33-9");
    assertThat(Files.readString(folder.resolve("cmdline"))).doesNotContain(SimulatedBmc.PASSWORD);
    assertThat(Files.readString(folder.resolve("environment")))
        .doesNotContain(SimulatedBmc.PASSWORD);
    assertThat(reading.toString()).contains(Secrets.HIDDEN).doesNotContain(SimulatedBmc.PASSWORD);
    assertThat(spec.toString()).contains("ip=10.0.0.1").doesNotContain(SimulatedBmc.PASSWORD);
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = ';',
      value = {
        "ipprt=1        ; option ipprt is unknown          ; did you mean ipport",
        "ipport=x       ; option ipport is x               ; give a whole number",
        "ssl=perhaps    ; option ssl is perhaps            ; give 1 or 0",
        "method=fast    ; option method is fast            ; choose from onoff, cycle",
        "method=cycle   ; option method is cycle           ; use onoff",
        "action=off     ; option action may not be set     ; Haven chooses the action",
        "debug_file=/f  ; option debug_file may not be set ; agents write passwords",
      })
  void aMistakeInAnOptionIsToldWithTheWayOut(String option, String what, String wayOut)
      throws Exception {
    var spec = scripted("exit 0", option.split("=")[0], option.split("=")[1]);
    assertThatThrownBy(() -> FenceAgentDevice.open(spec))
        .isInstanceOf(FencingConfigException.class)
        .hasMessageContaining(what)
        .hasMessageContaining(wayOut);
  }

  @Test
  void aRequiredOptionMayBeGivenUnderItsOldName() throws Exception {
    var spec = scripted("exit 0");
    var settings = new HashMap<>(spec.settings());
    settings.put("ipaddr", settings.remove("ip"));
    FenceAgentDevice.open(new DeviceSpec("pdu", "agent", settings));
    settings.remove("ipaddr");
    assertThatThrownBy(() -> FenceAgentDevice.open(new DeviceSpec("pdu", "agent", settings)))
        .hasMessageContaining("option ip is missing; add it: its address");
  }

  @ParameterizedTest
  @ValueSource(strings = {"fence_scsi", "fence_mpath"})
  void agentsThatNeedUnfencingAreRefusedWithTheReason(String agent) {
    assertThatThrownBy(() -> FenceAgentDevice.open(spec(agent)))
        .hasMessageContaining("unfencing")
        .hasMessageContaining("use an agent that switches the power");
  }

  @Test
  void anAgentThatCannotBeReadBackIsRefused() throws Exception {
    var spec = describedBy(METADATA.replace("<action name=\"status\"/>", ""), "exit 0");
    assertThatThrownBy(() -> FenceAgentDevice.open(spec)).hasMessageContaining("no action status");
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "fence_ipmilann, there is no agent fence_ipmilann",
    "/bin/true, does not describe itself",
    "rm -rf, give a name such as fence_ipmilan",
  })
  void whatIsNoAgentIsToldWithTheWayOut(String agent, String expected) {
    assertThatThrownBy(() -> FenceAgentDevice.open(spec(agent)))
        .isInstanceOf(FencingConfigException.class)
        .hasMessageContaining(expected);
  }

  @Test
  void metadataIsReadForNamesTypesDefaultsRequiredAndUnique() {
    var metadata = AgentMetadata.parse(METADATA);
    var port = Objects.requireNonNull(metadata.options().get("ipport"));
    var ip = Objects.requireNonNull(metadata.options().get("ip"));
    assertThat(port.type()).isEqualTo("integer");
    assertThat(port.standard()).contains("623");
    assertThat(port.unique()).isTrue();
    assertThat(port.required()).isFalse();
    assertThat(ip.required()).isTrue();
    assertThat(ip.otherNames()).containsExactly("ipaddr");
    assertThat(metadata.needsUnfencing()).isFalse();
  }
}
