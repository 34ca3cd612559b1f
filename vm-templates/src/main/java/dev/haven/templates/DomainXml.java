package dev.haven.templates;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.w3c.dom.Element;

/**
 * What Haven needs to know of a domain XML, whoever wrote it.
 *
 * @param type libvirt's: kvm, qemu, xen, …
 * @param uuid empty if libvirt is to choose one
 * @param memoryKib the most memory it may have ({@code <memory>}, not {@code <currentMemory>}),
 *     rounded up to whole KiB
 * @param vcpus the most CPUs it may have
 */
public record DomainXml(
    String type,
    String name,
    Optional<UUID> uuid,
    long memoryKib,
    int vcpus,
    List<DiskSource> disks,
    List<String> bridges,
    List<String> networks) {
  private static final Map<String, Long> UNITS =
      Map.ofEntries(
          Map.entry("b", 1L),
          Map.entry("bytes", 1L),
          Map.entry("kb", 1000L),
          Map.entry("k", 1L << 10),
          Map.entry("kib", 1L << 10),
          Map.entry("mb", 1000_000L),
          Map.entry("m", 1L << 20),
          Map.entry("mib", 1L << 20),
          Map.entry("gb", 1000_000_000L),
          Map.entry("g", 1L << 30),
          Map.entry("gib", 1L << 30),
          Map.entry("tb", 1000_000_000_000L),
          Map.entry("t", 1L << 40),
          Map.entry("tib", 1L << 40));

  /**
   * A disk with its source.
   *
   * @param target the guest's name for it, like vda
   * @param type libvirt's: file, block, network, volume, …
   * @param path the file or device; empty for other types and for an empty CD-ROM
   * @param writable false for a CD-ROM or where {@code <readonly/>} stands
   */
  public record DiskSource(String target, String type, Optional<String> path, boolean writable) {}

  public DomainXml {
    disks = List.copyOf(disks);
    bridges = List.copyOf(bridges);
    networks = List.copyOf(networks);
  }

  /** The memory in MiB, rounded up. */
  public long memoryMib() {
    return memoryKib / 1024 + (memoryKib % 1024 == 0 ? 0 : 1);
  }

  /**
   * Reads domain XML. Nothing outside of {@code xml} is read, whatever it refers to.
   *
   * @throws TemplateException if it is not well-formed or lacks a name, memory or anything that is
   *     needed here; use {@link DomainSchema} for a whole check
   */
  public static DomainXml parse(String xml) {
    var domain = Xml.parse("domain XML", xml).getDocumentElement();
    if (!domain.getTagName().equals("domain")) {
      throw new TemplateException(
          "domain XML: begins with <%s>; give what `virsh dumpxml --inactive` prints"
              .formatted(domain.getTagName()));
    }
    var name =
        text(domain, "name")
            .orElseThrow(() -> new TemplateException("domain XML: has no <name>; add one"));
    var disks = new ArrayList<DiskSource>();
    var bridges = new ArrayList<String>();
    var networks = new ArrayList<String>();
    for (var devices : children(domain, "devices")) {
      for (var disk : children(devices, "disk")) {
        disks.add(disk(disk));
      }
      for (var nic : children(devices, "interface")) {
        for (var source : children(nic, "source")) {
          attribute(source, "bridge").ifPresent(bridges::add);
          attribute(source, "network").ifPresent(networks::add);
        }
      }
    }
    return new DomainXml(
        domain.getAttribute("type"),
        name,
        text(domain, "uuid").map(text -> uuid(name, text)),
        memoryKib(name, domain),
        vcpus(name, domain),
        disks,
        bridges,
        networks);
  }

  private static DiskSource disk(Element disk) {
    var target =
        children(disk, "target").stream().findFirst().map(t -> t.getAttribute("dev")).orElse("");
    var source = children(disk, "source").stream().findFirst();
    var path = source.flatMap(s -> attribute(s, "file").or(() -> attribute(s, "dev")));
    var device = attribute(disk, "device").orElse("disk");
    boolean writable = !device.equals("cdrom") && children(disk, "readonly").isEmpty();
    return new DiskSource(target, attribute(disk, "type").orElse("file"), path, writable);
  }

  private static UUID uuid(String name, String text) {
    try {
      // libvirt also takes it without the dashes.
      var dashed =
          text.length() == 32
              ? text.replaceFirst("(.{8})(.{4})(.{4})(.{4})(.{12})", "$1-$2-$3-$4-$5")
              : text;
      return UUID.fromString(dashed);
    } catch (IllegalArgumentException e) {
      throw new TemplateException(
          "guest %s: <uuid> '%s' is not a UUID; leave it out for a new one".formatted(name, text));
    }
  }

  private static long memoryKib(String name, Element domain) {
    var memory =
        children(domain, "memory").stream()
            .findFirst()
            .orElseThrow(
                () ->
                    new TemplateException(
                        "guest %s: has no <memory>; add <memory unit='MiB'>…</memory>"
                            .formatted(name)));
    var text = memory.getTextContent().strip();
    var unit = attribute(memory, "unit").orElse("KiB");
    var factor = UNITS.get(unit.toLowerCase(Locale.ROOT));
    if (factor == null) {
      throw new TemplateException(
          "guest %s: <memory> has the unknown unit '%s'; use MiB".formatted(name, unit));
    }
    if (!text.matches("[0-9]{1,18}")) {
      throw new TemplateException(
          "guest %s: <memory> '%s' is not a whole number; write it like <memory unit='MiB'>2048</memory>"
              .formatted(name, text));
    }
    var kib =
        new BigInteger(text)
            .multiply(BigInteger.valueOf(factor))
            .add(BigInteger.valueOf(1023))
            .shiftRight(10);
    if (kib.signum() == 0 || kib.bitLength() > 53) {
      throw new TemplateException(
          "guest %s: <memory> of %s %s is out of range".formatted(name, text, unit));
    }
    return kib.longValueExact();
  }

  private static int vcpus(String name, Element domain) {
    var text = text(domain, "vcpu").orElse("1"); // libvirt's default
    if (!text.matches("[1-9][0-9]{0,4}")) {
      throw new TemplateException(
          "guest %s: <vcpu> '%s' is not a number from 1".formatted(name, text));
    }
    return Integer.parseInt(text);
  }

  private static Optional<String> text(Element parent, String name) {
    return children(parent, name).stream()
        .findFirst()
        .map(element -> element.getTextContent().strip())
        .filter(text -> !text.isEmpty());
  }

  private static Optional<String> attribute(Element element, String name) {
    return Optional.of(element.getAttribute(name)).filter(value -> !value.isEmpty());
  }

  private static List<Element> children(Element parent, String name) {
    var children = new ArrayList<Element>();
    for (var child = parent.getFirstChild(); child != null; child = child.getNextSibling()) {
      if (child instanceof Element element && element.getTagName().equals(name)) {
        children.add(element);
      }
    }
    return children;
  }
}
