package dev.haven.core.ha;

import dev.haven.model.SystemUuid;
import dev.haven.model.api.Alarm;
import dev.haven.model.wire.FromAgent;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * Whether the machine that says hello is the host that it says it is. A certificate alone does not
 * show that: it may have been stolen, or copied with the disk. While it is in doubt the hello is
 * held: nothing is proven by it, and the newcomer gets no seat.
 */
public final class Newcomers {
  /** The host's older boot must be unheard for as long before the hello as after it. */
  private static final Duration UNHEARD = Duration.ofSeconds(2);

  /** The same where no UUID tells one machine from another. */
  private static final Duration UNHEARD_WITHOUT_UUID = Duration.ofSeconds(10);

  /** What the other voters say may be as old as this. */
  private static final Duration HEARSAY = Duration.ofMillis(600);

  /** So long it is held before somebody is told that too few voters can say anything. */
  private static final Duration TELL_AFTER = Duration.ofSeconds(60);

  private Newcomers() {}

  /** Whether the machine that says hello has the UUID on record, and that tells it from others. */
  public static boolean known(Host host, FromAgent.Hello hello) {
    var says = hello.systemUuid().flatMap(SystemUuid::usable);
    return says.isPresent() && says.equals(onRecord(host));
  }

  /**
   * The voters that may have heard a host's older boot: not those on hosts that are proven off,
   * which hear nobody and would keep every other host from joining.
   */
  public static List<String> witnesses(ClusterState state, List<String> voters) {
    return voters.stream()
        .filter(
            voter ->
                state.hosts().stream()
                    .filter(h -> h.id().value().equals(voter))
                    .noneMatch(
                        h ->
                            h.state() instanceof HostState.Fenced f
                                && !(f.proof() instanceof Proof.BoundRunOut)))
        .toList();
  }

  /** What is made of a hello. */
  public sealed interface Verdict {
    /** It may be decided on. */
    record Open() implements Verdict {}

    /** Its machine is not the one on record. Only an operator can accept it. */
    record Stranger(String onRecord, String says) implements Verdict {}

    /** The host's older boot may still run. To be judged again each second. */
    record Early(String why, boolean twins) implements Verdict {}
  }

  /** The UUID that a host's machine is known by; empty if none tells it from another. */
  static Optional<String> onRecord(Host host) {
    return host.systemUuid().or(host.spec()::uuid).flatMap(SystemUuid::usable);
  }

  /** Whether its machine is not the one on record, whatever else is known of it. */
  public static boolean stranger(Host host, FromAgent.Hello hello) {
    return judge(host, hello, Event.Newcomer.UNKNOWN) instanceof Verdict.Stranger;
  }

  /**
   * @param newcomer what is known of the hello, besides what it says
   */
  public static Verdict judge(Host host, FromAgent.Hello hello, Event.Newcomer newcomer) {
    var known = onRecord(host);
    var says = hello.systemUuid().flatMap(SystemUuid::usable);
    if (known.isPresent() && !known.equals(says)) {
      return new Verdict.Stranger(known.get(), says.orElse("none"));
    }
    var older = host.boot();
    if (older.isEmpty() || older.get().equals(hello.boot())) {
      return new Verdict.Open();
    }
    if (host.state() instanceof HostState.Fenced f
        && f.boot().equals(older.get())
        && !(f.proof() instanceof Proof.BoundRunOut)) {
      return new Verdict.Open(); // nothing has to be proven of the older boot
    }
    var span = known.isPresent() ? UNHEARD : UNHEARD_WITHOUT_UUID;
    var unheard = newcomer.olderUnheard();
    boolean waited = newcomer.held().compareTo(span.plus(HEARSAY)) >= 0;
    if (unheard.isEmpty()) {
      return new Verdict.Early(
          "too few voters can say whether the earlier boot of host %s is silent"
              .formatted(host.id()),
          false);
    }
    if (unheard.get().compareTo(span.multipliedBy(2)) < 0) {
      return new Verdict.Early(
          "the earlier boot of host %s may have been heard less than %d s ago"
              .formatted(host.id(), span.multipliedBy(2).toSeconds()),
          waited && newcomer.olderHeard());
    }
    return waited
        ? new Verdict.Open()
        : new Verdict.Early(
            "the earlier boot of host %s must stay silent for %d s more"
                .formatted(host.id(), span.plus(HEARSAY).minus(newcomer.held()).toSeconds() + 1),
            false);
  }

  /** A hello is held: somebody is told where it does not end by itself. */
  static void held(Deliberation d, Event.HelloHeld e) {
    var host = d.state().host(e.hello().host());
    if (host.isEmpty()) {
      d.because("it is no host of this cluster");
      return;
    }
    tell(d, host.get(), e.hello(), e.newcomer(), judge(host.get(), e.hello(), e.newcomer()));
  }

  /** Raises the alarm that a verdict calls for, and says why the hello is held. */
  static void tell(
      Deliberation d, Host host, FromAgent.Hello hello, Event.Newcomer newcomer, Verdict verdict) {
    var id = host.id();
    switch (verdict) {
      case Verdict.Open _ -> d.because("it may join");
      case Verdict.Stranger s -> {
        d.alarm(
            "identity-" + id,
            Alarm.Kind.OTHER_MACHINE,
            Alarm.Level.CRITICAL,
            id,
            "a machine with the UUID %s says that it is host %s, which has the UUID %s on record. It is not taken in. If it is host %s after an exchange of its board: haven host accept %s --uuid %s. Otherwise two machines have the key of host %s: take it from the other one"
                .formatted(s.says(), id, s.onRecord(), id, id, s.says(), id));
        d.because("held: its machine has the UUID %s, not %s".formatted(s.says(), s.onRecord()));
      }
      case Verdict.Early early -> {
        if (early.twins()) {
          d.alarm(
              "twins-" + id,
              Alarm.Kind.TWINS,
              Alarm.Level.CRITICAL,
              id,
              "a machine that boots as host %s asks to join (boot %s), but host %s runs and is heard under boot %s. It is not taken in. Two machines have the key of host %s: give each its own"
                  .formatted(
                      id, hello.boot(), id, host.boot().map(Object::toString).orElse("none"), id));
        } else if (newcomer.held().compareTo(TELL_AFTER) >= 0) {
          d.alarm(
              "identity-" + id,
              Alarm.Kind.BOOT_HELD,
              Alarm.Level.WARNING,
              id,
              "host %s asks to join and is held: %s. Bring the other voters back; or, if you have made sure that its earlier boot is over: haven fence %s --confirm-dead"
                  .formatted(id, early.why(), id));
        }
        d.because("held: " + early.why());
      }
    }
  }
}
