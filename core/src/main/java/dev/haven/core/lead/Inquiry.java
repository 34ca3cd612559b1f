package dev.haven.core.lead;

import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;

/**
 * One silence of one host, and the evidence that is gathered about it. The caller asks the host's
 * kernel, and from {@link #asksDevices} on its power devices besides, until the inquiry is over,
 * and reports here. Times are {@link System#nanoTime} of this voter. Safe for several threads.
 */
public final class Inquiry {
  /** How long a kernel has to answer one echo. */
  public static final Duration ECHO_WITHIN = Duration.ofMillis(250);

  /** How long the devices have for one reading. A verdict waits as long for its first evidence. */
  public static final Duration READING_WITHIN = Duration.ofSeconds(3);

  /** How often a silence is told again while nothing new is known of it. */
  static final long REPEAT_NANOS = 250_000_000L;

  private final Host host;
  private final EchoMemory echoes;
  private final long begun;
  private Event.Echo kernel = Event.Echo.UNKNOWN;
  private Event.Power power = Event.Power.UNKNOWN;
  private String reading = "its power device is being asked";
  private OptionalLong lastEcho = OptionalLong.empty();
  private OptionalLong unanswered = OptionalLong.empty();
  private OptionalLong devicesFrom = OptionalLong.empty();
  private List<String> off = List.of();
  private boolean known;
  private long offSince;
  private boolean over;
  private String told = "";
  private long toldAt;
  private long boundDue;

  /**
   * What is known now.
   *
   * @param boots whether a machine asks to join as this host under a newer boot
   * @param known whether its kernel answered an echo of any voter in the minutes before
   * @param words for people
   */
  record Evidence(
      Event.Echo kernel, Event.Power power, boolean boots, boolean known, String words) {}

  Inquiry(Host host, EchoMemory echoes, long now) {
    this.host = host;
    this.echoes = echoes;
    this.begun = now;
    this.boundDue = now;
  }

  /** As the state described it when the inquiry began. */
  public Host host() {
    return host;
  }

  /** Whether nobody has to ask any more. */
  public synchronized boolean over() {
    return over;
  }

  synchronized void end() {
    over = true;
  }

  /**
   * The host's kernel was asked for an echo.
   *
   * @param asked when the question was sent
   * @param answers whether it was answered on any address in time
   * @return for how long to wait before the next question
   */
  public synchronized Duration echo(long asked, boolean answers) {
    if (answers) {
      echoes.answered(host.id(), asked);
      lastEcho = OptionalLong.of(asked); // it may have waited for us while this voter stood still
    }
    unanswered = answers ? OptionalLong.empty() : OptionalLong.of(asked);
    kernel = answers ? Event.Echo.ANSWERS : Event.Echo.SILENT;
    return Duration.ofMillis(answers ? 50 : 20);
  }

  /**
   * All power devices of the host were read.
   *
   * @param read when they had answered
   * @param words for people: {@code bmc says off}
   * @param level the devices of the level that says off; empty if none does
   * @return for how long to wait before the next reading
   */
  public synchronized Duration power(
      long read, Event.Power says, String words, List<String> level) {
    if (says == Event.Power.ALL_OFF && power != Event.Power.ALL_OFF) {
      offSince = read;
    }
    power = says;
    off = List.copyOf(level);
    reading = words;
    return Duration.ofMillis(says == Event.Power.ALL_OFF ? 100 : 300);
  }

  /**
   * The devices are to be asked from now on.
   *
   * @return false if they are being asked already
   */
  synchronized boolean asksDevices(long now) {
    if (devicesAsked()) {
      return false;
    }
    devicesFrom = OptionalLong.of(now);
    return true;
  }

  synchronized boolean devicesAsked() {
    return devicesFrom.isPresent();
  }

  /** The devices of the level that says off; empty if none does. */
  synchronized List<String> off() {
    return off;
  }

  /**
   * Whether the kernel has left a whole question unanswered, and none was answered since.
   *
   * @param since since when this voter has not stood still: an older question may have been
   *     answered while nobody listened
   */
  synchronized boolean mute(long since, long now) {
    return unanswered.isPresent()
        && unanswered.getAsLong() - since >= 0
        && now - unanswered.getAsLong() >= ECHO_WITHIN.toNanos();
  }

  /** When the last question was sent that the kernel answered; empty if it answered none. */
  synchronized OptionalLong lastEcho() {
    return lastEcho;
  }

  /**
   * @param booting whether a machine that says it is this host asks to join; it shows that a kernel
   *     runs there also where no echo comes through
   * @param knownNow whether its kernel is known to answer: once it is, it stays so for as long as
   *     this silence lasts
   */
  synchronized Evidence evidence(boolean booting, boolean knownNow) {
    known |= knownNow;
    boolean boots = booting && power != Event.Power.ALL_OFF;
    var echo = boots ? Event.Echo.ANSWERS : kernel;
    var words =
        switch (echo) {
          case ANSWERS -> "its kernel answers";
          case SILENT ->
              known
                  ? "its kernel does not answer"
                  : "its kernel does not answer, nor did it before";
          case UNKNOWN -> "its kernel is being asked";
        };
    return new Evidence(echo, power, boots, known, words + "; " + reading);
  }

  /**
   * Whether the leader should hear of it now. A verdict waits for the first answer of the kernel
   * and of the devices, but not for ever: what did not answer by then does not answer.
   */
  synchronized boolean worthTelling(Evidence evidence, long now) {
    boolean early =
        (evidence.kernel() == Event.Echo.UNKNOWN && now - begun < READING_WITHIN.toNanos())
            || (evidence.power() == Event.Power.UNKNOWN
                && now - devicesFrom.orElse(now) < READING_WITHIN.toNanos());
    // an answer from before the devices said off does not contradict them; the next echo may
    boolean old =
        evidence.power() == Event.Power.ALL_OFF
            && kernel == Event.Echo.ANSWERS
            && lastEcho.orElse(now) - offSince < 0
            && now - offSince < READING_WITHIN.toNanos();
    return !early && !old && !(evidence.words().equals(told) && now - toldAt < REPEAT_NANOS);
  }

  synchronized void told(Evidence evidence, long now) {
    told = evidence.words();
    toldAt = now;
  }

  /** Whether to tell now that the host's bound has run out: never while its kernel may answer. */
  synchronized boolean tellsBound(long now) {
    if (kernel != Event.Echo.SILENT || now - boundDue < 0) {
      return false;
    }
    boundDue = now + REPEAT_NANOS;
    return true;
  }
}
