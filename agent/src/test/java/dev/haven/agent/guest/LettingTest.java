package dev.haven.agent.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.Time;
import org.junit.jupiter.api.Test;

/** What a guest may still be let run by, while nobody can say that it is paused. */
class LettingTest {
  private final Letting letting = new Letting(Time.SYSTEM);

  @Test
  void aCallThatEndsHidesNoEarlierOneForTheSameGuest() throws Exception {
    letting.run(
        () -> true,
        "web",
        4,
        () -> {
          assertThat(letting.<String, RuntimeException>run(() -> true, "web", 3, () -> "refused"))
              .isNotEmpty();
          assertThat(letting.now()).containsEntry("web", 4L);
          return "done";
        });
    assertThat(letting.now()).isEmpty();
  }

  @Test
  void aCallWhoseConnectionBrokeMayStillBeObeyed() {
    assertThatThrownBy(
            () ->
                letting.run(
                    () -> false,
                    "web",
                    3,
                    () -> {
                      throw new IllegalStateException("libvirtd is gone");
                    }))
        .hasMessage("libvirtd is gone");
    assertThat(letting.now()).containsEntry("web", 3L);
  }
}
