package dev.haven.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What went wrong is told again in as few sentences as possible. */
class ShrinkTest {
  private static final long SECOND = 1_000_000_000L;

  /** A device that lies about a host that nobody hears lies outside the promise. */
  @Test
  void ofManyThingsThoseAreLeftThatMadeItGoWrong() {
    var said = new ArrayList<Script.Said>();
    said.add(new Script.Said(-1, "seed 7"));
    said.add(new Script.Said(-1, "hosts a b c d e"));
    for (int i = 1; i <= 10; i++) {
      said.add(new Script.Said(-1, "create guest-" + i));
    }
    said.add(new Script.Said(60 * SECOND, "chaos anything"));
    said.add(new Script.Said(61 * SECOND, "elect"));
    said.add(new Script.Said(62 * SECOND, "agent-dies a 500ms"));
    said.add(new Script.Said(63 * SECOND, "libvirt-down b"));
    said.add(new Script.Said(64 * SECOND, "device e lies"));
    said.add(new Script.Said(65 * SECOND, "guest-becomes guest-3 off-crashed"));
    said.add(new Script.Said(66 * SECOND, "cut-off e"));
    said.add(new Script.Said(67 * SECOND, "evacuate c"));
    said.add(new Script.Said(68 * SECOND, "libvirt-up b"));
    said.add(new Script.Said(80 * SECOND, "all-ends-well 360s"));
    var story = Shrink.of(said, Duration.ofMinutes(2)).orElseThrow();
    assertThat(story).contains("device e lies", "cut-off e").hasSizeLessThan(12);
    assertThat(RandomFaults.play(story, _ -> {})).isNotEmpty();
  }

  @Test
  void whatGoesWellIsNoStory() {
    var said =
        List.of(
            new Script.Said(-1, "seed 7"),
            new Script.Said(-1, "hosts a b c"),
            new Script.Said(-1, "create guest-1"));
    assertThat(Shrink.of(said, Duration.ofMinutes(1))).isEmpty();
  }

  @Test
  void aCourseToldAgainIsTheSame() {
    var faults = new Faults(4417, java.util.Optional.empty());
    faults.play(10);
    var story = new Story();
    Shrink.lines(faults.said()).forEach(story::happens);
    assertThat(story.cluster().lastLines()).isEqualTo(faults.simulation().lastLines()).isNotEmpty();
  }
}
