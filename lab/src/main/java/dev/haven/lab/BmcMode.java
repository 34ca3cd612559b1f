package dev.haven.lab;

import java.util.Locale;

/** How a host's virtual BMC behaves. */
public enum BmcMode {
  /** Truthful and obedient. */
  OK,
  /** Its packets are dropped: every request runs into its time limit. */
  HANG,
  /** Tells the truth about power, and fails every order to switch it. */
  REFUSE,
  /** Says off whatever is true, accepts every order and switches nothing. */
  LIE;

  String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
