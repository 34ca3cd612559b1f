package dev.haven.templates;

import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import javax.xml.parsers.SAXParserFactory;
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
 * XML parsers that read nothing but the text they are given: no DTD, no entities, no other files.
 */
final class Xml {
  private static final String NO_DOCTYPE = "http://apache.org/xml/features/disallow-doctype-decl";

  private Xml() {}

  /**
   * @param where opens the error message, like "guest web"
   */
  static Document parse(String where, String text) {
    try {
      var builder = documentBuilder();
      builder.setErrorHandler(new Strict());
      return builder.parse(new InputSource(new StringReader(text)));
    } catch (SAXException e) {
      throw notWellFormed(where, e);
    } catch (IOException e) {
      throw new IllegalStateException("reading from memory failed", e);
    }
  }

  static Document newDocument() {
    return documentBuilder().newDocument();
  }

  private static DocumentBuilder documentBuilder() {
    try {
      var factory = DocumentBuilderFactory.newDefaultNSInstance();
      factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
      factory.setFeature(NO_DOCTYPE, true);
      factory.setXIncludeAware(false);
      factory.setExpandEntityReferences(false);
      return factory.newDocumentBuilder();
    } catch (ParserConfigurationException e) {
      throw new IllegalStateException("this JDK's XML parser cannot be made safe", e);
    }
  }

  static XMLReader reader() {
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

  static TemplateException notWellFormed(String where, SAXException e) {
    if (e instanceof SAXParseException at) {
      var message = String.valueOf(at.getMessage());
      var why =
          message.contains("DOCTYPE")
              ? "a DOCTYPE is not allowed in domain XML; remove it"
              : message;
      return new TemplateException(
          "%s: line %d, column %d: %s"
              .formatted(where, at.getLineNumber(), at.getColumnNumber(), why));
    }
    return new TemplateException(where + ": " + e.getMessage());
  }

  /** Indented by two, without an XML declaration, as virsh writes it. */
  static String write(Document document) {
    try {
      var transformer = TransformerFactory.newDefaultInstance().newTransformer();
      transformer.setOutputProperty(OutputKeys.INDENT, "yes");
      transformer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
      transformer.setOutputProperty("{http://xml.apache.org/xslt}indent-amount", "2");
      var writer = new StringWriter();
      transformer.transform(new DOMSource(document), new StreamResult(writer));
      return writer.toString();
    } catch (TransformerException e) {
      throw new IllegalStateException("writing to memory failed", e);
    }
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
