package dev.haven.model;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Machine types of QEMU. A versioned one, such as {@code pc-q35-7.2}, is the same machine for a
 * guest on every host that offers it. An alias, such as {@code q35}, is whatever is newest on the
 * host that starts the guest: it changes with an upgrade, and may not be there where the guest is
 * migrated to.
 */
public final class MachineTypes {
  private static final Map<String, String> FAMILIES =
      Map.of(
          "q35", "pc-q35-",
          "pc", "pc-i440fx-",
          "virt", "virt-",
          "pseries", "pseries-",
          "s390-ccw-virtio", "s390-ccw-virtio-");

  private static final Pattern TYPE =
      Pattern.compile("(<type\\b[^>]*?\\smachine\\s*=\\s*)(['\"])([^'\"]*)\\2");

  private MachineTypes() {}

  /** Whether it stands for different machines on different hosts. */
  public static boolean isAlias(String machine) {
    return FAMILIES.containsKey(machine);
  }

  /**
   * What an alias is to stand for from now on: the newest type of its family that all of these
   * hosts offer.
   *
   * @param offered what each host offers; a host that has not said is not in it
   * @return empty if it is no alias, nobody has said what it offers, or they have nothing in common
   */
  public static Optional<String> pinned(String alias, List<List<String>> offered) {
    var family = FAMILIES.get(alias);
    if (family == null || offered.isEmpty()) {
      return Optional.empty();
    }
    var common = new ArrayList<>(offered.getFirst());
    offered.forEach(host -> common.retainAll(new HashSet<>(host)));
    return common.stream()
        .filter(machine -> machine.startsWith(family))
        .max(
            // a distribution's own types (pc-q35-rhel9.2.0) come only where there is no other
            Comparator.comparing((String m) -> Character.isDigit(m.charAt(family.length())))
                .thenComparing(MachineTypes::byVersion));
  }

  /** Numbers by their value: 10.0 is newer than 9.2. */
  private static int byVersion(String one, String other) {
    var a = one.split("(?<=\\d)(?=\\D)|(?<=\\D)(?=\\d)");
    var b = other.split("(?<=\\d)(?=\\D)|(?<=\\D)(?=\\d)");
    for (int i = 0; i < Math.min(a.length, b.length); i++) {
      boolean numbers = a[i].matches("\\d{1,9}") && b[i].matches("\\d{1,9}");
      int order =
          numbers
              ? Integer.compare(Integer.parseInt(a[i]), Integer.parseInt(b[i]))
              : a[i].compareTo(b[i]);
      if (order != 0) {
        return order;
      }
    }
    return Integer.compare(a.length, b.length);
  }

  /** The newest of each family, for people. */
  public static List<String> newest(List<String> offered) {
    var newest = new TreeMap<String, String>();
    FAMILIES
        .keySet()
        .forEach(
            alias -> pinned(alias, List.of(offered)).ifPresent(found -> newest.put(alias, found)));
    return List.copyOf(newest.values());
  }

  /** The same domain XML with this machine type in the place of its alias. */
  public static String replaced(String domainXml, String alias, String machine) {
    var type = TYPE.matcher(domainXml);
    while (type.find()) {
      if (type.group(3).equals(alias)) {
        return domainXml.substring(0, type.start(3)) + machine + domainXml.substring(type.end(3));
      }
    }
    return domainXml;
  }
}
