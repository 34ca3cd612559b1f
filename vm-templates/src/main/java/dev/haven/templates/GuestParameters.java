package dev.haven.templates;

import dev.haven.model.Size;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Pattern;

/**
 * What a template is filled with.
 *
 * @param name 1 to 63 letters, digits, {@code . _ -}
 * @param memory whole MiB, 1 MiB to 64 TiB
 * @param vcpus 1 to 255; more would need an IOMMU that the templates do not have
 * @param kernel empty to boot from the first disk
 * @param consoleLog a file on the host to which the serial console is appended
 * @param cpuModel a libvirt CPU model that every host offers, {@code host-model} or {@code
 *     host-passthrough}; empty for the template's own choice
 * @param watchdog what libvirt does when the guest stops feeding its watchdog; empty for none
 * @param tpm whether the guest gets an emulated TPM 2.0, whose state stays on its host
 * @param nvram where a UEFI guest's variables live; empty for a file beside the first disk
 * @param vnc whether there is a screen, on the host's loopback address
 */
public record GuestParameters(
    String name,
    UUID uuid,
    Size memory,
    int vcpus,
    List<TemplateDisk> disks,
    List<Nic> networks,
    Optional<DirectKernel> kernel,
    Optional<String> consoleLog,
    Optional<String> cpuModel,
    Optional<WatchdogAction> watchdog,
    boolean tpm,
    Optional<String> nvram,
    boolean vnc) {
  private static final Pattern NAME =
      Pattern.compile("[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?");
  private static final Size MEMORY_MAX = Size.ofMib(64L << 20);
  private static final int VCPUS_MAX = 255;

  /** What libvirt does to a guest that hangs. */
  public enum WatchdogAction {
    RESET,
    POWEROFF,
    PAUSE,
    NONE
  }

  public GuestParameters {
    disks = List.copyOf(disks);
    networks = List.copyOf(networks);
    if (!NAME.matcher(name).matches()) {
      throw new IllegalArgumentException(
          "guest name '%s': use 1 to 63 letters, digits, dots, dashes or underscores, with a letter or digit at both ends"
              .formatted(name));
    }
    if (memory.bytes() == 0
        || memory.compareTo(MEMORY_MAX) > 0
        || memory.bytes() % (1 << 20) != 0) {
      throw new IllegalArgumentException(
          "guest %s: memory %s is not a whole number of MiB between 1MiB and 64TiB"
              .formatted(name, memory));
    }
    if (vcpus < 1 || vcpus > VCPUS_MAX) {
      throw new IllegalArgumentException(
          "guest %s: %d vCPUs are not between 1 and %d".formatted(name, vcpus, VCPUS_MAX));
    }
    var paths = new ArrayList<String>();
    for (var disk : disks) {
      if (paths.contains(disk.path())) {
        throw new IllegalArgumentException(
            "guest %s: disk %s is given twice".formatted(name, disk.path()));
      }
      paths.add(disk.path());
    }
  }

  /** A guest with a new uuid and nothing but memory and CPUs. */
  public static Builder builder(String name, Size memory, int vcpus) {
    return new Builder(name, memory, vcpus);
  }

  /** Collects what is optional. */
  public static final class Builder {
    private final String name;
    private final Size memory;
    private final int vcpus;
    private UUID uuid = UUID.randomUUID();
    private final List<TemplateDisk> disks = new ArrayList<>();
    private final List<Nic> networks = new ArrayList<>();
    private Optional<DirectKernel> kernel = Optional.empty();
    private Optional<String> consoleLog = Optional.empty();
    private Optional<String> cpuModel = Optional.empty();
    private Optional<WatchdogAction> watchdog = Optional.empty();
    private boolean tpm;
    private Optional<String> nvram = Optional.empty();
    private boolean vnc;

    private Builder(String name, Size memory, int vcpus) {
      this.name = name;
      this.memory = memory;
      this.vcpus = vcpus;
    }

    public Builder uuid(UUID value) {
      uuid = value;
      return this;
    }

    public Builder disk(TemplateDisk value) {
      disks.add(value);
      return this;
    }

    public Builder network(Nic value) {
      networks.add(value);
      return this;
    }

    public Builder kernel(DirectKernel value) {
      kernel = Optional.of(value);
      return this;
    }

    public Builder consoleLog(String path) {
      consoleLog = Optional.of(path);
      return this;
    }

    public Builder cpuModel(String value) {
      cpuModel = Optional.of(value);
      return this;
    }

    public Builder watchdog(WatchdogAction value) {
      watchdog = Optional.of(value);
      return this;
    }

    public Builder tpm(boolean value) {
      tpm = value;
      return this;
    }

    public Builder nvram(String path) {
      nvram = Optional.of(path);
      return this;
    }

    public Builder vnc(boolean value) {
      vnc = value;
      return this;
    }

    /**
     * The parameters, checked.
     *
     * @throws IllegalArgumentException if a value is out of its range
     */
    public GuestParameters build() {
      return new GuestParameters(
          name,
          uuid,
          memory,
          vcpus,
          disks,
          networks,
          kernel,
          consoleLog,
          cpuModel,
          watchdog,
          tpm,
          nvram,
          vnc);
    }
  }
}
