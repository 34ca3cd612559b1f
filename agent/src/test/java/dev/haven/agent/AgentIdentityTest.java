package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which machine a host is, by its firmware. */
class AgentIdentityTest {
  @TempDir Path directory;

  private java.util.Optional<String> says(String uuid) throws Exception {
    var file = directory.resolve("product_uuid");
    Files.writeString(file, uuid + "\n");
    return AgentIdentity.systemUuid(file);
  }

  @Test
  void aMachineIsKnownByItsFirmwaresUuid() throws Exception {
    assertThat(says("4C4C4544-0034-3010-8048-B4C04F4D4232"))
        .contains("4c4c4544-0034-3010-8048-b4c04f4d4232");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "03000200-0400-0500-0006-000700080009"
      })
  void aUuidThatManyMachinesHaveTellsNothing(String uuid) throws Exception {
    assertThat(says(uuid)).isEmpty();
  }

  @Test
  void aMachineWithoutOneHasNone() {
    assertThat(AgentIdentity.systemUuid(directory.resolve("missing"))).isEmpty();
  }
}
