package dev.haven.agent.guest;

import dev.haven.agent.guest.Hypervisor.Domain;
import dev.haven.agent.guest.Hypervisor.MigrationProgress;
import dev.haven.agent.guest.Hypervisor.Outcome;
import dev.haven.core.obey.Lanes;
import dev.haven.core.obey.Refusals;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.DomainXml;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.Time;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.slf4j.Logger;

/** Does with libvirt what one order says, and answers with no more than libvirt has said. */
public class GuestKeeper {
  private static final Duration ASK = Duration.ofSeconds(10);
  private static final Duration LOOK = Duration.ofSeconds(2);
  private static final Duration CHANGE = Duration.ofSeconds(60);

  /** libvirtd is restarted within this, or the order is given up. */
  private static final Duration LIBVIRT_BACK = Duration.ofSeconds(10);

  /** A guest that is still booting ignores the first request to shut down. */
  private static final Duration SHUTDOWN_AGAIN = Duration.ofSeconds(5);

  /** libvirt's own end of a migration takes 0.2 s where all is well. */
  private static final Duration ARRIVAL = Duration.ofSeconds(20);

  private static final Duration LOOK_AGAIN = Duration.ofMillis(5);

  private final Hypervisor hypervisor;
  private final Refusals book;
  private final LastWord word;
  private final Departures departures;

  /** The epoch under which each guest was last started by this process, and came up. */
  private final Map<GuestId, Epoch> started = new ConcurrentHashMap<>();

  private final Changes changes;
  private final Right right;
  private final Time time;
  private final Logger log;

  /** Whether this host may run a guest, asked right before it is let run. */
  public interface Right {
    /**
     * @return why not; empty if it may
     */
    Optional<String> missing(GuestId guest, Epoch epoch) throws InterruptedException;

    /** The same, without waiting; asked on the thread that lets it run, at the last moment. */
    Optional<String> missingNow(GuestId guest, Epoch epoch);

    /**
     * libvirt and the kernel have said that nothing of this epoch or an older one is left here:
     * what runs under that name from now on is not Haven's.
     */
    void gone(GuestId guest, Epoch epoch);

    /**
     * Whether a guest may be sent here; waits a moment for a lease, whichever guests it names.
     *
     * @return why not; empty if it may
     */
    Optional<String> noLease() throws InterruptedException;
  }

  /** Asked by the adapter of libvirt right before it creates a guest or lets it run. */
  private Hypervisor.Permit permit(GuestId guest, Epoch epoch, boolean arrived) {
    return new Hypervisor.Permit() {
      @Override
      public Optional<String> toCreate() {
        var no = right.missingNow(guest, epoch);
        if (no.isPresent()) {
          return no;
        }
        try {
          // before it is there: the next process takes it neither for its owner's pause nor lets it
          // run without an order
          book.creating(guest, epoch);
          return Optional.empty();
        } catch (IOException e) {
          return Optional.of("guest %s cannot be remembered on disk: %s".formatted(guest, e));
        }
      }

      @Override
      public Optional<String> toRun() {
        if (arrived) {
          try {
            book.arrived(guest, epoch);
          } catch (IOException e) {
            return Optional.of("guest %s cannot be remembered on disk: %s".formatted(guest, e));
          }
        }
        return right.missingNow(guest, epoch);
      }
    };
  }

  /** It runs: what pauses it from now on is not its start. */
  private void started(GuestId guest, Epoch epoch) {
    started.put(guest, epoch);
    letRun(guest, epoch);
  }

  private void letRun(GuestId guest, Epoch epoch) {
    try {
      book.runs(guest, epoch);
    } catch (IOException e) {
      log.error("guest {} runs, but this cannot be noted on disk: {}", guest, e.toString());
    }
  }

  /**
   * @param unsafeMigration libvirt need not check whether the storage stands a migration
   */
  public GuestKeeper(
      Hypervisor hypervisor,
      Refusals book,
      Changes changes,
      boolean unsafeMigration,
      Right right,
      Time time,
      Logger log) {
    this.right = right;
    this.hypervisor = hypervisor;
    this.book = book;
    this.changes = changes;
    this.time = time;
    this.log = log;
    this.word = new LastWord(hypervisor, book, right, log);
    this.departures = new Departures(hypervisor, book, word, changes, unsafeMigration, time);
  }

  /** To be told of every event of libvirt's. */
  public void heard(DomainEvent event) {
    departures.heard(event);
  }

  /** What libvirt says of a domain, with what only this host knows; that it runs is remembered. */
  public static DomainReport said(Refusals book, Domain domain, Logger log) {
    return LastWord.said(book, domain, log);
  }

  /**
   * @throws IOException if what must be remembered first cannot be written; nothing was touched
   */
  public Answer obey(Lanes.Work work, Watch watch) throws IOException, InterruptedException {
    return switch (work.order()) {
      case Order.StartGuest o -> admitted(o.guest(), o.epoch(), () -> start(o));
      case Order.ResumeGuest o -> admitted(o.guest(), o.epoch(), () -> resume(o));
      case Order.Precheck o -> { // only asked: the epoch may never begin
        var no = book.check(o.guest(), o.epoch(), false);
        if (no.isPresent()) {
          yield new Answer.Refused(no.get());
        }
        book.tryDisk();
        yield precheck(o);
      }
      case Order.AbortMigration o ->
          admitted(
              o.guest(),
              o.epoch(),
              () -> {
                book.begin(o.guest(), o.targetEpoch());
                return departures.abort(o.guest(), o.epoch());
              });
      case Order.MigrateOut o ->
          book.moved(o.guest(), o.epoch(), o.targetEpoch())
              ? departures.movedBefore(o)
              : admitted(o.guest(), o.epoch(), () -> departures.migrate(o, work, watch));
      // these three start nothing, and their answer may have been lost: welcome once more
      case Order.StopGuest o -> {
        var no = admit(o.guest(), o.epoch(), true);
        yield no.isPresent() ? new Answer.Refused(no.get()) : stop(o, work);
      }
      case Order.ForgetGuest o -> {
        var no = admit(o.guest(), o.epoch(), true);
        yield no.isPresent() ? new Answer.Refused(no.get()) : forget(o);
      }
      case Order.PauseGuest o -> pause(o); // of one epoch only, which is never right again
      case Order.ConfirmGone o -> {
        var no = book.check(o.guest(), o.refuse(), true);
        yield no.isPresent() ? new Answer.Refused(no.get()) : confirmGone(o);
      }
    };
  }

  /** Hears what is worth knowing before an order has ended. */
  public interface Watch {
    void progress(MigrationProgress progress);

    /** The answer is certain already; the end of the call only tidies up. */
    void early(Answer answer);
  }

  private interface Act {
    Answer now() throws IOException, InterruptedException;
  }

  private Answer admitted(GuestId guest, Epoch epoch, Act act)
      throws IOException, InterruptedException {
    var no = admit(guest, epoch, false);
    return no.isPresent() ? new Answer.Refused(no.get()) : act.now();
  }

  private Optional<String> admit(GuestId guest, Epoch epoch, boolean refusedToo)
      throws IOException {
    return book.admit(
        guest,
        epoch,
        refusedToo,
        book.seen(guest, epoch) ? Refusals.Here.YES : isHereBefore(guest, epoch));
  }

  /** Asks a migration that is under way to end. */
  public Answer abort(GuestId guest, Epoch epoch) {
    return departures.abort(guest, epoch);
  }

  /** The leader has said that this host is given it under this epoch. */
  public void expect(GuestId guest, Epoch epoch) throws IOException {
    var _ = admit(guest, epoch, false);
  }

  /** A new order book, after the old one was lost, knows of no guest that is here. */
  private Refusals.Here isHereBefore(GuestId guest, Epoch epoch) {
    return Refusals.Here.of(
        hypervisor.domain(guest.value(), LOOK)
                instanceof Hypervisor.Answer.Known<List<Domain>> known
            ? Optional.of(known.value().stream().map(Domain::report).toList())
            : Optional.empty(),
        epoch);
  }

  private Answer start(Order.StartGuest o) throws InterruptedException {
    var name = o.guest().value();
    if (o.epoch().equals(started.get(o.guest())) && isOff(name)) {
      // given again because our answer may have been lost; meanwhile it has crashed or shut itself
      // down, and what follows from that is not for us to say
      return word.of(o.guest(), o.epoch(), Optional.of("it has ended since it was started"));
    }
    var outcome =
        whenBack(
            o.guest(),
            o.epoch(),
            () ->
                hypervisor.start(
                    new Hypervisor.GuestStart(
                        name,
                        o.epoch().value(),
                        o.domainXml(),
                        o.epoch().equals(book.created().get(o.guest()))),
                    permit(o.guest(), o.epoch(), false),
                    CHANGE));
    return switch (outcome) {
      case Outcome.Done _ -> {
        started(o.guest(), o.epoch());
        yield new Answer.Done("started");
      }
      case Outcome.Already _ -> {
        started(o.guest(), o.epoch());
        yield new Answer.Done("ran already");
      }
      case Outcome.Failed f -> {
        var gone = word.of(o.guest(), o.epoch(), Optional.of(f.message()));
        yield gone instanceof Answer.Gone g && diskLocked(f.message())
            ? new Answer.Gone(g.detail(), g.failure(), Optional.of(Answer.Cause.DISK_LOCKED))
            : gone;
      }
      case Outcome.Absent _ ->
          word.of(o.guest(), o.epoch(), Optional.of("libvirt lost its definition"));
      case Outcome.Conflict c -> new Answer.Failed(c.reason());
      case Outcome.Unavailable u -> new Answer.Unknown(u.reason());
      case Outcome.Unknown u -> new Answer.Unknown(u.reason());
    };
  }

  private boolean isOff(String name) {
    return hypervisor.domain(name, ASK) instanceof Hypervisor.Answer.Known<List<Domain>> known
        && known.value().stream().noneMatch(d -> d.report().state().active());
  }

  /** QEMU's image locks, and libvirt's own disk leases (virtlockd, sanlock). */
  public static boolean diskLocked(String message) {
    return (message.contains("Failed to get") && message.contains("lock"))
        || message.contains("Lockspace resource");
  }

  private Answer resume(Order.ResumeGuest o) throws InterruptedException {
    var name = o.guest().value();
    long began = time.nanos();
    boolean triedAgain = false;
    while (true) {
      long seen = changes.count();
      var outcome =
          whenBack(
              o.guest(),
              o.epoch(),
              () ->
                  hypervisor.resume(
                      name,
                      o.epoch().value(),
                      o.arrived(),
                      permit(o.guest(), o.epoch(), o.arrived()),
                      CHANGE));
      if (outcome instanceof Outcome.Failed f) {
        if (!arriving(name)) {
          if (!triedAgain) { // it may have ended between the two calls
            triedAgain = true;
            continue;
          }
          return new Answer.Failed(f.message());
        }
        // it is all here, and libvirt is about to end the migration: its pause lasts until then
        long waited = time.nanos() - began;
        if (waited > ARRIVAL.toNanos()) {
          return new Answer.Unknown("its migration does not end: " + f.message());
        }
        changes.await(seen, Math.max(LOOK_AGAIN.toNanos(), waited / 10));
        continue;
      }
      return resumed(o, outcome);
    }
  }

  private Answer resumed(Order.ResumeGuest o, Outcome outcome) {
    return switch (outcome) {
      case Outcome.Done _ -> {
        letRun(o.guest(), o.epoch());
        yield new Answer.Done("runs");
      }
      case Outcome.Already _ -> {
        if (o.arrived()) {
          letRun(o.guest(), o.epoch());
        }
        yield new Answer.Done(o.arrived() ? "ran already" : "ran already, or its owner paused it");
      }
      case Outcome.Absent _ -> new Answer.Failed("libvirt knows no domain of this name");
      case Outcome.Conflict c -> new Answer.Failed(c.reason());
      case Outcome.Failed f -> new Answer.Failed(f.message());
      case Outcome.Unavailable u -> new Answer.Unknown(u.reason());
      case Outcome.Unknown u -> new Answer.Unknown(u.reason());
    };
  }

  private boolean arriving(String name) {
    return hypervisor.domain(name, ASK) instanceof Hypervisor.Answer.Known<List<Domain>> known
        && known.value().stream().anyMatch(d -> d.report().state() == DomainState.INCOMING);
  }

  private Answer precheck(Order.Precheck o) throws InterruptedException {
    var name = o.guest().value();
    // its bound may be over already: whatever arrived here then would outlive it
    var cutOff = right.noLease();
    if (cutOff.isPresent()) {
      return new Answer.Failed(cutOff.get());
    }
    switch (hypervisor.domain(name, ASK)) {
      case Hypervisor.Answer.Unknown<List<Domain>> u -> {
        return new Answer.Unknown(u.reason());
      }
      case Hypervisor.Answer.Known<List<Domain>> k -> {
        for (var here : k.value()) {
          if (here.report().state().active()) {
            return new Answer.Failed("a domain of this name is here already: " + here.state());
          }
        }
      }
    }
    switch (hypervisor.obstacles(o.domainXml(), ASK)) {
      case Hypervisor.Answer.Unknown<List<String>> u -> {
        return new Answer.Unknown(u.reason());
      }
      case Hypervisor.Answer.Known<List<String>> k -> {
        if (!k.value().isEmpty()) {
          return new Answer.Failed(String.join("; ", k.value()));
        }
      }
    }
    return switch (hypervisor.host(ASK)) {
      case Hypervisor.Answer.Unknown<Hypervisor.HostReport> u -> new Answer.Unknown(u.reason());
      case Hypervisor.Answer.Known<Hypervisor.HostReport> k -> {
        long needed = memoryMib(o);
        yield needed > k.value().memoryFreeMib()
            ? new Answer.Failed(
                "it needs %d MiB of memory and %d MiB are free"
                    .formatted(needed, k.value().memoryFreeMib()))
            : new Answer.Done("nothing is in its way");
      }
    };
  }

  /** As the definition says; 0 if it says nothing that libvirt would take: that is for libvirt. */
  private static long memoryMib(Order.Precheck o) {
    try {
      return DomainXml.parse("guest " + o.guest(), o.domainXml()).memoryMib().orElse(0L);
    } catch (IllegalArgumentException e) {
      return 0;
    }
  }

  private Answer stop(Order.StopGuest o, Lanes.Work work) throws InterruptedException {
    var name = o.guest().value();
    long deadline = time.nanos() + o.grace().toNanos();
    long askAgain = time.nanos();
    while (true) {
      long seen = changes.count();
      Domain here;
      switch (hypervisor.domain(name, ASK)) {
        case Hypervisor.Answer.Unknown<List<Domain>> u -> {
          return new Answer.Unknown(u.reason());
        }
        case Hypervisor.Answer.Known<List<Domain>> k -> {
          if (k.value().isEmpty() || !k.value().getFirst().report().state().active()) {
            return word.of(o.guest(), o.epoch(), Optional.empty());
          }
          here = k.value().getFirst();
        }
      }
      long now = time.nanos();
      boolean listens =
          switch (here.report().state()) {
            case RUNNING, SHUTTING_DOWN -> true;
            default -> false; // a paused guest hears nothing
          };
      if (!listens || work.hurried() || now - deadline >= 0) {
        break;
      }
      if (now - askAgain >= 0) {
        var asked = hypervisor.shutdown(name, o.epoch().value(), ASK);
        if (asked instanceof Outcome.Conflict) {
          return new Answer.StillThere(word.said(here));
        }
        askAgain = now + SHUTDOWN_AGAIN.toNanos();
      }
      changes.await(
          seen,
          Math.min(deadline - now, Math.min(askAgain - now, Duration.ofSeconds(1).toNanos())));
    }
    return destroy(o.guest(), o.epoch(), o.epoch());
  }

  /**
   * @param here the epoch of the domain that is to go
   */
  private Answer destroy(GuestId guest, Epoch epoch, Epoch here) throws InterruptedException {
    var outcome = whenBack(() -> hypervisor.destroy(guest.value(), here.value(), CHANGE));
    return switch (outcome) {
      case Outcome.Done _, Outcome.Already _, Outcome.Absent _ ->
          word.of(guest, epoch, Optional.empty());
      case Outcome.Conflict c -> word.still(guest, c.epochHere(), c.reason());
      case Outcome.Failed f -> word.still(guest, OptionalLong.of(here.value()), f.message());
      case Outcome.Unavailable u -> new Answer.Unknown(u.reason());
      case Outcome.Unknown u -> new Answer.Unknown(u.reason());
    };
  }

  private Answer confirmGone(Order.ConfirmGone o) throws IOException, InterruptedException {
    var name = o.guest().value();
    Optional<Domain> here;
    switch (hypervisor.domain(name, ASK)) {
      case Hypervisor.Answer.Unknown<List<Domain>> u -> {
        if (o.destroy()) {
          book.refuse(o.guest(), o.refuse()); // nothing may start meanwhile
        }
        return new Answer.Unknown(u.reason());
      }
      case Hypervisor.Answer.Known<List<Domain>> k -> here = k.value().stream().findFirst();
    }
    var active = here.filter(d -> d.report().state().active());
    if (active.isEmpty()) {
      return word.of(o.guest(), o.refuse(), Optional.empty());
    }
    var report = word.said(active.get());
    if (!o.destroy()) {
      return new Answer.StillThere(report);
    }
    if (report.epoch().equals(Epoch.NONE) || report.epoch().compareTo(o.refuse()) > 0) {
      // not ours, or younger than what is meant: an operator's or a newer leader's
      return new Answer.StillThere(report);
    }
    book.refuse(o.guest(), o.refuse());
    return destroy(o.guest(), o.refuse(), report.epoch());
  }

  private Answer pause(Order.PauseGuest o) throws InterruptedException {
    return switch (hypervisor.suspend(o.guest().value(), o.epoch().value(), CHANGE)) {
      case Outcome.Done _, Outcome.Already _ -> new Answer.Done("paused");
      case Outcome.Absent _, Outcome.Conflict _ -> new Answer.Done("there is no such copy");
      case Outcome.Failed f -> new Answer.Failed(f.message());
      case Outcome.Unavailable u -> new Answer.Unknown(u.reason());
      case Outcome.Unknown u -> new Answer.Unknown(u.reason());
    };
  }

  private Answer forget(Order.ForgetGuest o) throws IOException, InterruptedException {
    started.remove(o.guest());
    var name = o.guest().value();
    var outcome = hypervisor.undefine(name, o.epoch().value(), ASK);
    if (outcome instanceof Outcome.Conflict c
        && c.epochHere().isPresent()
        && c.epochHere().getAsLong() < o.epoch().value()) {
      // left here by an earlier owner's turn
      outcome = hypervisor.undefine(name, c.epochHere().getAsLong(), ASK);
    }
    return switch (outcome) {
      case Outcome.Done _, Outcome.Already _, Outcome.Absent _ -> {
        if (hypervisor.confirmGone(name, ASK) instanceof Hypervisor.Gone.Confirmed) {
          right.gone(o.guest(), o.epoch()); // also where it has only left for another host
        }
        book.forget(o.guest());
        yield new Answer.Done("forgotten");
      }
      case Outcome.Conflict c -> new Answer.Failed(c.reason());
      case Outcome.Failed f -> new Answer.Failed(f.message());
      case Outcome.Unavailable u -> new Answer.Unknown(u.reason());
      case Outcome.Unknown u -> new Answer.Unknown(u.reason());
    };
  }

  /** Tries again while libvirt is away and nothing was sent, for as long as its restart takes. */
  private Outcome whenBack(Supplier<Outcome> call) throws InterruptedException {
    return whenBack(Optional::empty, call);
  }

  /** The same for what lets a guest run: it needs a lease at every try. */
  private Outcome whenBack(GuestId guest, Epoch epoch, Supplier<Outcome> call)
      throws InterruptedException {
    return whenBack(() -> right.missing(guest, epoch), call);
  }

  private interface Gate {
    /**
     * @return why it must not be tried; empty if it may
     */
    Optional<String> closed() throws InterruptedException;
  }

  private Outcome whenBack(Gate gate, Supplier<Outcome> call) throws InterruptedException {
    long deadline = time.nanos() + LIBVIRT_BACK.toNanos();
    while (true) {
      long seen = changes.count();
      var no = gate.closed();
      if (no.isPresent()) {
        return new Outcome.Unavailable(no.get());
      }
      var outcome = call.get();
      if (!(outcome instanceof Outcome.Unavailable) || time.nanos() - deadline > 0) {
        return outcome;
      }
      changes.await(seen, Duration.ofMillis(200).toNanos());
    }
  }
}
