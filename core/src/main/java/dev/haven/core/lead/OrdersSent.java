package dev.haven.core.lead;

import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * On the leader: which orders are under way on which host, and how far each has come. An answer
 * counts only from the host and the boot that the order was sent to.
 */
public final class OrdersSent {
  /** An order without an answer is sent again after this, in case the answer was lost. */
  private static final long REPEAT_NANOS = 10_000_000_000L;

  private final Map<Long, Sent> sent = new TreeMap<>();
  private final Map<Exclusive, FromAgent.Progress> progress = new HashMap<>();
  private long last;

  private record Sent(HostId host, BootId boot, Order order, long at) {
    boolean to(HostId to, BootId under) {
      return host.equals(to) && boot.equals(under);
    }
  }

  /** This voter leads from now on: its orders have numbers that no earlier term has used. */
  public synchronized void elected(long term) {
    sent.clear();
    progress.clear();
    last = term << 32;
  }

  /** This voter leads no more. */
  public synchronized void deposed() {
    sent.clear();
    progress.clear();
  }

  /**
   * The order is about to be sent.
   *
   * @param now on the monotonic clock, nanoseconds
   * @return its number; empty if the same order was sent to this host less than 10 s ago
   */
  public synchronized OptionalLong number(HostId host, BootId boot, Order order, long now) {
    for (var s : sent.values()) {
      if (s.host().equals(host) && s.order().equals(order) && now - s.at() < REPEAT_NANOS) {
        return OptionalLong.empty();
      }
    }
    sent.put(++last, new Sent(host, boot, order, now));
    return OptionalLong.of(last);
  }

  /** It could not be sent. */
  public synchronized void notSent(long number) {
    sent.remove(number);
  }

  /** Whether the guest's start under this epoch is under way on the host. */
  public synchronized boolean starts(HostId host, GuestId guest, Epoch epoch) {
    return sent.values().stream()
        .anyMatch(
            s ->
                s.host().equals(host)
                    && s.order() instanceof Order.StartGuest o
                    && o.guest().equals(guest)
                    && o.epoch().equals(epoch));
  }

  /**
   * The host has answered this order.
   *
   * @return the order, which is under way no more; empty if it was not under way on that host
   */
  public synchronized Optional<Order> answered(HostId host, BootId boot, long number) {
    var order = sent.get(number);
    if (order == null || !order.to(host, boot)) {
      return Optional.empty();
    }
    sent.remove(number);
    progress.remove(order.order().exclusive());
    return Optional.of(order.order());
  }

  /** The host says how far an order has come; kept while that order is under way there. */
  public synchronized void came(HostId host, BootId boot, FromAgent.Progress how) {
    var order = sent.get(how.order());
    if (order != null && order.to(host, boot) && order.order().exclusive().equals(how.guest())) {
      progress.put(how.guest(), how);
    }
  }

  public synchronized Optional<FromAgent.Progress> progress(GuestId guest) {
    return Optional.ofNullable(progress.get(guest));
  }

  /** The host's connection has ended, or is a new one: what was on its way may be lost. */
  public synchronized void forget(HostId host) {
    sent.values()
        .removeIf(
            s -> {
              boolean its = s.host().equals(host);
              if (its) {
                progress.remove(s.order().exclusive());
              }
              return its;
            });
  }
}
