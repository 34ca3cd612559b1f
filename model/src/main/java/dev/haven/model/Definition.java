package dev.haven.model;

import java.io.StringReader;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/**
 * What placement and the safety of disks need of a guest's domain XML, read once where the guest is
 * described.
 *
 * @param name the domain's; empty if it has none
 * @param architecture such as {@code x86_64}; empty if it names none
 * @param machine the machine type as it stands there; empty if it names none
 * @param disks all that it opens, also what holds its firmware's settings
 * @param behind what hosts found the disks to be: their backing images, devices and inodes
 * @param resolved whether hosts have looked at every disk that has a path
 */
public record Definition(
    Optional<String> name,
    Optional<String> architecture,
    Optional<String> machine,
    List<GuestDisk> disks,
    List<DiskUse> behind,
    boolean resolved) {
  /** Of a guest without disks. */
  public static final Definition NONE =
      new Definition(
          Optional.empty(), Optional.empty(), Optional.empty(), List.of(), List.of(), true);

  private static final int MOST_DISKS = 512;

  public Definition {
    disks = List.copyOf(disks);
    behind = List.copyOf(behind);
  }

  /** All that the guest opens as far as is known. */
  public List<DiskUse> uses() {
    return Stream.concat(disks.stream().map(GuestDisk::use), behind.stream()).distinct().toList();
  }

  /** The same with what hosts found. */
  public Definition with(List<DiskUse> found, boolean all) {
    return new Definition(name, architecture, machine, disks, found, all);
  }

  /** Whether it describes the same disks, whatever hosts have found. */
  public boolean sameDisks(Definition other) {
    return disks.equals(other.disks);
  }

  /** As {@link #read}; {@link #NONE} where it cannot be read. */
  public static Definition ofAny(String domainXml) {
    try {
      return read(domainXml);
    } catch (IllegalArgumentException e) {
      return NONE;
    }
  }

  /**
   * Reads domain XML. Nothing outside of it is read, whatever it refers to.
   *
   * @throws IllegalArgumentException with the place of the fault, where it is not well-formed, or
   *     has more than 512 disks
   */
  public static Definition read(String domainXml) {
    try {
      var reader = Xml.stream(new StringReader(domainXml));
      var reading = new Reading();
      while (reader.hasNext()) {
        switch (reader.next()) {
          case XMLStreamConstants.START_ELEMENT -> reading.begins(reader);
          case XMLStreamConstants.CHARACTERS, XMLStreamConstants.CDATA ->
              reading.text.append(reader.getText());
          case XMLStreamConstants.END_ELEMENT -> reading.ends();
          default -> {}
        }
      }
      return reading.result();
    } catch (XMLStreamException e) {
      throw new IllegalArgumentException(Xml.wrong("domain XML", e), e);
    }
  }

  /** One pass over a definition. */
  private static final class Reading {
    private final ArrayDeque<String> path = new ArrayDeque<>();
    private final List<GuestDisk> disks = new ArrayList<>();
    private final StringBuilder text = new StringBuilder();
    private String architecture = "";
    private String machine = "";
    private String name = "";

    // of the disk that is being read
    private String type = "";
    private boolean readOnly;
    private boolean shareable;
    private String nvramFormat = "";
    private final List<Source> sources = new ArrayList<>();

    /** A source, and how deep in the chain of backing images it stands: 0 is the disk itself. */
    private static final class Source {
      final int depth;
      final String type;
      String place = "";
      Optional<String> path = Optional.empty();
      String format = "";

      Source(int depth, String type) {
        this.depth = depth;
        this.type = type;
      }
    }

    void begins(XMLStreamReader at) {
      path.addLast(at.getLocalName());
      text.setLength(0);
      if (path.size() == 1 && !is("domain")) {
        throw new IllegalArgumentException(
            "domain XML: begins with <%s>; give what `virsh dumpxml --inactive` prints"
                .formatted(at.getLocalName()));
      }
      if (is("domain", "os", "type")) {
        architecture = attribute(at, "arch");
        machine = attribute(at, "machine");
      } else if (is("domain", "os", "nvram")) {
        nvramFormat = attribute(at, "format");
      } else if (is("domain", "devices", "disk")) {
        type = attribute(at, "type");
        readOnly = attribute(at, "device").equals("cdrom");
        shareable = false;
        sources.clear();
        sources.add(new Source(0, type.isEmpty() ? "file" : type));
      } else if (inDisk()) {
        switch (at.getLocalName()) {
          case "backingStore", "dataStore" -> {
            if (!attribute(at, "type").isEmpty()) {
              sources.add(new Source(depth(), attribute(at, "type")));
            }
          }
          case "source" -> source(at);
          case "driver" -> {
            if (path.size() == 4) {
              sources.getFirst().format = attribute(at, "type");
            }
          }
          case "format" -> {
            if (!path.contains("mirror")) {
              last().format = attribute(at, "type");
            }
          }
          case "readonly" -> readOnly |= path.size() == 4;
          case "shareable" -> shareable |= path.size() == 4;
          default -> {}
        }
      }
    }

    private void source(XMLStreamReader at) {
      // <mirror> and <slices> have sources of their own; those of a disk stand right below it or
      // below its backing images
      var parents = List.copyOf(path);
      if (parents.subList(3, parents.size() - 1).stream()
          .anyMatch(p -> !p.equals("backingStore") && !p.equals("dataStore"))) {
        return;
      }
      var source = last();
      var file = attribute(at, "file");
      var device = attribute(at, "dev");
      if (!file.isEmpty()) {
        source.place = "file " + plain(file);
        source.path = Optional.of(file);
      } else if (!device.isEmpty()) {
        source.place = "device " + plain(device);
        source.path = Optional.of(device);
      } else if (!attribute(at, "volume").isEmpty()) {
        source.place = "volume %s/%s".formatted(attribute(at, "pool"), attribute(at, "volume"));
      } else if (!attribute(at, "dir").isEmpty()) {
        source.place = "directory " + plain(attribute(at, "dir"));
      } else if (!attribute(at, "name").isEmpty()) {
        source.place = "%s %s".formatted(attribute(at, "protocol"), attribute(at, "name"));
      } else if (!attribute(at, "path").isEmpty()) {
        source.place = "%s %s".formatted(source.type, attribute(at, "path"));
      }
    }

    void ends() {
      if (is("domain", "name")) {
        name = text.toString().strip();
      } else if (is("domain", "os", "nvram")) {
        var file = text.toString().strip();
        if (!file.isEmpty()) {
          add("file " + plain(file), Optional.of(file), nvramFormat, true, false);
        }
      } else if (is("domain", "devices", "disk")) {
        for (var source : sources) {
          if (!source.place.isEmpty()) {
            add(
                source.place,
                source.path,
                source.format,
                source.depth == 0 && !readOnly,
                shareable);
          }
        }
        sources.clear();
      }
      path.removeLast();
    }

    private void add(
        String place, Optional<String> file, String format, boolean writable, boolean shared) {
      if (disks.size() >= MOST_DISKS) {
        throw new IllegalArgumentException("domain XML: more than %d disks".formatted(MOST_DISKS));
      }
      disks.add(new GuestDisk(new DiskUse(place, writable, shared), file, format));
    }

    private boolean inDisk() {
      return path.size() > 3 && starts("domain", "devices", "disk") && !sources.isEmpty();
    }

    private int depth() {
      return (int) path.stream().filter("backingStore"::equals).count();
    }

    private Source last() {
      return sources.getLast();
    }

    private boolean is(String... names) {
      return path.size() == names.length && starts(names);
    }

    private boolean starts(String... names) {
      var at = path.iterator();
      for (var name : names) {
        if (!at.hasNext() || !at.next().equals(name)) {
          return false;
        }
      }
      return true;
    }

    private static String attribute(XMLStreamReader at, String name) {
      var value = at.getAttributeValue(null, name);
      return value == null ? "" : value;
    }

    /** Two spellings of one path are one path. */
    private static String plain(String path) {
      var parts = new ArrayDeque<String>();
      for (var part : path.split("/")) {
        if (part.equals("..")) {
          parts.pollLast();
        } else if (!part.isEmpty() && !part.equals(".")) {
          parts.addLast(part);
        }
      }
      return (path.startsWith("/") ? "/" : "") + String.join("/", parts);
    }

    Definition result() {
      boolean nothingToLookAt = disks.stream().allMatch(d -> d.path().isEmpty());
      return new Definition(
          Optional.of(name).filter(n -> !n.isEmpty()),
          Optional.of(architecture).filter(a -> !a.isEmpty()),
          Optional.of(machine).filter(m -> !m.isEmpty()),
          disks,
          List.of(),
          nothingToLookAt);
    }
  }
}
