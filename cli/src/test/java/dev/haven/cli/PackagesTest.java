package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The Debian packages of this build, made, installed, used, upgraded and removed in a root folder
 * of their own: this machine's, seen through an overlay.
 */
class PackagesTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

  @TempDir Path directory;

  @Test
  void whatIsInstalledWorksAndLeavesNothingBehind() throws Exception {
    var jars = ROOT.resolve("target/haven/lib");
    assertThat(jars).as("what ./haven builds; run the tests by ./haven test").isDirectory();
    var made =
        run(
            ROOT.resolve("packaging/build").toString(),
            System.getProperty("java.home"),
            jars.toString(),
            directory.resolve("packages").toString());
    assertThat(made.exit()).as(made.text()).isZero();
    var tried =
        run(
            "unshare",
            "--mount",
            "--propagation=private",
            ROOT.resolve("packaging/try").toString(),
            directory.resolve("packages").toString(),
            directory.resolve("root").toString());
    assertThat(tried.exit()).as(tried.text()).isZero();
  }

  private record Ran(int exit, String text) {}

  private Ran run(String... command) throws IOException, InterruptedException {
    var log = Files.createTempFile(directory, "run", ".log");
    var process =
        new ProcessBuilder(List.of(command))
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    process.getOutputStream().close();
    if (!process.waitFor(5, TimeUnit.MINUTES)) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly().waitFor();
      return new Ran(-1, "not done after 5 min:\n" + Files.readString(log));
    }
    return new Ran(process.exitValue(), Files.readString(log));
  }
}
