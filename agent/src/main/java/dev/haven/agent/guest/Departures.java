package dev.haven.agent.guest;

import dev.haven.agent.guest.Hypervisor.Domain;
import dev.haven.agent.guest.Hypervisor.MigrationProgress;
import dev.haven.agent.guest.Hypervisor.MigrationResult;
import dev.haven.agent.guest.Hypervisor.Outcome;
import dev.haven.core.obey.Lanes;
import dev.haven.core.obey.Refusals;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.Time;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** Guests that migrate away: begins that once for each epoch, and says what became of it. */
final class Departures {
  private static final Duration ASK = Duration.ofSeconds(10);
  private static final Duration MIGRATION = Duration.ofHours(6);
  private static final Duration MIGRATION_STANDS_STILL = Duration.ofSeconds(150);
  private static final List<Duration> DOWNTIMES =
      List.of(
          Duration.ofMillis(50),
          Duration.ofMillis(150),
          Duration.ofMillis(500),
          Duration.ofMillis(1_500));

  private final Hypervisor hypervisor;
  private final Refusals book;
  private final LastWord word;
  private final Changes changes;
  private final boolean unsafeMigration;
  private final Time time;

  /** The last outgoing migration that libvirt itself reported as complete, by guest. */
  private final ConcurrentHashMap<String, DomainEvent.JobCompleted> migrated =
      new ConcurrentHashMap<>();

  Departures(
      Hypervisor hypervisor,
      Refusals book,
      LastWord word,
      Changes changes,
      boolean unsafeMigration,
      Time time) {
    this.hypervisor = hypervisor;
    this.book = book;
    this.word = word;
    this.changes = changes;
    this.unsafeMigration = unsafeMigration;
    this.time = time;
  }

  /** To be told of every event of libvirt's. */
  void heard(DomainEvent event) {
    switch (event) {
      case DomainEvent.JobCompleted job when job.success() -> migrated.put(job.domain(), job);
      case DomainEvent.Changed changed when changed.change() == DomainEvent.Change.STARTED ->
          migrated.remove(changed.domain());
      case DomainEvent.JobCompleted _,
          DomainEvent.Changed _,
          DomainEvent.IoError _,
          DomainEvent.Rebooted _,
          DomainEvent.WatchdogFired _,
          DomainEvent.Missed _ -> {}
    }
  }

  Answer abort(GuestId guest, Epoch epoch) {
    return switch (hypervisor.cancelMigration(guest.value(), epoch.value(), ASK)) {
      case Outcome.Done _ -> new Answer.Done("asked to stop; the migration's own answer tells");
      case Outcome.Already _, Outcome.Absent _ -> new Answer.Done("no migration is under way");
      case Outcome.Conflict c -> new Answer.Failed(c.reason());
      case Outcome.Failed f -> new Answer.Failed(f.message());
      case Outcome.Unavailable u -> new Answer.Unknown(u.reason());
      case Outcome.Unknown u -> new Answer.Unknown(u.reason());
    };
  }

  Answer migrate(Order.MigrateOut o, Lanes.Work work, GuestKeeper.Watch watch)
      throws IOException, InterruptedException {
    var name = o.guest().value();
    if (work.aborted()) {
      return new Answer.Failed("aborted before it began");
    }
    // an earlier process of ours may have begun it: its job is libvirt's and goes on
    boolean waited = false;
    long deadline = time.nanos() + MIGRATION.toNanos();
    while (true) {
      long seen = changes.count();
      switch (hypervisor.domain(name, ASK)) {
        case Hypervisor.Answer.Unknown<List<Domain>> u -> {
          return new Answer.Unknown(u.reason());
        }
        case Hypervisor.Answer.Known<List<Domain>> k -> {
          if (k.value().isEmpty() || !k.value().getFirst().report().state().active()) {
            return left(o, Duration.ZERO, Duration.ZERO, waited);
          }
          if (!k.value().getFirst().job()) {
            break;
          }
          if (time.nanos() - deadline > 0) {
            return new Answer.Unknown("a job of libvirt's does not end");
          }
          waited = true;
          changes.await(seen, Duration.ofMillis(200).toNanos());
          continue;
        }
      }
      break;
    }
    if (work.aborted()) {
      return new Answer.Failed("aborted before it began");
    }
    if (!book.begin(o.guest(), o.targetEpoch())) {
      return stayed(o, "its migration was begun before or called off, and it is still here");
    }
    migrated.remove(name);
    long begun = time.nanos();
    var result =
        hypervisor.migrate(
            new Hypervisor.MigrateOut(
                name,
                o.epoch().value(),
                o.targetEpoch().value(),
                o.targetUri(),
                migrationUri(o.targetAddress()),
                Math.toIntExact(o.bandwidthMibPerSecond()),
                true,
                unsafeMigration,
                DOWNTIMES,
                MIGRATION_STANDS_STILL,
                MIGRATION),
            new Hypervisor.MigrationWatcher() {
              @Override
              public void progress(MigrationProgress progress) {
                watch.progress(progress);
              }

              @Override
              public void gone(String evidence) {
                endedHere(o, Duration.ofNanos(time.nanos() - begun), evidence)
                    .ifPresent(watch::early);
              }
            });
    return switch (result) {
      case MigrationResult.Left l -> {
        migrated.remove(name);
        yield gone(o, l.total(), l.downtime());
      }
      case MigrationResult.Failed f -> failed(o, f);
      case MigrationResult.Refused r -> new Answer.Failed(r.reason());
      case MigrationResult.Unknown u -> new Answer.Unknown(u.reason());
    };
  }

  private Answer failed(Order.MigrateOut o, MigrationResult.Failed f) {
    if (f.here().isEmpty()) {
      return new Answer.Unknown(f.message());
    }
    var here = f.here().get();
    if (here.shutOff()) {
      return word.of(o.guest(), o.epoch(), Optional.of(f.message()));
    }
    return here.shared(false) == DomainState.RUNNING
        ? new Answer.Failed(f.message())
        : stayed(o, f.message());
  }

  /** It did not leave: it runs on, or what ended the migration late left it paused. */
  private Answer stayed(Order.MigrateOut o, String why) {
    return switch (hypervisor.domain(o.guest().value(), ASK)) {
      case Hypervisor.Answer.Unknown<List<Domain>> u -> new Answer.Unknown(why + "; " + u.reason());
      case Hypervisor.Answer.Known<List<Domain>> k -> {
        var here = k.value().stream().map(word::said).findFirst();
        if (here.isEmpty() || !here.get().state().active()) {
          yield word.of(o.guest(), o.epoch(), Optional.of(why));
        }
        if (here.get().job()) {
          yield new Answer.Unknown(why + "; a job of libvirt's has not ended");
        }
        yield here.get().state() == DomainState.RUNNING
            ? new Answer.Failed(why)
            : new Answer.StillThere(here.get());
      }
    };
  }

  /**
   * Its process here has ended after the switchover, a moment before libvirt's call returns: the
   * guest is paused until the target may let it run, so nothing else is waited for. What the kernel
   * says of the process is as good as libvirt's word.
   */
  private Optional<Answer> endedHere(Order.MigrateOut o, Duration total, String evidence) {
    try {
      book.refuse(o.guest(), o.epoch(), o.targetEpoch());
      return Optional.of(new Answer.Migrated(total, Optional.empty(), evidence));
    } catch (IOException e) {
      return Optional.empty(); // said when the migration has returned
    }
  }

  /** It is not here any more, and no call of ours has seen how it went. */
  private Answer left(Order.MigrateOut o, Duration total, Duration downtime, boolean waited) {
    var job = migrated.remove(o.guest().value());
    return waited && job != null
        ? gone(o, job.total(), job.downtime())
        : word.of(o.guest(), o.epoch(), Optional.empty());
  }

  private Answer gone(Order.MigrateOut o, Duration total, Duration downtime) {
    try {
      book.refuse(o.guest(), o.epoch(), o.targetEpoch());
    } catch (IOException e) {
      return new Answer.Unknown("it left, but this cannot be remembered on disk: " + e);
    }
    return switch (hypervisor.confirmGone(o.guest().value(), ASK)) {
      case Hypervisor.Gone.Confirmed c ->
          new Answer.Migrated(
              total, downtime.isZero() ? Optional.empty() : Optional.of(downtime), c.evidence());
      case Hypervisor.Gone.StillThere s -> word.stillThere(o.guest(), s);
      case Hypervisor.Gone.Unknown u -> new Answer.Unknown(u.reason());
    };
  }

  Answer movedBefore(Order.MigrateOut o) {
    return gone(o, Duration.ZERO, Duration.ZERO);
  }

  private static String migrationUri(String address) {
    if (address.isEmpty()) {
      return "";
    }
    return "tcp://" + (address.contains(":") ? "[" + address + "]" : address);
  }
}
