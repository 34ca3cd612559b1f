package dev.haven.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * libvirt's description of a guest, also one that others wrote: the few facts of it that Haven must
 * agree with, to be read and changed. Nothing outside of the text is read, whatever it refers to.
 * What placement needs of it is {@link Definition}.
 */
public final class DomainXml {
  private final String source;
  private final Document document;

  private DomainXml(String source, Document document) {
    this.source = source;
    this.document = document;
  }

  /**
   * @param source where the text is from, for messages
   * @throws IllegalArgumentException with line and column if it is not well-formed, or describes no
   *     domain
   */
  public static DomainXml parse(String source, String text) {
    var document = Xml.document(source, text);
    var root = document.getDocumentElement().getTagName();
    if (!root.equals("domain")) {
      throw new IllegalArgumentException(
          "%s: begins with <%s> and not with <domain>; give what `virsh dumpxml --inactive` prints"
              .formatted(source, root));
    }
    return new DomainXml(source, document);
  }

  public Optional<String> name() {
    return text("name");
  }

  /**
   * @return in lower case and with dashes, without which libvirt takes it too; empty if libvirt is
   *     to choose one
   * @throws IllegalArgumentException if it is no UUID
   */
  public Optional<String> uuid() {
    return text("uuid")
        .map(
            text -> {
              var dashed =
                  text.length() == 32
                      ? text.replaceFirst("(.{8})(.{4})(.{4})(.{4})(.{12})", "$1-$2-$3-$4-$5")
                      : text;
              try {
                return UUID.fromString(dashed).toString();
              } catch (IllegalArgumentException e) {
                throw wrong("<uuid> '%s' is not a UUID; leave it out for a new one", text);
              }
            });
  }

  /**
   * The most memory it may have ({@code <memory>}, not {@code <currentMemory>}), in MiB, rounded
   * up.
   *
   * @return empty if it does not say
   * @throws IllegalArgumentException if it is no size that libvirt would take
   */
  public Optional<Long> memoryMib() {
    return child("memory")
        .map(
            memory -> {
              var number = memory.getTextContent().strip();
              var unit = memory.getAttribute("unit");
              if (!number.matches("[0-9]{1,18}")) {
                throw wrong(
                    "<memory> '%s' is not a whole number; write it like <memory"
                        + " unit='MiB'>2048</memory>",
                    number);
              }
              try {
                return Size.ofLibvirt(Long.parseLong(number), unit).mib();
              } catch (ArithmeticException e) {
                throw wrong("<memory> of %s %s is out of range", number, unit);
              } catch (IllegalArgumentException e) {
                throw wrong("<memory> has the unknown unit '%s'; use MiB", unit);
              }
            });
  }

  /**
   * The most processors it may have.
   *
   * @return empty if it does not say
   * @throws IllegalArgumentException if it is no number from 1 to 99,999
   */
  public Optional<Integer> vcpus() {
    return text("vcpu")
        .map(
            text -> {
              if (!text.matches("[1-9][0-9]{0,4}")) {
                throw wrong("<vcpu> '%s' is not a number from 1", text);
              }
              return Integer.parseInt(text);
            });
  }

  /** The targets of its disks, such as vda, in the order in which they stand there. */
  public List<String> diskTargets() {
    var targets = new ArrayList<String>();
    for (var devices : children(document.getDocumentElement(), "devices")) {
      for (var disk : children(devices, "disk")) {
        children(disk, "target").forEach(target -> targets.add(target.getAttribute("dev")));
      }
    }
    return targets;
  }

  public void setName(String name) {
    set("name", name);
  }

  public void setUuid(String uuid) {
    set("uuid", uuid);
  }

  /** Its memory, also what it has at its start. */
  public void setMemoryMib(long mib) {
    set("memory", Long.toString(mib)).setAttribute("unit", "MiB");
    child("currentMemory")
        .ifPresent(
            current -> {
              current.setTextContent(Long.toString(mib));
              current.setAttribute("unit", "MiB");
            });
  }

  public void setVcpus(int vcpus) {
    set("vcpu", Integer.toString(vcpus)).removeAttribute("current");
  }

  /** The whole description as it is now. */
  public String text() {
    return Xml.write(document);
  }

  private IllegalArgumentException wrong(String what, Object... values) {
    return new IllegalArgumentException(source + ": " + what.formatted(values));
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

  private Optional<String> text(String tag) {
    return child(tag).map(e -> e.getTextContent().strip()).filter(text -> !text.isEmpty());
  }

  private Optional<Element> child(String tag) {
    return children(document.getDocumentElement(), tag).stream().findFirst();
  }

  private static List<Element> children(Element parent, String tag) {
    var children = new ArrayList<Element>();
    for (var child = parent.getFirstChild(); child != null; child = child.getNextSibling()) {
      if (child instanceof Element element && element.getTagName().equals(tag)) {
        children.add(element);
      }
    }
    return children;
  }
}
