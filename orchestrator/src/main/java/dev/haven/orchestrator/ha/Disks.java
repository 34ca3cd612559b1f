package dev.haven.orchestrator.ha;

import dev.haven.model.GuestSpec;
import java.util.Collections;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Where a guest's disks are, as far as its definition tells. */
final class Disks {
  private static final Pattern DISK = Pattern.compile("<disk\\b.*?</disk>", Pattern.DOTALL);
  private static final Pattern PLACE =
      Pattern.compile("<source\\b[^>]*?\\b(file|dev|name)=(['\"])(.+?)\\2");

  private Disks() {}

  /** Whether two guests have disks on the same storage. */
  static boolean shared(GuestSpec one, GuestSpec other) {
    return !Collections.disjoint(storage(one.domainXml()), storage(other.domainXml()));
  }

  /**
   * The storage that holds them: the directory of a file, the volume group of a volume, the pool of
   * a network disk.
   */
  static Set<String> storage(String domainXml) {
    var all = new TreeSet<String>();
    var disks = DISK.matcher(domainXml);
    while (disks.find()) {
      var place = PLACE.matcher(disks.group());
      if (place.find()) {
        all.add(storage(place.group(1), place.group(3)));
      }
    }
    return all;
  }

  private static String storage(String kind, String place) {
    int slash = place.lastIndexOf('/');
    var directory = slash > 0 ? place.substring(0, slash) : place;
    // what lies there is of one device each: /dev/drbd0, /dev/disk/by-id/…, /dev/drbd/by-res/…
    boolean ofItsOwn =
        directory.equals("/dev")
            || directory.startsWith("/dev/disk")
            || directory.startsWith("/dev/drbd");
    return kind.equals("dev") && ofItsOwn ? place : directory;
  }
}
