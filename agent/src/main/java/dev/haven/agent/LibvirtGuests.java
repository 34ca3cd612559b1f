package dev.haven.agent;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * libvirt's service that saves or shuts down all guests with their host, and brings them back at
 * boot: beside the copy that runs elsewhere by then. Its programs are taken out by a drop-in; the
 * unit is never stopped, for that would run them.
 */
final class LibvirtGuests {
  private static final Logger log = LoggerFactory.getLogger(LibvirtGuests.class);
  private static final String UNIT = "libvirt-guests.service";

  static final String DROP_IN =
      """
      # Written by Haven's agent: Haven alone starts and stops the guests of this host.
      [Service]
      ExecStart=
      ExecStart=/bin/true
      ExecStop=
      ExecStop=/bin/true
      """;

  private final Path units;
  private final Systemd.Programs programs;
  private volatile Optional<String> hazard =
      Optional.of(UNIT + " may start guests of its own: systemd was not asked yet");

  /**
   * @param units where an administrator's units are, such as /etc/systemd/system
   */
  LibvirtGuests(Path units, Systemd.Programs programs) {
    this.units = units;
    this.programs = programs;
  }

  /** Why it may still act; empty if it cannot, or is not installed. */
  Optional<String> hazard() {
    return hazard;
  }

  /**
   * Switches it off, if it may still act: systemd may have been too busy to answer the last time.
   * May take seconds.
   */
  void off() {
    if (hazard.isEmpty()) {
      return;
    }
    var before = hazard;
    hazard = switchOff();
    if (!hazard.equals(before)) {
      hazard.ifPresent(h -> log.warn("{}", h));
    }
  }

  private Optional<String> switchOff() {
    var file = units.resolve(UNIT + ".d/haven.conf");
    try {
      if (!Files.exists(file) || !Files.readString(file).equals(DROP_IN)) {
        Files.createDirectories(file.getParent());
        Files.write(file, DROP_IN.getBytes(StandardCharsets.UTF_8));
      }
    } catch (IOException e) {
      return Optional.of(
          "%s may start guests of its own: %s cannot be written (%s)"
              .formatted(UNIT, file, e.getMessage()));
    }
    var _ = programs.run(List.of("systemctl", "daemon-reload"));
    var left =
        programs.run(List.of("systemctl", "show", UNIT, "--property=LoadState,ExecStart,ExecStop"));
    if (left.isEmpty() || !left.get().contains("LoadState=")) {
      return Optional.of("%s may start guests of its own: systemd does not answer".formatted(UNIT));
    }
    if (left.get().contains("LoadState=not-found") || left.get().contains("LoadState=masked")) {
      return Optional.empty();
    }
    // another drop-in may come after this one
    return Arrays.stream(left.get().split("\n", -1))
        .filter(l -> l.startsWith("Exec") && !l.contains("path=/bin/true"))
        .findFirst()
        .map(l -> "%s may start guests of its own: %s".formatted(UNIT, l));
  }
}
