package dev.haven.core.placement;

import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
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
 * Chooses a host for a guest, or one host for guests that must stay together.
 *
 * <p>Hard limits first: memory (the host's, less its own reserve, less what every guest that could
 * run there needs with QEMU's overhead), virtual processors with overcommit, strict rules. Among
 * those that fit: preferred rules, then staying where it was (fewest moves), then the emptiest host
 * by the tighter of memory and processors, then by the other, then the host's name, so that every
 * voter would choose alike.
 */
public final class Placement {
  private static final double PREFERENCE = 1.0;
  private static final double STAYING = 0.5;
  private static final double SHUNNED = -10.0;

  /** Too little to outweigh 1 MiB of the tighter dimension on any host of up to 1 TiB. */
  private static final double TIE = 1e-6;

  private Placement() {}

  /**
   * All hosts for guests that must have one, those that fit first, best first.
   *
   * @param stay where it runs or ran, to be preferred
   * @param shunned hosts on which it failed lately; used only if nothing else fits
   */
  public static List<Verdict> rank(
      List<GuestSpec> guests,
      Collection<Candidate> hosts,
      Optional<HostId> stay,
      Set<HostId> shunned) {
    return rank(guests, hosts, hosts, stay, shunned);
  }

  /**
   * The same for some of the hosts.
   *
   * @param all hosts, for the rules that hang on where other guests are
   */
  public static List<Verdict> rank(
      List<GuestSpec> guests,
      Collection<Candidate> hosts,
      Collection<Candidate> all,
      Optional<HostId> stay,
      Set<HostId> shunned) {
    var met = met(guests, all);
    return hosts.stream()
        .map(h -> judge(guests, h, stay, shunned, met))
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
    return best(List.of(guest), hosts, stay, shunned);
  }

  /** The same for guests that must have one host. */
  public static Optional<HostId> best(
      List<GuestSpec> guests,
      Collection<Candidate> hosts,
      Optional<HostId> stay,
      Set<HostId> shunned) {
    return best(guests, hosts, hosts, stay, shunned);
  }

  /**
   * The best of some hosts, if any fits.
   *
   * @param all hosts, for the rules that hang on where other guests are
   */
  public static Optional<HostId> best(
      List<GuestSpec> guests,
      Collection<Candidate> hosts,
      Collection<Candidate> all,
      Optional<HostId> stay,
      Set<HostId> shunned) {
    var met = met(guests, all);
    // of a thousand hosts most have no rules, and of a guest without any only its size counts there
    var plain = guests.size() == 1 && guests.getFirst().rules().isEmpty() && stay.isEmpty();
    long need = plain ? Candidate.reservedMib(guests.getFirst()) : 0;
    @Nullable HostId best = null;
    double most = 0;
    for (var host : hosts) {
      double score =
          plain && !host.ruled() && shunned.isEmpty()
              ? weigh(guests.getFirst(), need, host)
              : weigh(guests, host, stay, shunned, met);
      if (!Double.isNaN(score)
          && (best == null || score > most || (score == most && host.id().compareTo(best) < 0))) {
        best = host.id();
        most = score;
      }
    }
    return Optional.ofNullable(best);
  }

  /** Whether all these guests fit on a host, and break no strict rule there. */
  public static boolean fits(List<GuestSpec> guests, Candidate host, Collection<Candidate> all) {
    return !Double.isNaN(weigh(guests, host, Optional.empty(), Set.of(), met(guests, all)));
  }

  /**
   * Whether guests without rules all find a host, in whatever order they are placed: there are as
   * many hosts with room for the largest of them as there are guests. Much faster than to place
   * them; false says nothing.
   */
  public static boolean roomForEach(List<GuestSpec> guests, Candidate[] hosts) {
    long need = 0;
    int vcpus = 0;
    var machines = new HashSet<String>();
    for (var guest : guests) {
      if (!guest.rules().isEmpty()) {
        return false;
      }
      need = Math.max(need, Candidate.reservedMib(guest));
      vcpus = Math.max(vcpus, guest.vcpus());
      guest.machine().ifPresent(machines::add);
    }
    int wanted = guests.size();
    for (int i = 0; i < hosts.length && wanted > 0; i++) {
      var host = hosts[i];
      boolean room =
          host.unable().isEmpty()
              && !host.ruled()
              && need <= host.freeMib()
              && host.vcpus() + vcpus <= host.cpuLimit()
              && vcpus <= host.capacity().cpus()
              && machines.stream().allMatch(host.capacity()::offers);
      wanted -= room ? 1 : 0;
    }
    return wanted == 0;
  }

  static Verdict judge(
      List<GuestSpec> guests,
      Candidate host,
      Optional<HostId> stay,
      Set<HostId> shunned,
      Set<Rule> met) {
    return guests.size() == 1
        ? judge(guests.getFirst(), host, stay, shunned, met)
        : together(guests, host, stay, shunned, met);
  }

  private static Verdict judge(
      GuestSpec guest, Candidate host, Optional<HostId> stay, Set<HostId> shunned, Set<Rule> met) {
    var against = new ArrayList<String>();
    var reasons = new ArrayList<String>();
    double score = weigh(guest, host, stay, shunned, met, against, reasons);
    if (Double.isNaN(score)) {
      return new Verdict(host.id(), false, 0, against);
    }
    var with = host.with(guest);
    reasons.add("%d%% free with it there".formatted(percentFree(with)));
    return new Verdict(host.id(), true, score + room(with), reasons);
  }

  /** Several that must have one host. */
  private static Verdict together(
      List<GuestSpec> guests,
      Candidate host,
      Optional<HostId> stay,
      Set<HostId> shunned,
      Set<Rule> met) {
    var against = new ArrayList<String>();
    var reasons = new ArrayList<String>();
    if (!host.unable().isEmpty()) {
      return new Verdict(host.id(), false, 0, List.of(host.unable()));
    }
    long need = guests.stream().mapToLong(Candidate::reservedMib).sum();
    int vcpus = guests.stream().mapToInt(GuestSpec::vcpus).sum();
    if (need > host.freeMib()) {
      against.add(
          "all %d together need %d MiB with QEMU's overhead, %d MiB free"
              .formatted(guests.size(), need, Math.max(0, host.freeMib())));
    }
    if (host.vcpus() + vcpus > host.cpuLimit()) {
      against.add(
          "all %d together need %d vCPUs, %d of %d are taken"
              .formatted(guests.size(), vcpus, host.vcpus(), (long) host.cpuLimit()));
    }
    double score = 0;
    var with = host;
    for (var guest : guests) {
      var wrong = new ArrayList<String>();
      var words = new ArrayList<String>();
      double own = weigh(guest, with, stay, shunned, met, wrong, words);
      boolean full = !against.isEmpty();
      // what they lack together is said once
      wrong.stream()
          .filter(w -> !full || !w.startsWith("needs "))
          .forEach(w -> against.add("guest %s: %s".formatted(guest.id(), w)));
      words.forEach(w -> reasons.add("guest %s: %s".formatted(guest.id(), w)));
      score += own;
      with = with.with(guest);
    }
    if (!against.isEmpty() || Double.isNaN(score)) {
      return new Verdict(host.id(), false, 0, against);
    }
    reasons.add("%d%% free with all %d there".formatted(percentFree(with), guests.size()));
    return new Verdict(host.id(), true, score + room(with), reasons);
  }

  /** The score of a host for guests that must have one, or NaN if they do not fit there. */
  static double weigh(
      List<GuestSpec> guests,
      Candidate host,
      Optional<HostId> stay,
      Set<HostId> shunned,
      Set<Rule> met) {
    if (guests.size() == 1) {
      var guest = guests.getFirst();
      double score = weigh(guest, host, stay, shunned, met, null, null);
      return Double.isNaN(score)
          ? score
          : score
              + room(
                  host,
                  host.freeMib() - Candidate.reservedMib(guest),
                  host.cpuLimit() - host.vcpus() - guest.vcpus());
    }
    long need = 0;
    int vcpus = 0;
    for (var guest : guests) {
      need += Candidate.reservedMib(guest);
      vcpus += guest.vcpus();
    }
    // most hosts are rejected here, before their guests are looked at
    if (!host.unable().isEmpty()
        || need > host.freeMib()
        || host.vcpus() + vcpus > host.cpuLimit()) {
      return Double.NaN;
    }
    double score = 0;
    var with = host;
    for (var guest : guests) {
      double own = weigh(guest, with, stay, shunned, met, null, null);
      if (Double.isNaN(own)) {
        return own;
      }
      score += own;
      with = with.with(guest);
    }
    return score + room(with);
  }

  /** The same for a guest without rules on a host without any. */
  private static double weigh(GuestSpec guest, long need, Candidate host) {
    long free = host.freeMib();
    double limit = host.cpuLimit();
    int vcpus = guest.vcpus();
    boolean fits =
        need <= free
            && host.vcpus() + vcpus <= limit
            && vcpus <= host.capacity().cpus()
            && host.unable().isEmpty()
            && (guest.machine().isEmpty() || host.capacity().offers(guest.machine().get()));
    return fits ? room(host, free - need, limit - host.vcpus() - vcpus) : Double.NaN;
  }

  private static double room(Candidate host) {
    return room(host, host.freeMib(), host.cpuLimit() - host.vcpus());
  }

  /** The tighter of memory and processors; where that is a tie, the other one decides. */
  private static double room(Candidate host, long freeMib, double freeCpus) {
    double memory = (double) freeMib / Math.max(1, host.usableMib());
    double cpu = freeCpus / host.cpuLimit();
    return Math.min(memory, cpu) + TIE * Math.max(memory, cpu);
  }

  private static long percentFree(Candidate host) {
    double memory = (double) host.freeMib() / Math.max(1, host.usableMib());
    double cpu = (host.cpuLimit() - host.vcpus()) / host.cpuLimit();
    return Math.round(Math.min(memory, cpu) * 100);
  }

  /**
   * The score of a host without its room, or NaN if the guest does not fit there. Without the lists
   * it says no more and stops at the first reason against: a thousand hosts are weighed for each
   * guest. Strict rules to be together say nothing here: such guests are weighed as one.
   */
  private static double weigh(
      GuestSpec guest,
      Candidate host,
      Optional<HostId> stay,
      Set<HostId> shunned,
      Set<Rule> met,
      @Nullable List<String> against,
      @Nullable List<String> reasons) {
    if (!host.unable().isEmpty()) {
      add(against, host::unable);
      return Double.NaN;
    }
    if (guest.machine().isPresent() && !host.capacity().offers(guest.machine().get())) {
      add(against, () -> "does not offer the machine type " + guest.machine().get());
      return Double.NaN;
    }
    boolean fits = hasRoom(guest, host, against);
    if (!fits && against == null) {
      return Double.NaN;
    }
    double score = 0;
    for (var rule : guest.rules()) {
      if (rule instanceof Rule.WithGuests w && w.binds()) {
        continue;
      }
      boolean kept = keeps(rule, host) || (nearOthers(rule) && !met.contains(rule));
      if (rule.strict()) {
        if (!kept) {
          fits = false;
          add(against, () -> "rule: " + words(rule));
        }
      } else if (kept && !(rule instanceof Rule.Partial)) {
        score += PREFERENCE;
        add(reasons, () -> "preferred: " + words(rule));
      }
    }
    for (var other : host.ruled() ? host.guests() : List.<GuestSpec>of()) {
      for (var rule : other.rules()) {
        // a rule binds both sides, in whatever order they come
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
    return score;
  }

  /** Without the list it stops at the first thing that is too little. */
  private static boolean hasRoom(GuestSpec guest, Candidate host, @Nullable List<String> against) {
    boolean fits = true;
    long need = Candidate.reservedMib(guest);
    long free = host.freeMib();
    if (need > free) {
      if (against == null) {
        return false;
      }
      fits = false;
      against.add(
          "needs %d MiB with QEMU's overhead, %d MiB free".formatted(need, Math.max(0, free)));
    }
    double cpuLimit = host.cpuLimit();
    if (host.vcpus() + guest.vcpus() > cpuLimit) {
      if (against == null) {
        return false;
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
        return false;
      }
      fits = false;
      against.add(
          "has %d CPUs, the guest alone wants %d".formatted(host.capacity().cpus(), guest.vcpus()));
    }
    return fits;
  }

  private static void add(@Nullable List<String> to, Supplier<String> words) {
    if (to != null) {
      to.add(words.get());
    }
  }

  /** Whether a rule wants its guest where others are. */
  private static boolean nearOthers(Rule rule) {
    return rule instanceof Rule.Follows || (rule instanceof Rule.WithGuests w && !w.apart());
  }

  private static boolean means(Rule rule, GuestSpec other) {
    return switch (rule) {
      case Rule.WithGuests r -> r.value().equals(other.labels().get(r.label()));
      case Rule.Follows r -> r.guest().equals(other.id());
      case Rule.OnHosts _, Rule.Failback _, Rule.After _, Rule.Partial _ -> false;
    };
  }

  /**
   * Those rules to be near others that have somebody to be near. The first of them may go anywhere.
   */
  static Set<Rule> met(List<GuestSpec> guests, Collection<Candidate> hosts) {
    var met = new HashSet<Rule>();
    for (var guest : guests) {
      for (var rule : guest.rules()) {
        if (nearOthers(rule)
            && !(rule instanceof Rule.WithGuests w && w.binds())
            && (guests.stream().anyMatch(g -> means(rule, g) && !g.id().equals(guest.id()))
                || hosts.stream()
                    .anyMatch(h -> h.guests().stream().anyMatch(g -> means(rule, g))))) {
          met.add(rule);
        }
      }
    }
    return met;
  }

  /** Whether a host is one of those that the rule names. */
  public static boolean meant(Rule.Failback rule, Candidate host) {
    return keeps(rule, host);
  }

  /** Whether a host is one of those that the rule allows. */
  public static boolean kept(Rule.OnHosts rule, HostSpec host) {
    boolean named = rule.hosts().contains(host.id());
    boolean labelled =
        !rule.labels().isEmpty() && host.labels().entrySet().containsAll(rule.labels().entrySet());
    return (named || labelled) != rule.avoid();
  }

  private static boolean keeps(Rule rule, Candidate host) {
    return switch (rule) {
      case Rule.OnHosts r -> kept(r, host.spec());
      case Rule.Failback r -> keeps(r.preference(), host);
      case Rule.After _ -> true; // says when, not where
      case Rule.WithGuests r -> host.guests().stream().anyMatch(g -> means(r, g)) != r.apart();
      case Rule.Follows r -> host.guests().stream().anyMatch(g -> means(r, g));
      case Rule.Partial _ -> true; // says how many, not where
    };
  }

  /** A rule as people read it. */
  public static String words(Rule rule) {
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
      case Rule.Follows r -> "where guest %s runs".formatted(r.guest());
      case Rule.Partial _ -> "in part, if no host fits all";
    };
  }
}
