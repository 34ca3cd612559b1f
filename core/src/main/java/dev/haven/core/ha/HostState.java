package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.api.Fact;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * How a host stands, in the hard state.
 *
 * <pre>
 *            joins               silent                 the table says so
 * Expected ─────────► Online ◄──────────► Suspect ──────────────────► Fencing ──► Fenced
 *                       ▲  ▲    heard        └───── an operator's word ─────────────►│
 *                       │  └───── heard under the same boot ───────────────┘         │
 *                       └──────────────── joins under a newer boot ◄─────────────────┘
 * </pre>
 */
public sealed interface HostState {
  /** Added; no agent of it has joined yet. */
  record Expected() implements HostState {}

  /** Its agent has joined under the host's present boot and is heard. */
  record Online(Optional<Instant> since) implements HostState {
    /** Nobody knows since when, as in states that were written before that was kept. */
    public Online() {
      this(Optional.empty());
    }
  }

  /**
   * Silent, cause unknown: its guests may well be running.
   *
   * @param evidence what was found out so far, for people
   * @param storm that it fell silent in; empty if in none
   * @param version that its agent speaks, while its kernel answers and the leader speaks another:
   *     then no network is to blame for its silence
   */
  record Suspect(Instant since, String evidence, Optional<Storm> storm, Optional<Integer> version)
      implements HostState {
    public Suspect(Instant since, String evidence) {
      this(since, evidence, Optional.empty(), Optional.empty());
    }

    Suspect with(String found, Optional<Integer> speaks) {
      return new Suspect(since, found, storm, speaks);
    }

    Suspect in(Storm s) {
      return new Suspect(since, evidence, Optional.of(s), version);
    }
  }

  /**
   * So many hosts were silent at once that it was the network or ourselves.
   *
   * @param over when fewer were; empty while it lasts
   */
  record Storm(Optional<Instant> over) {
    static final Storm LASTS = new Storm(Optional.empty());
  }

  /**
   * Its power is being cut. Nothing of it starts elsewhere yet.
   *
   * @param attempt from 1
   * @param lastFailure of the attempt before; empty at the first
   * @param off that a level said after an order of ours, though it was no proof; empty if none did
   */
  record Fencing(int attempt, Cause cause, Instant since, String lastFailure, Optional<Off> off)
      implements HostState {
    public Fencing(int attempt, Cause cause, Instant since, String lastFailure) {
      this(attempt, cause, since, lastFailure, Optional.empty());
    }

    /**
     * How long it may still take to boot, 0 to 10 min; empty where nobody switched it on. All of it
     * where the clock was set back since.
     */
    public Optional<Duration> bootLeft(Instant now) {
      return off.flatMap(Off::onSince)
          .map(on -> on.isAfter(now) ? BOOTS_WITHIN : Duration.between(now, on.plus(BOOTS_WITHIN)))
          .map(left -> left.isNegative() ? Duration.ZERO : left);
    }

    Fencing with(Optional<Off> seen) {
      return new Fencing(attempt, cause, since, lastFailure, seen);
    }
  }

  /** Real machines boot in one to five minutes. */
  Duration BOOTS_WITHIN = Duration.ofMinutes(10);

  /**
   * Every device of a level has said off after our order. If it says on after that, somebody else
   * has switched the host on, and it boots: its new boot is the best proof there is.
   *
   * @param level of its devices, from 1
   * @param onSince since when it says on again; empty while it does not
   */
  record Off(int level, Optional<Instant> onSince) {}

  /**
   * Proven unable to run anything that it was given under {@code boot}.
   *
   * @param before by each voter's own clock, a moment before the evidence was gathered: a sign of
   *     life that it heard later may void the proof. A voter that is not named cannot say
   */
  record Fenced(BootId boot, Proof proof, Optional<SortedMap<String, VoterClock>> before)
      implements HostState {
    public Fenced {
      before = before.map(b -> Collections.unmodifiableSortedMap(new TreeMap<>(b)));
    }

    /** No voter can say when the evidence was gathered. */
    public Fenced(BootId boot, Proof proof) {
      this(boot, proof, Optional.empty());
    }
  }

  /** Why a host is fenced. */
  enum Cause {
    /** Its devices say that the power is gone. */
    POWER_LOSS(Fact.Verdict.POWER_LOSS),
    /** The kernel answers, the agent did not come back. */
    AGENT_GONE(Fact.Verdict.AGENT_GONE),
    /** Nothing answers. */
    UNREACHABLE(Fact.Verdict.UNREACHABLE),
    /** It is heard, and empty but for a guest that is to run elsewhere and cannot be ended. */
    STUCK(Fact.Verdict.STUCK),
    OPERATOR(Fact.Verdict.OPERATOR),
    /** It is empty, and its devices are tried. */
    TEST(Fact.Verdict.TEST);

    private final Fact.Verdict verdict;

    Cause(Fact.Verdict verdict) {
      this.verdict = verdict;
    }

    /** As the audit log has it. */
    Fact.Verdict verdict() {
      return verdict;
    }

    public String words() {
      return verdict.words();
    }

    /** Whether it goes on though the host is well. */
    boolean ordered() {
      return this == OPERATOR || this == TEST || this == STUCK;
    }
  }
}
