package dev.haven.model;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A guest as its owner described it.
 *
 * @param uuid libvirt's; never changes
 * @param memoryMib what placement reserves; must agree with the XML
 * @param vcpus must agree with the XML
 * @param priority larger starts first; 0 by default, -1000 to 1000
 * @param domainXml libvirt's description, without an epoch
 * @param labels free words for placement rules
 * @param restart what to do when it crashes by itself
 * @param startAttempts failed starts in a row before it is left failed, 1 to 10
 * @param restarts how often it is started again after it ended by itself; without a limit, and in
 *     place where it fits, if empty
 * @param health how it is found out whether it is well while it runs; only an alarm when its
 *     watchdog fires, if empty
 * @param machine QEMU's machine type, as it stands in the XML; the leader writes it here, and a
 *     host that does not offer it takes the guest neither by a start nor by a migration
 */
public record GuestSpec(
    GuestId id,
    String uuid,
    long memoryMib,
    int vcpus,
    int priority,
    String domainXml,
    Map<String, String> labels,
    List<Rule> rules,
    Restart restart,
    int startAttempts,
    Optional<RestartLimits> restarts,
    Optional<HealthCheck> health,
    Optional<String> machine) {
  /** What happens when the guest crashes while its host is well. */
  public enum Restart {
    /** On the same host if it fits there, else on another. */
    ANYWHERE,
    /** Not at all; the operator is told. */
    NEVER
  }

  public static final int DEFAULT_START_ATTEMPTS = 3;

  /** One without limits and checks. */
  public GuestSpec(
      GuestId id,
      String uuid,
      long memoryMib,
      int vcpus,
      int priority,
      String domainXml,
      Map<String, String> labels,
      List<Rule> rules,
      Restart restart,
      int startAttempts) {
    this(
        id,
        uuid,
        memoryMib,
        vcpus,
        priority,
        domainXml,
        labels,
        rules,
        restart,
        startAttempts,
        Optional.empty(),
        Optional.empty());
  }

  /** One of which the leader has not read the XML. */
  public GuestSpec(
      GuestId id,
      String uuid,
      long memoryMib,
      int vcpus,
      int priority,
      String domainXml,
      Map<String, String> labels,
      List<Rule> rules,
      Restart restart,
      int startAttempts,
      Optional<RestartLimits> restarts,
      Optional<HealthCheck> health) {
    this(
        id,
        uuid,
        memoryMib,
        vcpus,
        priority,
        domainXml,
        labels,
        rules,
        restart,
        startAttempts,
        restarts,
        health,
        Optional.empty());
  }

  /** The same guest with this domain XML and the machine type that stands in it. */
  public GuestSpec with(String xml, Optional<String> itsMachine) {
    return new GuestSpec(
        id,
        uuid,
        memoryMib,
        vcpus,
        priority,
        xml,
        labels,
        rules,
        restart,
        startAttempts,
        restarts,
        health,
        itsMachine);
  }

  public GuestSpec {
    labels = Map.copyOf(labels);
    rules = List.copyOf(rules);
    if (memoryMib < 1 || memoryMib > 64L << 20) {
      throw new IllegalArgumentException(
          "guest %s: memory of %d MiB is not between 1 MiB and 64 TiB".formatted(id, memoryMib));
    }
    if (vcpus < 1 || vcpus > 4096) {
      throw new IllegalArgumentException(
          "guest %s: %d vCPUs are not between 1 and 4096".formatted(id, vcpus));
    }
    if (priority < -1000 || priority > 1000) {
      throw new IllegalArgumentException(
          "guest %s: priority %d is not between -1000 and 1000".formatted(id, priority));
    }
    if (startAttempts < 1 || startAttempts > 10) {
      throw new IllegalArgumentException(
          "guest %s: startAttempts %d is not between 1 and 10".formatted(id, startAttempts));
    }
    if (restart == Restart.NEVER && health.filter(HealthCheck::restart).isPresent()) {
      throw new IllegalArgumentException(
          "guest %s: it is never restarted after a crash, so it cannot be when it is unhealthy"
              .formatted(id));
    }
  }

  /** The same guest by another description of libvirt's. */
  public GuestSpec describedBy(String xml) {
    return with(xml, machine);
  }

  /** Without the XML: it is long, and may hold passwords. */
  @Override
  public String toString() {
    return "GuestSpec[id=%s, uuid=%s, memoryMib=%d, vcpus=%d]"
        .formatted(id, uuid, memoryMib, vcpus);
  }
}
