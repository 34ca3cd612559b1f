package dev.haven.lab;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.GuestId;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.Test;

class WritersWatchTest {
  private final WritersWatch.Course course = new WritersWatch.Course(new GuestId("g1"));
  private int second;

  private void look(Map<String, Long> highest) {
    course.look(Instant.ofEpochSecond(++second), highest, () -> "host a");
  }

  @Test
  void copiesThatFollowOneAnotherAreNoTwoWriters() {
    look(Map.of("old", 1L));
    look(Map.of("old", 7L)); // it may have moved meanwhile: it is the same copy
    look(Map.of("old", 7L, "new", 0L));
    look(Map.of("old", 7L, "new", 9L));
    look(Map.of("new", 300L)); // the ring has come round
    assertThat(course.doubles()).isEmpty();
  }

  @Test
  void anOlderCopyThatWritesAgainIsASecondWriter() {
    look(Map.of("old", 7L));
    look(Map.of("old", 7L, "new", 0L));
    look(Map.of("old", 8L, "new", 1L));
    assertThat(course.doubles())
        .containsExactly(
            "guest g1: at 1970-01-01T00:00:03Z its disk was written (8) by the copy that began on"
                + " host a at 1970-01-01T00:00:01Z, after a younger one had begun on"
                + " host a at 1970-01-01T00:00:02Z");
  }

  @Test
  void whatAnOlderCopyWroteBeforeTheYoungerOneWasSeenIsNone() {
    look(Map.of("old", 7L));
    look(Map.of("old", 9L, "new", 0L));
    assertThat(course.doubles()).isEmpty();
  }
}
