package dev.haven.core.lead;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.model.HostId;
import dev.haven.model.Policy;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The part of a {@link Watch} that judges silences: inquiries, and what the leader hears of them.
 */
final class Silences {
  /** A host is asked for a sign of life once a heartbeat is late; the next may be lost too. */
  private static final long ASKS_FROM_NANOS = 250_000_000L;

  /** A voter that does not lead asks for so long: the leader knows by then. */
  private static final long ASKS_UNTIL_NANOS = 10_000_000_000L;

  private final Watch.Voter voter;
  private final HeardTable table;
  private final Leases leases;
  private final Asking asking;
  private final EchoMemory echoes;
  private final DeviceMemory devices;
  private final OtherVersions others;
  private final Map<HostId, Long> shortened = new HashMap<>();
  private final Map<HostId, Inquiry> inquiries = new ConcurrentHashMap<>();

  Silences(
      Watch.Voter voter,
      HeardTable table,
      Leases leases,
      Asking asking,
      EchoMemory echoes,
      DeviceMemory devices,
      OtherVersions others) {
    this.voter = voter;
    this.table = table;
    this.leases = leases;
    this.asking = asking;
    this.echoes = echoes;
    this.devices = devices;
    this.others = others;
  }

  /** Whether the host is silent, so that its kernel is asked all along. */
  boolean inquires(HostId host) {
    var inquiry = inquiries.get(host);
    return inquiry != null && inquiry.devicesAsked();
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
    boolean leads = voter.leads();
    var s = voter.state();
    var voters = voter.voters();
    var events = new ArrayList<Event>();
    var begun = new ArrayList<Inquiry>();
    var asked = new ArrayList<Inquiry>();
    for (var host : hosts) {
      var id = host.id();
      boolean suspect = host.state() instanceof HostState.Suspect;
      // while its power is cut its kernel is asked all along: an answer contradicts the device
      boolean fencing = leads && host.state() instanceof HostState.Fencing;
      boolean watched = host.online() || suspect || fencing;
      long silence = watched ? table.silence(id, voters, now) : 0;
      if (leads && (fencing || suspect)) {
        boundRanOut(host, now, at).ifPresent(events::add);
      }
      if (leads && host.online()) {
        shortened(host, now, at).ifPresent(events::add);
      }
      if (over(id, watched, leads, silence, now) && !fencing) {
        end(id);
        continue;
      }
      var inquiry = inquiries.get(id);
      if (inquiry == null) {
        inquiry = new Inquiry(host, echoes, now);
        inquiries.put(id, inquiry);
        begun.add(inquiry);
      }
      if (!leads) {
        continue;
      }
      if (asksDevices(s.policy(), inquiry, host, silence, fencing, now)
          && inquiry.asksDevices(now)) {
        asked.add(inquiry);
      }
      boolean shown = shown(s.policy(), inquiry, host, now);
      if ((shown || silence >= s.policy().powerLossAfter().toNanos()) && !fencing) {
        silent(s, inquiry, host, silence, shown, now, at).ifPresent(events::add);
      }
    }
    inquiries.keySet().stream().filter(h -> s.host(h).isEmpty()).toList().forEach(this::end);
    return new Watch.Findings(events, begun, asked);
  }

  /** Told once a second until it is committed. */
  private Optional<Event> shortened(Host host, long now, Instant at) {
    var id = host.id();
    if (host.boot().isEmpty()
        || !leases.longOnesAreOver(host, now)
        || now - shortened.getOrDefault(id, now - Inquiry.REPEAT_NANOS) < Inquiry.REPEAT_NANOS) {
      return Optional.empty();
    }
    shortened.put(id, now);
    return Optional.of(new Event.LeasesShortened(id, host.boot().get(), at));
  }

  /** Whether nobody has to ask about this host, or those who ask its devices no longer have to. */
  private boolean over(HostId id, boolean watched, boolean leads, long silence, long now) {
    long own = watched ? table.ownSilence(id, now) : 0;
    var inquiry = inquiries.get(id);
    boolean heard = silence < ASKS_FROM_NANOS;
    return leads
        ? heard && (own < ASKS_FROM_NANOS || (inquiry != null && inquiry.devicesAsked()))
        : own < ASKS_FROM_NANOS || own > ASKS_UNTIL_NANOS;
  }

  /** Devices of hosts that are well are left in peace: a mute kernel comes first, or a second. */
  private boolean asksDevices(
      Policy policy, Inquiry inquiry, Host host, long silence, boolean fencing, long now) {
    return fencing
        || silence >= policy.powerLossAfter().toNanos()
        || (silence >= policy.shownLossAfter().toNanos() && mute(inquiry, host, now));
  }

  private boolean mute(Inquiry inquiry, Host host, long now) {
    return echoes.answeredLately(host.id(), now) && inquiry.mute(table.runsSince(), now);
  }

  /**
   * Whether all is there that shows a loss of power well before a second is over. Order and
   * readings remain the proof.
   */
  private boolean shown(Policy policy, Inquiry inquiry, Host host, long now) {
    return table.witnessed(host.id(), voter.voters(), now) >= policy.shownLossAfter().toNanos()
        && mute(inquiry, host, now)
        && devices.saidOn(host, inquiry.off(), now);
  }

  private Optional<Event> silent(
      ClusterState s,
      Inquiry inquiry,
      Host host,
      long silence,
      boolean shown,
      long now,
      Instant at) {
    var id = host.id();
    var evidence = inquiry.evidence(asking.boots(id, now), echoes.known(id, now));
    if (host.boot().isEmpty() || !inquiry.worthTelling(evidence, now)) {
      return Optional.empty();
    }
    var patience = s.policy().agentGoneAfter();
    if (evidence.kernel() == Event.Echo.ANSWERS
        && silence >= patience.toNanos()
        && asking.leadsFor(now).compareTo(patience) < 0) {
      return Optional.empty(); // it may boot, or speak otherwise, and be about to ask this leader
    }
    inquiry.told(evidence, now);
    var other = others.of(id, host.boot().get()::equals, now);
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
                evidence.words() + other.map(o -> "; its agent " + o.words()).orElse(""),
                evidence.boots(),
                quorum(now),
                shown,
                Duration.ofNanos(mute(s.policy(), id, silence, now)),
                other),
            at));
  }

  /**
   * See {@link Event.Silence}: an old silence may be due to what the leader before was told, and
   * one lost echo says nothing.
   */
  private long mute(Policy policy, HostId host, long silence, long now) {
    long leads = asking.leadsFor(now).toNanos();
    boolean old = silence - leads >= policy.silentAfter().toNanos();
    long mute = Math.min(silence, echoes.sinceAnswer(host, now));
    return old ? Math.min(mute, leads) : mute;
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
