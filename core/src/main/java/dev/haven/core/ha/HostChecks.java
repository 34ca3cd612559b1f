package dev.haven.core.ha;

import dev.haven.model.HostId;
import dev.haven.model.api.Alarm;
import dev.haven.model.wire.OtherVersion;
import java.time.Duration;
import java.util.List;

/**
 * What is checked while all is well: power devices, the echo of a kernel, the connection of an
 * agent.
 */
public final class HostChecks {
  static final String ECHO = "echo-";

  private static final String UNCONNECTED = "unconnected-";

  private static final String VERSION = "version-";

  /**
   * So long a host whose guests go on is not fenced for an agent that speaks another version: long
   * enough to upgrade a large cluster in. Somebody else may have its key, and its agent be dead.
   */
  static final Duration OTHER_VERSION_AT_MOST = Duration.ofHours(24);

  private HostChecks() {}

  static boolean doubted(ClusterState s, HostId host, String device) {
    return s.alarm("device-" + host + "-" + device)
        .filter(a -> a.kind() == Alarm.Kind.DEVICE_LIED)
        .isPresent();
  }

  /** Those of a host's devices whose off is no evidence, until they say on or are tested. */
  static List<String> doubted(ClusterState s, Host host) {
    return host.spec().fencing().stream()
        .flatMap(List::stream)
        .map(dev.haven.model.FencingDevice::name)
        .filter(name -> doubted(s, host.id(), name))
        .toList();
  }

  static void deviceChecked(Deliberation d, Event.DeviceChecked e) {
    var alarm = "device-" + e.host() + "-" + e.device();
    boolean before = doubted(d.state(), e.host(), e.device());
    boolean lied = e.off() ? e.heard() || before : e.critical() && before;
    if (lied) {
      d.alarm(
          alarm,
          Alarm.Kind.DEVICE_LIED,
          Alarm.Level.CRITICAL,
          e.host(),
          "%sdevice %s of host %s said off while the host ran: it lies or belongs to another machine; check its cables and address. Until it says on, its off is no evidence of a loss of power"
              .formatted(e.problem().isEmpty() ? "" : e.problem() + "; ", e.device(), e.host()));
    } else if (e.problem().isEmpty()
        && e.unidentified()
        && !d.host(e.host()).seenToCut(e.device())) {
      d.alarm(
          alarm,
          Alarm.Kind.DEVICE_UNPROVEN,
          Alarm.Level.WARNING,
          e.host(),
          "device %s of host %s: nothing shows that it is this host's, so its word does not count. Try it once, with the host empty: haven evacuate %s --wait && haven fence test %s --off-and-on --wait && haven uncordon %s"
              .formatted(e.device(), e.host(), e.host(), e.host(), e.host()));
    } else if (e.problem().isEmpty()) {
      d.clearAlarm(alarm);
    } else {
      d.alarm(
          alarm,
          Alarm.Kind.DEVICE_FAILS,
          e.critical() ? Alarm.Level.CRITICAL : Alarm.Level.WARNING,
          e.host(),
          e.problem());
    }
    d.because("device checked");
  }

  /** Whether there is an alarm that this host's kernel answers no echo. */
  public static boolean toldMute(ClusterState s, HostId host) {
    return s.alarm(ECHO + host).isPresent();
  }

  /** A host that runs and answers no echo: its silence will be judged without that sign. */
  static void echoChecked(Deliberation d, Event.EchoChecked e) {
    var host = d.state().host(e.host()).filter(Host::online);
    if (host.isEmpty() || e.answers()) {
      d.clearAlarm(ECHO + e.host());
      d.because("its kernel answers, or it is not online");
      return;
    }
    d.alarm(
        ECHO + e.host(),
        Alarm.Kind.KERNEL_MUTE,
        Alarm.Level.WARNING,
        e.host(),
        "host %s is heard, but its kernel has answered no voter's echo for minutes: is ICMP filtered on its networks? Until it answers, a silent agent looks like a host that is off, so its silence is judged more slowly: %d s"
            .formatted(e.host(), d.state().policy().agentGoneAfter().toSeconds()));
    d.because("its kernel answers no echo");
  }

  /** Whether there is an alarm that this host's agent has no connection. */
  public static boolean toldUnconnected(ClusterState s, HostId host) {
    return s.alarms().stream().anyMatch(a -> a.id().equals(UNCONNECTED + host));
  }

  /**
   * A host that sends and hears nothing beats on, so it counts as online, and nothing can be
   * ordered there. It is not fenced for that: what is broken may as well be a certificate, on all
   * hosts at once.
   */
  static void agentChecked(Deliberation d, Event.AgentChecked e) {
    var alarm = UNCONNECTED + e.host();
    var known = d.state().host(e.host());
    if (known.isPresent() && e.other().isPresent()) {
      otherVersion(d, known.get(), e.other().get());
      d.clearAlarm(alarm);
      d.because("its agent speaks another version than its leader");
      return;
    }
    d.clearAlarm(VERSION + e.host());
    var host = known.filter(Host::online);
    if (host.isEmpty() || e.connected()) {
      d.clearAlarm(alarm);
      d.because("its agent is connected, or its silence is told elsewhere");
      return;
    }
    boolean pauses = pauses(host.get());
    d.alarm(
        alarm,
        Alarm.Kind.AGENT_UNCONNECTED,
        pauses ? Alarm.Level.CRITICAL : Alarm.Level.WARNING,
        e.host(),
        "host %s is heard, but its agent has had no connection to the leader for half a minute: nothing can be ordered there, and its guests %s. Look at the network towards it, its certificate and the log of haven-agent there; if they are to start elsewhere: haven fence %s"
            .formatted(e.host(), pauses ? "pause if no lease reaches it" : "go on", e.host()));
    d.because("its agent has no connection");
  }

  /** Whether its guests pause when no lease reaches it. */
  static boolean pauses(Host host) {
    return host.boot().flatMap(b -> host.guard().flatMap(g -> g.bound(host.id(), b))).isPresent();
  }

  /** Whether there is an alarm that this host's agent speaks another version. */
  public static boolean toldVersion(ClusterState s, HostId host) {
    return s.alarm(VERSION + host).isPresent();
  }

  /** Its agent lives, and nothing that it says is understood, or nothing that it is told. */
  static void otherVersion(Deliberation d, Host host, OtherVersion other) {
    var id = host.id();
    boolean pauses = pauses(host);
    d.alarm(
        VERSION + id,
        Alarm.Kind.AGENT_VERSION,
        pauses ? Alarm.Level.CRITICAL : Alarm.Level.WARNING,
        id,
        "the agent of host %s %s: nothing can be ordered there, and its guests %s. %s. If its guests are to start elsewhere now: haven fence %s"
            .formatted(
                id,
                other.words(),
                pauses
                    ? "pause, as no lease reaches it. If it is silent for %d s, it is fenced, so that they start elsewhere"
                        .formatted(d.state().policy().agentGoneAfter().toSeconds())
                    : "go on. While its kernel answers, it is not fenced for that within %d h"
                        .formatted(OTHER_VERSION_AT_MOST.toHours()),
                other.understood().wayOut(other.version(), id.value()),
                id));
  }
}
