package dev.haven.bench;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** What the stand-ins have counted since the last mark. Safe for several threads. */
final class Tally {
  /** A few loads of a host; a cluster that is being filled has more, and nobody asks for those. */
  private static final int ORDERS = 20_000;

  private final List<Ordered> orders = new ArrayList<>();
  private long sent;
  private long unsent;
  private long answered;
  private long lag;
  private long late;
  private long ended;
  private long longest;
  private long slowestStart;
  private long reconnects;
  private String trouble = "";

  /** An order to start a guest has arrived at a host. */
  record Ordered(HostId host, GuestId guest, Instant at) {}

  /**
   * @param joined stand-ins that the leader has welcomed
   * @param guests that run
   * @param sent heartbeats, each to one voter over one network
   * @param unsent heartbeats that the kernel did not take
   * @param answered heartbeats
   * @param lagMillis by how much the stand-ins' own timers were late at most
   * @param leasesLate times that an agent got no new lease for 1 s
   * @param leasesEnded times that a lease ran out, or that a start waited for one in vain
   * @param longestLeaseMillis between one lease of an agent and the next, at most
   * @param slowestStartMillis from a start order to the lease that allows it, at most
   * @param reconnects connections that had to be opened again
   * @param trouble what a stand-in was refused with last; empty if none was
   * @param orders to start guests, with the time of their arrival
   */
  record Counts(
      int joined,
      int guests,
      long sent,
      long unsent,
      long answered,
      double lagMillis,
      long leasesLate,
      long leasesEnded,
      double longestLeaseMillis,
      double slowestStartMillis,
      long reconnects,
      String trouble,
      List<Ordered> orders) {}

  synchronized void mark() {
    orders.clear();
    sent = 0;
    unsent = 0;
    answered = 0;
    lag = 0;
    late = 0;
    ended = 0;
    longest = 0;
    slowestStart = 0;
    reconnects = 0;
  }

  synchronized void sent(int beats, int failed) {
    sent += beats;
    unsent += failed;
  }

  synchronized void answered() {
    answered++;
  }

  /** A timer of ours came so many nanoseconds late. */
  synchronized void lag(long nanos) {
    lag = Math.max(lag, nanos);
  }

  synchronized void leaseLate() {
    late++;
  }

  synchronized void leaseEnded() {
    ended++;
  }

  synchronized void leaseAfter(long nanos) {
    longest = Math.max(longest, nanos);
  }

  synchronized void startedAfter(long nanos) {
    slowestStart = Math.max(slowestStart, nanos);
  }

  synchronized void reconnects() {
    reconnects++;
  }

  synchronized void trouble(String what) {
    trouble = what;
  }

  synchronized void ordered(HostId host, GuestId guest, Instant at) {
    if (orders.size() < ORDERS) {
      orders.add(new Ordered(host, guest, at));
    }
  }

  synchronized Counts counts(int joined, int guests, boolean withOrders) {
    return new Counts(
        joined,
        guests,
        sent,
        unsent,
        answered,
        millis(lag),
        late,
        ended,
        millis(longest),
        millis(slowestStart),
        reconnects,
        trouble,
        withOrders ? List.copyOf(orders) : List.of());
  }

  private static double millis(long nanos) {
    return Duration.ofNanos(nanos).toNanos() / 1e6;
  }
}
