package dev.haven.fencing;

import java.time.Instant;
import java.util.List;

/**
 * One look at a device: would fencing by it work?
 *
 * @param device its name
 * @param checked when the look began
 * @param usable it answers, its power can be read, its account may switch as far as can be told,
 *     and it is not known to be another host's
 * @param power what it said
 * @param sentence the finding for people, such as {@code bmc-a answers, says on, may switch and is
 *     this host's}
 * @param wayOut what to do about it; empty when there is nothing to do
 * @param warnings what is unsafe about it although it is usable, with the way out, a sentence for
 *     each
 * @param behaviour how a fence by it goes, in a clause; empty where it could not be opened
 */
public record DeviceHealth(
    String device,
    Instant checked,
    boolean usable,
    PowerReading power,
    Privilege privilege,
    DeviceIdentity identity,
    String sentence,
    String wayOut,
    List<String> warnings,
    String behaviour) {
  public DeviceHealth {
    warnings = List.copyOf(warnings);
  }
}
