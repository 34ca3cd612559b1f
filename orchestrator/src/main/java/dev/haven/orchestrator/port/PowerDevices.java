package dev.haven.orchestrator.port;

import dev.haven.core.ha.Event;
import dev.haven.core.ha.Pill;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** The hosts' power devices. Calls block, on a virtual thread, for at most about {@code within}. */
public interface PowerDevices {
  /**
   * What an operator has to correct in the host's devices before they can be used, a sentence for
   * each; asks none of them.
   */
  List<String> mistakes(HostSpec spec);

  /** What all devices of the host say, asked at once. */
  Look look(HostId host, HostSpec spec, Duration within) throws InterruptedException;

  /**
   * Orders off, and reads it back off twice from every device of one level, level after level.
   *
   * @param others the system UUIDs of all other hosts, to find a device that is wired to one of
   *     them
   */
  Cut cut(HostId host, HostSpec spec, Map<String, String> others, Duration within)
      throws InterruptedException;

  /**
   * @return what went wrong; empty if it is on
   */
  String on(HostId host, HostSpec spec, Map<String, String> others, Duration within)
      throws InterruptedException;

  /** Whether fencing by each device would work, without switching anything. */
  List<Health> check(HostId host, HostSpec spec, Map<String, String> others, Duration within)
      throws InterruptedException;

  /**
   * @param words for people: {@code bmc says off}
   */
  record Look(Event.Power says, String words) {}

  /** How cutting the power ended. */
  sealed interface Cut {
    /**
     * @param readings what each device said, twice
     * @param began a time on {@link dev.haven.model.Time#nanos} before the earliest of the
     *     readings, and after the order was taken
     * @param unidentified names of devices that nothing shows to be this host's
     * @param times of the steps, for the flight record
     */
    record Off(
        List<String> readings,
        long began,
        List<String> unidentified,
        Map<String, java.time.Instant> times)
        implements Cut {}

    /**
     * No power was cut: the host was told to end by itself.
     *
     * @param over a time on {@link dev.haven.model.Time#nanos} after the pill's wait
     */
    record Poisoned(Pill pill, long over, Map<String, java.time.Instant> times) implements Cut {}

    /**
     * It may still run.
     *
     * @param saidOff the level whose devices had all said off after our order, and none on since,
     *     from 1; empty if there was none
     */
    record Failed(String reason, OptionalInt saidOff) implements Cut {
      public Failed(String reason) {
        this(reason, OptionalInt.empty());
      }
    }
  }

  /**
   * @param problem what is wrong and the way out; empty if nothing is
   * @param unidentified it switches power, but nothing shows that it is this host's
   * @param words the finding in a sentence
   * @param behaviour how a fence by it goes, in a clause
   */
  record Health(
      String device,
      boolean off,
      String problem,
      boolean critical,
      boolean unidentified,
      String words,
      String behaviour) {}
}
