package dev.haven.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RaftBenchTest {
  @TempDir private Path directory;

  @Test
  void measuresAndLeavesNothingBehind() throws Exception {
    var result = RaftBench.run(directory, 50, System.out);
    assertThat(result.commitP50()).isPositive();
    assertThat(result.text()).contains("50 sequential writes");
    try (var left = Files.list(directory)) {
      assertThat(left).isEmpty();
    }
  }
}
