package dev.haven.lab;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.HostId;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CopiesWatchTest {
  private static CopiesWatch.Turn turn(int second, String host, boolean runs) {
    return new CopiesWatch.Turn(
        Instant.ofEpochSecond(second), new HostId(host), host.charAt(0), runs, List.of());
  }

  @Test
  void aGuestThatStopsHereBeforeItGoesOnThereRunsOnce() {
    var course = List.of(turn(1, "a", true), turn(2, "b", false), turn(3, "a", false));
    assertThat(CopiesWatch.doubleRuns(course, Map.of())).isEmpty();
    var gone = new java.util.ArrayList<>(course);
    gone.add(turn(4, "b", true));
    assertThat(CopiesWatch.doubleRuns(gone, Map.of())).isEmpty();
  }

  @Test
  void aGuestThatGoesOnThereBeforeItStopsHereRunsTwice() {
    var course = List.of(turn(1, "a", true), turn(2, "b", true), turn(3, "a", false));
    assertThat(CopiesWatch.doubleRuns(course, Map.of()))
        .containsExactly("at 1970-01-01T00:00:02Z it runs on hosts [a, b]");
  }

  @Test
  void aGuestWhoseProcessHasEndedRunsNoMore() {
    var course = List.of(turn(1, "a", true), turn(3, "b", true));
    assertThat(CopiesWatch.doubleRuns(course, Map.of((long) 'a', Instant.ofEpochSecond(2))))
        .isEmpty();
    assertThat(CopiesWatch.doubleRuns(course, Map.of((long) 'a', Instant.ofEpochSecond(4))))
        .hasSize(1);
  }
}
