package dev.haven.fencing;

import java.time.Duration;
import java.util.Optional;

/**
 * One power device. Calls block the calling (virtual) thread for at most {@code within} and a few
 * milliseconds, may come from several threads at once, and report every failure as a value.
 */
public interface PowerDevice {
  /** The name in its {@link DeviceSpec}. */
  String name();

  /** Asks for the power once, without retries. */
  PowerReading read(Duration within);

  /** Orders off, hard and at once. Safe to repeat. Does not wait until it is off. */
  SwitchResult switchOff(Duration within);

  /** Orders on. Safe to repeat. Does not wait until it is on. */
  SwitchResult switchOn(Duration within);

  /** Whether the account may switch as well as look, found out without switching. */
  Privilege privilege(Duration within);

  /**
   * The GUID of the system that the device controls: 32 hexadecimal digits in the order of the
   * wire, or a UUID. Empty where the device has none or did not answer.
   */
  Optional<String> systemGuid(Duration within);
}
