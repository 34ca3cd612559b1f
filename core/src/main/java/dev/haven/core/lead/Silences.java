package dev.haven.core.lead;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.model.HostId;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The part of a {@link Watch} that judges silences: inquiries, and what the leader hears of them.
 */
final class Silences {
  /**
   * Evidence is gathered from here on, so that it is there when a silence has lasted long enough to
   * count.
   */
  private static final long EVIDENCE_FROM_NANOS = 600_000_000L;

  private final Watch.Voter voter;
  private final HeardTable table;
  private final Leases leases;
  private final Asking asking;
  private final EchoMemory echoes;
  private final Map<HostId, Inquiry> inquiries = new ConcurrentHashMap<>();

  Silences(Watch.Voter voter, HeardTable table, Leases leases, Asking asking, EchoMemory echoes) {
    this.voter = voter;
    this.table = table;
    this.leases = leases;
    this.asking = asking;
    this.echoes = echoes;
  }

  boolean inquires(HostId host) {
    return inquiries.containsKey(host);
  }

  /** All inquiries end. */
  void end() {
    inquiries.values().forEach(Inquiry::end);
    inquiries.clear();
  }

  private void end(HostId host) {
    var over = inquiries.remove(host);
    if (over != null) {
      over.end();
    }
  }

  Watch.Findings look(Collection<Host> hosts, long now, Instant at) {
    if (!voter.leads()) {
      end();
      return Watch.Findings.NONE;
    }
    var s = voter.state();
    var voters = voter.voters();
    var events = new ArrayList<Event>();
    var begun = new ArrayList<Inquiry>();
    for (var host : hosts) {
      var id = host.id();
      boolean suspect = host.state() instanceof HostState.Suspect;
      // while its power is cut its kernel is asked all along: an answer contradicts the device
      boolean fencing = host.state() instanceof HostState.Fencing;
      long silence = host.online() || suspect || fencing ? table.silence(id, voters, now) : 0;
      if (fencing || suspect) {
        boundRanOut(host, now, at).ifPresent(events::add);
      }
      if (silence < EVIDENCE_FROM_NANOS && !fencing) {
        end(id);
        continue;
      }
      var inquiry = inquiries.get(id);
      if (inquiry == null) {
        inquiry = new Inquiry(host, echoes, now);
        inquiries.put(id, inquiry);
        begun.add(inquiry);
      }
      if (silence >= s.policy().powerLossAfter().toNanos() && !fencing) {
        silent(s, inquiry, host, silence, now, at).ifPresent(events::add);
      }
    }
    inquiries.keySet().stream().filter(h -> s.host(h).isEmpty()).toList().forEach(this::end);
    return events.isEmpty() && begun.isEmpty()
        ? Watch.Findings.NONE
        : new Watch.Findings(events, begun);
  }

  private Optional<Event> silent(
      ClusterState s, Inquiry inquiry, Host host, long silence, long now, Instant at) {
    var id = host.id();
    var evidence = inquiry.evidence(asking.boots(id, now), echoes.known(id, now));
    if (host.boot().isEmpty() || !inquiry.worthTelling(evidence, now)) {
      return Optional.empty();
    }
    if (evidence.kernel() == Event.Echo.ANSWERS
        && silence >= s.policy().agentGoneAfter().toNanos()
        && asking.mayNotHaveFoundUs(now)) {
      return Optional.empty(); // it may boot, and be about to ask this leader
    }
    inquiry.told(evidence, now);
    return Optional.of(
        new Event.HostSilent(
            id,
            host.boot().get(),
            new Event.Silence(
                Duration.ofNanos(silence),
                Math.max(1, Math.min(table.networks(id), host.spec().networks().size())),
                evidence.kernel(),
                evidence.power(),
                evidence.known(),
                evidence.words(),
                evidence.boots(),
                quorum(now)),
            at));
  }

  /** Whether the host has had its time, where that is a proof. */
  private Optional<Event> boundRanOut(Host host, long now, Instant at) {
    var inquiry = inquiries.get(host.id());
    var left = boundLeft(host, now);
    if (inquiry == null
        || host.boot().isEmpty()
        || left.isEmpty()
        || left.get().isPositive()
        || !inquiry.tellsBound(now)) {
      return Optional.empty();
    }
    var boot = host.boot().get();
    var bound = host.guard().flatMap(g -> g.bound(host.id(), boot)).orElseThrow();
    var sign = signOfLifeSince(host.id(), now - bound.toNanos(), now).orElse("");
    return Optional.of(new Event.BoundRanOut(host.id(), boot, bound, sign, at));
  }

  boolean twoAlone() {
    return voter.voters().size() <= 2 && voter.state().hosts().size() <= 2;
  }

  Optional<Duration> boundLeft(Host host, long now) {
    if (twoAlone()) {
      return Optional.empty();
    }
    var last = table.lastSign(host.id(), now).map(OptionalLong::of).orElse(OptionalLong.empty());
    return leases.boundLeft(host, last, now);
  }

  Event.Quorum quorum(long now) {
    var all = voter.voters();
    return new Event.Quorum(Set.copyOf(all), table.voters(all, now));
  }

  Optional<String> signOfLifeSince(HostId host, long since, long now) {
    var heard = heardSince(host, since, now);
    var inquiry = inquiries.get(host);
    if (heard.isPresent() || inquiry == null) {
      return heard;
    }
    var echo = inquiry.lastEcho();
    return echo.isPresent() && echo.getAsLong() - since > 0
        ? Optional.of("its kernel answered")
        : Optional.empty();
  }

  Optional<String> heardSince(HostId host, long since, long now) {
    return table.lastSign(host, now).filter(at -> at - since > 0).map(_ -> "its agent was heard");
  }
}
