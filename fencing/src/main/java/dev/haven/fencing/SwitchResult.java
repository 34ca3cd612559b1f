package dev.haven.fencing;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;

/** Whether a device took an order to switch; that it obeyed is only known by reading back. */
public sealed interface SwitchResult {
  /** The name of the device in its {@link DeviceSpec}. */
  String device();

  /** When the order was begun. */
  Instant began();

  /** When the answer was there, or the device was given up. */
  Instant ended();

  /**
   * The device says that it will.
   *
   * @param evidence the device's own words
   */
  record Accepted(String device, Instant began, Instant ended, String evidence)
      implements SwitchResult {}

  /**
   * It sent nothing to the power, because the device says off already. A freshly reset BMC may say
   * so of a host that runs, so this counts as an order only once the device has gone on saying off
   * for the time that its state may be stale.
   *
   * @param evidence the device's own words
   * @param stale that time
   */
  record AlreadyOff(String device, Instant began, Instant ended, String evidence, Duration stale)
      implements SwitchResult {}

  /**
   * A message that ends the host stood on a majority of its disks for as long as its watcher may
   * take to obey, and longer than its watchdog takes to reset a host whose watcher is blind. Worth
   * nothing unless that watcher was armed, which only the caller knows.
   *
   * @param slot the name under which the host has its slot
   * @param disks that still held the message after the wait, by path
   * @param ids of these disks, which are the same under whatever path
   * @param waited since the last of the disks took it
   */
  record Poisoned(
      String device,
      Instant began,
      Instant ended,
      String slot,
      List<String> disks,
      Set<String> ids,
      Duration waited)
      implements SwitchResult {
    public Poisoned {
      disks = List.copyOf(disks);
      ids = Set.copyOf(ids);
    }
  }

  /**
   * It refused, or nothing was heard in time: it may have switched or not.
   *
   * @param reason for people, without secrets
   */
  record Failed(String device, Instant began, Instant ended, String reason)
      implements SwitchResult {}

  /**
   * Only a person can do it.
   *
   * @param instructions what that person has to do
   */
  record NeedsOperator(String device, Instant began, Instant ended, String instructions)
      implements SwitchResult {}
}
