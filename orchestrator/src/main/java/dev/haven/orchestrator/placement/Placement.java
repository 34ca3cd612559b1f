package dev.haven.orchestrator.placement;

import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.Rule;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Chooses a host for a guest.
 *
 * <p>Hard limits first: memory (the host's, less its own reserve, less what every guest that could
 * run there needs with QEMU's overhead), virtual processors with overcommit, strict rules. Among
 * those that fit: preferred rules, then staying where it was (fewest moves), then the emptiest host
 * by the tighter of memory and processors, then the host's name, so that every voter would choose
 * alike.
 */
public final class Placement {
  private static final double PREFERENCE = 1.0;
  private static final double STAYING = 0.5;
  private static final double SHUNNED = -10.0;

  private Placement() {}

  /**
   * Memory that a guest takes from its host, in MiB: its own, and QEMU's for itself (measured at 40
   * to 100 MiB), a stack for each virtual processor, page tables.
   */
  public static long reservedMib(GuestSpec guest) {
    return guest.memoryMib() + 64 + 8L * guest.vcpus() + guest.memoryMib() / 128;
  }

  /** What of a host's memory guests may use, in MiB. */
  public static long usableMib(Candidate host) {
    return host.capacity().memoryMib() - host.spec().memoryReserveMib();
  }

  /**
   * All hosts, those that fit first, best first.
   *
   * @param stay where it runs or ran, to be preferred
   * @param shunned hosts on which it failed lately; used only if nothing else fits
   */
  public static List<Verdict> rank(
      GuestSpec guest, Collection<Candidate> hosts, Optional<HostId> stay, Set<HostId> shunned) {
    var groups = groups(guest, hosts);
    return hosts.stream()
        .map(h -> judge(guest, h, stay, shunned, groups))
        .sorted(
            Comparator.comparing(Verdict::fits)
                .reversed()
                .thenComparing(Comparator.comparingDouble(Verdict::score).reversed())
                .thenComparing(Verdict::host))
        .toList();
  }

  /** The best host, if any fits. */
  public static Optional<HostId> best(
      GuestSpec guest, Collection<Candidate> hosts, Optional<HostId> stay, Set<HostId> shunned) {
    return best(guest, hosts, hosts, stay, shunned);
  }

  /**
   * The best of some hosts, if any fits.
   *
   * @param all hosts, for the rules to be together: the first of a group may go anywhere, and only
   *     the first
   */
  public static Optional<HostId> best(
      GuestSpec guest,
      Collection<Candidate> hosts,
      Collection<Candidate> all,
      Optional<HostId> stay,
      Set<HostId> shunned) {
    var groups = groups(guest, all);
    @Nullable HostId best = null;
    double most = 0;
    for (var host : hosts) {
      double score = weigh(guest, host, stay, shunned, groups, null, null);
      if (!Double.isNaN(score)
          && (best == null || score > most || (score == most && host.id().compareTo(best) < 0))) {
        best = host.id();
        most = score;
      }
    }
    return Optional.ofNullable(best);
  }

  static Verdict judge(
      GuestSpec guest,
      Candidate host,
      Optional<HostId> stay,
      Set<HostId> shunned,
      Set<Rule> groups) {
    var against = new ArrayList<String>();
    var reasons = new ArrayList<String>();
    double score = weigh(guest, host, stay, shunned, groups, against, reasons);
    return Double.isNaN(score)
        ? new Verdict(host.id(), false, 0, against)
        : new Verdict(host.id(), true, score, reasons);
  }

  /**
   * The score of a host, or NaN if the guest does not fit there. Without the lists it says no more
   * and stops at the first reason against: a thousand hosts are weighed for each guest.
   */
  private static double weigh(
      GuestSpec guest,
      Candidate host,
      Optional<HostId> stay,
      Set<HostId> shunned,
      Set<Rule> groups,
      @Nullable List<String> against,
      @Nullable List<String> reasons) {
    if (!host.unable().isEmpty()) {
      add(against, host::unable);
      return Double.NaN;
    }
    boolean fits = true;
    long need = reservedMib(guest);
    long usable = usableMib(host);
    long free = usable - host.reservedMib();
    if (need > free) {
      if (against == null) {
        return Double.NaN;
      }
      fits = false;
      against.add(
          "needs %d MiB with QEMU's overhead, %d MiB free".formatted(need, Math.max(0, free)));
    }
    double cpuLimit = host.capacity().cpus() * host.spec().cpuOvercommit();
    if (host.vcpus() + guest.vcpus() > cpuLimit) {
      if (against == null) {
        return Double.NaN;
      }
      fits = false;
      against.add(
          "needs %d vCPUs, %d of %d are taken (%d CPUs, overcommit %s)"
              .formatted(
                  guest.vcpus(),
                  host.vcpus(),
                  (long) cpuLimit,
                  host.capacity().cpus(),
                  host.spec().cpuOvercommit()));
    }
    if (guest.vcpus() > host.capacity().cpus()) {
      if (against == null) {
        return Double.NaN;
      }
      fits = false;
      against.add(
          "has %d CPUs, the guest alone wants %d".formatted(host.capacity().cpus(), guest.vcpus()));
    }
    double score = 0;
    for (var rule : guest.rules()) {
      boolean kept =
          keeps(rule, host) || (rule instanceof Rule.WithGuests && !groups.contains(rule));
      if (rule.strict()) {
        if (!kept) {
          fits = false;
          add(against, () -> "rule: " + words(rule));
        }
      } else if (kept) {
        score += PREFERENCE;
        add(reasons, () -> "preferred: " + words(rule));
      }
    }
    for (var other : host.ruled() ? host.guests() : List.<GuestSpec>of()) {
      for (var rule : other.rules()) {
        // a rule binds both sides, whoever comes second
        if (rule instanceof Rule.WithGuests w
            && w.apart()
            && !other.id().equals(guest.id())
            && w.value().equals(guest.labels().get(w.label()))) {
          if (w.strict()) {
            fits = false;
            add(
                against,
                () ->
                    "guest %s there stays apart from %s=%s"
                        .formatted(other.id(), w.label(), w.value()));
          } else {
            score -= PREFERENCE;
            add(reasons, () -> "guest %s there would rather be apart".formatted(other.id()));
          }
        }
      }
    }
    if (!fits) {
      return Double.NaN;
    }
    if (stay.isPresent() && stay.get().equals(host.id())) {
      score += STAYING;
      add(reasons, () -> "it is there already");
    }
    if (!shunned.isEmpty() && shunned.contains(host.id())) {
      score += SHUNNED;
      add(reasons, () -> "it failed there lately");
    }
    double memory = (double) (free - need) / Math.max(1, usable);
    double cpu = (cpuLimit - host.vcpus() - guest.vcpus()) / cpuLimit;
    double room = Math.min(memory, cpu);
    add(reasons, () -> "%d%% free with it there".formatted(Math.round(room * 100)));
    return score + room;
  }

  private static void add(@Nullable List<String> to, Supplier<String> words) {
    if (to != null) {
      to.add(words.get());
    }
  }

  /**
   * Those rules to be together or apart that have somebody to be so with. The first of a group may
   * go anywhere.
   */
  private static Set<Rule> groups(GuestSpec guest, Collection<Candidate> hosts) {
    if (guest.rules().isEmpty()) {
      return Set.of();
    }
    var met = new HashSet<Rule>();
    for (var rule : guest.rules()) {
      if (rule instanceof Rule.WithGuests r
          && hosts.stream()
              .anyMatch(
                  h ->
                      h.guests().stream()
                          .anyMatch(g -> r.value().equals(g.labels().get(r.label()))))) {
        met.add(rule);
      }
    }
    return met;
  }

  /** Whether a host is one of those that the rule names. */
  public static boolean meant(Rule.Failback rule, Candidate host) {
    return keeps(rule, host);
  }

  private static boolean keeps(Rule rule, Candidate host) {
    return switch (rule) {
      case Rule.OnHosts r -> {
        boolean named = r.hosts().contains(host.id());
        boolean labelled =
            !r.labels().isEmpty()
                && host.spec().labels().entrySet().containsAll(r.labels().entrySet());
        yield (named || labelled) != r.avoid();
      }
      case Rule.Failback r -> keeps(r.preference(), host);
      case Rule.After _ -> true; // says when, not where
      case Rule.WithGuests r -> {
        boolean there =
            host.guests().stream().anyMatch(g -> r.value().equals(g.labels().get(r.label())));
        yield there != r.apart();
      }
    };
  }

  private static String words(Rule rule) {
    return switch (rule) {
      case Rule.OnHosts r -> {
        var names = new ArrayList<String>();
        r.hosts().stream().sorted().forEach(h -> names.add(h.value()));
        r.labels().entrySet().stream()
            .map(e -> e.getKey() + "=" + e.getValue())
            .sorted()
            .forEach(names::add);
        yield (r.avoid() ? "not on " : "on ") + String.join(", ", names);
      }
      case Rule.Failback r -> words(r.preference()) + ", and back there";
      case Rule.After r ->
          "after "
              + r.guests().stream().map(GuestId::value).sorted().collect(Collectors.joining(", "));
      case Rule.WithGuests r ->
          (r.apart() ? "apart from " : "together with ") + r.label() + "=" + r.value();
    };
  }
}
