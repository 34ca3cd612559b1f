package dev.haven.model;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.MapperConfig;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.AnnotatedClass;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.jsontype.NamedType;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * JSON as all of Haven's messages, logs and snapshots use it. A sealed interface is written with
 * the simple name of the record as {@code "type"}. Unknown fields are ignored, so that hosts can be
 * upgraded one by one.
 */
public final class Json {
  private static final ObjectMapper MAPPER = configure(JsonMapper.builder()).build();

  private Json() {}

  /** Gives any mapper, such as one for YAML, the same conventions. */
  public static <
          M extends ObjectMapper, B extends com.fasterxml.jackson.databind.cfg.MapperBuilder<M, B>>
      B configure(B builder) {
    return builder
        .addModule(new Jdk8Module())
        .addModule(new JavaTimeModule())
        .annotationIntrospector(new SealedTypes())
        .serializationInclusion(JsonInclude.Include.NON_ABSENT)
        .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
        .disable(SerializationFeature.WRITE_DURATIONS_AS_TIMESTAMPS)
        .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
        // of the words that Views show, where an enum says which constant stands for one of those
        .enable(DeserializationFeature.READ_UNKNOWN_ENUM_VALUES_USING_DEFAULT_VALUE)
        .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
        .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES);
  }

  public static ObjectMapper mapper() {
    return MAPPER;
  }

  public static byte[] bytes(Object value) {
    try {
      return MAPPER.writeValueAsBytes(value);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  public static String text(Object value) {
    try {
      return MAPPER.writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Reads a message. @throws UncheckedIOException if it is not one; its message says where */
  public static <T> T read(byte[] json, Class<T> type) {
    try {
      return MAPPER.readValue(json, type);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Reads a message. @throws UncheckedIOException if it is not one; its message says where */
  public static <T> T read(String json, Class<T> type) {
    try {
      return MAPPER.readValue(json, type);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Lets a sealed interface say by itself which records it stands for. */
  private static final class SealedTypes extends JacksonAnnotationIntrospector {
    private static final long serialVersionUID = 1;
    private static final JsonTypeInfo.Value BY_NAME =
        JsonTypeInfo.Value.construct(
            JsonTypeInfo.Id.NAME, JsonTypeInfo.As.PROPERTY, "type", null, false, null);

    @Override
    public JsonTypeInfo.@Nullable Value findPolymorphicTypeInfo(
        MapperConfig<?> config, Annotated annotated) {
      return sealedRoot(annotated.getRawType())
          ? BY_NAME
          : super.findPolymorphicTypeInfo(config, annotated);
    }

    @Override
    public @Nullable List<NamedType> findSubtypes(Annotated annotated) {
      if (!annotated.getRawType().isSealed() || !sealedRoot(annotated.getRawType())) {
        return super.findSubtypes(annotated);
      }
      var types = new ArrayList<NamedType>();
      collect(annotated.getRawType(), types);
      return types;
    }

    @Override
    public @Nullable String findTypeName(AnnotatedClass type) {
      return !type.getRawType().isInterface() && sealedRoot(type.getRawType())
          ? type.getRawType().getSimpleName()
          : super.findTypeName(type);
    }

    private static void collect(Class<?> sealed, List<NamedType> into) {
      for (var sub : sealed.getPermittedSubclasses()) {
        if (sub.isSealed()) {
          collect(sub, into);
        } else {
          into.add(new NamedType(sub, sub.getSimpleName()));
        }
      }
    }

    /** A record must be written with its type also where it is met as itself. */
    private static boolean sealedRoot(Class<?> type) {
      if (!type.getName().startsWith("dev.haven.")) {
        return false;
      }
      if (Exclusive.class.isAssignableFrom(type)) { // its text says which kind it is
        return false;
      }
      if (type.isSealed() && type.isInterface()) {
        return true;
      }
      for (var parent : type.getInterfaces()) {
        if (parent.isSealed()) {
          return true;
        }
      }
      return false;
    }
  }
}
