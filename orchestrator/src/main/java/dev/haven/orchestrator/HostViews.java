package dev.haven.orchestrator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Guard;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Suspicion;
import dev.haven.model.FencingDevice;
import dev.haven.model.api.Views;
import dev.haven.orchestrator.detect.FailureDetector;
import dev.haven.orchestrator.port.PowerDevices;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.Optional;

/** How hosts and their fencing devices are shown. */
final class HostViews {
  private final WorldEffects effects;
  private final FailureDetector detector;

  HostViews(WorldEffects effects, FailureDetector detector) {
    this.effects = effects;
    this.detector = detector;
  }

  Views.Host host(ClusterState s, Host h) {
    var load = s.load(h.id());
    return new Views.Host(
        h.id(),
        switch (h.state()) {
          case HostState.Expected _ -> Views.Host.State.EXPECTED;
          case HostState.Online _ -> Views.Host.State.ONLINE;
          case HostState.Suspect _ -> Views.Host.State.SUSPECT;
          case HostState.Fencing _ -> Views.Host.State.FENCING;
          case HostState.Fenced _ -> Views.Host.State.FENCED;
        },
        h.cordoned(),
        waiting(s, h),
        detector.lastHeard(h.id()),
        h.capacity().brief(),
        load.reservedMib(),
        load.vcpus(),
        load.guests().size(),
        devices(h),
        h.boot().map(Object::toString),
        h.agent().map(Host.Agent::version),
        bound(h),
        SealedSecrets.shown(h.spec()));
  }

  /** What the host's bound is, or why it is no proof. */
  private Optional<String> bound(Host h) {
    if (detector.watch().twoAlone()) {
      return Optional.of("no proof: it is none between two hosts without a third voter");
    }
    return h.boot()
        .map(
            boot -> {
              var guard = h.guard().orElse(Guard.NONE);
              return guard
                  .bound(h.id(), boot)
                  .map(b -> b.toSeconds() + " s")
                  .orElseGet(() -> "no proof: " + guard.noProof(h.id(), boot).orElse(""));
            });
  }

  /** For people: until when a silent host is waited for, beside everything else. */
  private String until(Host h) {
    return detector
        .watch()
        .boundLeft(h, System.nanoTime())
        .map(
            left ->
                left.isPositive()
                    ? "; its guests start elsewhere in %d s at the latest, by its watchdog"
                        .formatted(left.toSeconds() + 1)
                    : "; its watchdog has had its time")
        .orElseGet(
            () ->
                bound(h)
                    .map(
                        b ->
                            "; the bound of its watchdog does not count here ("
                                + b
                                + "): its guests stay put until there is other proof")
                    .orElse(""));
  }

  private Optional<String> waiting(ClusterState s, Host h) {
    return switch (h.state()) {
      case HostState.Expected _ -> Optional.of("for its agent to join");
      case HostState.Online _ -> h.shutdown().map(Host.Shutdown::words);
      case HostState.Suspect x when h.shutdown().isPresent() ->
          Optional.of(
              "%s since %s, silent since %s"
                  .formatted(
                      h.shutdown().get().words(),
                      h.shutdown().get().since().truncatedTo(ChronoUnit.SECONDS),
                      x.since().truncatedTo(ChronoUnit.SECONDS)));
      case HostState.Suspect x ->
          Optional.of(
              "silent since %s: %s%s"
                  .formatted(
                      x.since().truncatedTo(ChronoUnit.SECONDS),
                      x.evidence(),
                      Suspicion.leftAlone(s, h)
                          ? "; cordoned and empty, so it is left alone"
                          : until(h)));
      case HostState.Fencing x ->
          Optional.of(
              x.bootLeft(Instant.now()).isPresent()
                  ? "it was off (%s), and somebody has switched it on: it has %s to boot before its power is cut again; to cut it now: haven fence %s"
                      .formatted(x.lastFailure(), words(x.bootLeft(Instant.now()).get()), h.id())
                  : x.lastFailure().isEmpty()
                      ? "its power is being cut: " + x.cause().words()
                      : "attempt %d to cut its power; before: %s. Its guests stay put until a device says off, it boots again, or you have made sure and say: haven fence %s --confirm-dead%s"
                          .formatted(x.attempt(), x.lastFailure(), h.id(), until(h)));
      case HostState.Fenced x -> Optional.of("to come back; " + x.proof().evidence());
    };
  }

  /** {@code 9 min 40 s}. */
  private static String words(Duration time) {
    return "%d min %d s".formatted(time.toMinutes(), time.toSecondsPart());
  }

  private String devices(Host h) {
    if (h.spec().fencing().isEmpty()) {
      return "none";
    }
    var found = effects.health(h.id());
    return found.isEmpty()
        ? "not checked yet"
        : String.join("; ", found.stream().map(PowerDevices.Health::words).toList());
  }

  Views.Device device(Host host, FencingDevice device) {
    var shown = new FencingDevice(device.name(), device.kind(), Map.of());
    var age = effects.healthAge(host.id());
    var found =
        effects.health(host.id()).stream()
            .filter(f -> f.device().equals(device.name()))
            .findFirst();
    if (found.isEmpty()) {
      return new Views.Device(shown, Views.Device.State.UNCHECKED, "not checked yet", age, "");
    }
    var check = found.get();
    if (!check.problem().isEmpty()) {
      return new Views.Device(
          shown, Views.Device.State.PROBLEM, check.problem(), age, check.behaviour());
    }
    return check.unidentified() && !host.seenToCut(device)
        ? new Views.Device(
            shown,
            Views.Device.State.UNTESTED,
            check.words()
                + "; its word does not count before: haven fence test %s --off-and-on"
                    .formatted(host.id()),
            age,
            check.behaviour())
        : new Views.Device(shown, Views.Device.State.OK, check.words(), age, check.behaviour());
  }
}
