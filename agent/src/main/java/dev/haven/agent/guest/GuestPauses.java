package dev.haven.agent.guest;

import dev.haven.agent.guest.Hypervisor.Domain;
import dev.haven.agent.guest.Hypervisor.Outcome;
import dev.haven.core.lease.SelfFencing;
import dev.haven.model.DomainReport;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import org.slf4j.Logger;

/** Pauses guests for want of a lease, and lets them go on, with libvirt. */
public final class GuestPauses implements SelfFencing.Guests {
  private static final Duration ASK = Duration.ofMillis(800);

  /** More for each guest that is asked about at once. */
  private static final Duration ASK_EACH = Duration.ofMillis(30);

  private static final Duration SUSPEND = Duration.ofSeconds(2);

  /** Pauses that count for how long one takes. */
  private static final int PAUSES = 64;

  private static final Pattern DISK =
      Pattern.compile("<disk\\b[^>]*/>|<disk\\b.*?</disk>", Pattern.DOTALL);
  private static final Pattern DIRECT =
      Pattern.compile("<driver\\b[^>]*\\bcache=['\"](none|directsync)['\"]");

  private final Hypervisor hypervisor;
  private final Missing missing;
  private final LongSupplier clock;
  private final Logger log;

  /** What the calls took that paused guests of late. */
  private final ArrayDeque<Duration> pauses = new ArrayDeque<>();

  /** {@link SelfFencing#missing}, of a call that counts as sent. */
  public interface Missing {
    Optional<String> now(GuestId guest, Epoch epoch);
  }

  /**
   * @param clock nanoseconds of the boot's own clock
   */
  public GuestPauses(Hypervisor hypervisor, Missing missing, LongSupplier clock, Logger log) {
    this.hypervisor = hypervisor;
    this.missing = missing;
    this.clock = clock;
    this.log = log;
  }

  /** What one such call takes; empty before the first. */
  public Optional<Duration> mean() {
    synchronized (pauses) {
      return pauses.stream().reduce(Duration::plus).map(all -> all.dividedBy(pauses.size()));
    }
  }

  @Override
  public Optional<List<DomainReport>> look(Set<GuestId> guests) {
    var within = ASK.plus(ASK_EACH.multipliedBy(guests.size()));
    var answer =
        guests.size() == 1
            ? hypervisor.domain(guests.iterator().next().value(), within)
            : hypervisor.domains(within);
    return answer instanceof Hypervisor.Answer.Known<List<Domain>> known
        ? Optional.of(known.value().stream().map(Domain::report).toList())
        : Optional.empty();
  }

  @Override
  public boolean destroy(GuestId id, Epoch epoch) {
    log.warn("guest {}: its arrival is ended for want of a lease", id);
    return hypervisor.endArrival(id.value(), epoch.value(), SUSPEND) instanceof Outcome.Done;
  }

  @Override
  public void cancelMigration(GuestId id, Epoch epoch) {
    hypervisor.cancelMigration(id.value(), epoch.value(), ASK);
  }

  @Override
  public boolean suspend(GuestId id, Epoch epoch) {
    log.warn("guest {} is paused: its lease has ended", id);
    long from = clock.getAsLong();
    var outcome = hypervisor.suspend(id.value(), epoch.value(), SUSPEND);
    if (outcome instanceof Outcome.Done) {
      took(Duration.ofNanos(clock.getAsLong() - from));
    }
    return outcome instanceof Outcome.Done || outcome instanceof Outcome.Already;
  }

  @Override
  public boolean resume(GuestId id, Epoch epoch) {
    var outcome =
        hypervisor.resume(
            id.value(),
            epoch.value(),
            true,
            new Hypervisor.Permit() {
              @Override
              public Optional<String> toCreate() {
                return Optional.of("it is here");
              }

              @Override
              public Optional<String> toRun() {
                return missing.now(id, epoch);
              }
            },
            SUSPEND);
    log.info("guest {} has a lease again and goes on: {}", id, outcome);
    return outcome instanceof Outcome.Done || outcome instanceof Outcome.Already;
  }

  @Override
  public boolean ended(GuestId id) {
    var left = hypervisor.stray(id.value());
    left.ifPresent(why -> log.warn("guest {} may run without a lease: {}", id, why));
    return left.isEmpty();
  }

  /** Looked at each time: a disk may have been attached since. */
  @Override
  public boolean bypassesCache(GuestId id) {
    if (!(hypervisor.definition(id.value(), ASK) instanceof Hypervisor.Answer.Known<String> xml)) {
      return false;
    }
    if (!allDirect(xml.value())) {
      log.warn(
          "guest {}: a disk of it is written through the host's page cache, so a pause proves"
              + " nothing; give it cache='none'",
          id);
      return false;
    }
    return true;
  }

  @Override
  public Map<GuestId, Epoch> sent() {
    var all = new TreeMap<GuestId, Epoch>();
    hypervisor
        .letRun()
        .forEach(
            (name, epoch) ->
                SelfFencing.guest(name).ifPresent(id -> all.put(id, new Epoch(epoch))));
    return all;
  }

  private void took(Duration pause) {
    synchronized (pauses) {
      pauses.addLast(pause);
      if (pauses.size() > PAUSES) {
        pauses.removeFirst();
      }
    }
  }

  public static boolean allDirect(String domainXml) {
    return DISK.matcher(domainXml)
        .results()
        .map(java.util.regex.MatchResult::group)
        .filter(disk -> !disk.contains("<readonly"))
        .allMatch(disk -> DIRECT.matcher(disk).find());
  }
}
