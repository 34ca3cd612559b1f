package dev.haven.orchestrator.port;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.lead.Cut;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

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

  /** The system UUIDs of all hosts but this one. */
  static Map<String, String> others(ClusterState state, HostId host) {
    var others = new TreeMap<String, String>();
    for (var h : state.hosts()) {
      if (!h.id().equals(host)) {
        h.spec().uuid().ifPresent(uuid -> others.put(h.id().value(), uuid));
      }
    }
    return others;
  }

  /**
   * @param words for people: {@code bmc says off}
   * @param level the names of the devices of the level that says off; empty if none does
   */
  record Look(Event.Power says, String words, List<String> level) {
    /** No level says off. */
    public Look(Event.Power says, String words) {
      this(says, words, List.of());
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
