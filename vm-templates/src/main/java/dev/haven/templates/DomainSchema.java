package dev.haven.templates;

import com.thaiopensource.util.PropertyMapBuilder;
import com.thaiopensource.validate.IncorrectSchemaException;
import com.thaiopensource.validate.Schema;
import com.thaiopensource.validate.ValidateProperty;
import com.thaiopensource.validate.rng.SAXSchemaReader;
import dev.haven.model.Size;
import dev.haven.model.Xml;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.xml.sax.ErrorHandler;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;
import org.xml.sax.SAXParseException;

/** libvirt's own RELAX NG schema for domain XML, as it is installed on this machine. */
public final class DomainSchema {
  private static final List<Path> PLACES =
      List.of(
          Path.of("/usr/share/libvirt/schemas/domain.rng"),
          Path.of("/usr/local/share/libvirt/schemas/domain.rng"));
  private static final Pattern ATTRIBUTE = Pattern.compile("attribute \"([^\"]+)\"");

  /** Some complaints list a hundred names that would be allowed. */
  private static final int COMPLAINT_MAX = 240;

  private final Schema schema;

  private DomainSchema(Schema schema) {
    this.schema = schema;
  }

  /** The installed schema; empty on a machine without libvirt (Debian: package libvirt0). */
  public static Optional<DomainSchema> installed() {
    return PLACES.stream().filter(Files::isReadable).findFirst().map(DomainSchema::read);
  }

  private static DomainSchema read(Path file) {
    var properties = new PropertyMapBuilder();
    properties.put(ValidateProperty.ERROR_HANDLER, new Collector());
    try {
      return new DomainSchema(
          SAXSchemaReader.getInstance()
              .createSchema(new InputSource(file.toUri().toString()), properties.toPropertyMap()));
    } catch (IOException | SAXException | IncorrectSchemaException e) {
      throw new IllegalArgumentException(
          "libvirt's schema %s cannot be read (%s); install the package that it is from again"
              .formatted(file, e.getMessage()));
    }
  }

  /**
   * Checks domain XML from anywhere.
   *
   * @param guest the name for the message
   * @throws IllegalArgumentException naming the first wrong field, its value and the line
   */
  public void check(String guest, String xml) {
    check(guest, xml, Map.of());
  }

  void check(String guest, String xml, Map<String, String> origins) {
    var collector = new Collector();
    var properties = new PropertyMapBuilder();
    properties.put(ValidateProperty.ERROR_HANDLER, collector);
    var validator = schema.createValidator(properties.toPropertyMap());
    var tracker = new PathTracker(Xml.saxReader(), validator.getContentHandler());
    collector.follow(tracker, origins);
    tracker.setErrorHandler(collector);
    try {
      tracker.parse(new InputSource(new StringReader(xml)));
    } catch (SAXException e) {
      throw new IllegalArgumentException(Xml.wrong("guest " + guest, e));
    } catch (IOException e) {
      throw new IllegalStateException("reading from memory failed", e);
    }
    if (!collector.problems.isEmpty()) {
      int others = collector.problems.size() - 1;
      throw new IllegalArgumentException(
          "guest %s: %s%s"
              .formatted(
                  guest,
                  collector.problems.getFirst(),
                  others == 0 ? "" : " (and " + others + " more)"));
    }
  }

  /** Turns the validator's complaints into sentences about the field that the reader is at. */
  private static final class Collector implements ErrorHandler {
    private final List<String> problems = new ArrayList<>();
    private Optional<PathTracker> tracker = Optional.empty();
    private Map<String, String> origins = Map.of();

    void follow(PathTracker followed, Map<String, String> parameters) {
      tracker = Optional.of(followed);
      origins = parameters;
    }

    @Override
    public void warning(SAXParseException e) {}

    @Override
    public void error(SAXParseException e) {
      problems.add(tracker.map(at -> sentence(at, e)).orElse(String.valueOf(e.getMessage())));
    }

    @Override
    public void fatalError(SAXParseException e) throws SAXException {
      throw e;
    }

    private String sentence(PathTracker at, SAXParseException e) {
      var complaint = String.valueOf(e.getMessage());
      var matcher = ATTRIBUTE.matcher(complaint);
      var attribute = matcher.find() ? matcher.group(1) : "";
      var value = attribute.isEmpty() ? at.text() : at.attribute(attribute);
      var path = at.path() + (attribute.isEmpty() ? "" : "/@" + attribute);
      var element = at.path().substring(at.path().lastIndexOf('/') + 1);
      var field =
          Optional.ofNullable(origins.get(path))
              .orElse("<" + element + ">" + (attribute.isEmpty() ? "" : " " + attribute));
      return "%s%s: %s%s [libvirt's schema, line %d, %s]"
          .formatted(
              field,
              value.isEmpty() ? "" : " '" + value + "'",
              shortened(complaint),
              hint(element, value),
              e.getLineNumber(),
              path);
    }

    private static String shortened(String complaint) {
      return complaint.length() <= COMPLAINT_MAX
          ? complaint
          : complaint.substring(0, COMPLAINT_MAX) + "…";
    }

    /** The commonest slip: a unit inside the number. */
    private static String hint(String element, String value) {
      if (!element.equals("memory") && !element.equals("currentMemory")) {
        return "";
      }
      try {
        return "; use <%s unit='MiB'>%d</%s>".formatted(element, Size.parse(value).mib(), element);
      } catch (IllegalArgumentException e) {
        return "; " + e.getMessage();
      }
    }
  }
}
