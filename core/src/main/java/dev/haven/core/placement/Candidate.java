package dev.haven.core.placement;

import dev.haven.model.Capacity;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A host as placement sees it. Of a thousand such most are looked at once and rejected, so its
 * guests are only listed when a rule asks for them.
 */
public final class Candidate {
  /** More MiB and processors than any guest may have. */
  private static final int ROOMY = 1 << 27;

  private final HostSpec spec;
  private final Capacity capacity;
  private final String unable;
  private final long reservedMib;
  private final int vcpus;
  private final boolean ruled;
  private final long usableMib;
  private final double cpuLimit;
  private final Supplier<List<GuestSpec>> lister;
  private @Nullable List<GuestSpec> guests;

  /**
   * @param unable why it can take no guest at all; empty if it can
   * @param reservedMib by the guests that could run there
   * @param vcpus of those guests
   * @param ruled whether one of those guests has rules
   * @param guests lists those guests, for the rules; without the one that is placed
   */
  public Candidate(
      HostSpec spec,
      Capacity capacity,
      String unable,
      long reservedMib,
      int vcpus,
      boolean ruled,
      Supplier<List<GuestSpec>> guests) {
    this.spec = spec;
    this.capacity = capacity;
    this.unable = unable;
    this.reservedMib = reservedMib;
    this.vcpus = vcpus;
    this.ruled = ruled;
    this.usableMib = capacity.memoryMib() - spec.memoryReserveMib();
    this.cpuLimit = capacity.cpus() * spec.cpuOvercommit();
    this.lister = guests;
  }

  /** The same host with another guest on it. */
  public Candidate with(GuestSpec guest) {
    return new Candidate(
        spec,
        capacity,
        unable,
        reservedMib + reservedMib(guest),
        vcpus + guest.vcpus(),
        ruled || !guest.rules().isEmpty(),
        () -> {
          var more = new ArrayList<>(guests());
          more.add(guest);
          return more;
        });
  }

  /** The same host with other guests on it. */
  public Candidate with(List<GuestSpec> more) {
    var next = this;
    for (var guest : more) {
      next = next.with(guest);
    }
    return next;
  }

  /** The same host as if it took guests, for those that come back to it. */
  public Candidate able() {
    return new Candidate(spec, capacity, "", reservedMib, vcpus, ruled, this::guests);
  }

  /** The same host as if it had room for anybody: only rules and its machine types count then. */
  public Candidate roomy() {
    return new Candidate(spec, capacity, "", -ROOMY, -ROOMY, ruled, this::guests);
  }

  /** The same host without these guests, as far as they are there. */
  public Candidate without(Set<GuestId> some) {
    var gone = guests().stream().filter(g -> some.contains(g.id())).toList();
    if (gone.isEmpty()) {
      return this;
    }
    return new Candidate(
        spec,
        capacity,
        unable,
        reservedMib - gone.stream().mapToLong(Candidate::reservedMib).sum(),
        vcpus - gone.stream().mapToInt(GuestSpec::vcpus).sum(),
        ruled,
        () -> guests().stream().filter(g -> !some.contains(g.id())).toList());
  }

  public HostId id() {
    return spec.id();
  }

  /** What is left of its memory for guests, in MiB; negative if it has too many. */
  public long freeMib() {
    return usableMib() - reservedMib;
  }

  /** Virtual processors that it takes altogether. */
  double cpuLimit() {
    return cpuLimit;
  }

  public HostSpec spec() {
    return spec;
  }

  public Capacity capacity() {
    return capacity;
  }

  public String unable() {
    return unable;
  }

  public long reservedMib() {
    return reservedMib;
  }

  public int vcpus() {
    return vcpus;
  }

  boolean ruled() {
    return ruled;
  }

  List<GuestSpec> guests() {
    var known = guests;
    if (known == null) {
      known = List.copyOf(lister.get());
      guests = known;
    }
    return known;
  }

  /**
   * Memory that a guest takes from its host, in MiB: its own, and QEMU's for itself (measured at 40
   * to 100 MiB), a stack for each virtual processor, page tables.
   */
  public static long reservedMib(GuestSpec guest) {
    return guest.memoryMib() + 64 + 8L * guest.vcpus() + guest.memoryMib() / 128;
  }

  /** What of its memory guests may use, in MiB. */
  public long usableMib() {
    return usableMib;
  }
}
