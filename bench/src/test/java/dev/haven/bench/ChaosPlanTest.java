package dev.haven.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.bench.ChaosPlan.Fault;
import dev.haven.bench.ChaosPlan.Part;
import dev.haven.bench.ChaosPlan.Planned;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ChaosPlanTest {
  private static final Duration LENGTH = Duration.ofMinutes(3);

  private static ChaosPlan draw(long seed) {
    return ChaosPlan.draw(seed, LENGTH, 3, EnumSet.allOf(Fault.class));
  }

  @Test
  void aSeedIsAWholeStory() {
    assertThat(draw(7)).isEqualTo(draw(7)).isNotEqualTo(draw(8));
  }

  @Test
  void threeMinutesMakeEveryKindOfFault() {
    for (var seed : List.of(1L, 2L, 3L)) {
      assertThat(draw(seed).counts()).as("seed %d", seed).containsOnlyKeys(Fault.values());
    }
  }

  @Test
  void faultsOverlapButNoHostHasTwoOfTheSamePart() {
    var random = new Random(1);
    int overlaps = 0;
    for (int i = 0; i < 200; i++) {
      var faults = draw(random.nextLong()).faults();
      for (var one : faults) {
        for (var other : faults) {
          if (!one.equals(other) && overlap(one, other)) {
            overlaps++;
            assertThat(one.host() == other.host() && one.fault().part() == other.fault().part())
                .as("%s and %s", one, other)
                .isFalse();
          }
        }
      }
    }
    assertThat(overlaps).isGreaterThan(200);
  }

  @Test
  void noDeviceLiesAboutAHostThatRunsUnheard() {
    var random = new Random(2);
    for (int i = 0; i < 200; i++) {
      var faults = draw(random.nextLong()).faults();
      for (var lie : faults) {
        if (lie.fault() == Fault.BMC_LIES) {
          assertThat(faults)
              .filteredOn(f -> f.host() == lie.host() && overlap(f, lie))
              .filteredOn(f -> f.fault().part() == Part.LINK)
              .allMatch(f -> f.fault() == Fault.POWER_CUT);
        }
      }
    }
  }

  private static boolean overlap(Planned one, Planned other) {
    return one.at().compareTo(other.end()) <= 0 && other.at().compareTo(one.end()) <= 0;
  }
}
