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
  private static final Duration LENGTH = Duration.ofMinutes(5);
  private static final long SEED = Long.getLong("seed", System.nanoTime() % 1_000_000);

  private static ChaosPlan draw(long seed) {
    return ChaosPlan.draw(seed, LENGTH, 3, EnumSet.allOf(Fault.class));
  }

  @Test
  void aSeedIsAWholeStory() {
    assertThat(draw(7)).isEqualTo(draw(7)).isNotEqualTo(draw(8));
  }

  @Test
  void fiveMinutesMakeEveryKindOfFault() {
    for (var seed : List.of(SEED, SEED + 1, SEED + 2)) {
      assertThat(draw(seed).counts()).as("seed %d", seed).containsOnlyKeys(Fault.values());
    }
  }

  @Test
  void faultsOverlapButNoHostHasTwoOfTheSamePart() {
    var random = new Random(SEED);
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
    var random = new Random(SEED);
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

  @Test
  void someFaultsOutlastTheBoundAndSomeOfThemTakeTheDeviceAlong() {
    var random = new Random(SEED);
    int together = 0;
    for (int i = 0; i < 200; i++) {
      var longOnes = draw(random.nextLong()).faults().stream().filter(Planned::isLong).toList();
      assertThat(longOnes).as("seed %d, draw %d", SEED, i).isNotEmpty();
      assertThat(longOnes).allMatch(f -> f.lasts().toSeconds() >= 50);
      for (var one : longOnes) {
        if (one.fault().part() == Part.LINK
            && longOnes.stream()
                .anyMatch(f -> f.at().equals(one.at()) && f.fault().part() == Part.BMC)) {
          together++;
        }
      }
    }
    assertThat(together).as("seed %d", SEED).isGreaterThan(50);
  }

  private static boolean overlap(Planned one, Planned other) {
    return one.at().compareTo(other.end()) <= 0 && other.at().compareTo(one.end()) <= 0;
  }
}
