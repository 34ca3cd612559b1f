package dev.haven.core.ha;

import dev.haven.model.Epoch;
import dev.haven.model.HostId;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Who holds something {@linkplain dev.haven.model.Exclusive exclusive}, and who may hold it next.
 *
 * @param epoch the highest ever given
 * @param holders the hosts that could run or write it as far as is proven
 * @param cleared the earlier holdings since it was last in use, each with the proof that took it
 *     away; the order to use it rests on those proofs
 */
public record Tenure(Epoch epoch, Map<HostId, Holding> holders, List<Cleared> cleared) {
  public Tenure {
    holders.forEach((host, of) -> Must.hold(of.host().equals(host), "host %s holds %s", host, of));
    holders =
        Collections.unmodifiableMap(new TreeMap<>(holders)); // in the same order on every voter
    cleared = List.copyOf(cleared);
  }

  /**
   * Nobody holds it.
   *
   * @param floor the highest epoch that something of its name may have had before
   */
  static Tenure none(Epoch floor) {
    return new Tenure(floor, Map.of(), List.of());
  }

  /** The proofs that took the earlier holders away. */
  public List<Proof> proofs() {
    return cleared.stream().map(Cleared::proof).toList();
  }

  /** Whether its host holds it so: under this boot and this epoch. */
  boolean has(Holding holding) {
    return holding.equals(holders.get(holding.host()));
  }

  /** Whether nobody else holds it. */
  public boolean hasOnly(Holding holding) {
    return holders.size() == 1 && has(holding);
  }

  /** A host is given it under an epoch that is the highest now. */
  Tenure heldBy(Holding holding) {
    var all = new TreeMap<>(holders);
    all.put(holding.host(), holding);
    return new Tenure(epoch.compareTo(holding.epoch()) < 0 ? holding.epoch() : epoch, all, cleared);
  }

  /** The host holds it no longer, by proof. */
  Tenure clearedOf(Holding holding, Proof proof) {
    var left = new TreeMap<>(holders);
    left.remove(holding.host());
    var all = new ArrayList<>(cleared);
    all.add(new Cleared(proof, holding));
    return new Tenure(epoch, left, all);
  }

  /** A proof is void: the host holds it again, and nothing rests on that proof any more. */
  Tenure restoredTo(Holding holding) {
    return heldBy(holding)
        .with(
            cleared.stream()
                .filter(
                    lost ->
                        !lost.holding().host().equals(holding.host())
                            || !lost.holding().boot().equals(holding.boot()))
                .toList());
  }

  /** It is in use: what took its earlier holders away is no longer needed. */
  Tenure inUse() {
    return with(List.of());
  }

  private Tenure with(List<Cleared> next) {
    return new Tenure(epoch, holders, next);
  }

  /** The next epoch is higher by so much. */
  Tenure lifted(long by) {
    return new Tenure(new Epoch(epoch.value() + by), holders, cleared);
  }
}
