package dev.haven.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class PromisesTest {
  private final Promises promises = new Promises();

  @Test
  void whatWasAcknowledgedLastMustShow() {
    promises.acknowledged("guest g1 wanted", "true");
    promises.acknowledged("guest g1 wanted", "false");
    assertThat(promises.broken(Map.of("guest g1 wanted", "false"))).isEmpty();
    assertThat(promises.broken(Map.of("guest g1 wanted", "true")))
        .containsExactly("guest g1 wanted is true; acknowledged last was false");
    assertThat(promises.broken(Map.of()))
        .containsExactly("guest g1 wanted is gone; acknowledged last was false");
  }

  @Test
  void whatGotNoAnswerMayShowOrNot() {
    promises.acknowledged("guest g1 priority", "3");
    promises.unknown("guest g1 priority", "5");
    assertThat(promises.broken(Map.of("guest g1 priority", "3"))).isEmpty();
    assertThat(promises.broken(Map.of("guest g1 priority", "5"))).isEmpty();
    assertThat(promises.broken(Map.of("guest g1 priority", "4")))
        .containsExactly("guest g1 priority is 4; acknowledged last was 3, without answer [5]");
  }
}
