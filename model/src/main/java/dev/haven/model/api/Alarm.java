package dev.haven.model.api;

import com.fasterxml.jackson.annotation.JsonEnumDefaultValue;
import com.fasterxml.jackson.annotation.JsonValue;
import java.time.Instant;
import java.util.Locale;

/**
 * Something that an operator should know, until it is over.
 *
 * @param id the same while it is about the same thing
 * @param kind what it is about, for programs; the message is for people alone
 * @param subject the host, guest, device or voter
 * @param message one sentence or a few, with the way out
 * @param since when it was raised with these words, by the leader's wall clock
 */
public record Alarm(
    String id, Kind kind, Level level, String subject, String message, Instant since) {
  /** How bad it is. */
  public enum Level {
    WARNING,
    CRITICAL,
    /** A newer Haven says something else. */
    @JsonEnumDefaultValue
    UNKNOWN;

    @JsonValue
    public String word() {
      return name().toLowerCase(Locale.ROOT);
    }

    @Override
    public String toString() {
      return word();
    }
  }

  /** What it is about. One id has several kinds in turn: of one guest only the latest stands. */
  public enum Kind {
    // guests
    GUEST_WAITS_FOR_ANOTHER,
    GUEST_FITS_NOWHERE,
    GUEST_STUCK,
    GUEST_ENDS_TOO_OFTEN,
    GUEST_CRASHED,
    GUEST_START_FAILED,
    GUEST_DISK_LOCKED,
    GUEST_PAUSED,
    GUEST_WITHOUT_LEASE,
    GUEST_DESTROYED_BY_HAND,
    GUEST_MOVED_BY_HAND,
    GUEST_STARTED_BY_HAND,
    GUEST_HUNG,
    GUEST_UNHEALTHY,
    TWO_COPIES,
    SHARED_DISK,
    STORAGE_FULL,
    STORAGE_FAILS,
    RULE_BROKEN,
    // hosts
    AGENT_SILENT,
    AGENT_UNCONNECTED,
    AGENT_VERSION,
    KERNEL_MUTE,
    LIBVIRT_AWAY,
    BOOT_HELD,
    TWINS,
    OTHER_MACHINE,
    OTHER_UUID,
    HAZARD,
    NOT_READY,
    PILL_USELESS,
    // fencing
    DEVICE_FAILS,
    DEVICE_LIED,
    DEVICE_UNPROVEN,
    NO_DEVICE,
    FENCE_FAILED,
    FENCE_WAITS_FOR_VOTERS,
    OFF_AND_ALIVE,
    SWITCHED_ON,
    PROOF_WAS_WRONG,
    STORM,
    FENCING_PAUSED,
    // voters and Haven itself
    SECRETS_KEY,
    VOTER_WAITS,
    OUR_FAULT,
    BROKEN_ENTRY,
    /** A newer Haven tells of something that this one does not know. */
    @JsonEnumDefaultValue
    UNKNOWN;

    /** As JSON and people have it: {@code guest-stuck}. */
    @JsonValue
    public String word() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    @Override
    public String toString() {
      return word();
    }
  }

  /**
   * For the hard state, in which a newer word must not be lost.
   *
   * @throws IllegalArgumentException if its level or kind is of a newer Haven
   */
  public Alarm known() {
    if (level == Level.UNKNOWN || kind == Kind.UNKNOWN) {
      throw new IllegalArgumentException(
          "alarm %s: its kind or level is of a newer Haven; upgrade this one".formatted(id));
    }
    return this;
  }
}
