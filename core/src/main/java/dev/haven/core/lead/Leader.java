package dev.haven.core.lead;

import dev.haven.core.ha.Action;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Entry;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.HaPolicy;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a leader does with each event: decide, commit, act; only what an earlier commit has decided
 * already goes {@linkplain Decision ahead} of its own. For one thread, one event after the other.
 *
 * <pre>
 *   take(event) --> Propose --commit--> applied | stale | broken | refused | unknown
 *        |             ^                   |        |       |         |         |
 *        |             '-------------------+--------'-------'         |         |
 *        '--> Done  &lt;----------------------'             NotDecided  &lt;-'---------'
 * </pre>
 *
 * After each event its caller handles what comes {@link #next} before any other event.
 */
public final class Leader {
  /** How often an event is decided, at most, while the state changes under the decision. */
  private static final int STALE_TRIES = 100;

  private final World world;
  private final Containment faults;
  private final LongWaits waits = new LongWaits();

  /** Events of which nothing was committed, to be decided again with the next tick. */
  private final List<Event> again = new ArrayList<>();

  private final ArrayDeque<Event> due = new ArrayDeque<>();
  private long term;
  private boolean goesOn;
  private boolean ticks;

  /** Faults are told until one of them could not be; then with the next event. */
  private boolean tells;

  /** An entry may have been applied, or may yet be, whose actions nobody has begun. */
  private boolean outcomeUnknown;

  /** What comes of an event, or is needed for it. */
  public sealed interface Step {
    /**
     * @param committed whether it had anything to commit
     */
    record Done(Decision decision, boolean committed) implements Step {}

    /**
     * The entry is to be committed by a quorum, and the leader is told what became of it.
     *
     * @param on the state on which it was decided
     * @param tries how often the event was decided, this time too
     */
    record Propose(Event event, Decision decision, Entry entry, ClusterState on, int tries)
        implements Step {}

    /**
     * Nothing was committed, or nobody knows.
     *
     * @param fault empty unless it is a fault of ours
     */
    record NotDecided(String why, boolean outcomeUnknown, Optional<RuntimeException> fault)
        implements Step {}
  }

  public Leader(World world, Decider decider) {
    this.world = world;
    this.faults = new Containment(decider, world::failed);
  }

  /**
   * This voter leads from now on.
   *
   * @return to be handled before anything else
   */
  public Event elected(long newTerm, long generation) {
    deposed();
    term = newTerm;
    waits.elected();
    return new Event.LeaderElected(newTerm, generation, world.quorum(), world.instant());
  }

  /** This voter leads no more: the next leader takes up what is under way. */
  public void deposed() {
    again.clear();
    due.clear();
    goesOn = false;
    ticks = false;
    outcomeUnknown = false;
  }

  /** A second has passed. */
  public void tick() {
    due.addAll(again);
    again.clear();
    if (outcomeUnknown) {
      outcomeUnknown = false;
      due.add(new Event.OutcomeWasUnknown(world.quorum(), world.instant()));
    }
    ticks = true;
  }

  /** What is to be handled before any event from outside; empty if nothing is. */
  public Optional<Event> next() {
    if (goesOn) { // what had no room in one entry follows at once, and not with the next tick
      goesOn = false;
      return Optional.of(new Event.GoOn(world.instant()));
    }
    var fault = tells ? faults.toTell() : Optional.<Event>empty();
    if (fault.isPresent()) {
      return fault;
    }
    if (!due.isEmpty()) {
      return Optional.of(due.removeFirst());
    }
    if (ticks) {
      ticks = false;
      Instant at = world.instant();
      var lasting = waits.lasting(world.state(), world.nanos());
      return Optional.of(new Event.Tick(lasting, world.quorum(), at));
    }
    return Optional.empty();
  }

  /**
   * The decision on an event, of which nothing is committed or done.
   *
   * @throws RuntimeException if there is none, by a fault of ours
   */
  public Decision preview(Event event) {
    return faults.decide(world.state(), event, world.nanos());
  }

  /** An event has come, or was {@link #next}. */
  public Step take(Event event) {
    tells |= !(event instanceof Event.DecisionFailed);
    waits.heard(event);
    if (world.outdated(event)) {
      return new Step.Done(Decision.none("no longer true"), false);
    }
    if (event instanceof Event.BoundRanOut e) { // it counts what is seen within the bound
      long began = world.nanos() - e.bound().toNanos();
      world.proofTimes().gathered(e.host(), e.boot(), e.at(), began);
    }
    return decide(event, 1);
  }

  private Step decide(Event event, int tries) {
    var state = world.state();
    Decision decision;
    try {
      decision = faults.decide(state, event, world.nanos());
    } catch (RuntimeException e) {
      return fault(event, e);
    }
    if (decision.changes().isEmpty() && decision.facts().isEmpty()) {
      act(event, decision.actions());
      return new Step.Done(decision, false);
    }
    world.proposing(decision.changes());
    var no = world.leases().proposing(decision.changes(), state, world.nanos());
    if (no.isPresent()) {
      world.leases().refused(decision.changes());
      return notDecided(event, no.get(), false);
    }
    var changes = world.proofTimes().dated(decision.changes(), world.clocks());
    var entry = new Entry(Entry.FORMAT, state.version(), event.at(), changes, decision.facts());
    act(event, decision.ahead());
    return new Step.Propose(event, decision, entry, state, tries);
  }

  /** A quorum has the entry, and it changed the state. */
  public Step applied(Step.Propose p) {
    act(p.event(), p.decision().actions());
    goesOn = p.decision().more() && !p.decision().changes().isEmpty();
    return new Step.Done(p.decision(), true);
  }

  /** Another leader's last entry came between, and the entry changed nothing. */
  public Step stale(Step.Propose p) {
    world.leases().refused(p.decision().changes());
    return decideAgain(p);
  }

  /** The entry breaks a rule of the state, and changed nothing. */
  public Step broken(Step.Propose p, String rule) {
    world.leases().refused(p.decision().changes());
    try {
      faults.broken(p.on(), p.event(), rule, world.nanos());
    } catch (RuntimeException e) {
      return fault(p.event(), e);
    }
    return decideAgain(p);
  }

  private Step decideAgain(Step.Propose p) {
    return p.tries() < STALE_TRIES
        ? decide(p.event(), p.tries() + 1)
        : notDecided(p.event(), "the state changed too fast under the decision", true);
  }

  /** The entry was not applied, and certainly will not be. */
  public Step refused(Step.Propose p, String why) {
    world.leases().refused(p.decision().changes());
    return notDecided(p.event(), why, false);
  }

  /** The entry may yet be applied: what is withheld for it stays so in this term. */
  public Step unknown(Step.Propose p, String why) {
    return notDecided(p.event(), why, true);
  }

  private Step notDecided(Event event, String why, boolean unknown) {
    outcomeUnknown |= unknown;
    undecided(event, why);
    return new Step.NotDecided(why, unknown, Optional.empty());
  }

  private Step fault(Event event, RuntimeException fault) {
    world.failed(event, fault);
    undecided(event, "a fault of ours: " + fault);
    return new Step.NotDecided(String.valueOf(fault.getMessage()), false, Optional.of(fault));
  }

  private void undecided(Event event, String why) {
    if (event instanceof Event.DecisionFailed) {
      tells = false;
    } else {
      HaPolicy.again(event, why).ifPresent(again::add);
    }
  }

  private void act(Event event, List<? extends Action> actions) {
    for (var action : actions) {
      try {
        world.start(action, term);
      } catch (RuntimeException e) { // the other actions are not held up by it
        world.failed(event, e);
      }
    }
  }
}
