package dev.haven.fencing;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * A person with a hand on the plug. It is asked, and its word is another kind of proof, kept
 * elsewhere.
 */
final class ManualDevice implements PowerDevice {
  private final String name;
  private final String instructions;

  private ManualDevice(String name, String instructions) {
    this.name = name;
    this.instructions = instructions;
  }

  static ManualDevice open(DeviceSpec spec) {
    DeviceSettings settings = new DeviceSettings(spec);
    settings.refuseUnknown("instructions");
    return new ManualDevice(
        spec.name(),
        settings
            .optional("instructions")
            .orElse("switch the host off by hand, make sure that it is off, then confirm it"));
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public PowerReading read(Duration within) {
    var now = Instant.now();
    return new PowerReading.Unknown(name, now, now, "only a person can tell: " + instructions);
  }

  @Override
  public SwitchResult switchOff(Duration within) {
    var now = Instant.now();
    return new SwitchResult.NeedsOperator(name, now, now, instructions);
  }

  @Override
  public SwitchResult switchOn(Duration within) {
    var now = Instant.now();
    return new SwitchResult.NeedsOperator(name, now, now, "switch the host on by hand");
  }

  @Override
  public Privilege privilege(Duration within) {
    return new Privilege.Unknown("a person switches it");
  }

  @Override
  public Optional<String> systemGuid(Duration within) {
    return Optional.empty();
  }
}
