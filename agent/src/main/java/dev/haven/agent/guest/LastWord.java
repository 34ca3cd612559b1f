package dev.haven.agent.guest;

import dev.haven.agent.guest.Hypervisor.Domain;
import dev.haven.core.obey.Refusals;
import dev.haven.model.DomainReport;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.wire.Answer;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.slf4j.Logger;

/**
 * What is said of a guest that is no longer here, or still is.
 *
 * <p>The agent's word that a guest is gone is given only in this order: the refusal is on disk,
 * then libvirt is asked, then it says that the guest is off with no job left.
 */
record LastWord(Hypervisor hypervisor, Refusals book, GuestKeeper.Right right, Logger log) {
  private static final Duration ASK = Duration.ofSeconds(10);

  /** Refuses the epoch from now on and then asks libvirt whether the guest is gone. */
  Answer of(GuestId guest, Epoch epoch, Optional<String> failure) {
    try {
      book.refuse(guest, epoch);
    } catch (IOException e) {
      return new Answer.NotNoted(
          "the refusal cannot be noted on disk (%s). Look at the disk of this host's agent (its data directory)"
              .formatted(e.getMessage()));
    }
    return switch (hypervisor.confirmGone(guest.value(), ASK)) {
      case Hypervisor.Gone.Confirmed c -> {
        nothingWaits(guest, epoch);
        yield new Answer.Gone(c.evidence(), failure);
      }
      case Hypervisor.Gone.StillThere s -> stillThere(guest, s);
      case Hypervisor.Gone.Unknown u ->
          new Answer.Unknown(failure.map(f -> f + "; ").orElse("") + u.reason());
    };
  }

  /** Else the next process would take it for a guest that libvirt may yet let run. */
  private void nothingWaits(GuestId guest, Epoch epoch) {
    right.gone(guest, epoch); // first: the book knows of calls of earlier processes until then
    try {
      book.gone(guest, epoch);
    } catch (IOException e) {
      log.warn("guest {} is gone, but this cannot be noted on disk: {}", guest, e.toString());
    }
  }

  Answer stillThere(GuestId guest, Hypervisor.Gone.StillThere s) {
    return new Answer.StillThere(
        book.said(
            new DomainReport(
                guest.value(),
                s.state().shared(false),
                new Epoch(s.epoch().orElse(0)),
                s.state().shutOff(),
                s.reason())));
  }

  Answer still(GuestId guest, OptionalLong epoch, String reason) {
    return switch (hypervisor.domain(guest.value(), ASK)) {
      case Hypervisor.Answer.Known<List<Domain>> k when !k.value().isEmpty() ->
          new Answer.StillThere(said(k.value().getFirst()));
      case Hypervisor.Answer.Known<List<Domain>> _, Hypervisor.Answer.Unknown<List<Domain>> _ ->
          new Answer.Unknown(
              reason + (epoch.isPresent() ? " (epoch " + epoch.getAsLong() + ")" : ""));
    };
  }

  /** What libvirt says of a domain, with what only this host knows; that it runs is remembered. */
  DomainReport said(Domain domain) {
    return said(book, domain, log);
  }

  static DomainReport said(Refusals book, Domain domain, Logger log) {
    var report = domain.report();
    if (domain.state().run() == LibvirtState.Run.RUNNING) {
      try {
        book.seenRunning(report);
      } catch (IOException e) {
        log.error("{} runs, but this cannot be noted on disk: {}", report.name(), e.toString());
      }
    }
    return book.said(report);
  }
}
