package dev.haven.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class NemesisTest {
  private static final long SEED = Long.getLong("seed", System.nanoTime() % 100_000);

  @BeforeAll
  static void sayTheSeed() {
    System.out.println("nemesis: the same again with -Dseed=" + SEED);
  }

  @Test
  void aMinuteOfEverythingThatCanGoWrongLosesNothing() throws Exception {
    var report = Nemesis.run(Duration.ofMinutes(1), SEED, System.out);
    System.out.println(report.text());
    assertThat(report.violations()).as("seed %d", SEED).isEmpty();
    assertThat(report.acknowledged()).isGreaterThan(500);
    assertThat(report.reads()).isGreaterThan(100);
  }

  @Test
  void disksThatLieAboutTheirSyncAreFound() throws Exception {
    var report = Nemesis.run(Duration.ofMinutes(3), SEED, 3, Nemesis.Flaw.LYING_DISKS, System.out);
    assertThat(report.violations()).as("seed %d", SEED).isNotEmpty();
  }

  @Test
  void readsThatDoNotGoThroughTheLogAreFound() throws Exception {
    var report = Nemesis.run(Duration.ofMinutes(3), SEED, 3, Nemesis.Flaw.LOCAL_READS, System.out);
    assertThat(report.violations()).as("seed %d", SEED).isNotEmpty();
  }
}
