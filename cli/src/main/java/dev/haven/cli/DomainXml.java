package dev.haven.cli;

import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.util.Locale;
import java.util.Optional;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.TransformerException;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;
import org.xml.sax.SAXParseException;
import org.xml.sax.helpers.DefaultHandler;

/** The few facts of libvirt's description of a guest that Haven must agree with. */
final class DomainXml {
  private final Document document;

  private DomainXml(Document document) {
    this.document = document;
  }

  /**
   * @param source where the text is from, for messages
   * @throws Stop if it is no description of a domain
   */
  static DomainXml parse(String source, String text) {
    try {
      var factory = DocumentBuilderFactory.newInstance();
      factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
      factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
      var builder = factory.newDocumentBuilder();
      builder.setErrorHandler(new DefaultHandler()); // does not write to stderr
      var document = builder.parse(new InputSource(new StringReader(text)));
      if (!document.getDocumentElement().getTagName().equals("domain")) {
        throw new Stop(
            Exit.USAGE,
            "%s: begins with <%s> and not with <domain>; give what virsh dumpxml --inactive prints"
                .formatted(source, document.getDocumentElement().getTagName()));
      }
      return new DomainXml(document);
    } catch (SAXParseException e) {
      throw new Stop(
          Exit.USAGE,
          "%s, line %d, column %d: %s"
              .formatted(source, e.getLineNumber(), e.getColumnNumber(), e.getMessage()));
    } catch (SAXException | IOException e) {
      throw new Stop(Exit.USAGE, source + ": " + e.getMessage());
    } catch (ParserConfigurationException e) {
      throw new IllegalStateException(e);
    }
  }

  Optional<String> name() {
    return child("name").map(Node::getTextContent).map(String::strip);
  }

  Optional<String> uuid() {
    return child("uuid").map(Node::getTextContent).map(String::strip);
  }

  Optional<Long> memoryMib() {
    return child("memory")
        .map(
            memory -> {
              long bytes = number("memory", memory);
              var unit = memory.getAttribute("unit").toLowerCase(Locale.ROOT);
              long size =
                  switch (unit) {
                    case "b", "bytes" -> bytes;
                    case "kb" -> bytes * 1000;
                    case "", "k", "kib" -> bytes << 10;
                    case "mb" -> bytes * 1_000_000;
                    case "m", "mib" -> bytes << 20;
                    case "gb" -> bytes * 1_000_000_000;
                    case "g", "gib" -> bytes << 30;
                    case "t", "tib" -> bytes << 40;
                    default ->
                        throw new Stop(
                            Exit.USAGE, "<memory unit='%s'>: unknown unit".formatted(unit));
                  };
              return (size + (1 << 20) - 1) >> 20;
            });
  }

  Optional<Integer> vcpus() {
    return child("vcpu").map(vcpu -> (int) number("vcpu", vcpu));
  }

  void setName(String name) {
    set("name", name);
  }

  void setUuid(String uuid) {
    set("uuid", uuid);
  }

  void setMemoryMib(long mib) {
    set("memory", Long.toString(mib)).setAttribute("unit", "MiB");
    child("currentMemory")
        .ifPresent(
            current -> {
              current.setTextContent(Long.toString(mib));
              current.setAttribute("unit", "MiB");
            });
  }

  void setVcpus(int vcpus) {
    set("vcpu", Integer.toString(vcpus)).removeAttribute("current");
  }

  String text() {
    try {
      var factory = TransformerFactory.newInstance();
      factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
      var transformer = factory.newTransformer();
      transformer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
      var writer = new StringWriter();
      transformer.transform(new DOMSource(document), new StreamResult(writer));
      return writer.toString();
    } catch (TransformerException e) {
      throw new IllegalStateException(e);
    }
  }

  private static long number(String tag, Element element) {
    try {
      return Long.parseLong(element.getTextContent().strip());
    } catch (NumberFormatException e) {
      throw new Stop(
          Exit.USAGE, "<%s>: '%s' is no number".formatted(tag, element.getTextContent().strip()));
    }
  }

  private Element set(String tag, String value) {
    var root = document.getDocumentElement();
    var element =
        child(tag)
            .orElseGet(
                () -> {
                  var made = document.createElement(tag);
                  root.insertBefore(made, root.getFirstChild());
                  return made;
                });
    element.setTextContent(value);
    return element;
  }

  private Optional<Element> child(String tag) {
    for (var node = document.getDocumentElement().getFirstChild();
        node != null;
        node = node.getNextSibling()) {
      if (node instanceof Element element && element.getTagName().equals(tag)) {
        return Optional.of(element);
      }
    }
    return Optional.empty();
  }
}
