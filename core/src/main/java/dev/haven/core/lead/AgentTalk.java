package dev.haven.core.lead;

import dev.haven.core.ha.Action;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Holding;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Newcomers;
import dev.haven.core.ha.Vacancy;
import dev.haven.model.BootId;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * The leader's talk with the agents: whose hello is decided on, what an agent is told, which orders
 * leave, and what the leader is told of an agent's words. Safe for several threads.
 */
public final class AgentTalk {
  private final Watch watch;
  private final Supplier<ClusterState> state;
  private final Links links;
  private final OrdersSent sent = new OrdersSent();
  private final LeasedLists leased = new LeasedLists();
  private volatile long term;

  /** The connections of agents to this voter, and the leader that they talk to. Nothing blocks. */
  public interface Links {
    /**
     * @return false if the host's agent is not connected under this boot, or takes no more
     */
    boolean send(HostId host, BootId boot, long number, long term, Order order);

    /** Dropped if the host's agent is not connected under this boot. */
    void tell(LeasedLists.Telling telling);

    /** For the leader to decide on. */
    void found(Event event);
  }

  public AgentTalk(Watch watch, Supplier<ClusterState> state, Links links) {
    this.watch = watch;
    this.state = state;
    this.links = links;
  }

  /** This voter leads from now on. */
  public void elected(long newTerm) {
    term = newTerm;
    sent.elected(newTerm);
    leased.clear();
  }

  /** This voter leads no more. */
  public void deposed() {
    term = 0;
    sent.deposed();
  }

  /** An entry was applied. What is told here precedes any order that follows from the entry. */
  public void applied(ClusterState before, ClusterState after) {
    long now = term;
    if (now != 0) {
      watch.leases().applied(before, after);
      leased.applied(before, after, now, !watch.twoAlone()).forEach(links::tell);
    }
  }

  // hellos

  /**
   * Why a hello has to wait: it may come from another machine than the host. To be asked again
   * until it is empty; until then no older connection of the host may be touched.
   */
  public Optional<String> held(FromAgent.Hello hello, long now, Instant at) {
    var host = state.get().host(hello.host());
    if (host.isEmpty()) {
      return Optional.empty(); // it is refused
    }
    var newcomer = watch.newcomer(hello, now);
    var why =
        switch (Newcomers.judge(host.get(), hello, newcomer)) {
          case Newcomers.Verdict.Open _ -> "";
          case Newcomers.Verdict.Stranger s ->
              "your machine's UUID is %s, not %s".formatted(s.says(), s.onRecord());
          case Newcomers.Verdict.Early e -> {
            watch.asking().held(hello.host(), now);
            yield e.why();
          }
        };
    if (why.isEmpty()) {
      return Optional.empty();
    }
    links.found(new Event.HelloHeld(hello, newcomer, at));
    return Optional.of("held: " + why);
  }

  /** Whether a hello comes from the machine on record for its host, as far as its UUID shows. */
  public boolean knows(FromAgent.Hello hello) {
    return state.get().host(hello.host()).filter(h -> Newcomers.known(h, hello)).isPresent();
  }

  /**
   * An agent said hello on a connection that takes the place of any older one of its host.
   *
   * @return to be decided on
   */
  public Event.AgentJoined greets(FromAgent.Hello hello, long now, Instant at) {
    watch.greeted(hello.host(), hello.process(), now);
    sent.forget(hello.host()); // what was on its way to the old connection may be lost
    return joins(hello, now, at);
  }

  /** A hello of somebody who has no connection yet. */
  public Event.AgentJoined joins(FromAgent.Hello hello, long now, Instant at) {
    return new Event.AgentJoined(hello, watch.newcomer(hello, now), at);
  }

  /**
   * The hello was decided on.
   *
   * @return whether its agent was taken in: if so, it is told what it may run; if not, it is to be
   *     turned away
   */
  public boolean decided(FromAgent.Hello hello) {
    var now = state.get();
    boolean takenIn =
        now.host(hello.host())
            .filter(h -> h.online() || h.state() instanceof HostState.Fencing)
            .filter(h -> h.boot().equals(Optional.of(hello.boot())))
            .flatMap(Host::agent)
            .filter(a -> a.process().equals(hello.process()))
            .isPresent();
    if (takenIn) {
      leased.joined(hello.host(), now, term, !watch.twoAlone()).ifPresent(links::tell);
    }
    return takenIn;
  }

  /** The host's connection has ended. */
  public void left(HostId host) {
    leased.left(host);
    sent.forget(host);
  }

  /** The hosts whose agents were taken in. */
  public List<HostId> hosts() {
    return leased.hosts();
  }

  // orders

  /**
   * Sends the order if it is not under way already; one that does not get through is implied by the
   * state and comes again.
   *
   * @param inTerm in which it was decided
   */
  public void send(Action.Send a, long inTerm, long now) {
    send(a.host(), a.boot(), a.order(), inTerm, now);
  }

  /** The same, once all proofs behind it have been looked at again. */
  public void start(Action.Start a, long inTerm, long now, Instant at) {
    if (holds(a.vacancy(), now, at)) {
      var to = a.vacancy().holding();
      state
          .get()
          .guest(a.guest())
          .map(g -> new Order.StartGuest(a.guest(), to.epoch(), g.spec().domainXml()))
          .ifPresent(order -> send(to, order, inTerm, now));
    }
  }

  /** The same. */
  public void resume(Action.Resume a, long inTerm, long now, Instant at) {
    if (holds(a.vacancy(), now, at)) {
      var to = a.vacancy().holding();
      send(to, new Order.ResumeGuest(a.guest(), to.epoch(), a.arrived()), inTerm, now);
    }
  }

  /**
   * No sign of life of any host since it was proven off: else the order stays here and the leader
   * is told. So it is where this voter cannot say since when the proof holds.
   */
  private boolean holds(Vacancy vacancy, long now, Instant at) {
    var against = new ProofsLookedAt(watch).against(vacancy, state.get(), now, at);
    against.ifPresent(links::found);
    return against.isEmpty();
  }

  private void send(Holding to, Order order, long inTerm, long now) {
    send(to.host(), to.boot(), order, inTerm, now);
  }

  private void send(HostId host, BootId boot, Order order, long inTerm, long now) {
    var number = sent.number(host, boot, order, now);
    if (number.isPresent() && !links.send(host, boot, number.getAsLong(), inTerm, order)) {
      sent.notSent(number.getAsLong());
    }
  }

  /** Whether the start is under way. */
  public boolean starts(Action.Start a) {
    var to = a.vacancy().holding();
    return sent.starts(to.host(), a.guest(), to.epoch());
  }

  public Optional<FromAgent.Progress> progress(GuestId guest) {
    return sent.progress(guest);
  }

  /**
   * An agent that was taken in says this. An answer counts only to an order that is under way
   * there.
   */
  public void said(HostId host, BootId boot, FromAgent frame, Instant at) {
    switch (frame) {
      case FromAgent.Domains d ->
          links.found(
              new Event.DomainsReported(host, boot, d.libvirtUp(), d.domains(), d.goingDown(), at));
      case FromAgent.AnswerFrame a ->
          sent.answered(host, boot, a.order())
              .ifPresent(o -> links.found(new Event.OrderAnswered(host, boot, o, a.answer(), at)));
      case FromAgent.Progress p -> sent.came(host, boot, p);
      case FromAgent.Guarded g ->
          links.found(new Event.WatchdogReported(host, boot, Optional.of(g.watchdog()), at));
      case FromAgent.DisksSeen _, FromAgent.Hello _ -> {} // of somebody who asked or connects
    }
  }
}
