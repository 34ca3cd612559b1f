package dev.haven.orchestrator.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.exc.InvalidTypeIdException;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import dev.haven.model.Json;
import dev.haven.orchestrator.http.Response.Stop;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.stream.Collectors;

/** Reads the body of a request, and says what is wrong with it. */
final class JsonBody {
  private JsonBody() {}

  /**
   * @throws Stop with 400 where the body is not what {@code type} asks for
   */
  static <T> T parse(byte[] json, Class<T> type) {
    try {
      T value =
          Json.mapper()
              .readerFor(type)
              .with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
              .readValue(json);
      if (value == null) {
        throw new Stop(Response.problem(400, "the body is null; send JSON as docs/api.md says"));
      }
      return value;
    } catch (JsonProcessingException e) {
      throw new Stop(Response.problem(400, "the body cannot be read: " + explain(e, json)));
    } catch (IOException e) {
      throw new IllegalStateException("reading from memory failed", e);
    }
  }

  /** What is wrong, in which field, at which line and column; without the names of classes. */
  private static String explain(JsonProcessingException e, byte[] json) {
    if (new String(json, StandardCharsets.UTF_8).isBlank()) {
      return "it is empty";
    }
    var what =
        switch (e) {
          case InvalidTypeIdException type ->
              "there is no type \"%s\"; %s"
                  .formatted(
                      type.getTypeId(),
                      type.getOriginalMessage().replaceFirst("(?s).*(known type ids)", "$1"));
          case ValueInstantiationException value when value.getCause() != null ->
              String.valueOf(value.getCause().getMessage());
          default ->
              e.getOriginalMessage()
                  .replaceAll("`[a-z.]+\\.([A-Za-z$]+)[^`]*`", "$1")
                  .replaceAll("\\(class [^)]*\\)", "");
        };
    var field =
        e instanceof JsonMappingException mapping
            ? mapping.getPath().stream()
                .map(
                    step ->
                        step.getFieldName() == null
                            ? "[" + step.getIndex() + "]"
                            : step.getFieldName())
                .collect(Collectors.joining("."))
            : "";
    var at = e.getLocation();
    return (field.isEmpty() ? "" : field + ": ")
        + what
        + (at == null ? "" : " (line %d, column %d)".formatted(at.getLineNr(), at.getColumnNr()));
  }
}
