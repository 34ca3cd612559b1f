package dev.haven.model;

import java.util.List;
import java.util.Optional;

/**
 * What a host has, as its agent read it from libvirt.
 *
 * @param memoryMib all of the host's memory
 * @param cpus logical processors
 * @param hypervisor for people, such as {@code QEMU 7.2.0, libvirt 9.0.0}
 * @param machines versioned machine types that its emulator offers for guests of its own
 *     architecture, no more than 512; empty if it has not said
 */
public record Capacity(
    long memoryMib, int cpus, String hypervisor, Optional<List<String>> machines) {
  public static final Capacity UNKNOWN = new Capacity(0, 0, "unknown");

  private static final int MOST = 512;
  private static final int LONGEST = 64;

  public Capacity {
    hypervisor = PlainText.brief(hypervisor, 200);
    machines = machines.map(List::copyOf);
    if (machines.filter(m -> m.size() > MOST).isPresent()
        || machines.stream().flatMap(List::stream).anyMatch(m -> m.length() > LONGEST)) {
      throw new IllegalArgumentException(
          "at most %d machine types of at most %d characters".formatted(MOST, LONGEST));
    }
  }

  /** Of a host that has not said which machine types it offers. */
  public Capacity(long memoryMib, int cpus, String hypervisor) {
    this(memoryMib, cpus, hypervisor, Optional.empty());
  }

  /** Whether a guest of this machine type can run there as far as is known. */
  public boolean offers(String machine) {
    return MachineTypes.isAlias(machine)
        || machines.filter(m -> !m.isEmpty() && !m.contains(machine)).isEmpty();
  }

  /** The same with the newest machine type of each family alone. */
  public Capacity brief() {
    return new Capacity(memoryMib, cpus, hypervisor, machines.map(MachineTypes::newest));
  }
}
