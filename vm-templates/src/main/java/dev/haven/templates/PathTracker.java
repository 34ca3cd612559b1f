package dev.haven.templates;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.xml.sax.Attributes;
import org.xml.sax.ContentHandler;
import org.xml.sax.SAXException;
import org.xml.sax.XMLReader;
import org.xml.sax.helpers.XMLFilterImpl;

/**
 * Knows, while a document is read, where the reader is: {@code /domain/devices/disk[2]/driver}.
 * Elements are counted among those of the same name under one parent; the first has no number.
 */
final class PathTracker extends XMLFilterImpl {
  private record Level(
      String path,
      Map<String, Integer> children,
      StringBuilder text,
      Map<String, String> attributes) {}

  private final Deque<Level> levels = new ArrayDeque<>();

  PathTracker(XMLReader reader, ContentHandler next) {
    super(reader);
    setContentHandler(next);
    levels.push(level(""));
  }

  private static Level level(String path) {
    return new Level(path, new HashMap<>(), new StringBuilder(), new HashMap<>());
  }

  static String childPath(String parentPath, String name, Map<String, Integer> siblings) {
    int number = siblings.merge(name, 1, Integer::sum);
    return parentPath + "/" + name + (number == 1 ? "" : "[" + number + "]");
  }

  private Level here() {
    return levels.element();
  }

  /** The innermost element that is open; at its end it still counts as open. */
  String path() {
    return here().path();
  }

  /** Its text so far. */
  String text() {
    return here().text().toString().strip();
  }

  /** The value of one of its attributes, or "". */
  String attribute(String name) {
    return here().attributes().getOrDefault(name, "");
  }

  @Override
  public void startElement(String uri, String localName, String qName, Attributes attributes)
      throws SAXException {
    var level = level(childPath(path(), qName, here().children()));
    for (int i = 0; i < attributes.getLength(); i++) {
      level.attributes().put(attributes.getQName(i), attributes.getValue(i));
    }
    levels.push(level);
    super.startElement(uri, localName, qName, attributes);
  }

  @Override
  public void characters(char[] text, int start, int length) throws SAXException {
    here().text().append(text, start, length);
    super.characters(text, start, length);
  }

  @Override
  public void endElement(String uri, String localName, String qName) throws SAXException {
    super.endElement(uri, localName, qName);
    levels.pop();
  }
}
