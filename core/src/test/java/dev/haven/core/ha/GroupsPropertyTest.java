package dev.haven.core.ha;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.placement.Candidate;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.Rule;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * Random clusters with groups, node rules and apart rules in chains, against brute force: up to 6
 * hosts and 10 guests, 70 to 100 % of the memory used. {@code -Dseed=1 -Dcases=2000} for others and
 * more.
 */
class GroupsPropertyTest {
  private static final long SEED = Long.getLong("seed", System.nanoTime() % 1_000_000);
  private static final int CASES = Integer.getInteger("cases", 300);
  private static final List<String> NAMES = List.of("a", "b", "c", "d", "e", "f");

  private record Machine(long memoryMib, int cpus, Map<String, String> labels) {}

  /** A cluster as it is drawn. */
  private static final class Draw {
    final TreeMap<String, Machine> hosts = new TreeMap<>();
    final List<GuestSpec> guests = new ArrayList<>();

    /** Guests in their groups; each has one host. */
    final List<List<GuestSpec>> groups = new ArrayList<>();

    Obedient cluster() {
      var cluster = new Obedient();
      hosts.forEach((h, m) -> cluster.host(h, m.memoryMib(), m.cpus(), m.labels()));
      return cluster;
    }

    @Override
    public String toString() {
      var lines = new StringBuilder();
      hosts.forEach((h, m) -> lines.append(h + " " + m + "\n"));
      guests.forEach(
          g ->
              lines.append(
                  g.id() + " " + g.memoryMib() + " MiB " + g.labels() + " " + g.rules() + "\n"));
      return lines.toString();
    }
  }

  private static Draw draw(Random chance) {
    var draw = new Draw();
    int hosts = 2 + chance.nextInt(5);
    long total = 0;
    for (int i = 0; i < hosts; i++) {
      long mib = 2048L * (2 + chance.nextInt(5));
      draw.hosts.put(
          NAMES.get(i),
          new Machine(mib, 4 + chance.nextInt(13), Map.of("rack", "r" + chance.nextInt(3))));
      total += mib;
    }
    int guests = 4 + chance.nextInt(7);
    // how the memory is shared out, and how much of it
    double used = 0.7 + 0.3 * chance.nextDouble();
    var shares = new double[guests];
    double sum = 0;
    for (int i = 0; i < guests; i++) {
      shares[i] = 0.3 + chance.nextDouble();
      sum += shares[i];
    }
    var sizes = new long[guests];
    for (int i = 0; i < guests; i++) {
      long gross = (long) (total * used * shares[i] / sum);
      sizes[i] = Math.max(64, (gross - 72) * 128 / 129);
    }
    // two groups or more, in chains: each member seeks the next one's label
    int groups = 2 + chance.nextInt(2);
    var group = new int[guests];
    for (int i = 0; i < guests; i++) {
      group[i] = i < 2 * groups ? i % groups : chance.nextInt(4) == 0 ? chance.nextInt(groups) : -1;
    }
    var last = new int[groups];
    java.util.Arrays.fill(last, -1);
    var members = new TreeMap<Integer, List<GuestSpec>>();
    for (int i = 0; i < guests; i++) {
      var labels = new HashMap<String, String>();
      var rules = new ArrayList<Rule>();
      labels.put("n", "g" + i);
      labels.put("tier", "t" + chance.nextInt(4));
      int g = group[i];
      if (g >= 0) {
        if (last[g] >= 0) {
          rules.add(new Rule.WithGuests("n", "g" + last[g], false, true));
        }
        last[g] = i;
      }
      switch (chance.nextInt(6)) {
        case 0 ->
            rules.add(new Rule.OnHosts(some(chance, draw), Map.of(), chance.nextInt(3) == 0, true));
        case 1 ->
            rules.add(
                new Rule.OnHosts(
                    Set.of(),
                    Map.of("rack", "r" + chance.nextInt(3)),
                    chance.nextInt(2) == 0,
                    true));
        case 2 -> rules.add(new Rule.WithGuests("n", "g" + chance.nextInt(guests), true, true));
        default -> {}
      }
      if (chance.nextInt(8) == 0) {
        rules.add(new Rule.WithGuests("tier", "t" + chance.nextInt(4), true, true));
      }
      var spec =
          new GuestSpec(
              new GuestId("g" + i),
              "uuid-" + i,
              sizes[i],
              1 + chance.nextInt(4),
              chance.nextInt(3),
              "<domain/>",
              labels,
              rules,
              GuestSpec.Restart.ANYWHERE,
              3);
      draw.guests.add(spec);
      members.computeIfAbsent(g >= 0 ? g : 100 + i, _ -> new ArrayList<>()).add(spec);
    }
    draw.groups.addAll(members.values());
    return draw;
  }

  private static Set<HostId> some(Random chance, Draw draw) {
    var all = new java.util.TreeSet<HostId>();
    for (var host : draw.hosts.keySet()) {
      if (chance.nextBoolean()) {
        all.add(new HostId(host));
      }
    }
    return all.isEmpty() ? Set.of(new HostId(draw.hosts.firstKey())) : all;
  }

  // the brute force knows nothing of the placement that it judges

  /** Whether a host may have exactly these guests. */
  private static boolean legal(Draw draw, String host, List<GuestSpec> guests) {
    var machine = Objects.requireNonNull(draw.hosts.get(host));
    long memory = 0;
    int vcpus = 0;
    for (var g : guests) {
      memory += Candidate.reservedMib(g);
      vcpus += g.vcpus();
      if (g.vcpus() > machine.cpus()) {
        return false;
      }
      for (var rule : g.rules()) {
        if (rule instanceof Rule.OnHosts r) {
          boolean named = r.hosts().contains(new HostId(host));
          boolean labelled =
              !r.labels().isEmpty()
                  && machine.labels().entrySet().containsAll(r.labels().entrySet());
          if ((named || labelled) == r.avoid()) {
            return false;
          }
        } else if (rule instanceof Rule.WithGuests w && w.apart()) {
          for (var other : guests) {
            if (!other.id().equals(g.id()) && w.value().equals(other.labels().get(w.label()))) {
              return false;
            }
          }
        }
      }
    }
    return memory <= machine.memoryMib() && vcpus <= machine.cpus() * 4;
  }

  /** A legal host for each group, if there is one; tried in the order given. */
  private static Optional<Map<List<GuestSpec>, String>> bruteForce(
      Draw draw, List<String> hosts, int next, Map<String, List<GuestSpec>> placed) {
    if (next == draw.groups.size()) {
      return Optional.of(new HashMap<>());
    }
    var group = draw.groups.get(next);
    for (var host : hosts) {
      var there = placed.computeIfAbsent(host, _ -> new ArrayList<>());
      there.addAll(group);
      if (legal(draw, host, there)) {
        var rest = bruteForce(draw, hosts, next + 1, placed);
        if (rest.isPresent()) {
          rest.get().put(group, host);
          return rest;
        }
      }
      for (int i = 0; i < group.size(); i++) {
        there.removeLast();
      }
    }
    return Optional.empty();
  }

  private static Optional<Map<List<GuestSpec>, String>> bruteForce(Draw draw, Random chance) {
    var hosts = new ArrayList<>(draw.hosts.keySet());
    java.util.Collections.shuffle(hosts, chance);
    return bruteForce(draw, hosts, 0, new HashMap<>());
  }

  /** What of the running guests breaks a strict rule. */
  private static List<String> broken(Draw draw, ClusterState state) {
    var on = new TreeMap<String, List<GuestSpec>>();
    for (var guest : state.guests()) {
      if (guest.phase() instanceof GuestPhase.Running r) {
        on.computeIfAbsent(r.host().value(), _ -> new ArrayList<>()).add(guest.spec());
      }
    }
    var wrong = new ArrayList<String>();
    on.forEach(
        (host, guests) -> {
          if (draw.hosts.containsKey(host) && !legal(draw, host, guests)) {
            wrong.add("host %s must not have %s".formatted(host, guests));
          }
        });
    for (var group : draw.groups) {
      long hosts = on.values().stream().filter(g -> group.stream().anyMatch(g::contains)).count();
      if (hosts > 1) {
        wrong.add("parted: " + group);
      }
    }
    return wrong;
  }

  private interface Try {
    /**
     * @return whether the case had what it looks for
     */
    boolean in(Draw draw, Map<List<GuestSpec>, String> legal, Random chance, String seed);
  }

  /** So many cases that have a legal placement. */
  private static void cases(int cases, Try one) {
    System.out.println("seed " + SEED + ": again with -Dseed=" + SEED);
    int met = 0;
    for (long seed = SEED; met < cases; seed++) {
      var chance = new Random(seed * 7919);
      var draw = draw(chance);
      var legal = bruteForce(draw, chance);
      if (legal.isPresent()
          && one.in(draw, legal.get(), chance, "seed %d%n%s".formatted(seed, draw))) {
        met++;
      }
    }
  }

  @Test
  void aColdStartOfAllAtOnceFindsAPlaceForAllWhereThereIsOne() {
    var found = new int[2];
    cases(
        CASES,
        (draw, _, _, seed) -> {
          var cluster = draw.cluster();
          draw.guests.forEach(cluster::waiting);
          cluster.settle();
          assertThat(broken(draw, cluster.state)).as(seed).isEmpty();
          found[0]++;
          if (cluster.state.guests().stream()
              .allMatch(g -> g.phase() instanceof GuestPhase.Running)) {
            found[1]++;
          }
          return true;
        });
    System.out.printf("cold start: all of %d of %d clusters run%n", found[1], found[0]);
    assertThat(found[1]).isGreaterThanOrEqualTo((int) Math.ceil(found[0] * 0.99));
  }

  /** One group where there is room, the others where they are in the legal placement. */
  private static Obedient around(
      Draw draw, Map<List<GuestSpec>, String> legal, List<GuestSpec> group) {
    var cluster = draw.cluster();
    cluster.host("z", 1 << 20, 64, Map.of());
    for (var other : draw.groups) {
      other.forEach(g -> cluster.running(g, other.equals(group) ? "z" : home(legal, other)));
    }
    return cluster;
  }

  private static String home(Map<List<GuestSpec>, String> legal, List<GuestSpec> group) {
    return Objects.requireNonNull(legal.get(group));
  }

  private static List<GuestSpec> some(Draw draw, Random chance) {
    return draw.groups.get(chance.nextInt(draw.groups.size()));
  }

  private static void allOnOneLegalHost(
      Draw draw, Obedient cluster, List<GuestSpec> group, String seed) {
    assertThat(broken(draw, cluster.state)).as(seed).isEmpty();
    assertThat(group.stream().map(g -> cluster.where(g.id().value())).distinct().toList())
        .as(seed)
        .hasSize(1)
        .doesNotContain("-", "z");
  }

  @Test
  void aGroupWhoseHostDiesStartsWhereItFits() {
    cases(
        CASES / 2,
        (draw, legal, chance, seed) -> {
          var group = some(draw, chance);
          var cluster = around(draw, legal, group).dies("z").settle();
          allOnOneLegalHost(draw, cluster, group, seed);
          return true;
        });
  }

  @Test
  void anEvacuationFindsAHostForAGroup() {
    cases(
        CASES / 2,
        (draw, legal, chance, seed) -> {
          var group = some(draw, chance);
          var cluster = around(draw, legal, group);
          assertThat(cluster.command(new Command.Evacuate(new HostId("z"))))
              .isInstanceOf(Reply.Accepted.class);
          cluster.settle();
          allOnOneLegalHost(draw, cluster, group, seed);
          assertThat(cluster.state.operations())
              .as(seed)
              .allMatch(o -> o.state() == Operation.State.DONE);
          return true;
        });
  }

  @Test
  void aGroupIsMigratedOrRelocatedAltogetherOrNotAtAll() {
    cases(
        CASES / 2,
        (draw, legal, chance, seed) -> {
          var group = some(draw, chance);
          var guest = group.get(chance.nextInt(group.size())).id();
          boolean live = chance.nextBoolean();
          boolean named = chance.nextBoolean();
          var to = named ? Optional.of(new HostId(home(legal, group))) : Optional.<HostId>empty();
          var cluster = around(draw, legal, group);
          if (group.size() > 1) {
            var reply =
                cluster.command(
                    live
                        ? new Command.Migrate(guest, to)
                        : new Command.Relocate(guest, to, Duration.ZERO));
            assertThat(reply).as(seed).isInstanceOf(Reply.Refused.class);
            assertThat(((Reply.Refused) reply).message()).contains("--with-group");
          }
          assertThat(
                  cluster.command(
                      live
                          ? new Command.Migrate(guest, to, true)
                          : new Command.Relocate(guest, to, Duration.ZERO, true)))
              .as(seed)
              .isInstanceOf(Reply.Accepted.class);
          cluster.settle();
          allOnOneLegalHost(draw, cluster, group, seed);
          to.ifPresent(h -> assertThat(cluster.where(guest.value())).isEqualTo(h.value()));
          return true;
        });
  }

  @Test
  void whateverIsOrderedNoStrictRuleIsBroken() {
    cases(
        CASES / 2,
        (draw, legal, chance, seed) -> {
          var cluster = draw.cluster();
          for (var group : draw.groups) {
            group.forEach(g -> cluster.running(g, home(legal, group)));
          }
          var hosts = new ArrayList<>(draw.hosts.keySet());
          for (int i = 0; i < 6; i++) {
            var guest = draw.guests.get(chance.nextInt(draw.guests.size())).id();
            var host = new HostId(hosts.get(chance.nextInt(hosts.size())));
            var to = chance.nextBoolean() ? Optional.of(host) : Optional.<HostId>empty();
            boolean with = chance.nextBoolean();
            cluster.command(
                switch (chance.nextInt(6)) {
                  case 0 -> new Command.Migrate(guest, to, with);
                  case 1 -> new Command.Relocate(guest, to, Duration.ZERO, with);
                  case 2 -> new Command.Evacuate(host);
                  case 3 -> new Command.Uncordon(host);
                  case 4 -> new Command.StopGuest(guest, Duration.ZERO);
                  default -> new Command.StartGuest(guest);
                });
            if (chance.nextInt(10) == 0) {
              cluster.dies(host.value());
            }
            cluster.settle();
            assertThat(broken(draw, cluster.state)).as(seed + cluster.log).isEmpty();
          }
          return true;
        });
  }
}
