package dev.haven.raft;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What waits for the Raft thread. */
class BacklogTest {
  @Test
  void ofManySmallMessagesOnlySoManyWaitThatTheOthersAreStillHeard() {
    var backlog = new Backlog(8 << 20);
    int kept = 0;
    while (kept < 10_000 && backlog.add("flood", 600, false)) {
      kept++;
    }
    assertThat(kept).isEqualTo(Backlog.FRAMES_MAX);
    assertThat(backlog.hasRoom("flood", 600)).isFalse();
    assertThat(backlog.add("other", 600, true)).isTrue();

    backlog.taken("flood", 600);
    assertThat(backlog.add("flood", 600, false)).isTrue();
    for (int i = 0; i < kept; i++) {
      backlog.taken("flood", 600);
    }
    backlog.taken("other", 600);
    assertThat(backlog.bytes()).isZero();
    assertThat(backlog.hasRoom("flood", 600)).isTrue();
  }
}
