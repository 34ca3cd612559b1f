package dev.haven.core.placement;

import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.Rule;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Places many groups at once, where placing one after the other finds no room for all. Searches
 * with backtracking, the group with the fewest hosts first; bounded in steps and not in time, so
 * that every voter would come to the same.
 */
public final class Packing {
  /** Hosts tried for one search. */
  private static final int NODES = 20_000;

  /** Groups weighed against hosts, for one call: about 20 ms. */
  private static final long WEIGHINGS = 400_000;

  /**
   * Guests that get one host.
   *
   * @param hosts the only ones; all, if empty
   * @param liked tried first; empty if none is better than another
   */
  public record Wish(List<GuestSpec> guests, Optional<Set<HostId>> hosts, Optional<HostId> liked) {
    public Wish {
      guests = List.copyOf(guests);
    }
  }

  private final Candidate[] hosts;
  private long weighings = WEIGHINGS;

  private Packing(Collection<Candidate> hosts) {
    this.hosts = hosts.toArray(Candidate[]::new);
  }

  /**
   * A host for each wish. Where not all find one, the first ones do: none is left out for the sake
   * of a later one, as far as the steps suffice.
   *
   * @return in the order of the wishes; empty for those that find none
   */
  public static List<Optional<HostId>> place(List<Wish> wishes, Collection<Candidate> hosts) {
    return new Packing(hosts).place(wishes);
  }

  private List<Optional<HostId>> place(List<Wish> wishes) {
    var taken = new ArrayList<Integer>(); // places in the list of wishes
    var homes = new ArrayList<Integer>(); // their hosts
    var now = hosts.clone();
    for (int i = 0; i < wishes.size(); i++) {
      var wish = wishes.get(i);
      int home = tightest(wish, now);
      if (home >= 0) {
        taken.add(i);
        homes.add(home);
        now[home] = now[home].with(wish.guests());
        continue;
      }
      if (tightest(wish, hosts) < 0 && follows(wish).isEmpty()) {
        continue; // not even alone
      }
      taken.add(i);
      var found = new Search(taken.stream().map(wishes::get).toList()).run();
      if (found.isEmpty()) {
        taken.removeLast();
        continue;
      }
      homes.clear();
      now = hosts.clone();
      for (int k = 0; k < taken.size(); k++) {
        int h = found.get()[k];
        homes.add(h);
        now[h] = now[h].with(wishes.get(taken.get(k)).guests());
      }
    }
    var placed = new ArrayList<Optional<HostId>>();
    for (int i = 0; i < wishes.size(); i++) {
      int k = taken.indexOf(i);
      placed.add(k < 0 ? Optional.empty() : Optional.of(hosts[homes.get(k)].id()));
    }
    return placed;
  }

  private boolean allowed(Wish wish, Candidate host) {
    return wish.hosts().isEmpty() || wish.hosts().get().contains(host.id());
  }

  private boolean fits(Wish wish, Candidate host, Set<Rule> met) {
    weighings--;
    return allowed(wish, host)
        && !Double.isNaN(Placement.weigh(wish.guests(), host, Optional.empty(), Set.of(), met));
  }

  /** The host that it leaves the least room on, so that larger ones find some elsewhere. */
  private int tightest(Wish wish, Candidate[] now) {
    var met = Placement.met(wish.guests(), Arrays.asList(now));
    int best = -1;
    for (int h = 0; h < now.length; h++) {
      if (fits(wish, now[h], met)) {
        if (wish.liked().filter(now[h].id()::equals).isPresent()) {
          return h;
        }
        if (best < 0 || now[h].freeMib() < now[best].freeMib()) {
          best = h;
        }
      }
    }
    return best;
  }

  /** The guests after which some of these go. */
  private static Set<GuestId> follows(Wish wish) {
    var all = new HashSet<GuestId>();
    for (var guest : wish.guests()) {
      for (var rule : guest.rules()) {
        if (rule instanceof Rule.Follows f && f.strict()) {
          all.add(f.guest());
        }
      }
    }
    return all;
  }

  /** One search for hosts for all of some wishes. */
  private final class Search {
    private final List<Wish> wishes;
    private final List<Set<Rule>> met;
    private final Candidate[] now = hosts.clone();
    private final boolean[][] fits;
    private final int[] options;
    private final int[] home;
    private final int[][] before;
    private final boolean[] touched;
    private int nodes = NODES;

    Search(List<Wish> wishes) {
      this.wishes = wishes;
      this.met = new ArrayList<>();
      this.fits = new boolean[wishes.size()][hosts.length];
      this.options = new int[wishes.size()];
      this.home = new int[wishes.size()];
      this.before = new int[wishes.size()][];
      this.touched = new boolean[hosts.length];
      Arrays.fill(home, -1);
      for (int w = 0; w < wishes.size(); w++) {
        // whom it follows is among them or has a host already
        var wish = wishes.get(w);
        var rules = new HashSet<>(Placement.met(wish.guests(), Arrays.asList(now)));
        var first = follows(wish);
        var leaders = new ArrayList<Integer>();
        for (int o = 0; o < wishes.size(); o++) {
          if (o != w && wishes.get(o).guests().stream().anyMatch(g -> first.contains(g.id()))) {
            leaders.add(o);
          }
        }
        if (!leaders.isEmpty()) {
          for (var guest : wish.guests()) {
            guest.rules().stream().filter(Rule.Follows.class::isInstance).forEach(rules::add);
          }
        }
        before[w] = leaders.stream().mapToInt(Integer::intValue).toArray();
        met.add(rules);
        for (int h = 0; h < hosts.length; h++) {
          fits[w][h] = leaders.isEmpty() ? fits(wish, now[h], rules) : allowed(wish, now[h]);
          options[w] += fits[w][h] ? 1 : 0;
        }
      }
    }

    Optional<int[]> run() {
      return search(0) ? Optional.of(home) : Optional.empty();
    }

    private boolean search(int placed) {
      if (placed == wishes.size()) {
        return true;
      }
      int w = next();
      if (w < 0) {
        return false;
      }
      var order = order(w);
      var tried = new ArrayList<Integer>();
      for (int h : order) {
        if (nodes-- <= 0 || weighings <= 0) {
          return false;
        }
        if (alike(tried, h)) {
          continue;
        }
        tried.add(h);
        if (before[w].length > 0 && !fits(wishes.get(w), now[h], met.get(w))) {
          continue;
        }
        var was = now[h];
        boolean wasTouched = touched[h];
        now[h] = was.with(wishes.get(w).guests());
        touched[h] = true;
        home[w] = h;
        var lost = narrow(h);
        if (lost != null) {
          if (search(placed + 1)) {
            return true;
          }
          widen(lost, h);
        }
        home[w] = -1;
        touched[h] = wasTouched;
        now[h] = was;
      }
      return false;
    }

    /** The one with the fewest hosts left, of those the largest; after those that it follows. */
    private int next() {
      int best = -1;
      for (int w = 0; w < home.length; w++) {
        if (home[w] < 0
            && ready(w)
            && (best < 0
                || options[w] < options[best]
                || (options[w] == options[best] && need(w) > need(best)))) {
          best = w;
        }
      }
      return best;
    }

    /** Whether all that it follows have a host. Of two that follow each other, one is first. */
    private boolean ready(int w) {
      for (int leader : before[w]) {
        if (home[leader] < 0 && Arrays.stream(before[leader]).noneMatch(o -> o == w)) {
          return false;
        }
      }
      return true;
    }

    private long need(int w) {
      return wishes.get(w).guests().stream().mapToLong(Candidate::reservedMib).sum();
    }

    private int[] order(int w) {
      var liked = wishes.get(w).liked();
      var order = new ArrayList<Integer>();
      for (int h = 0; h < now.length; h++) {
        if (fits[w][h]) {
          order.add(h);
        }
      }
      order.sort(
          (a, b) -> {
            boolean likesA = liked.filter(now[a].id()::equals).isPresent();
            boolean likesB = liked.filter(now[b].id()::equals).isPresent();
            return likesA != likesB
                ? (likesA ? -1 : 1)
                : Long.compare(now[a].freeMib(), now[b].freeMib());
          });
      return order.stream().mapToInt(Integer::intValue).toArray();
    }

    /** Whether a host is as good as one that was tried, because nothing tells them apart. */
    private boolean alike(List<Integer> tried, int h) {
      if (touched[h]) {
        return false;
      }
      for (int t : tried) {
        if (!touched[t]
            && now[t].freeMib() == now[h].freeMib()
            && now[t].vcpus() == now[h].vcpus()
            && now[t].capacity().cpus() == now[h].capacity().cpus()
            && now[t].cpuLimit() == now[h].cpuLimit()
            && sameColumn(t, h)) {
          return true;
        }
      }
      return false;
    }

    private boolean sameColumn(int a, int b) {
      for (int w = 0; w < home.length; w++) {
        if (home[w] < 0 && (before[w].length > 0 || fits[w][a] != fits[w][b])) {
          return false;
        }
      }
      return true;
    }

    /**
     * Takes a host that has just been given guests from those that no longer fit there.
     *
     * @return who lost it; null, with nothing taken, if one has no host left
     */
    private @org.jspecify.annotations.Nullable List<Integer> narrow(int h) {
      var lost = new ArrayList<Integer>();
      for (int w = 0; w < home.length; w++) {
        if (home[w] < 0
            && fits[w][h]
            && before[w].length == 0
            && !fits(wishes.get(w), now[h], met.get(w))) {
          fits[w][h] = false;
          options[w]--;
          lost.add(w);
          if (options[w] == 0) {
            widen(lost, h);
            return null;
          }
        }
      }
      return lost;
    }

    private void widen(List<Integer> lost, int h) {
      for (int w : lost) {
        fits[w][h] = true;
        options[w]++;
      }
    }
  }
}
