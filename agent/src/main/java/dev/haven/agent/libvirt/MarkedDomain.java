package dev.haven.agent.libvirt;

import dev.haven.model.Xml;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;
import javax.xml.namespace.QName;
import javax.xml.stream.XMLEventFactory;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.events.StartElement;
import javax.xml.stream.events.XMLEvent;
import org.jspecify.annotations.Nullable;

/**
 * A domain's definition: what it says about name and needs, and a copy of it with our mark in the
 * metadata.
 *
 * <pre>
 * {@code <metadata><haven:guest xmlns:haven="https://haven.dev/xmlns/guest/1" epoch="5" name="web" uuid="…"/></metadata>}
 * </pre>
 *
 * A tool that clones a domain copies the mark as well: so it names the domain that is meant.
 */
final class MarkedDomain {
  static final String NAMESPACE = "https://haven.dev/xmlns/guest/1";
  static final String PREFIX = "haven";

  private static final XMLOutputFactory OUTPUT = XMLOutputFactory.newFactory();
  private static final XMLEventFactory EVENTS = XMLEventFactory.newFactory();

  private final List<XMLEvent> events;
  private String type = "";
  private String name = "";
  private String uuid = "";
  private String architecture = "";
  private String machine = "";
  private String emulator = "";
  private String cpu = "";
  private String cpuMode = "";
  private final List<Link> links = new ArrayList<>();
  private final List<String> disks = new ArrayList<>();

  /** What a network card of the guest hangs on. */
  record Link(Kind kind, String name) {
    enum Kind {
      BRIDGE,
      NETWORK,
      DEVICE
    }
  }

  private MarkedDomain(List<XMLEvent> events) {
    this.events = events;
  }

  /**
   * @throws IllegalArgumentException with the place of the fault, where this is no domain XML
   */
  static MarkedDomain parse(String xml) {
    try {
      var events = new ArrayList<XMLEvent>();
      var reader = Xml.events(xml);
      while (reader.hasNext()) {
        var event = reader.nextEvent();
        // an XML declaration may name an encoding that a string no longer has
        if (!event.isStartDocument() && !event.isEndDocument()) {
          events.add(event);
        }
      }
      var parsed = new MarkedDomain(List.copyOf(events));
      parsed.read();
      return parsed;
    } catch (XMLStreamException e) {
      throw new IllegalArgumentException(Xml.wrong("domain XML", e), e);
    }
  }

  String name() {
    return name;
  }

  Optional<String> uuid() {
    return uuid.isEmpty() ? Optional.empty() : Optional.of(uuid);
  }

  /** kvm, qemu, xen, … */
  String type() {
    return type;
  }

  Optional<String> architecture() {
    return text(architecture);
  }

  Optional<String> machine() {
    return text(machine);
  }

  Optional<String> emulator() {
    return text(emulator);
  }

  /** The CPU element, where it names a model that hosts can be compared with. */
  Optional<String> comparableCpu() {
    return cpuMode.isEmpty() || cpuMode.equals("custom") ? text(cpu) : Optional.empty();
  }

  /** The targets of its disks, such as vda. */
  List<String> disks() {
    return disks;
  }

  List<Link> links() {
    return links;
  }

  /**
   * This definition with our mark instead of any older one.
   *
   * @param fallbackUuid for a definition that has none; empty: leave that to libvirt
   */
  String marked(long epoch, boolean autostartFound, String fallbackUuid) {
    var out = new ArrayList<XMLEvent>();
    var hasMetadata = false;
    var path = new Path();
    @Nullable StartElement skipping = null;
    var skipDepth = 0;
    for (var event : events) {
      if (event.isStartElement()) {
        path.enter(event.asStartElement());
        if (skipping == null && path.is("domain", "metadata", "guest") && ours(event)) {
          skipping = event.asStartElement();
          skipDepth = path.depth();
        }
      }
      if (event.isEndElement() && path.is("domain", "metadata")) {
        hasMetadata = true;
        mark(out, epoch, autostartFound, fallbackUuid);
      }
      if (skipping == null) {
        out.add(event);
      }
      if (event.isEndElement()) {
        if (skipping != null && path.depth() == skipDepth) {
          skipping = null;
        }
        path.leave();
      }
    }
    if (!hasMetadata || uuid.isEmpty()) {
      var at = 1 + indexOfEnd(out, "name");
      var added = new ArrayList<XMLEvent>();
      if (uuid.isEmpty() && !fallbackUuid.isEmpty()) {
        added.add(start("uuid"));
        added.add(EVENTS.createCharacters(fallbackUuid));
        added.add(end("uuid"));
      }
      if (!hasMetadata) {
        added.add(start("metadata"));
        mark(added, epoch, autostartFound, fallbackUuid);
        added.add(end("metadata"));
      }
      out.addAll(at, added);
    }
    return write(out);
  }

  private void mark(List<XMLEvent> out, long epoch, boolean autostartFound, String fallbackUuid) {
    var element = new QName(NAMESPACE, "guest", PREFIX);
    out.add(EVENTS.createStartElement(element, null, null));
    out.add(EVENTS.createNamespace(PREFIX, NAMESPACE));
    out.add(EVENTS.createAttribute("epoch", Long.toString(epoch)));
    out.add(EVENTS.createAttribute("name", name));
    var known = uuid.isEmpty() ? fallbackUuid : uuid;
    if (!known.isEmpty()) {
      out.add(EVENTS.createAttribute("uuid", known));
    }
    if (autostartFound) {
      out.add(EVENTS.createAttribute("autostart", "yes"));
    }
    out.add(EVENTS.createEndElement(element, null));
  }

  /** Our mark alone, as libvirt takes it to set it on this domain. */
  static String element(long epoch, boolean autostartFound, String name, String uuid) {
    try {
      var text = new StringWriter();
      var writer = OUTPUT.createXMLStreamWriter(text);
      writer.writeEmptyElement("guest");
      writer.writeAttribute("epoch", Long.toString(epoch));
      writer.writeAttribute("name", name);
      writer.writeAttribute("uuid", uuid);
      if (autostartFound) {
        writer.writeAttribute("autostart", "yes");
      }
      writer.writeEndDocument();
      writer.flush();
      return text.toString();
    } catch (XMLStreamException e) {
      throw new IllegalStateException("the mark of " + name + " cannot be written", e);
    }
  }

  /**
   * What a mark says.
   *
   * @param epoch under which the guest was started
   * @param autostartFound libvirt would have started it by itself
   */
  record Mark(long epoch, boolean autostartFound) {}

  /**
   * Reads a mark that libvirt has for a domain.
   *
   * <p>One that names nobody was written before marks had names. It says nothing of whose it is,
   * and a clone of the guest has it too: so this host's own notes say whether it counts. A guest of
   * ours that were taken for a stranger would not be paused when its lease ends, and might run
   * twice.
   *
   * @param element as libvirt gives it
   * @param ordered whether this host was ordered to run a guest of that name
   * @return empty where it is none, or one that was copied from another domain
   */
  static Optional<Mark> mark(String element, String name, String uuid, Predicate<String> ordered) {
    try {
      var mark = Xml.events(element).nextTag().asStartElement();
      var epoch = attribute(mark, "epoch");
      var named = attribute(mark, "name");
      var meant = attribute(mark, "uuid");
      return epoch.matches("\\d{1,18}")
              && (meant.isEmpty() || plain(meant).equals(plain(uuid)))
              && (named.isEmpty() ? ordered.test(name) : named.equals(name))
          ? Optional.of(new Mark(Long.parseLong(epoch), attribute(mark, "autostart").equals("yes")))
          : Optional.empty();
    } catch (XMLStreamException e) {
      return Optional.empty();
    }
  }

  /** libvirt takes them with and without hyphens. */
  private static String plain(String uuid) {
    return uuid.replace("-", "").toLowerCase(Locale.ROOT);
  }

  private static boolean ours(XMLEvent event) {
    return NAMESPACE.equals(event.asStartElement().getName().getNamespaceURI());
  }

  private static int indexOfEnd(List<XMLEvent> events, String element) {
    for (var i = 0; i < events.size(); i++) {
      if (events.get(i).isEndElement()
          && events.get(i).asEndElement().getName().getLocalPart().equals(element)) {
        return i;
      }
    }
    throw new IllegalArgumentException("domain XML: no <" + element + "> in it");
  }

  private static XMLEvent start(String element) {
    return EVENTS.createStartElement("", "", element);
  }

  private static XMLEvent end(String element) {
    return EVENTS.createEndElement("", "", element);
  }

  private static String write(List<XMLEvent> events) {
    try {
      var text = new StringWriter();
      var writer = OUTPUT.createXMLEventWriter(text);
      for (var event : events) {
        writer.add(event);
      }
      writer.flush();
      return text.toString();
    } catch (XMLStreamException e) {
      throw new IllegalStateException("domain XML that was read cannot be written", e);
    }
  }

  private void read() {
    var path = new Path();
    var cpuEvents = new ArrayList<XMLEvent>();
    for (var event : events) {
      if (event.isStartElement()) {
        var element = event.asStartElement();
        path.enter(element);
        if (path.is("domain")) {
          type = attribute(element, "type");
        } else if (path.is("domain", "os", "type")) {
          architecture = attribute(element, "arch");
          machine = attribute(element, "machine");
        } else if (path.is("domain", "cpu")) {
          cpuMode = attribute(element, "mode");
        } else if (path.is("domain", "devices", "interface", "source")) {
          link(element);
        } else if (path.is("domain", "devices", "disk", "target")) {
          disks.add(attribute(element, "dev"));
        }
      } else if (event.isCharacters()) {
        var text = event.asCharacters().getData().strip();
        if (path.is("domain", "name")) {
          name += text;
        } else if (path.is("domain", "uuid")) {
          uuid += text;
        } else if (path.is("domain", "devices", "emulator")) {
          emulator += text;
        }
      }
      if (path.within("domain", "cpu")) {
        cpuEvents.add(event);
      }
      if (event.isEndElement()) {
        path.leave();
      }
    }
    if (type.isEmpty() || name.isEmpty()) {
      throw new IllegalArgumentException(
          "domain XML: it needs <domain type=…> around everything, and a <name>");
    }
    if (cpuEvents.stream().anyMatch(e -> e.isStartElement() && local(e).equals("model"))) {
      cpu = write(cpuEvents);
    }
  }

  private void link(StartElement source) {
    for (var kind : Link.Kind.values()) {
      var attribute =
          switch (kind) {
            case BRIDGE -> "bridge";
            case NETWORK -> "network";
            case DEVICE -> "dev";
          };
      var target = attribute(source, attribute);
      // a running domain's definition names the bridge behind its network, too; the first word
      // counts
      if (!target.isEmpty()
          && !(kind == Link.Kind.BRIDGE && !attribute(source, "network").isEmpty())) {
        links.add(new Link(kind, target));
      }
    }
  }

  private static String local(XMLEvent event) {
    return event.asStartElement().getName().getLocalPart();
  }

  private static String attribute(StartElement element, String name) {
    var attribute = element.getAttributeByName(new QName(name));
    return attribute == null ? "" : attribute.getValue();
  }

  private static Optional<String> text(String value) {
    return value.isEmpty() ? Optional.empty() : Optional.of(value);
  }

  /** Where in the document we are, by local names. */
  private static final class Path {
    private final List<String> names = new ArrayList<>();

    void enter(StartElement element) {
      names.add(element.getName().getLocalPart());
    }

    void leave() {
      names.removeLast();
    }

    int depth() {
      return names.size();
    }

    boolean is(String... path) {
      return names.equals(List.of(path));
    }

    boolean within(String... path) {
      return names.size() >= path.length && names.subList(0, path.length).equals(List.of(path));
    }
  }
}
