package dev.haven.core.lead;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/**
 * When this voter and, as far as they say, the other voters last heard each host. All times are
 * {@link System#nanoTime} of this voter.
 *
 * <p>A voter counts a silence only over time in which it heard a quorum of voters: what it did not
 * hear while it was cut off itself proves nothing. A host last heard before such a time is given
 * {@link #GRACE_NANOS} after the quorum's return, so that a switch that comes back port by port
 * fences nobody.
 */
public final class HeardTable {
  static final long GRACE_NANOS = 30_000_000_000L;

  /** Ages below this are not worth a line in a digest: the host is heard. */
  static final long DIGEST_FROM_NANOS = 300_000_000L;

  /** A host heard more lately than this is not worth a line among those that are not heard. */
  static final long QUIET_FROM_NANOS = 1_000_000_000L;

  /** A digest older than this says nothing any more. */
  static final long DIGEST_VALID_NANOS = 600_000_000L;

  /** The age of a host of which a voter cannot say anything yet. */
  public static final long CANNOT_SAY = -1;

  /** A voter from which nothing came for longer than this is not heard. */
  static final long VOTER_SILENT_NANOS = 1_500_000_000L;

  /** For how long after a loss of its own this voter cannot say who is silent. */
  static final long DEAF_NANOS = 1_000_000_000L;

  /** A voter that has not looked for longer than this stood still: it may not have heard hosts. */
  static final long STOOD_STILL_NANOS = 150_000_000L;

  /** Witnesses to a sudden silence must have spoken within this time. */
  static final long WITNESS_VALID_NANOS = 250_000_000L;

  /** Two readings of one silence may differ by a digest's way. */
  private static final long SLACK_NANOS = 100_000_000L;

  private final String self;
  private final Map<HostId, Heard> hosts = new ConcurrentHashMap<>();
  private final Map<HostId, Seat> seats = new ConcurrentHashMap<>();
  private final Map<String, Digest> digests = new ConcurrentHashMap<>();
  private final Map<String, Quiet> quiet = new ConcurrentHashMap<>();
  private final long began;
  private volatile long quorumSince;
  private volatile long lookedAt;
  private volatile long runsSince;
  private volatile boolean quorum;
  private volatile Optional<Long> deaf = Optional.empty();

  /**
   * @param at last valid beat on any network
   * @param networks the number of the last beat of this process on each
   */
  private record Heard(BootId boot, ProcessId process, long at, Map<String, Long> networks) {}

  /** When the agent's present process was taken in: silence counts from there at the earliest. */
  private record Seat(ProcessId process, long at) {}

  /**
   * @param counts whether the voter heard a quorum itself
   * @param ages how long the voter has not heard each host; one that is not in it is heard, {@link
   *     #CANNOT_SAY} where it cannot say
   * @param ran for how long the voter had not stood still itself
   */
  private record Digest(long at, boolean counts, Map<HostId, Long> ages, long ran) {}

  /**
   * @param ages for how long at least the voter has not heard each host, whether or not it hears a
   *     quorum; a host that is not in it was heard lately
   */
  private record Quiet(long at, Map<HostId, Long> ages) {}

  public HeardTable(String self, long now) {
    this.began = now;
    this.self = self;
    this.quorumSince = now;
    this.lookedAt = now;
    this.runsSince = now;
  }

  /** To be called often: notes when this voter stood still. */
  void runs(long now) {
    if (now - lookedAt > STOOD_STILL_NANOS) {
      runsSince = now;
    }
    lookedAt = now;
  }

  /** Since when this voter has not stood still. */
  long runsSince() {
    return runsSince;
  }

  /**
   * A beat whose signature was checked.
   *
   * @return false if it is a repetition
   */
  public boolean heard(
      HostId host, BootId boot, ProcessId process, String network, long sequence, long now) {
    var fresh = new boolean[1];
    hosts.compute(
        host,
        (_, old) -> {
          var networks =
              old != null && old.process().equals(process)
                  ? old.networks()
                  : new ConcurrentHashMap<String, Long>();
          Long last = networks.get(network);
          if (old != null && last != null && last >= sequence) {
            return old;
          }
          fresh[0] = true;
          networks.put(network, sequence);
          return new Heard(boot, process, now, networks);
        });
    return fresh[0];
  }

  /**
   * This process of a host's agent is taken in; to be told again and again. What came before counts
   * no more: a host that was off for a minute is not silent for a minute when it is back.
   */
  public void seated(HostId host, ProcessId process, long now) {
    seats.compute(
        host,
        (_, old) -> old != null && old.process().equals(process) ? old : new Seat(process, now));
  }

  /** The host's agent said hello to this voter: a sign of life, though not a heartbeat. */
  public void greeted(HostId host, ProcessId process, long now) {
    seats.put(host, new Seat(process, now));
  }

  /**
   * Whether a silence of this length is over: what was found out about it says nothing any more.
   */
  public boolean over(HostId host, Duration lasted, Iterable<String> voters, long now) {
    return silence(host, voters, now) < lasted.toNanos() - SLACK_NANOS;
  }

  /**
   * What another voter says that it did not hear.
   *
   * @param ran for how long it has not stood still, in nanoseconds
   */
  void digest(String voter, boolean counts, Map<HostId, Long> ages, long ran, long now) {
    digests.put(voter, new Digest(now, counts, Map.copyOf(ages), ran));
  }

  /** Hosts that this voter has not heard for a while, for the other voters. Ages in nanoseconds. */
  public Map<HostId, Long> ages(Iterable<HostId> known, long now) {
    var ages = new TreeMap<HostId, Long>();
    for (var host : known) {
      long age = ownAge(host, now);
      if (age == CANNOT_SAY || age >= DIGEST_FROM_NANOS) {
        ages.put(host, age);
      }
    }
    return ages;
  }

  /**
   * For how long at least this voter has not heard each host, for the other voters: whether it
   * hears a quorum does not matter. Only ages above {@link #QUIET_FROM_NANOS}, in nanoseconds.
   */
  public Map<HostId, Long> quiet(Iterable<HostId> known, long now) {
    var ages = new TreeMap<HostId, Long>();
    for (var host : known) {
      long age = quietFor(host, now);
      if (age >= QUIET_FROM_NANOS) {
        ages.put(host, age);
      }
    }
    return ages;
  }

  private long quietFor(HostId host, long now) {
    var heard = hosts.get(host);
    return now - (heard == null ? began : heard.at());
  }

  /** What another voter says in the same way. */
  public void quiet(String voter, Map<HostId, Long> ages, long now) {
    quiet.put(voter, new Quiet(now, Map.copyOf(ages)));
  }

  /**
   * For how long no voter has heard the host's last boot, by the word of a majority of the voters
   * that were up all that time; a voter on the host itself has no say. Errs on the short side.
   *
   * @return empty if too few voters can say
   */
  public Optional<Long> unheard(HostId host, Iterable<String> voters, long now) {
    int all = 0;
    int say = 0;
    long unheard = Long.MAX_VALUE;
    for (var voter : voters) {
      if (voter.equals(host.value())) {
        continue;
      }
      all++;
      var said = quiet.get(voter);
      if (voter.equals(self)) {
        say++;
        unheard = Math.min(unheard, quietFor(host, now));
      } else if (said != null && now - said.at() <= DIGEST_VALID_NANOS) {
        say++;
        unheard = Math.min(unheard, said.ages().getOrDefault(host, 0L));
      }
    }
    if (all == 0) {
      return Optional.of(quietFor(host, now)); // there is no voter but the host's own
    }
    return say * 2 > all ? Optional.of(unheard) : Optional.empty();
  }

  /**
   * To be called often: keeps track of whether this voter hears a quorum. @param voters all of
   * them, this one too
   */
  public void watchQuorum(Iterable<String> voters, long now) {
    int all = 0;
    for (var _ : voters) {
      all++;
    }
    boolean now2 = voters(voters, now).size() * 2 > all;
    if (now2 && !quorum) {
      quorumSince = now;
    }
    quorum = now2;
  }

  /** Those of the voters that this one hears, itself included. */
  public Set<String> voters(Iterable<String> voters, long now) {
    var heard = new TreeSet<String>();
    for (var voter : voters) {
      var digest = digests.get(voter);
      if (voter.equals(self) || (digest != null && now - digest.at() < VOTER_SILENT_NANOS)) {
        heard.add(voter);
      }
    }
    return heard;
  }

  /** This voter lost heartbeats itself, up to now: what it has not heard before proves nothing. */
  public void deaf(long now) {
    deaf = Optional.of(now);
  }

  /** Whether this voter has lost heartbeats itself a moment ago. */
  public boolean deafAt(long now) {
    return deaf.filter(at -> now - at < DEAF_NANOS).isPresent();
  }

  /** Whether this voter hears a quorum, so that its silences count. */
  public boolean counts() {
    return quorum;
  }

  private long ownAge(HostId host, long now) {
    if (deafAt(now)) {
      return CANNOT_SAY;
    }
    long age = ageSinceQuorum(host, now);
    return deaf.isEmpty() ? age : Math.min(age, now - deaf.get());
  }

  private long ageSinceQuorum(HostId host, long now) {
    if (!quorum) {
      return CANNOT_SAY; // cut off ourselves
    }
    var heard = hosts.get(host);
    // a host heard since the quorum is back is judged by its own silence, another gets grace first
    if (heard != null && heard.at() - quorumSince >= 0 && !newlySeated(host, heard)) {
      return now - heard.at();
    }
    var seat = seats.get(host);
    if (seat != null && seat.at() - quorumSince > 0) {
      return now - seat.at();
    }
    long age = now - quorumSince - GRACE_NANOS;
    return age < 0 ? CANNOT_SAY : age;
  }

  private boolean newlySeated(HostId host, Heard heard) {
    var seat = seats.get(host);
    return seat != null && !seat.process().equals(heard.process()) && seat.at() - heard.at() > 0;
  }

  /**
   * For how long a majority of voters has not heard the host on any network, in nanoseconds: the
   * silence of that voter of the majority that heard it last. 0 when no majority says so.
   */
  public long silence(HostId host, Iterable<String> voters, long now) {
    var ages = new java.util.ArrayList<Long>();
    int all = 0;
    for (var voter : voters) {
      all++;
      if (voter.equals(self)) {
        ages.add(Math.max(0, ownAge(host, now)));
      } else {
        var digest = digests.get(voter);
        if (digest != null && digest.counts() && now - digest.at() <= DIGEST_VALID_NANOS) {
          Long age = digest.ages().get(host);
          ages.add(age == null || age == CANNOT_SAY ? 0 : age + (now - digest.at()));
        }
      }
    }
    int majority = all / 2 + 1;
    if (ages.size() < majority) {
      return 0;
    }
    ages.sort(java.util.Comparator.reverseOrder());
    long silence = ages.get(majority - 1);
    // to be taken in it said hello, which the other voters' digests may not know yet
    var seat = seats.get(host);
    return seat == null ? silence : Math.min(silence, now - seat.at());
  }

  /** For how long this voter itself has not heard the host; 0 while it cannot say. */
  long ownSilence(HostId host, long now) {
    var seat = seats.get(host);
    long age = ownAge(host, now);
    return Math.max(0, seat == null ? age : Math.min(age, now - seat.at()));
  }

  /**
   * The same as {@link #silence} by stricter witnesses: each voter counts only time in which it did
   * not stand still, has spoken a moment ago, and is taken at its word for no longer than it said.
   * This voter must be one of them: what it heard of the others may be old if it stood still.
   */
  long witnessed(HostId host, Iterable<String> voters, long now) {
    long ran = now - runsSince;
    var ages = new java.util.ArrayList<Long>();
    int all = 0;
    for (var voter : voters) {
      all++;
      var digest = digests.get(voter);
      if (voter.equals(self)) {
        ages.add(ownSilence(host, now));
      } else if (digest != null && digest.counts() && now - digest.at() <= WITNESS_VALID_NANOS) {
        ages.add(Math.min(digest.ages().getOrDefault(host, 0L), digest.ran()));
      }
    }
    ages.sort(java.util.Comparator.reverseOrder());
    int majority = all / 2 + 1;
    long silence = ages.size() < majority ? 0 : Math.min(ages.get(majority - 1), ran);
    return Math.min(silence, ownSilence(host, now));
  }

  /**
   * When any voter last heard the host, as far as this one knows; empty if none ever did. Errs on
   * the later side.
   */
  public Optional<Long> lastSign(HostId host, long now) {
    var own = hosts.get(host);
    Long last = own == null ? null : own.at();
    for (var digest : digests.values()) {
      Long said = digest.ages().get(host);
      if (now - digest.at() > DIGEST_VALID_NANOS || (said != null && said == CANNOT_SAY)) {
        continue;
      }
      // a voter that does not list the host hears it: at some time up to the digest
      long at =
          said == null
              ? (own == null ? Long.MIN_VALUE : digest.at() - DIGEST_FROM_NANOS)
              : digest.at() - said;
      if (at != Long.MIN_VALUE && (last == null || at - last > 0)) {
        last = at;
      }
    }
    return Optional.ofNullable(last);
  }

  /** Over how many networks the host's present agent has ever beaten. */
  public int networks(HostId host) {
    var heard = hosts.get(host);
    return heard == null ? 0 : heard.networks().size();
  }

  /** Forgets a host that was removed. */
  public void forget(HostId host) {
    hosts.remove(host);
    seats.remove(host);
  }
}
