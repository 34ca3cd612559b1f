package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.haven.cli.start.StatusReader;
import dev.haven.model.Json;
import dev.haven.model.api.Views;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The status is read without the mapper that writes it: both must agree. */
class StatusReaderTest {
  @Test
  void readsWhatTheMapperWrote() {
    for (var status : List.of(Samples.status(), Samples.troubled(), alone())) {
      var json = Json.bytes(status);
      assertThat(StatusReader.read(json))
          .isEqualTo(status)
          .isEqualTo(Json.read(json, Views.Status.class));
    }
  }

  private static Views.Status alone() {
    var some = Samples.troubled();
    return new Views.Status(
        some.cluster(),
        some.version(),
        some.term(),
        Optional.empty(),
        some.voters(),
        some.hosts(),
        some.guests(),
        some.operations(),
        some.alarms(),
        some.redundancy(),
        Optional.of("stand alone"));
  }

  @Test
  void aFieldOfANewerVoterIsIgnored() throws IOException {
    var tree = (ObjectNode) Json.mapper().readTree(Json.bytes(Samples.status()));
    tree.putArray("news").addObject().put("deep", 1);
    ((ObjectNode) tree.path("hosts").path(0)).put("temperature", 21.5);
    assertThat(StatusReader.read(Json.bytes(tree))).isEqualTo(Samples.status());
  }

  @Test
  void whatIsMissingIsNamed() throws IOException {
    var tree = (ObjectNode) Json.mapper().readTree(Json.bytes(Samples.status()));
    ((ObjectNode) tree.path("guests").path(0)).remove("epoch");
    assertThatThrownBy(() -> StatusReader.read(Json.bytes(tree)))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("epoch");
  }

  @Test
  void whatIsCutOffOrNoStatusIsRefused() {
    var json = Json.text(Samples.status());
    for (var text : List.of("", "[]", "<html>", json.substring(0, json.length() / 2))) {
      assertThatThrownBy(() -> StatusReader.read(text.getBytes(StandardCharsets.UTF_8)))
          .as(text)
          .isInstanceOf(UncheckedIOException.class);
    }
  }
}
