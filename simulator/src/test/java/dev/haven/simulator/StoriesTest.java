package dev.haven.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Each folder under stories/ is a cluster, what happens to it, and the log we expect. {@code
 * -Dupdate=true} writes the logs again: look at the difference before it is committed, it is a
 * changed behaviour.
 */
class StoriesTest {
  private static final Path STORIES = Path.of("src/test/resources/stories");

  @TestFactory
  Stream<DynamicTest> everyStoryGoesAsItIsWritten() throws IOException {
    try (var folders = Files.list(STORIES)) {
      return folders.sorted().toList().stream()
          .map(f -> DynamicTest.dynamicTest(f.getFileName().toString(), () -> replay(f)));
    }
  }

  private static void replay(Path folder) throws IOException {
    var log = Story.play(Files.readAllLines(folder.resolve("story.txt")));
    var expected = folder.resolve("expected.log");
    if (Boolean.getBoolean("update")) {
      Files.writeString(expected, log);
    }
    assertThat(log).isEqualTo(Files.readString(expected));
  }
}
