package dev.haven.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Rules as people write them. */
class RuleTextTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "on:a,b",
        "prefer-off:rack=1",
        "together:app=web",
        "prefer-apart:app=web",
        "failback:a,rack=1",
        "after:cache,db",
        "follows:db",
        "prefer-follows:db",
        "partial:yes"
      })
  void whatIsReadIsWrittenAlike(String text) {
    assertThat(RuleText.of(RuleText.parse(text))).isEqualTo(text);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "near:a",
        "on:",
        "apart:web",
        "prefer-after:db",
        "prefer-failback:a",
        "after:",
        "partial:no",
        "follows:"
      })
  void whatIsNoRuleIsRefusedWithAllThatThereAre(String text) {
    assertThatThrownBy(() -> RuleText.parse(text))
        .hasMessageContaining("write it as one of")
        .hasMessageContaining("after:GUEST");
  }
}
