package dev.haven.agent.guest;

import dev.haven.core.lease.SelfFencing;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import java.util.Optional;

/** Whether this host may run a guest, by its leases and what the next process would know. */
public record LeasedRight(HostLeases leases, SelfFencing rules) implements GuestKeeper.Right {
  @Override
  public Optional<String> missing(GuestId guest, Epoch epoch) throws InterruptedException {
    var no = leases.await(now -> leases.table().forbidsToRun(guest, epoch, now));
    return no.isPresent() ? no : rules.missing(guest, epoch, false, leases.now());
  }

  @Override
  public Optional<String> missingNow(GuestId guest, Epoch epoch) {
    return rules.missing(guest, epoch, true, leases.now());
  }

  @Override
  public void gone(GuestId guest, Epoch epoch) {
    rules.gone(guest, epoch);
  }

  @Override
  public Optional<String> noLease() throws InterruptedException {
    return leases.await(rules::forbidsToReceive);
  }
}
