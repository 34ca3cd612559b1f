package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class RealTimeTest {
  @Test
  void itSaysWhatTheKernelGaveAndThreadsThatAreStartedLaterDoNotInheritIt() throws Exception {
    var given = new AtomicBoolean();
    var has = new AtomicBoolean();
    var childHas = new AtomicBoolean(true);
    var thread =
        Thread.ofPlatform()
            .start(
                () -> {
                  given.set(RealTime.thread());
                  has.set(RealTime.has());
                  var child = Thread.ofPlatform().start(() -> childHas.set(RealTime.has()));
                  try {
                    child.join();
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                });
    thread.join();
    assertThat(has.get()).isEqualTo(given.get());
    assertThat(childHas).isFalse();
    if (Files.readString(Path.of("/proc/self/status")).contains("\nUid:\t0\t") && !given.get()) {
      assertThat(Files.readString(Path.of("/proc/self/cgroup")))
          .as("root is refused only by a control group without real-time")
          .contains("cpu");
    }
  }
}
