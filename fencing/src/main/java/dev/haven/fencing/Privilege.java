package dev.haven.fencing;

/** Whether the account at a device may switch the power off. */
public sealed interface Privilege {
  record Enough() implements Privilege {}

  /** It may look but not switch, so fencing would fail. */
  record Missing(String reason) implements Privilege {}

  /** It could not be found out without switching. */
  record Unknown(String reason) implements Privilege {}
}
