package dev.haven.core.ha;

import dev.haven.core.ha.Operation.Kind;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.PolicySettings;
import dev.haven.model.SystemUuid;
import dev.haven.model.api.Command;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Commands about a host, and about the whole cluster. */
final class HostCommands {
  private HostCommands() {}

  static Reply pause(Deliberation d, Command.Pause c, String by) {
    if (c.reason().isBlank()) {
      return Replies.refused(
          Reason.INVALID, "a pause needs a reason: the next one who looks must know it");
    }
    var until = c.within().map(d.at()::plus);
    var unheard = new java.util.TreeSet<HostId>();
    for (var host : d.state().hosts()) {
      host.guard()
          .flatMap(Guard::watchdog)
          .filter(dev.haven.model.wire.Watchdog::enforcing)
          .ifPresent(_ -> unheard.add(host.id()));
    }
    d.state().pause().ifPresent(p -> unheard.addAll(p.unheard()));
    FencingPause.pause(d, new Pause(by, c.reason(), d.at(), until, unheard));
    return Replies.ok(
        "fencing is paused%s; haven status names the hosts that have not acknowledged it yet"
            .formatted(
                until
                    .map(t -> " until " + t.truncatedTo(ChronoUnit.SECONDS))
                    .orElse(", until haven resume")));
  }

  static Reply resume(Deliberation d, String by) {
    if (d.state().pause().isEmpty()) {
      return Replies.ok("fencing is not paused");
    }
    FencingPause.resume(d, by + " said so");
    return Replies.ok("fencing goes on");
  }

  static Reply testWatchdog(Deliberation d, HostId id, Event.Quorum quorum) {
    var known = d.state().host(id);
    if (known.isEmpty()) {
      return Replies.unknownHost(d, id);
    }
    var host = known.get();
    if (!host.online()) {
      return Replies.refused(Reason.WRONG_STATE, "host %s: is not online".formatted(id));
    }
    if (host.guard().flatMap(Guard::watchdog).isEmpty()) {
      return Replies.refused(
          Reason.WRONG_STATE,
          "host %s: its agent has no watchdog; give it one: watchdog: in its configuration"
              .formatted(id));
    }
    if (!host.cordoned() || !d.state().load(id).guests().isEmpty()) {
      return Replies.refused(
          Reason.WRONG_STATE,
          "host %s: must be empty and cordoned, because its watchdog is to reset it; haven evacuate %s"
              .formatted(id, id));
    }
    var needed = NeededVoters.needed(d, id, quorum);
    if (needed.isPresent()) {
      return Replies.refused(Reason.NOT_SAFE, needed.get());
    }
    d.act(new Action.TestWatchdog(id, host.boot().orElseThrow()));
    return Replies.ok("host %s: its watchdog is no longer fed and should reset it".formatted(id));
  }

  static Reply trustSoftdog(Deliberation d, HostId id, boolean trusted) {
    var known = d.state().host(id);
    if (known.isEmpty()) {
      return Replies.unknownHost(d, id);
    }
    d.change(new Change.HostGuarded(id, known.get().guard().orElse(Guard.NONE).trusting(trusted)));
    return Replies.ok(
        trusted
            ? "host %s: the kernel's own timer counts as its watchdog".formatted(id)
            : "host %s: the kernel's own timer does not count as a watchdog".formatted(id));
  }

  static Reply setPolicy(Deliberation d, String setting, String value) {
    return switch (PolicySettings.set(d.state().policy(), setting, value)) {
      case PolicySettings.Read.Good good -> {
        if (!good.policy().equals(d.state().policy())) {
          d.change(new Change.PolicyChanged(good.policy()));
        }
        yield Replies.ok("policy %s is %s".formatted(setting, value));
      }
      case PolicySettings.Read.Wrong wrong -> Replies.refused(Reason.INVALID, wrong.why());
    };
  }

  static Reply addHost(Deliberation d, Command.AddHost c) {
    var known = d.state().host(c.host().id());
    for (var other : d.state().hosts()) {
      if (!other.id().equals(c.host().id())) {
        for (var network : other.spec().networks()) {
          for (var mine : c.host().networks()) {
            if (mine.address().equals(network.address())) {
              return Replies.refused(
                  Reason.INVALID,
                  "host %s: address %s belongs to host %s; give it its own"
                      .formatted(c.host().id(), mine.address(), other.id()));
            }
          }
        }
      }
    }
    var test = FencingTrial.running(d, c.host().id());
    if (test.isPresent()) {
      return Replies.refused(
          Reason.WRONG_STATE,
          "host %s: its fencing devices are being tested by %s; wait for it: haven op wait %s"
              .formatted(c.host().id(), test.get().id(), test.get().id()));
    }
    d.change(new Change.HostDescribed(c.host()));
    return Replies.ok(
        known.isPresent()
            ? "host %s is described again".formatted(c.host().id())
            : "host %s is part of the cluster; it takes guests once its agent has joined"
                .formatted(c.host().id()));
  }

  static Reply removeHost(Deliberation d, HostId id) {
    var load = d.state().load(id);
    if (!load.guests().isEmpty()) {
      return Replies.refused(
          Reason.WRONG_STATE,
          "host %s: holds %d guests (%s); evacuate it first: haven evacuate %s"
              .formatted(id, load.guests().size(), first(load.guests()), id));
    }
    d.change(new Change.HostRemoved(id));
    Revocation.ofHost(d, id);
    for (var alarm : List.copyOf(d.state().alarms())) {
      if (alarm.subject().equals(id.value())) {
        d.clearAlarm(alarm.id());
      }
    }
    return Replies.ok("host %s is no longer part of the cluster".formatted(id));
  }

  static Reply removeHost(Deliberation d, Command.RemoveHost c) {
    return d.state().host(c.host()).isEmpty()
        ? Replies.unknownHost(d, c.host())
        : removeHost(d, c.host());
  }

  private static String first(Set<GuestId> guests) {
    var names = guests.stream().limit(5).map(GuestId::value).toList();
    return String.join(", ", names) + (guests.size() > 5 ? ", …" : "");
  }

  static Reply acceptHost(Deliberation d, Command.AcceptHost c, String by) {
    var host = d.state().host(c.host());
    if (host.isEmpty()) {
      return Replies.unknownHost(d, c.host());
    }
    var uuid = c.uuid().strip().toLowerCase(java.util.Locale.ROOT);
    if (!uuid.equals(SystemUuid.NONE)
        && !uuid.matches("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")) {
      return Replies.refused(
          Reason.INVALID,
          "host %s: --uuid must be as /sys/class/dmi/id/product_uuid tells it on that machine, such as 4c4c4544-0034-3010-8048-b4c04f4d4232, or: none"
              .formatted(c.host()));
    }
    var known = Newcomers.onRecord(host.get());
    if (known.equals(SystemUuid.usable(uuid))) {
      return Replies.ok("host %s has that UUID on record already".formatted(c.host()));
    }
    d.change(new Change.HostIdentified(c.host(), Optional.of(uuid)));
    d.clearAlarm("identity-" + c.host());
    d.tell(new Fact.HostAccepted(c.host(), uuid, by, known));
    return Replies.ok(
        "host %s is the machine with the UUID %s from now on; its agent may join within seconds"
            .formatted(c.host(), uuid));
  }

  static Reply cordon(Deliberation d, HostId id, boolean on) {
    var host = d.state().host(id);
    if (host.isEmpty()) {
      return Replies.unknownHost(d, id);
    }
    var word = on ? "cordoned: it takes no new guests" : "open for guests";
    if (host.get().cordoned() == on) {
      return Replies.ok("host %s is %s already".formatted(id, word));
    }
    if (!on) {
      for (var op : d.state().operations()) {
        if (op.running() && op.kind() instanceof Kind.EvacuateHost k && k.host().equals(id)) {
          return Replies.refused(
              Reason.WRONG_STATE,
              "host %s: is being evacuated by %s; cancel that first: haven op cancel %s"
                  .formatted(id, op.id(), op.id()));
        }
      }
    }
    d.change(new Change.HostCordoned(id, on));
    return Replies.ok("host %s is %s".formatted(id, word));
  }

  static Reply confirmDead(Deliberation d, Command.ConfirmDead c, Event.CommandReceived e) {
    var known = d.state().host(c.host());
    if (known.isEmpty()) {
      return Replies.unknownHost(d, c.host());
    }
    var host = known.get();
    if (host.boot().isEmpty()) {
      return Replies.refused(
          Reason.WRONG_STATE,
          "host %s: has never joined; nothing of it needs to be proven off".formatted(c.host()));
    }
    if (host.state() instanceof HostState.Fenced f) {
      return Replies.ok(
          "host %s is proven off already: %s".formatted(c.host(), f.proof().evidence()));
    }
    if (!c.sentence().equals(Command.ConfirmDead.sentence(c.host()))) {
      return Replies.refused(
          Reason.INVALID,
          "host %s: type exactly: %s".formatted(c.host(), Command.ConfirmDead.sentence(c.host())));
    }
    if (host.online() || e.outlook().heard()) {
      return Replies.refused(
          Reason.NOT_SAFE,
          "host %s: its agent is heard, so it is not dead. To switch it off: haven fence %s"
              .formatted(c.host(), c.host()));
    }
    var doubts = doubts(e.outlook());
    boolean overridden = c.override().equals(Optional.of(Command.ConfirmDead.override(c.host())));
    if (!doubts.isEmpty() && !overridden) {
      return Replies.refused(
          Reason.NOT_SAFE,
          "host %s: %s. If it runs after all, its guests will run twice and destroy their disks. Only if you are sure, type as well: %s"
              .formatted(
                  c.host(), String.join(" and ", doubts), Command.ConfirmDead.override(c.host())));
    }
    if (e.outlook().leaseLeft().isPositive()) {
      return Replies.refused(
          Reason.TOO_EARLY,
          "host %s: may hold a lease for %d s more, and obey an order that is on its way; say it again then"
              .formatted(c.host(), e.outlook().leaseLeft().toSeconds() + 1));
    }
    d.act(new Action.DropFence(c.host()));
    ProvenOff.fenced(
        d,
        host,
        new Proof.OperatorsWord(c.host(), host.boot().get(), e.by(), !doubts.isEmpty(), e.at()));
    return Replies.ok(
        "host %s counts as off by the word of %s; its guests start elsewhere"
            .formatted(c.host(), e.by()));
  }

  /** What speaks against it that the host is off. */
  private static List<String> doubts(Event.Outlook outlook) {
    var doubts = new ArrayList<String>();
    if (outlook.kernel() == Event.Echo.ANSWERS) {
      doubts.add("its kernel answers");
    }
    if (outlook.power() == Event.Power.ON) {
      doubts.add("its power device says on");
    }
    return doubts;
  }
}
