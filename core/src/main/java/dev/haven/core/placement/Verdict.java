package dev.haven.core.placement;

import dev.haven.model.HostId;
import java.util.List;

/**
 * What placement says of one host for one guest.
 *
 * @param fits whether it could go there
 * @param score larger is better; counts only if it fits
 * @param reasons against it if it does not fit, else what made the score
 */
public record Verdict(HostId host, boolean fits, double score, List<String> reasons) {
  public Verdict {
    reasons = List.copyOf(reasons);
  }
}
