package dev.haven.core.lead;

import dev.haven.model.HostId;
import java.util.Optional;

/** Signs of life of hosts, as one voter knows them. Times are its own monotonic nanoseconds. */
public interface Signs {
  /** A signed heartbeat or an answer of the host's kernel after this time, in words; or empty. */
  Optional<String> signOfLifeSince(HostId host, long since);

  /** A signed heartbeat that any voter has heard after this time, in words; or empty. */
  Optional<String> heardSince(HostId host, long since);
}
