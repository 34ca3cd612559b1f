package dev.haven.fencing;

import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * One power device. Calls block the calling (virtual) thread for at most {@code within} and a few
 * milliseconds, may come from several threads at once, and report every failure as a value. Who
 * opened it closes it.
 */
public interface PowerDevice extends AutoCloseable {
  /** The name in its {@link DeviceSpec}. */
  String name();

  /** Asks for the power once, without retries; {@code Unknown} if no answer came in time. */
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

  /**
   * What makes its word less safe than it could be by the way it is set up, a sentence for each,
   * with the way out.
   */
  default List<String> warnings() {
    return List.of();
  }

  /**
   * Empty where the device carries out every order, also for a host that is off. Otherwise it may
   * send no order to what says off already ({@link SwitchResult.AlreadyOff}), and this is how long
   * it has to go on saying off before that counts, 100 ms to 10 min.
   */
  default Optional<Duration> stale() {
    return Optional.empty();
  }

  /** Gives back what it holds at the device, such as a session; returns at once. */
  @Override
  default void close() {}
}
