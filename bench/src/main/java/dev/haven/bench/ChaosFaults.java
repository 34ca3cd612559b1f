package dev.haven.bench;

import dev.haven.bench.ChaosPlan.Planned;
import dev.haven.lab.BmcMode;
import dev.haven.lab.Daemon;
import dev.haven.lab.Impairments;
import dev.haven.lab.Impairments.Way;
import dev.haven.lab.Lab;
import dev.haven.lab.LabException;
import dev.haven.lab.QemuWatch;
import dev.haven.model.HostId;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** Makes the faults of a {@link Chaos} in the lab and ends them, and switches on what stays off. */
final class ChaosFaults {
  private static final Duration OPERATOR_COMES = Duration.ofSeconds(12);

  private final Lab lab;
  private final Impairments impairments;
  private final ChaosTale tale;
  private final Map<String, Integer> made = new TreeMap<>();
  private final Map<String, Integer> missed = new TreeMap<>();

  /** Hosts whose power is off because a fault says so. */
  private final Set<HostId> dark = new HashSet<>();

  private volatile long longFaultEnds;

  ChaosFaults(Lab lab, Impairments impairments, ChaosTale tale) {
    this.lab = lab;
    this.impairments = impairments;
    this.tale = tale;
  }

  Map<String, Integer> made() {
    return made;
  }

  /** Those for which there was nothing to break. */
  Map<String, Integer> missed() {
    return missed;
  }

  /** When the last fault that outlasts the bound ends, as {@link System#nanoTime}. */
  long longFaultEnds() {
    return longFaultEnds;
  }

  /** Makes a fault when its time comes, and ends it. */
  void live(Planned fault, QemuWatch processes) throws InterruptedException {
    tale.sleepUntil(fault.at());
    var host = lab.hosts().get(fault.host()).id();
    Chaos.Task end;
    try {
      end = begin(fault, host, processes);
    } catch (LabException e) {
      tale.count(missed, fault.fault().words());
      return;
    }
    tale.count(made, fault.fault().words() + (fault.isLong() ? ", longer than the bound" : ""));
    if (fault.isLong()) {
      longFaultEnds = tale.nanosAt(fault.end());
    }
    tale.say(
        "host %s: %s%s"
            .formatted(
                host,
                fault.fault().words(),
                fault.lasts().isZero() ? "" : " for %d s".formatted(fault.lasts().toSeconds())));
    try {
      tale.sleepUntil(fault.end());
    } finally {
      if (!tale.isOver()) {
        try {
          end.run();
        } catch (LabException e) {
          tale.note(
              "host %s: %s could not be ended: %s"
                  .formatted(host, fault.fault().words(), e.getMessage()));
        }
      }
    }
  }

  /**
   * @return what ends it
   * @throws LabException if there is nothing to break just now
   */
  private Chaos.Task begin(Planned fault, HostId host, QemuWatch processes) {
    int amount = fault.amount();
    return switch (fault.fault()) {
      case POWER_CUT -> {
        requireOn(host);
        darken(host, true);
        lab.cutPower(host);
        yield () -> {
          darken(host, false);
          lab.pressPower(host);
        };
      }
      case HANG -> {
        lab.hang(host);
        yield () -> lab.heal(host);
      }
      case CUT_OFF -> cut(host, Optional.empty());
      case CUT_FROM_CONTROL -> cut(host, Optional.of("control"));
      case CUT_FROM_MIGRATION -> cut(host, Optional.of("migration"));
      case HEARS_NOTHING -> lose(host, Way.IN, 100);
      case IS_NOT_HEARD -> lose(host, Way.OUT, 100);
      case LOSSY_NETWORKS -> lose(host, Way.BOTH, 5 + amount / 4);
      case NARROW_NETWORKS -> {
        requireOn(host);
        impairments.narrow(host, 256 + 16 * amount);
        yield () -> impairments.clearNetworks(host);
      }
      case SLOW_NETWORKS -> {
        requireOn(host);
        impairments.delay(host, 20 + 3 * amount);
        yield () -> impairments.clearNetworks(host);
      }
      case BMC_HANGS -> bmc(host, BmcMode.HANG);
      case BMC_REFUSES -> bmc(host, BmcMode.REFUSE);
      case BMC_LIES -> bmc(host, BmcMode.LIE);
      case BMC_DIES -> {
        lab.killBmc(host);
        yield () -> lab.startBmc(host);
      }
      case DISK_FULL -> {
        impairments.fillDisk(host);
        yield () -> impairments.freeDisk(host);
      }
      case DISK_SLOW -> {
        impairments.slowDisk(host, 1 + amount / 10);
        yield () -> impairments.speedDisk(host);
      }
      case AGENT_KILLED -> kill(host, Daemon.AGENT);
      case AGENT_STOPPED -> stop(host, Daemon.AGENT);
      case ORCHESTRATOR_KILLED -> kill(host, Daemon.ORCHESTRATOR);
      case ORCHESTRATOR_STOPPED -> stop(host, Daemon.ORCHESTRATOR);
      case LIBVIRTD_KILLED -> kill(host, Daemon.LIBVIRTD);
      case LIBVIRTD_STOPPED -> stop(host, Daemon.LIBVIRTD);
      case QEMU_KILLED -> {
        ProcessHandle.of(guestOn(host, amount, processes).pid())
            .ifPresent(ProcessHandle::destroyForcibly);
        yield () -> {};
      }
      case QEMU_STOPPED -> {
        var guest = guestOn(host, amount, processes);
        impairments.stop(guest);
        yield () -> impairments.cont(guest);
      }
      case CLOCK_JUMPS -> {
        impairments.setClock(host, Duration.ofSeconds(72 * (amount - 50L))); // an hour at most
        yield () -> impairments.setClock(host, Duration.ZERO);
      }
    };
  }

  private Chaos.Task cut(HostId host, Optional<String> network) {
    requireOn(host);
    lab.cut(host, network);
    return () -> lab.heal(host);
  }

  private Chaos.Task lose(HostId host, Way way, int percent) {
    requireOn(host);
    impairments.lose(host, List.of("control", "migration"), way, percent);
    return () -> impairments.clearNetworks(host);
  }

  private Chaos.Task bmc(HostId host, BmcMode mode) {
    lab.bmc(host, mode);
    return () -> lab.bmc(host, BmcMode.OK);
  }

  private Chaos.Task kill(HostId host, Daemon daemon) {
    lab.kill(host, daemon);
    return () -> {};
  }

  private Chaos.Task stop(HostId host, Daemon daemon) {
    lab.stop(host, daemon);
    return () -> {
      if (lab.pid(host, daemon).isPresent()) {
        lab.cont(host, daemon);
      }
    };
  }

  private static QemuWatch.Sighting guestOn(HostId host, int amount, QemuWatch processes) {
    var there =
        processes.running().stream()
            .filter(s -> s.host().equals(host))
            .sorted((a, b) -> a.guest().compareTo(b.guest()))
            .toList();
    if (there.isEmpty()) {
      throw new LabException("host %s runs no guest".formatted(host));
    }
    return there.get(amount % there.size());
  }

  private void requireOn(HostId host) {
    if (!lab.isOn(host)) {
      throw new LabException("host %s is off".formatted(host));
    }
  }

  private synchronized void darken(HostId host, boolean off) {
    if (off) {
      dark.add(host);
    } else {
      dark.remove(host);
    }
  }

  private synchronized boolean isDark(HostId host) {
    return dark.contains(host);
  }

  /** What fencing has switched off and Haven does not switch on again. */
  void switchOn() throws InterruptedException {
    var off = new HashMap<HostId, Long>();
    while (true) {
      for (var host : lab.hosts()) {
        if (lab.isOn(host.id()) || isDark(host.id())) {
          off.remove(host.id());
        } else if (System.nanoTime() - off.computeIfAbsent(host.id(), _ -> System.nanoTime())
            > OPERATOR_COMES.toNanos()) {
          lab.pressPower(host.id());
          tale.say("host %s: switched on by hand".formatted(host.id()));
        }
      }
      Thread.sleep(500);
    }
  }
}
