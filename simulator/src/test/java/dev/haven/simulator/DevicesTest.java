package dev.haven.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.Time;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.locks.ReentrantLock;
import org.junit.jupiter.api.Test;

/** The shipped fencer against devices that misbehave, in simulated time. */
class DevicesTest {
  private static List<String> violations(String... story) {
    return RandomFaults.play(List.of(story), _ -> {});
  }

  private static String log(String... story) {
    return Story.play(List.of(story));
  }

  @Test
  void aDeviceThatLiesQuicklyIsFoundOutByTheNextHeartbeat() {
    for (int seed = 1; seed <= 20; seed++) {
      assertThat(
              violations(
                  "seed " + seed,
                  "hosts a b c",
                  "guest web a",
                  "device a lies",
                  "fence a",
                  "run 10s",
                  "expect web a",
                  "expect-alarm The device lies"))
          .as("seed %d", seed)
          .isEmpty();
    }
  }

  @Test
  void aDeviceThatForgetsWhileItsHostRunsOnIsOrderedAgainBeforeItsWordCounts() {
    for (int seed = 1; seed <= 20; seed++) {
      assertThat(
              violations(
                  "seed " + seed,
                  "hosts a b c",
                  "guest web a",
                  "device a forgets",
                  "cut-off a",
                  "run 90s",
                  "expect web b c"))
          .as("seed %d", seed)
          .isEmpty();
    }
  }

  @Test
  void aStaleDeviceProvesNothingBeforeItsStateCannotBeStale() {
    for (int seed = 1; seed <= 20; seed++) {
      assertThat(
              violations(
                  "seed " + seed,
                  "hosts a b c",
                  "guest web a",
                  "device a stale",
                  "power-loss a",
                  "run 3s",
                  "power-on a",
                  "run 4s",
                  "cut-off a",
                  "run 150s",
                  "expect web b c"))
          .as("seed %d", seed)
          .isEmpty();
    }
  }

  @Test
  void aDeviceThatIsAnotherHostsCutsNobodysPower() {
    var log =
        log(
            "hosts a b c",
            "guest web a",
            "guest db b",
            "device a wrong-host",
            "power-loss a",
            "run 30s",
            "expect db b",
            "expect-nowhere web");
    assertThat(log)
        .contains("bmc-a controls host b, not host a")
        .doesNotContain("the power of host b is cut");
  }

  @Test
  void aDeviceThatDiesAfterTheOrderProvesNothing() {
    var log =
        log(
            "hosts a b c",
            "guest web a",
            "device a dies",
            "cut-off a",
            "run 30s",
            "expect-nowhere web",
            "device a works",
            "run 40s",
            "expect web b c");
    assertThat(log).contains("the power of host a is cut by its device", "could not be fenced");
  }

  @Test
  void threadsThatWaitForEachOtherGoTheSameWayInEveryRun() {
    assertThat(course()).isEqualTo(course()).isEqualTo(course()).hasSizeGreaterThan(9_000);
  }

  /** Two hundred threads with locks, queues and sleeps. */
  private static List<String> course() {
    var clock = new Clock(1);
    Time time = new SimTime(clock);
    var log = new ArrayList<String>();
    var lock = new ReentrantLock();
    var queue = new LinkedBlockingQueue<String>();
    for (int i = 0; i < 200; i++) {
      int number = i;
      time.threads()
          .start(
              () -> {
                var chance = new Chance(number);
                try {
                  for (int k = 0; k < 50; k++) {
                    time.sleep(Duration.ofMillis(chance.below(1_000)));
                    if (k % 3 == 0) {
                      queue.add(number + "@" + time.nanos());
                      continue;
                    }
                    lock.lock();
                    try {
                      time.sleep(Duration.ofMillis(1));
                      log.add(number + ";" + time.nanos());
                    } finally {
                      lock.unlock();
                    }
                  }
                } catch (InterruptedException e) {
                  log.add("interrupted");
                }
              });
    }
    time.threads()
        .start(
            () -> {
              try {
                for (var next = time.poll(queue, Duration.ofSeconds(60));
                    next.isPresent();
                    next = time.poll(queue, Duration.ofSeconds(60))) {
                  log.add(next.get());
                }
                log.add("no more at " + time.nanos());
              } catch (InterruptedException e) {
                log.add("interrupted");
              }
            });
    clock.run(Duration.ofMinutes(5));
    return log;
  }
}
