package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.agent.Agent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.jar.JarFile;
import org.junit.jupiter.api.Test;

class VersionTest {
  /** Else {@code haven host show} says of every agent that its version is "development". */
  @Test
  void theAgentsJarSaysTheVersionThatItTellsVoters() throws Exception {
    var jar = Path.of(Agent.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    if (Files.isDirectory(jar)) {
      return; // an editor runs this from classes; in the build it is a jar
    }
    try (var file = new JarFile(jar.toFile())) {
      assertThat(file.getManifest().getMainAttributes().getValue("Implementation-Version"))
          .isNotBlank()
          .isEqualTo(new Version().getVersion()[0].replace("haven ", ""));
    }
  }
}
