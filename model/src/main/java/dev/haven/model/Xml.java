package dev.haven.model;

import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.io.StringWriter;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import javax.xml.parsers.SAXParserFactory;
import javax.xml.stream.XMLEventReader;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.TransformerException;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.jspecify.annotations.Nullable;
import org.w3c.dom.Document;
import org.xml.sax.ErrorHandler;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;
import org.xml.sax.SAXParseException;
import org.xml.sax.XMLReader;

/**
 * The only place where XML parsers are made. They read nothing but the text they are given: no DTD,
 * no entities from outside, no other files.
 */
public final class Xml {
  private static final String NO_DOCTYPE = "http://apache.org/xml/features/disallow-doctype-decl";
  private static final String GENERAL = "http://xml.org/sax/features/external-general-entities";
  private static final String PARAMETER = "http://xml.org/sax/features/external-parameter-entities";
  private static final String LOAD_DTD =
      "http://apache.org/xml/features/nonvalidating/load-external-dtd";
  private static final XMLInputFactory INPUT = input();

  private Xml() {}

  /**
   * Reads a whole text, in which a DOCTYPE is refused.
   *
   * @param where opens the error message, like {@code guest web}
   * @throws IllegalArgumentException with line and column, where it is not well-formed
   */
  public static Document document(String where, String text) {
    return parse(where, text, true);
  }

  /**
   * As {@link #document}, for what programs of others print: a DOCTYPE may stand there, but nothing
   * is read because of it.
   */
  public static Document documentWithDoctype(String where, String text) {
    return parse(where, text, false);
  }

  private static Document parse(String where, String text, boolean strict) {
    try {
      var factory = DocumentBuilderFactory.newDefaultNSInstance();
      factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
      factory.setFeature(NO_DOCTYPE, strict);
      factory.setFeature(GENERAL, false);
      factory.setFeature(PARAMETER, false);
      factory.setFeature(LOAD_DTD, false);
      factory.setXIncludeAware(false);
      factory.setExpandEntityReferences(false);
      var builder = factory.newDocumentBuilder();
      builder.setErrorHandler(new Strict());
      return builder.parse(new InputSource(new StringReader(text)));
    } catch (SAXException e) {
      throw new IllegalArgumentException(wrong(where, e), e);
    } catch (IOException e) {
      throw new IllegalStateException("reading from memory failed", e);
    } catch (ParserConfigurationException e) {
      throw new IllegalStateException("this JDK's XML parser cannot be made safe", e);
    }
  }

  /** A document with nothing in it. */
  public static Document newDocument() {
    try {
      return DocumentBuilderFactory.newDefaultNSInstance().newDocumentBuilder().newDocument();
    } catch (ParserConfigurationException e) {
      throw new IllegalStateException("this JDK has no XML parser", e);
    }
  }

  /** For a reader that wants each element as it comes; a DOCTYPE is refused. */
  public static XMLReader saxReader() {
    try {
      var factory = SAXParserFactory.newDefaultNSInstance();
      factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
      factory.setFeature(NO_DOCTYPE, true);
      factory.setXIncludeAware(false);
      return factory.newSAXParser().getXMLReader();
    } catch (ParserConfigurationException | SAXException e) {
      throw new IllegalStateException("this JDK's XML parser cannot be made safe", e);
    }
  }

  /** Reads step by step; what a DOCTYPE declares counts as undefined. Safe for several threads. */
  public static XMLStreamReader stream(Reader text) throws XMLStreamException {
    synchronized (INPUT) {
      return INPUT.createXMLStreamReader(text);
    }
  }

  /** As {@link #stream}, event by event. */
  public static XMLEventReader events(String text) throws XMLStreamException {
    synchronized (INPUT) {
      return INPUT.createXMLEventReader(new StringReader(text));
    }
  }

  /** What is wrong with a text, for people: {@code where, line 2, column 7: why}. */
  public static String wrong(String where, SAXException e) {
    if (e instanceof SAXParseException at) {
      var message = String.valueOf(at.getMessage());
      var why = message.contains("DOCTYPE") ? "a DOCTYPE is not allowed here; remove it" : message;
      return "%s, line %d, column %d: %s"
          .formatted(where, at.getLineNumber(), at.getColumnNumber(), why);
    }
    return where + ": " + e.getMessage();
  }

  /** The same of a text that was read with {@link #stream} or {@link #events}. */
  public static String wrong(String where, XMLStreamException e) {
    var at = e.getLocation();
    var why = String.valueOf(e.getMessage()).lines().reduce((_, last) -> last).orElse("");
    return "%s, line %d, column %d: is not well-formed: %s"
        .formatted(
            where,
            at == null ? 1 : at.getLineNumber(),
            at == null ? 1 : at.getColumnNumber(),
            why.startsWith("Message: ") ? why.substring("Message: ".length()) : why);
  }

  /** As it is, without an XML declaration. */
  public static String write(Document document) {
    return write(document, false);
  }

  /** Indented by two, without an XML declaration, as virsh writes it. */
  public static String writeIndented(Document document) {
    return write(document, true);
  }

  private static String write(Document document, boolean indent) {
    try {
      var factory = TransformerFactory.newDefaultInstance();
      factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
      var transformer = factory.newTransformer();
      transformer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
      if (indent) {
        transformer.setOutputProperty(OutputKeys.INDENT, "yes");
        transformer.setOutputProperty("{http://xml.apache.org/xslt}indent-amount", "2");
      }
      var writer = new StringWriter();
      transformer.transform(new DOMSource(document), new StreamResult(writer));
      return writer.toString();
    } catch (TransformerException e) {
      throw new IllegalStateException("writing to memory failed", e);
    }
  }

  private static XMLInputFactory input() {
    var factory = XMLInputFactory.newDefaultFactory();
    factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
    factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
    factory.setProperty(XMLInputFactory.IS_COALESCING, true);
    return factory;
  }

  /** Keeps the JDK from printing to stderr what we throw anyway. */
  private static final class Strict implements ErrorHandler {
    @Override
    public void warning(@Nullable SAXParseException e) {}

    @Override
    public void error(SAXParseException e) throws SAXException {
      throw e;
    }

    @Override
    public void fatalError(SAXParseException e) throws SAXException {
      throw e;
    }
  }
}
