package dev.haven.core.lease;

/** Whether the watchdog is open, and what its end would do: the kernel feeds it when it closes. */
public enum Opened {
  /** It stays open when this process ends: nothing but a judgement feeds it. */
  KEPT,
  /**
   * The end of this process feeds it, once: no later process opens it without a judgement. So its
   * timeout counts twice.
   */
  BY_US_ALONE,
  /** It is not open, or its end would switch it off: nobody may rely on it. */
  NOT
}
