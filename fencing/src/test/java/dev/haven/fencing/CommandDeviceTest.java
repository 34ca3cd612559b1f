package dev.haven.fencing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.fencing.FencingOutcome.Confirmed;
import dev.haven.fencing.FencingOutcome.Failed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class CommandDeviceTest {
  private static final Duration WITHIN = Duration.ofSeconds(15);
  private static final FencingTarget HOST = new FencingTarget("a", Optional.empty(), Map.of());

  @TempDir Path folder;
  private Fencer fencer;
  private Path program;

  @BeforeEach
  void start() throws IOException {
    fencer = new Fencer(folder);
    program = folder.resolve("outlet");
    script("");
    Files.writeString(folder.resolve("power"), "on");
  }

  /** An outlet whose state is in the file {@code power}; {@code first} runs before anything. */
  private void script(String first) throws IOException {
    Files.writeString(
        program,
        """
        #!/bin/sh
        cd %s
        %s
        case "$2" in
        off|on) echo "$2" > power; echo "outlet $1 switched" ;;
        status) echo "outlet $1 is $(cat power)"; [ "$3" = words ] || [ "$(cat power)" = on ] || exit 2 ;;
        esac
        """
            .formatted(folder, first));
    program.toFile().setExecutable(true);
  }

  private DeviceSpec spec(String... pairs) {
    var settings = new HashMap<String, String>();
    settings.put("off", program + " 'left 3' off");
    settings.put("on", program + " 'left 3' on");
    settings.put("status", program + " 'left 3' status");
    for (int i = 0; i < pairs.length; i += 2) {
      settings.put(pairs[i], pairs[i + 1]);
    }
    return new DeviceSpec("outlet-a", "command", settings);
  }

  private FencingOutcome off(DeviceSpec spec, Duration within) {
    return fencer.powerOff(HOST, FencingPlan.of(spec), within, FencingListener.NONE);
  }

  private PowerReading read(DeviceSpec spec) {
    try (var device = CommandDevice.open(spec)) {
      return device.read(WITHIN);
    }
  }

  /** Each is what an operator might write; the answer is what a broken, or hostile, device says. */
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {"power.*power.*off ; power.*power.*on", "(\\w| )*off ; (\\w| )*on"})
  void anAnswerThatAnExpressionNeverComesToAnEndWithIsNoReading(String off, String on)
      throws Exception {
    script("yes power | head -c 1000000 | tr '\\n' ' '");
    var spec = spec("offMatch", off, "onMatch", on, "timeout", "1s");
    var reading =
        CompletableFuture.supplyAsync(() -> read(spec)).get(WITHIN.toSeconds(), TimeUnit.SECONDS);
    assertThat(reading).isInstanceOf(PowerReading.Unknown.class);
  }

  @Test
  void aCommandSwitchesAndItsExitStatusTellsTheState() {
    assertThat(off(spec(), WITHIN))
        .isInstanceOfSatisfying(
            Confirmed.class,
            confirmed ->
                assertThat(confirmed.readings().getFirst().evidence())
                    .isEqualTo("it ended with 2 and said: outlet left 3 is off"));
    assertThat(fencer.powerOn(HOST, FencingPlan.of(spec()), WITHIN, FencingListener.NONE))
        .isInstanceOf(PowerOnOutcome.On.class);
  }

  @ParameterizedTest(name = "{0}: {2}")
  @CsvSource(
      delimiter = ';',
      value = {
        "exit 1                    ; exits       ; Unknown",
        "exit 2                    ; exits       ; Off",
        "exit 0                    ; exits       ; On",
        "exit 126                  ; exits       ; Unknown",
        "kill -9 $$                ; exits       ; Unknown",
        "echo is off && exit 0     ; words       ; Off",
        "echo is on && exit 0      ; words       ; On",
        "echo is on && echo is off  ; words       ; Unknown",
        "echo is off && exit 3     ; words       ; Unknown",
        "exit 0                    ; words       ; Unknown",
      })
  void onlyWhatIsAgreedOnIsAState(String answer, String by, String expected) throws IOException {
    script(answer + "; exit 0");
    var spec = by.equals("words") ? spec("offMatch", "is off$", "onMatch", "is on$") : spec();
    assertThat(read(spec).getClass().getSimpleName()).isEqualTo(expected);
  }

  @Test
  void whatHangsIsKilledWithItsChildren() throws Exception {
    script("sleep 987654 & echo $! > child; echo $$ > parent; wait");
    var spec = spec("timeout", "300ms");
    assertThat(read(spec))
        .isInstanceOfSatisfying(
            PowerReading.Unknown.class,
            unknown -> assertThat(unknown.reason()).contains("no answer in 0.3 s"));
    for (var file : List.of("child", "parent")) {
      long pid = Long.parseLong(Files.readString(folder.resolve(file)).strip());
      var process = ProcessHandle.of(pid);
      if (process.isPresent()) {
        process.get().onExit().get(10, java.util.concurrent.TimeUnit.SECONDS);
      }
    }
  }

  @Test
  void secretsAreInTheEnvironmentAndNowhereElse() throws IOException {
    var password = Files.writeString(folder.resolve("secret"), "hush-Tr33\n");
    script(
        "echo \"$HAVEN_PASSWORD $PLUG_CODE\" > seen; tr '\\0' ' ' < /proc/$$/cmdline > line; echo"
            + " no: $PLUG_CODE; exit 1");
    var spec = spec("passwordFile", password.toString(), "env.PLUG_CODE", "swordfish");
    var shown =
        List.of(
            read(spec).toString(), spec.toString(), off(spec, Duration.ofSeconds(1)).toString());
    assertThat(Files.readString(folder.resolve("seen"))).isEqualTo("hush-Tr33 swordfish\n");
    assertThat(Files.readString(folder.resolve("line"))).doesNotContain("hush-Tr33", "swordfish");
    assertThat(shown).allSatisfy(text -> assertThat(text).doesNotContain("hush-Tr33", "swordfish"));
    assertThat(shown.getFirst()).contains("no: (hidden)");
  }

  @Test
  void anOrderThatFailedProvesNothingOfWhatSaysOff() throws IOException {
    Files.writeString(folder.resolve("power"), "off");
    script("[ \"$2\" = off ] && exit 4");
    assertThat(off(spec(), Duration.ofSeconds(1))).isInstanceOf(Failed.class);
    script("[ \"$2\" = off ] && echo nothing to do && exit 0");
    var spec = spec("alreadyMatch", "nothing to do", "stale", "300ms");
    var heard = new java.util.concurrent.ConcurrentLinkedQueue<FencingStep>();
    assertThat(fencer.powerOff(HOST, FencingPlan.of(spec), WITHIN, heard::add))
        .isInstanceOf(Confirmed.class);
    assertThat(heard).extracting(FencingStep::kind).contains(FencingStep.Kind.ALREADY_OFF);
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource(
      delimiter = ';',
      value = {
        "off      ; outlet off                       ; whole path of the program",
        "off      ; /usr/bin/outlet --password=x off ; filled from passwordFile",
        "off      ; /usr/bin/outlet -p swordfish     ; read its environment instead",
        "offExit  ; 1                                ; programs that fail end with 1",
        "offExit  ; 0                                ; a number of its own",
        "offMatch ; off                              ; set both",
        "onMatch  ; (                                ; it is no expression",
      })
  void aWrongSettingIsNamedWithAWayOut(String key, String value, String complaint) {
    assertThatThrownBy(() -> CommandDevice.open(spec("env.PLUG_CODE", "swordfish", key, value)))
        .isInstanceOf(FencingConfigException.class)
        .hasMessageContaining(complaint);
  }
}
