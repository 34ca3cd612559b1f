package dev.haven.fencing;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.haven.fencing.HttpLink.Answer;
import java.net.URI;
import java.util.Locale;
import java.util.Optional;

/** What a Redfish service answers, read leniently: what is missing or malformed is empty. */
final class RedfishJson {
  private static final ObjectMapper JSON = new ObjectMapper();

  private RedfishJson() {}

  static String id(String path) {
    var trimmed = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    return trimmed.substring(trimmed.lastIndexOf('/') + 1);
  }

  static boolean isUuid(String text) {
    return text.replace("-", "").matches("[0-9A-Fa-f]{32}");
  }

  static boolean sameUuid(JsonNode system, String uuid) {
    return system
        .path("UUID")
        .asText("")
        .replace("-", "")
        .toLowerCase(Locale.ROOT)
        .equals(uuid.replace("-", "").toLowerCase(Locale.ROOT));
  }

  /** Where a resource says it is; only the path counts, so that no token goes elsewhere. */
  static Optional<String> link(JsonNode resource) {
    return path(resource.path("@odata.id").asText(""));
  }

  static Optional<String> path(String place) {
    try {
      var uri = URI.create(place);
      var path = uri.getRawPath();
      return path == null || !path.startsWith("/") || path.startsWith("//")
          ? Optional.empty()
          : Optional.of(uri.getRawQuery() == null ? path : path + "?" + uri.getRawQuery());
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  static JsonNode json(Answer.Said said) {
    try {
      var json = JSON.readTree(said.body());
      return json == null ? MissingNode.getInstance() : json;
    } catch (JsonProcessingException e) {
      return MissingNode.getInstance();
    }
  }

  static String message(JsonNode messages) {
    var first = messages.path(0);
    var text = first.path("Message").asText("");
    var id = first.path("MessageId").asText("");
    return text.isEmpty() && id.isEmpty()
        ? ""
        : ": " + text + (id.isEmpty() ? "" : " (" + id + ")");
  }

  /** What a refusal says of itself, to be put after what was asked: {@code ": no such system"}. */
  static String words(Answer.Said said) {
    var error = json(said).path("error");
    var words = message(error.path("@Message.ExtendedInfo"));
    return words.isEmpty() && error.path("message").isTextual()
        ? ": " + error.path("message").asText()
        : words;
  }
}
