package dev.haven.model.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.Json;
import java.time.Instant;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What clients read from voters that may be newer. */
final class ViewsTest {
  private static Stream<Class<? extends Enum<?>>> shown() {
    return Stream.of(
        Views.Host.State.class,
        Views.Guest.State.class,
        Views.Operation.State.class,
        Views.Operation.Kind.class,
        Views.Device.State.class,
        Alarm.Level.class,
        Alarm.Kind.class,
        Fact.Kind.class);
  }

  @ParameterizedTest
  @MethodSource("shown")
  void aWordOfANewerVoterIsUnknownAndBreaksNoClient(Class<? extends Enum<?>> of) {
    var all = of.getEnumConstants();
    assertThat(Json.read("\"levitating\"", of))
        .isEqualTo(all[all.length - 1])
        .hasToString("unknown");
  }

  @ParameterizedTest
  @MethodSource("shown")
  void eachIsOneLowerCaseWordOnTheWire(Class<? extends Enum<?>> of) {
    assertThat(Arrays.stream(of.getEnumConstants()))
        .allSatisfy(
            one -> {
              var json = Json.text(one);
              assertThat(json).matches("\"[a-z]+([ -][a-z]+)*\"").contains(one.toString());
              assertThat(Json.read(json, of)).isEqualTo(one);
            });
  }

  @Test
  void programsReadTheWordsThatTheyAlwaysRead() {
    assertThat(Json.text(Views.Operation.Kind.MIGRATE_GROUP)).isEqualTo("\"migrate group\"");
    assertThat(Json.text(Alarm.Level.CRITICAL)).isEqualTo("\"critical\"");
    assertThat(Json.text(Views.Guest.State.RESTARTING)).isEqualTo("\"restarting\"");
  }

  @Test
  void anAlarmOfANewerKindIsNotForTheHardState() {
    var newer =
        Json.read(
            Json.text(
                    new Alarm(
                        "x", Alarm.Kind.STORM, Alarm.Level.CRITICAL, "cluster", "", Instant.EPOCH))
                .replace("storm", "comet"),
            Alarm.class);
    assertThat(newer.kind()).isEqualTo(Alarm.Kind.UNKNOWN);
    assertThatThrownBy(newer::known).hasMessageContaining("upgrade this one");
  }
}
