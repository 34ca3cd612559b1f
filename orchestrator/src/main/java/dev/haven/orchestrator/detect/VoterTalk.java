package dev.haven.orchestrator.detect;

import com.fasterxml.jackson.databind.JsonNode;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.VoterClock;
import dev.haven.core.lead.Standing;
import dev.haven.core.lead.Watch;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.raft.port.VoterBus;
import java.io.IOException;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What voters tell each other, on the wire: whom they have not heard, which kernels answered. */
final class VoterTalk {
  private static final Logger log = LoggerFactory.getLogger(VoterTalk.class);

  private static final long MILLI = 1_000_000;

  private final String self;
  private final Watch watch;
  private final VoterBus bus;
  private final Standings standings = new Standings();
  private volatile Supplier<Standing> standing = () -> Standing.NOTHING;
  private volatile Supplier<Optional<String>> sealedWith = Optional::empty;

  /**
   * Several times a second.
   *
   * @param ages of silences, in nanoseconds
   * @param quietMillis see {@link dev.haven.core.lead.HeardTable#quiet}
   * @param clock the sender's own, a moment before it is sent
   * @param ranMillis for how long the sender has not stood still; empty if it does not say
   */
  private record Digest(
      boolean counts,
      Map<String, Long> ages,
      Optional<Map<String, Long>> quietMillis,
      Optional<VoterClock> clock,
      Optional<Long> ranMillis) {
    Digest(Watch.Notes notes) {
      this(
          notes.counts(),
          named(notes.ages(), 1),
          Optional.of(named(notes.quiet(), MILLI)),
          notes.clock(),
          Optional.of(notes.ran() / MILLI));
    }

    Watch.Notes notes() {
      return new Watch.Notes(
          counts,
          hosts(ages, 1),
          hosts(quietMillis.orElse(Map.of()), MILLI),
          clock,
          ranMillis.orElse(0L) * MILLI);
    }
  }

  /**
   * Once a second.
   *
   * @param echoes how many seconds ago, rounded up, the last question was sent that each host's
   *     kernel answered
   */
  private record Echoes(Map<String, Long> echoes) {}

  /**
   * Once a second.
   *
   * @param devices how many seconds ago each power device said on, as {@link Watch#devices} has it
   */
  private record Devices(Map<String, Long> devices) {}

  VoterTalk(String self, Watch watch, VoterBus bus) {
    this.self = self;
    this.watch = watch;
    this.bus = bus;
    bus.onMessage(this::arrived);
  }

  private static Map<String, Long> named(Map<HostId, Long> ages, long unit) {
    var named = new TreeMap<String, Long>();
    ages.forEach((host, age) -> named.put(host.value(), age / unit));
    return named;
  }

  private static Map<HostId, Long> hosts(Map<String, Long> ages, long unit) {
    var hosts = new HashMap<HostId, Long>();
    ages.forEach((host, age) -> hosts.put(new HostId(host), age * unit));
    return hosts;
  }

  /** What this voter says of itself from now on; see {@link Standings#look}. */
  void tells(Supplier<Standing> own, Supplier<Optional<String>> sealed) {
    sealedWith = sealed;
    standing = own;
  }

  /** Tells the others whom this voter has not heard. */
  void tellAges(ClusterState s, long now) {
    var known = s.hosts().stream().map(Host::id).toList();
    bus.broadcast(Json.bytes(new Digest(watch.notes(known, now))));
  }

  /** Tells the others which kernels answered, what devices said, and how this voter is. */
  void tellEchoes(ClusterState s, long now) {
    for (var part : watch.echoes(s.hosts(), now)) {
      bus.broadcast(Json.bytes(new Echoes(part)));
    }
    for (var part : watch.devices(now)) {
      bus.broadcast(Json.bytes(new Devices(part)));
    }
    bus.broadcast(Json.bytes(standing.get()));
  }

  /** On the leader: whom of the voters a person has to help. */
  List<? extends Event> look(ClusterState s, List<String> voters, long now) {
    return standings.look(s, self, standing.get(), voters, sealedWith.get(), now, Instant.now());
  }

  private void arrived(String voter, byte[] message) {
    try {
      arrived(voter, Json.mapper().readTree(message), System.nanoTime());
    } catch (IOException | IllegalArgumentException e) {
      log.warn("voter {} sent a digest that cannot be read: {}", voter, e.getMessage());
    }
  }

  private void arrived(String voter, JsonNode tree, long now) throws IOException {
    if (tree.has("echoes")) {
      watch.echoed(hosts(Json.mapper().treeToValue(tree, Echoes.class).echoes(), 1), now);
    } else if (tree.has("devices")) {
      watch.devicesSaid(Json.mapper().treeToValue(tree, Devices.class).devices(), now);
    } else if (tree.has("secretsKey")) {
      standings.said(voter, Json.mapper().treeToValue(tree, Standing.class), now);
    } else {
      watch.noted(voter, Json.mapper().treeToValue(tree, Digest.class).notes(), now);
    }
  }
}
