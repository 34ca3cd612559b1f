package dev.haven.agent;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Other programs that feed a watchdog whatever this host's guests do. Where nothing keeps the
 * watchdog open while the agent restarts, one of them may take it: then nothing resets the host.
 */
final class OtherFeeders {
  private static final Logger log = LoggerFactory.getLogger(OtherFeeders.class);

  private static final List<String> MANAGER =
      List.of("systemctl", "show", "--property=RuntimeWatchdogUSec");

  private static final List<String> UNITS =
      List.of(
          "systemctl",
          "show",
          "--property=Id,ActiveState,UnitFileState",
          "watchdog.service",
          "wd_keepalive.service",
          "sbd.service");

  private final Systemd.Programs programs;
  private final BooleanSupplier kept;
  private volatile Optional<String> found =
      Optional.of("another program may take the watchdog: systemd was not asked yet");

  /**
   * @param kept whether the watchdog stays open without an agent, so that nobody else can open it
   */
  OtherFeeders(Systemd.Programs programs, BooleanSupplier kept) {
    this.programs = programs;
    this.kept = kept;
  }

  /** Which one may take the watchdog, and the way out; empty if none can. */
  Optional<String> hazard() {
    return kept.getAsBoolean() ? Optional.empty() : found;
  }

  /** Looks for them. May take seconds. */
  void look() {
    if (kept.getAsBoolean()) {
      return;
    }
    var before = found;
    found = find();
    if (!found.equals(before)) {
      found.ifPresent(f -> log.warn("{}", f));
    }
  }

  private Optional<String> find() {
    var manager = programs.run(MANAGER).filter(text -> text.startsWith("RuntimeWatchdogUSec="));
    var units = programs.run(UNITS).filter(text -> text.contains("Id="));
    if (manager.isEmpty() || units.isEmpty()) {
      return Optional.of("another program may take the watchdog: systemd does not answer");
    }
    if (!manager.get().equals("RuntimeWatchdogUSec=0")) {
      return Optional.of(
          "systemd may take the watchdog while the agent restarts, and feed it: set"
              + " RuntimeWatchdogSec=0 in /etc/systemd/system.conf, then systemctl daemon-reexec");
    }
    return Arrays.stream(units.get().split("\n\n"))
        .filter(OtherFeeders::mayRun)
        .map(unit -> unit.replaceAll("(?s).*Id=([^\n]*).*", "$1"))
        .findFirst()
        .map(
            name ->
                "%s may take the watchdog while the agent restarts, and feed it: systemctl disable --now %s"
                    .formatted(name, name));
  }

  private static boolean mayRun(String unit) {
    var lines = List.of(unit.split("\n"));
    return lines.stream().anyMatch(l -> l.startsWith("UnitFileState=enabled"))
        || lines.stream()
            .anyMatch(l -> l.startsWith("ActiveState=") && !l.equals("ActiveState=inactive"));
  }
}
