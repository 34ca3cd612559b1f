package dev.haven.fencing;

import dev.haven.fencing.sbd.SbdDisks;
import dev.haven.fencing.sbd.SbdDisks.Told;
import dev.haven.fencing.sbd.SbdMessage;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * A poison pill on shared disks: a message to the host's own watcher, which ends it. It switches no
 * power and reads none, so its outcome is one of its own, {@link SwitchResult.Poisoned}.
 */
final class SbdDevice implements PowerDevice {
  private static final String SENDER = "haven";

  /** To look once before and once after the wait. */
  private static final Duration LOOK = Duration.ofMillis(100);

  private final String name;
  private final String slot;
  private final SbdMessage message;
  private final SbdDisks disks;
  private final Duration limit;

  /** A pill of ours was taken away: another would meet a host that has only just booted. */
  private boolean spent;

  private SbdDevice(DeviceSpec spec) {
    name = spec.name();
    var settings = new DeviceSettings(spec);
    settings.refuseUnknown("disks", "slot", "message", "timeout");
    var paths =
        Arrays.stream(settings.required("disks", "/dev/disk/by-id/…;/dev/disk/by-id/…").split(";"))
            .map(String::strip)
            .filter(path -> !path.isEmpty())
            .distinct()
            .toList();
    if (paths.isEmpty() || paths.size() > 3 || !paths.stream().allMatch(p -> p.startsWith("/"))) {
      throw settings.wrong(
          "disks is " + String.join(";", paths),
          "give one to three paths with ; between them, such as"
              + " /dev/disk/by-id/scsi-1;/dev/disk/by-id/scsi-2");
    }
    slot = settings.required("slot", "the host's name at sbd");
    message =
        switch (settings.optional("message").orElse("reset")) {
          case "reset" -> SbdMessage.RESET;
          case "off" -> SbdMessage.OFF;
          default ->
              throw settings.wrong(
                  "message is " + settings.optional("message").orElse(""),
                  "use reset, or off for a host that is to stay off");
        };
    limit = settings.duration("timeout", Duration.ofSeconds(5));
    disks = new SbdDisks(paths.stream().map(Path::of).toList(), slot);
  }

  /**
   * @throws FencingConfigException when a setting is missing, unknown or impossible
   */
  static SbdDevice open(DeviceSpec spec) {
    return new SbdDevice(spec);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public PowerReading read(Duration within) {
    var now = Instant.now();
    return new PowerReading.Unknown(name, now, now, "a disk does not know the host's power");
  }

  /**
   * Writes the pill, waits until it was obeyed, and looks whether it was there all the while.
   * Blocks for as long as the disks' {@code msgwait}; where that does not fit in, nothing is
   * written.
   */
  @Override
  public SwitchResult switchOff(Duration within) {
    var began = Instant.now();
    try {
      return poison(began, Deadline.in(within));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return failed(began, "the call was interrupted");
    }
  }

  private SwitchResult poison(Instant began, Deadline until) throws InterruptedException {
    if (spent) {
      return failed(began, "its pill was taken away before; another one could meet the next boot");
    }
    var before = disks.look(limited(until));
    var wait =
        before.values().stream()
            .filter(Told.Mailbox.class::isInstance)
            .map(told -> ((Told.Mailbox) told).msgwait())
            .max(Duration::compareTo);
    if (wait.isEmpty() || good(before, false) < disks.majority()) {
      return failed(began, tooFew("can be read", good(before, false), before));
    }
    if (until.left().compareTo(wait.get().plus(LOOK.multipliedBy(2))) < 0) {
      return failed(
          began,
          "its wait of "
              + Program.seconds(wait.get())
              + " is longer than the "
              + Program.seconds(until.left())
              + " that are left for the fence, so nothing was written");
    }
    var written = disks.write(message, SENDER, limited(until));
    var over = Deadline.in(wait.get());
    if (good(written, true) < disks.majority()) {
      return failed(began, tooFew("took the message", good(written, true), written));
    }
    while (!over.passed()) {
      Thread.sleep(Math.max(1, over.left().toMillis()));
    }
    var after = disks.look(until.left().compareTo(LOOK) < 0 ? LOOK : limited(until));
    if (good(after, true) < disks.majority()) {
      spent = true;
      return failed(
          began,
          tooFew("still held the message after the wait", good(after, true), after)
              + "; the host may have booted again, or somebody took the message away before the"
              + " host saw it");
    }
    var paths = new ArrayList<String>();
    var ids = new TreeSet<String>();
    after.forEach(
        (path, told) -> {
          if (told instanceof Told.Mailbox mailbox && mailbox.kills()) {
            paths.add(path.toString());
            ids.add(mailbox.id());
          }
        });
    return new SwitchResult.Poisoned(name, began, Instant.now(), slot, paths, ids, wait.get());
  }

  private static long good(Map<Path, Told> told, boolean poisoned) {
    return told.values().stream()
        .filter(t -> t instanceof Told.Mailbox mailbox && (mailbox.kills() || !poisoned))
        .count();
  }

  private String tooFew(String what, long good, Map<Path, Told> told) {
    var failures = SbdDisks.failures(told);
    return "only %d of %d disks %s, and it takes %d%s"
        .formatted(
            good, told.size(), what, disks.majority(), failures.isEmpty() ? "" : ": " + failures);
  }

  private SwitchResult failed(Instant began, String reason) {
    return new SwitchResult.Failed(name, began, Instant.now(), reason);
  }

  private Duration limited(Deadline until) {
    var left = until.left();
    return left.compareTo(limit) < 0 ? left : limit;
  }

  @Override
  public SwitchResult switchOn(Duration within) {
    var now = Instant.now();
    return new SwitchResult.NeedsOperator(
        name, now, now, "a disk switches nothing on: the host restarts by itself, or by hand");
  }

  @Override
  public Privilege privilege(Duration within) {
    return new Privilege.Enough(); // a disk that is opened is opened for writing
  }

  @Override
  public Optional<String> systemGuid(Duration within) {
    return Optional.empty();
  }

  /** So long a fence by it takes at most, with the wait that its disks prescribe now. */
  Duration takes() {
    try {
      return disks.look(limit).values().stream()
          .filter(Told.Mailbox.class::isInstance)
          .map(told -> ((Told.Mailbox) told).msgwait())
          .max(Duration::compareTo)
          .map(wait -> wait.plus(limit.multipliedBy(3)))
          .orElse(Duration.ZERO);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Duration.ZERO;
    }
  }

  /**
   * What a fence over these disks would meet, without writing.
   *
   * @param broken it would fail
   * @param warnings it would not, but something is to be done
   */
  record Finding(boolean broken, String sentence, List<String> warnings) {}

  Finding look(Duration within) {
    try {
      var told = disks.look(within.compareTo(limit) < 0 ? within : limit);
      long good = good(told, false);
      if (good < disks.majority()) {
        return new Finding(true, name + ": " + tooFew("can be read", good, told), List.of());
      }
      var warnings = new ArrayList<String>();
      if (good < told.size()) {
        warnings.add(
            name + ": " + SbdDisks.failures(told) + "; mend it before another disk fails too");
      }
      told.forEach(
          (path, answer) -> {
            if (answer instanceof Told.Mailbox mailbox && mailbox.kills()) {
              warnings.add(
                  "%s: the mailbox of %s on %s holds %s; the host empties it when it boots, or you do: sbd -d %s message %s clear"
                      .formatted(name, slot, path, mailbox.mail(), path, slot));
            }
          });
      return new Finding(
          false,
          "%s: %d of %d disks answer, slot %s is there".formatted(name, good, told.size(), slot),
          warnings);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Finding(true, name + ": the call was interrupted", List.of());
    }
  }
}
