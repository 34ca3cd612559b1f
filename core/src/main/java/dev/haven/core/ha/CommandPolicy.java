package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Failed;
import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Step;
import dev.haven.core.ha.GuestPhase.Stopped;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.core.placement.Placement;
import dev.haven.model.Definition;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import dev.haven.model.SystemUuid;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import dev.haven.model.wire.Order;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What people ask for. A refusal changes nothing and says what, where and the way out. */
final class CommandPolicy {
  /** Of a plan that an answer names. */
  private static final int PLAN_LINES = 100;

  private CommandPolicy() {}

  static void received(Deliberation d, Event.CommandReceived e) {
    var before = d.state().answer(e.request());
    if (before.isPresent()) {
      d.reply(before.get()).because("answered before");
      return;
    }
    Reply reply =
        switch (e.command()) {
          case Command.AddHost c -> addHost(d, c);
          case Command.RemoveHost c -> removeHost(d, c);
          case Command.AcceptHost c -> acceptHost(d, c, e.by());
          case Command.Cordon c -> cordon(d, c.host(), true);
          case Command.Uncordon c -> cordon(d, c.host(), false);
          case Command.Evacuate c -> evacuate(d, c.host(), e.by());
          case Command.Fence c -> fence(d, c.host(), e);
          case Command.TestFencing c ->
              d.state().host(c.host()).isEmpty()
                  ? unknownHost(d, c.host())
                  : FencingTests.begin(d, c.host(), c.level(), e);
          case Command.ConfirmDead c -> confirmDead(d, c, e);
          case Command.CreateGuest c -> createGuest(d, c, e);
          case Command.EditGuest c -> editGuest(d, c, e);
          case Command.StartGuest c -> startGuest(d, c.guest(), e.by());
          case Command.StopGuest c -> stopGuest(d, c, e.by());
          case Command.RemoveGuest c -> removeGuest(d, c.guest());
          case Command.Migrate c -> migrate(d, c, e.by());
          case Command.Relocate c -> relocate(d, c, e.by());
          case Command.Pause c -> pause(d, c, e.by());
          case Command.Resume _ -> resume(d, e.by());
          case Command.TestWatchdog c -> testWatchdog(d, c.host(), e.quorum());
          case Command.TrustSoftdog c -> trustSoftdog(d, c.host(), c.trusted());
          case Command.CancelOperation c -> cancel(d, c.operation());
          case Command.SetPolicy c -> setPolicy(d, c.setting(), c.value());
        };
    d.reply(reply);
    switch (reply) {
      case Reply.Accepted a -> {
        d.change(new Change.RequestAnswered(e.request(), e.at(), a));
        d.note("command", e.by(), a.message());
        d.because(a.message());
      }
      case Reply.Refused r -> d.because("refused: " + r.message());
    }
  }

  private static Reply ok(String message) {
    return new Reply.Accepted(message, Optional.empty(), List.of());
  }

  private static Reply refused(Reason reason, String message) {
    return new Reply.Refused(reason, message);
  }

  private static Reply unknownHost(Deliberation d, HostId id) {
    var names = d.state().hosts().stream().map(h -> h.id().value()).toList();
    return refused(
        Reason.UNKNOWN_NAME,
        "host %s: unknown; %s"
            .formatted(
                id,
                names.isEmpty()
                    ? "the cluster has no host yet: haven host add"
                    : "there are " + String.join(", ", names)));
  }

  private static Reply unknownGuest(Deliberation d, GuestId id) {
    var near =
        d.state().guests().stream()
            .map(g -> g.id().value())
            .sorted(java.util.Comparator.comparingInt(n -> distance(n, id.value())))
            .limit(3)
            .toList();
    return refused(
        Reason.UNKNOWN_NAME,
        "guest %s: unknown; %s"
            .formatted(
                id,
                near.isEmpty()
                    ? "there is none yet: haven guest create"
                    : "did you mean "
                        + String.join(" or ", near)
                        + "? haven guest list shows all"));
  }

  private static int distance(String a, String b) {
    var row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int change = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(change, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row[b.length()];
  }

  private static Reply pause(Deliberation d, Command.Pause c, String by) {
    if (c.reason().isBlank()) {
      return refused(Reason.INVALID, "a pause needs a reason: the next one who looks must know it");
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
    HostPolicy.pause(d, new Pause(by, c.reason(), d.at(), until, unheard));
    return ok(
        "fencing is paused%s; haven status names the hosts that have not acknowledged it yet"
            .formatted(
                until
                    .map(t -> " until " + t.truncatedTo(ChronoUnit.SECONDS))
                    .orElse(", until haven resume")));
  }

  private static Reply resume(Deliberation d, String by) {
    if (d.state().pause().isEmpty()) {
      return ok("fencing is not paused");
    }
    HostPolicy.resume(d, by + " said so");
    return ok("fencing goes on");
  }

  private static Reply testWatchdog(Deliberation d, HostId id, Event.Quorum quorum) {
    var known = d.state().host(id);
    if (known.isEmpty()) {
      return unknownHost(d, id);
    }
    var host = known.get();
    if (!host.online()) {
      return refused(Reason.WRONG_STATE, "host %s: is not online".formatted(id));
    }
    if (host.guard().flatMap(Guard::watchdog).isEmpty()) {
      return refused(
          Reason.WRONG_STATE,
          "host %s: its agent has no watchdog; give it one: watchdog: in its configuration"
              .formatted(id));
    }
    if (!host.cordoned() || !d.state().load(id).guests().isEmpty()) {
      return refused(
          Reason.WRONG_STATE,
          "host %s: must be empty and cordoned, because its watchdog is to reset it; haven evacuate %s"
              .formatted(id, id));
    }
    var needed = HostPolicy.needed(d, id, quorum);
    if (needed.isPresent()) {
      return refused(Reason.NOT_SAFE, needed.get());
    }
    d.act(new Action.TestWatchdog(id, host.boot().orElseThrow()));
    return ok("host %s: its watchdog is no longer fed and should reset it".formatted(id));
  }

  private static Reply trustSoftdog(Deliberation d, HostId id, boolean trusted) {
    var known = d.state().host(id);
    if (known.isEmpty()) {
      return unknownHost(d, id);
    }
    d.change(new Change.HostGuarded(id, known.get().guard().orElse(Guard.NONE).trusting(trusted)));
    return ok(
        trusted
            ? "host %s: the kernel's own timer counts as its watchdog".formatted(id)
            : "host %s: the kernel's own timer does not count as a watchdog".formatted(id));
  }

  private static Reply setPolicy(Deliberation d, String setting, String value) {
    return switch (PolicySettings.set(d.state().policy(), setting, value)) {
      case PolicySettings.Read.Good good -> {
        if (!good.policy().equals(d.state().policy())) {
          d.change(new Change.PolicyChanged(good.policy()));
        }
        yield ok("policy %s is %s".formatted(setting, value));
      }
      case PolicySettings.Read.Wrong wrong -> refused(Reason.INVALID, wrong.why());
    };
  }

  static OperationId begin(Deliberation d, Kind kind, String by, String detail, int total) {
    var id = d.state().nextOperation();
    d.change(
        new Change.OperationBegun(
            new Operation(
                id,
                kind,
                d.at(),
                by,
                Operation.State.RUNNING,
                detail,
                0,
                total,
                Optional.empty())));
    return id;
  }

  private static Reply addHost(Deliberation d, Command.AddHost c) {
    var known = d.state().host(c.host().id());
    for (var other : d.state().hosts()) {
      if (!other.id().equals(c.host().id())) {
        for (var network : other.spec().networks()) {
          for (var mine : c.host().networks()) {
            if (mine.address().equals(network.address())) {
              return refused(
                  Reason.INVALID,
                  "host %s: address %s belongs to host %s; give it its own"
                      .formatted(c.host().id(), mine.address(), other.id()));
            }
          }
        }
      }
    }
    var test = FencingTests.running(d, c.host().id());
    if (test.isPresent()) {
      return refused(
          Reason.WRONG_STATE,
          "host %s: its fencing devices are being tested by %s; wait for it: haven op wait %s"
              .formatted(c.host().id(), test.get().id(), test.get().id()));
    }
    d.change(new Change.HostDescribed(c.host()));
    return ok(
        known.isPresent()
            ? "host %s is described anew".formatted(c.host().id())
            : "host %s is part of the cluster; it takes guests once its agent has joined"
                .formatted(c.host().id()));
  }

  private static Reply removeHost(Deliberation d, HostId id) {
    var load = d.state().load(id);
    if (!load.guests().isEmpty()) {
      return refused(
          Reason.WRONG_STATE,
          "host %s: holds %d guests (%s); evacuate it first: haven evacuate %s"
              .formatted(id, load.guests().size(), first(load.guests()), id));
    }
    d.change(new Change.HostRemoved(id));
    for (var alarm : List.copyOf(d.state().alarms())) {
      if (alarm.subject().equals(id.value())) {
        d.clearAlarm(alarm.id());
      }
    }
    return ok("host %s is no longer part of the cluster".formatted(id));
  }

  private static Reply removeHost(Deliberation d, Command.RemoveHost c) {
    return d.state().host(c.host()).isEmpty() ? unknownHost(d, c.host()) : removeHost(d, c.host());
  }

  private static String first(Set<GuestId> guests) {
    var names = guests.stream().limit(5).map(GuestId::value).toList();
    return String.join(", ", names) + (guests.size() > 5 ? ", …" : "");
  }

  private static Reply acceptHost(Deliberation d, Command.AcceptHost c, String by) {
    var host = d.state().host(c.host());
    if (host.isEmpty()) {
      return unknownHost(d, c.host());
    }
    var uuid = c.uuid().strip().toLowerCase(java.util.Locale.ROOT);
    if (!uuid.equals(SystemUuid.NONE)
        && !uuid.matches("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")) {
      return refused(
          Reason.INVALID,
          "host %s: --uuid must be as /sys/class/dmi/id/product_uuid tells it on that machine, such as 4c4c4544-0034-3010-8048-b4c04f4d4232, or: none"
              .formatted(c.host()));
    }
    var known = Newcomers.onRecord(host.get());
    if (known.equals(SystemUuid.usable(uuid))) {
      return ok("host %s has that UUID on record already".formatted(c.host()));
    }
    d.change(new Change.HostIdentified(c.host(), Optional.of(uuid)));
    d.clearAlarm("identity-" + c.host());
    d.note(
        "decision",
        c.host(),
        "host %s is the machine with the UUID %s by the word of %s, no longer %s"
            .formatted(c.host(), uuid, by, known.orElse("one without a UUID")));
    return ok(
        "host %s is the machine with the UUID %s from now on; its agent may join within seconds"
            .formatted(c.host(), uuid));
  }

  private static Reply cordon(Deliberation d, HostId id, boolean on) {
    var host = d.state().host(id);
    if (host.isEmpty()) {
      return unknownHost(d, id);
    }
    var word = on ? "cordoned: it takes no new guests" : "open for guests";
    if (host.get().cordoned() == on) {
      return ok("host %s is %s already".formatted(id, word));
    }
    if (!on) {
      for (var op : d.state().operations()) {
        if (op.running() && op.kind() instanceof Kind.EvacuateHost k && k.host().equals(id)) {
          return refused(
              Reason.WRONG_STATE,
              "host %s: is being evacuated by %s; cancel that first: haven op cancel %s"
                  .formatted(id, op.id(), op.id()));
        }
      }
    }
    d.change(new Change.HostCordoned(id, on));
    return ok("host %s is %s".formatted(id, word));
  }

  private static Reply evacuate(Deliberation d, HostId id, String by) {
    var known = d.state().host(id);
    if (known.isEmpty()) {
      return unknownHost(d, id);
    }
    var host = known.get();
    for (var op : d.state().operations()) {
      if (op.running() && op.kind() instanceof Kind.EvacuateHost k && k.host().equals(id)) {
        return new Reply.Accepted(
            "host %s is being evacuated already".formatted(id), Optional.of(op.id()), List.of());
      }
    }
    if (!host.online()) {
      return refused(
          Reason.WRONG_STATE,
          "host %s: is not online, so nothing can be moved off it; see haven host show %s"
              .formatted(id, id));
    }
    var plan = new ArrayList<String>();
    if (!host.cordoned()) {
      d.change(new Change.HostCordoned(id, true));
      plan.add("cordon host " + id);
    }
    var moves = new ArrayList<String>(); // after what cannot leave
    var guests = d.state().load(id).guests();
    var imagined = d.state();
    var planned = new java.util.TreeSet<GuestId>();
    for (var g : Followers.last(d.state(), guests)) {
      if (planned.contains(g)) {
        continue;
      }
      var group = d.state().group(d.guest(g).spec());
      planned.addAll(group);
      var members = group.stream().map(d::guest).toList();
      var specs = members.stream().map(Guest::spec).toList();
      var all = Followers.without(imagined, id, Settling.candidates(imagined, group));
      var others = all.stream().filter(c -> !c.id().equals(id)).toList();
      var shunned = new java.util.TreeSet<HostId>();
      members.forEach(m -> shunned.addAll(m.shunned()));
      var to = Placement.best(specs, others, all, Optional.empty(), shunned);
      for (var guest : members) {
        if (guest
            .host()
            .filter(h -> h.equals(id) || to.isPresent() && !h.equals(to.get()))
            .isEmpty()) {
          continue;
        }
        if (to.isPresent()) {
          moves.add("migrate guest %s to host %s".formatted(guest.id(), to.get()));
        } else {
          plan.add(
              "guest %s cannot leave: %s"
                  .formatted(guest.id(), Settling.whyNowhere(specs, others, all)));
        }
        if (to.isPresent() && guest.phase() instanceof Running from) {
          // so that the plan does not promise one place twice
          imagined =
              imagined.apply(
                  new Change.PhaseChanged(
                      guest.id(),
                      new Migrating(
                          from.host(),
                          from.boot(),
                          from.epoch(),
                          to.get(),
                          d.host(to.get()).boot().orElseThrow(),
                          guest.epoch().next(),
                          Step.CHECKING,
                          "",
                          Optional.empty())));
        }
      }
    }
    plan.addAll(moves);
    var op =
        begin(
            d,
            new Kind.EvacuateHost(id, Map.of()),
            by,
            "%d guests to move".formatted(guests.size()),
            guests.size());
    return new Reply.Accepted(
        "host %s is evacuated: %d guests to move".formatted(id, guests.size()),
        Optional.of(op),
        bounded(plan));
  }

  /** The answer is kept in the state, so of a long plan it has only the first lines. */
  private static List<String> bounded(List<String> plan) {
    if (plan.size() <= PLAN_LINES) {
      return plan;
    }
    var first = new ArrayList<>(plan.subList(0, PLAN_LINES));
    first.add("and %d more".formatted(plan.size() - PLAN_LINES));
    return first;
  }

  private static Reply fence(Deliberation d, HostId id, Event.CommandReceived e) {
    var known = d.state().host(id);
    if (known.isEmpty()) {
      return unknownHost(d, id);
    }
    var host = known.get();
    if (host.boot().isEmpty()) {
      return refused(
          Reason.WRONG_STATE, "host %s: has never joined; there is nothing to fence".formatted(id));
    }
    if (host.state() instanceof HostState.Fenced f) {
      return ok("host %s is fenced already: %s".formatted(id, f.proof().evidence()));
    }
    if (host.spec().fencing().isEmpty()) {
      return refused(
          Reason.WRONG_STATE,
          "host %s: has no fencing device; switch it off by hand, then: haven fence %s --confirm-dead"
              .formatted(id, id));
    }
    var needed = HostPolicy.needed(d, id, e.quorum());
    boolean cutAlready =
        host.state() instanceof HostState.Fencing f
            && f.off().flatMap(HostState.Off::onSince).isEmpty();
    if (needed.isPresent() && !cutAlready) {
      return refused(Reason.NOT_SAFE, needed.get());
    }
    var op = begin(d, new Kind.FenceHost(id), e.by(), "cutting its power", 1);
    if (host.state() instanceof HostState.Fencing f) {
      HostPolicy.cutNow(d, id, host.boot().get(), f, e.by());
    } else {
      d.host(id, new HostState.Fencing(1, HostState.Cause.OPERATOR, d.at(), ""));
      d.act(new Action.FenceHost(id, host.boot().get(), 1, Duration.ZERO));
    }
    d.note("decision", id, "fence host %s: ordered by %s".formatted(id, e.by()));
    return new Reply.Accepted(
        "the power of host %s is cut; its %d guests start elsewhere once it is proven off"
            .formatted(id, d.state().load(id).guests().size()),
        Optional.of(op),
        List.of("cut the power of host " + id, "read it back off", "start its guests elsewhere"));
  }

  private static Reply confirmDead(Deliberation d, Command.ConfirmDead c, Event.CommandReceived e) {
    var known = d.state().host(c.host());
    if (known.isEmpty()) {
      return unknownHost(d, c.host());
    }
    var host = known.get();
    if (host.boot().isEmpty()) {
      return refused(
          Reason.WRONG_STATE,
          "host %s: has never joined; nothing of it needs to be proven off".formatted(c.host()));
    }
    if (host.state() instanceof HostState.Fenced f) {
      return ok("host %s is proven off already: %s".formatted(c.host(), f.proof().evidence()));
    }
    if (!c.sentence().equals(Command.ConfirmDead.sentence(c.host()))) {
      return refused(
          Reason.INVALID,
          "host %s: type exactly: %s".formatted(c.host(), Command.ConfirmDead.sentence(c.host())));
    }
    if (host.online() || e.outlook().heard()) {
      return refused(
          Reason.NOT_SAFE,
          "host %s: its agent is heard, so it is not dead. To switch it off: haven fence %s"
              .formatted(c.host(), c.host()));
    }
    var doubts = new ArrayList<String>();
    if (e.outlook().kernel() == Event.Echo.ANSWERS) {
      doubts.add("its kernel answers");
    }
    if (e.outlook().power() == Event.Power.ON) {
      doubts.add("its power device says on");
    }
    boolean overridden = c.override().equals(Optional.of(Command.ConfirmDead.override(c.host())));
    if (!doubts.isEmpty() && !overridden) {
      return refused(
          Reason.NOT_SAFE,
          "host %s: %s. If it runs after all, its guests will run twice and destroy their disks. Only if you are sure, type as well: %s"
              .formatted(
                  c.host(), String.join(" and ", doubts), Command.ConfirmDead.override(c.host())));
    }
    if (e.outlook().leaseLeft().isPositive()) {
      return refused(
          Reason.TOO_EARLY,
          "host %s: may hold a lease for %d s more, and obey an order that is on its way; say it again then"
              .formatted(c.host(), e.outlook().leaseLeft().toSeconds() + 1));
    }
    d.act(new Action.DropFence(c.host()));
    HostPolicy.fenced(
        d,
        host,
        new Proof.OperatorsWord(c.host(), host.boot().get(), e.by(), !doubts.isEmpty(), e.at()));
    return ok(
        "host %s counts as off by the word of %s; its guests start elsewhere"
            .formatted(c.host(), e.by()));
  }

  private static Reply createGuest(Deliberation d, Command.CreateGuest c, Event.CommandReceived e) {
    var spec = c.guest();
    if (d.state().guest(spec.id()).isPresent()) {
      return refused(
          Reason.NAME_TAKEN,
          "guest %s: exists already; choose another name, or change it: haven guest edit %s"
              .formatted(spec.id(), spec.id()));
    }
    for (var other : d.state().guests()) {
      if (other.spec().uuid().equalsIgnoreCase(spec.uuid())) {
        return refused(
            Reason.NAME_TAKEN,
            "guest %s: its UUID %s belongs to guest %s; leave it out to get a new one"
                .formatted(spec.id(), spec.uuid(), other.id()));
      }
    }
    var order = StartOrder.wrong(d.state(), spec);
    if (order.isPresent()) {
      return refused(Reason.INVALID, order.get());
    }
    var definition = definition(spec, e);
    var conflict = Disks.conflict(d.state(), spec, definition);
    if (conflict.isPresent()) {
      return refused(Reason.INVALID, conflict.get());
    }
    var contradiction = BrokenRules.contradiction(d.state(), spec);
    if (contradiction.isPresent()) {
      return refused(Reason.INVALID, contradiction.get());
    }
    var nowhere = c.start() ? Placing.whyNot(d.state(), spec) : Optional.<String>empty();
    if (nowhere.isPresent()
        && !MakingRoom.couldBeMade(d, spec)
        && d.state().hosts().stream().anyMatch(h -> h.online() && !h.cordoned())) {
      return refused(Reason.FITS_NOWHERE, nowhere.get());
    }
    d.change(new Change.GuestDescribed(spec, c.start(), Optional.of(definition)));
    if (!c.start()) {
      return ok("guest %s is created, stopped%s".formatted(spec.id(), Disks.warning(definition)));
    }
    var op = begin(d, new Kind.StartGuest(spec.id()), e.by(), "starting", 1);
    return new Reply.Accepted(
        "guest %s is created and starts%s".formatted(spec.id(), Disks.warning(definition)),
        Optional.of(op),
        List.of("start guest " + spec.id()));
  }

  /** What its domain XML says, as it was read where the command came in. */
  private static Definition definition(GuestSpec spec, Event.CommandReceived e) {
    return e.definition().orElseGet(() -> Definition.ofAny(spec.domainXml()));
  }

  private static Reply editGuest(Deliberation d, Command.EditGuest c, Event.CommandReceived e) {
    var known = d.state().guest(c.guest().id());
    if (known.isEmpty()) {
      return unknownGuest(d, c.guest().id());
    }
    if (!known.get().spec().uuid().equals(c.guest().uuid())) {
      return refused(
          Reason.INVALID,
          "guest %s: its UUID cannot change; it is %s"
              .formatted(c.guest().id(), known.get().spec().uuid()));
    }
    var order = StartOrder.wrong(d.state(), c.guest());
    if (order.isPresent()) {
      return refused(Reason.INVALID, order.get());
    }
    var definition = definition(c.guest(), e);
    var conflict = Disks.conflict(d.state(), c.guest(), definition);
    if (conflict.isPresent()) {
      return refused(Reason.INVALID, conflict.get());
    }
    var contradiction = BrokenRules.contradiction(d.state(), c.guest());
    if (contradiction.isPresent()) {
      return refused(Reason.INVALID, contradiction.get());
    }
    d.change(new Change.GuestDescribed(c.guest(), known.get().wanted(), Optional.of(definition)));
    Disks.alarms(d, c.guest().id());
    return ok(
        "guest %s is described anew; libvirt sees it at its next start%s%s"
            .formatted(
                c.guest().id(),
                Disks.warning(definition),
                BrokenRules.why(d.state(), c.guest().id())
                    .map(why -> ". Now " + why + ": see haven status")
                    .orElse("")));
  }

  private static Reply startGuest(Deliberation d, GuestId id, String by) {
    var known = d.state().guest(id);
    if (known.isEmpty()) {
      return unknownGuest(d, id);
    }
    var guest = known.get();
    switch (guest.phase()) {
      case Running p -> {
        if (guest.wanted()) {
          return ok("guest %s runs on host %s already".formatted(id, p.host()));
        }
        d.change(new Change.GuestWanted(id, true));
      }
      case Stopped _, Failed _ -> {
        d.change(new Change.GuestWanted(id, true)).change(new Change.FailuresForgotten(id));
        if (guest.crashes().isPresent()) {
          d.change(new Change.CrashesForgotten(id));
        }
        d.phase(id, new Waiting("started by its owner"));
        d.clearAlarm("guest-" + id);
        var first = StartOrder.waitsFor(d.state(), guest);
        if (first.isPresent()) {
          var op = begin(d, new Kind.StartGuest(id), by, first.get().why(), 1);
          return new Reply.Accepted(
              "guest %s starts later: it %s".formatted(id, first.get()),
              Optional.of(op),
              List.of());
        }
        var nowhere = Placing.whyNot(d.state(), guest.spec());
        if (nowhere.isPresent()) {
          var op = begin(d, new Kind.StartGuest(id), by, "waiting for room", 1);
          return new Reply.Accepted(
              "guest %s starts as soon as it fits: %s".formatted(id, nowhere.get()),
              Optional.of(op),
              List.of());
        }
      }
      case GuestPhase.Starting _,
          GuestPhase.Stopping _,
          GuestPhase.Vacating _,
          Migrating _,
          Waiting _ -> {
        if (!guest.wanted()) {
          d.change(new Change.GuestWanted(id, true));
        }
      }
    }
    var op = begin(d, new Kind.StartGuest(id), by, "starting", 1);
    return new Reply.Accepted(
        "guest %s starts".formatted(id), Optional.of(op), List.of("start guest " + id));
  }

  private static Reply stopGuest(Deliberation d, Command.StopGuest c, String by) {
    var known = d.state().guest(c.guest());
    if (known.isEmpty()) {
      return unknownGuest(d, c.guest());
    }
    if (known.get().phase() instanceof Stopped) {
      return ok("guest %s is off already".formatted(c.guest()));
    }
    var unfit = unfit(c.guest(), c.grace());
    if (unfit.isPresent()) {
      return unfit.get();
    }
    var first = StartOrder.stopsFirst(d.state(), c.guest());
    if (first.isPresent() && known.get().phase() instanceof Running) {
      d.change(new Change.GuestWanted(c.guest(), false)); // its operation stops it then
    } else {
      GuestPolicy.stop(d, known.get(), c.grace());
    }
    var op = begin(d, new Kind.StopGuest(c.guest()), by, "stopping", 1);
    return new Reply.Accepted(
        "guest %s stops and stays off".formatted(c.guest()),
        Optional.of(op),
        List.of("stop guest " + c.guest()));
  }

  private static Optional<Reply> unfit(GuestId id, Duration grace) {
    return grace.isNegative() || grace.compareTo(Duration.ofHours(1)) > 0
        ? Optional.of(
            refused(
                Reason.INVALID,
                "guest %s: a grace of %s is not between 0 and 1 h".formatted(id, grace)))
        : Optional.empty();
  }

  private static Reply removeGuest(Deliberation d, GuestId id) {
    var known = d.state().guest(id);
    if (known.isEmpty()) {
      return unknownGuest(d, id);
    }
    var guest = known.get();
    boolean off = guest.phase() instanceof Stopped || guest.phase() instanceof Failed;
    if (!off || !guest.holders().isEmpty()) {
      return refused(
          Reason.WRONG_STATE,
          "guest %s: is not off; stop it first: haven guest stop %s".formatted(id, id));
    }
    for (var host : d.state().hosts()) {
      if (host.online()) {
        host.boot()
            .ifPresent(boot -> d.send(host.id(), boot, new Order.ForgetGuest(id, guest.epoch())));
      }
    }
    d.change(new Change.DisksResolved(id, Definition.NONE));
    Disks.alarms(d, id);
    d.change(new Change.GuestRemoved(id)).clearAlarm("guest-" + id);
    return ok("guest %s is removed; its disks stay".formatted(id));
  }

  /** Whether a guest can be moved, and whither. */
  private sealed interface Way {
    /**
     * @param along others of its group that have to move with it
     */
    record Open(Guest guest, Running from, Host to, List<Guest> along) implements Way {
      List<Guest> all() {
        var all = new ArrayList<Guest>();
        all.add(guest);
        all.addAll(along);
        return all;
      }
    }

    record Barred(Reply reply) implements Way {}
  }

  private static Way barred(Reason reason, String message) {
    return new Way.Barred(refused(reason, message));
  }

  /**
   * @param verb as people type it
   */
  private static Way way(
      Deliberation d, GuestId id, Optional<HostId> to, boolean withGroup, String verb) {
    var known = d.state().guest(id);
    if (known.isEmpty()) {
      return new Way.Barred(unknownGuest(d, id));
    }
    var guest = known.get();
    if (!(guest.phase() instanceof Running from)) {
      return barred(
          Reason.WRONG_STATE,
          "guest %s: is not running in peace, so it cannot be moved; see haven guest show %s"
              .formatted(id, id));
    }
    if (!d.host(from.host()).online()) {
      return barred(
          Reason.WRONG_STATE, "guest %s: its host %s is not online".formatted(id, from.host()));
    }
    if (to.isPresent() && d.state().host(to.get()).isEmpty()) {
      return new Way.Barred(unknownHost(d, to.get()));
    }
    if (to.equals(Optional.of(from.host()))) {
      return barred(
          Reason.WRONG_STATE, "guest %s: runs on host %s already".formatted(id, from.host()));
    }
    var group = d.state().group(guest.spec());
    var others = group.stream().filter(g -> !g.equals(id)).map(d::guest).toList();
    var parted = apart(d, guest, from, others, to, withGroup, verb);
    if (parted.isPresent()) {
      return new Way.Barred(parted.get());
    }
    var other = GroupMoves.underWay(d.state(), group);
    if (other.isPresent()) {
      return barred(
          Reason.WRONG_STATE,
          "guest %s: operation %s moves its group; wait until it has ended: haven op show %s"
              .formatted(id, other.get().id(), other.get().id()));
    }
    var shunned = new java.util.TreeSet<>(guest.shunned());
    others.forEach(g -> shunned.addAll(g.shunned()));
    var all = Followers.without(d.state(), from.host(), Settling.candidates(d.state(), group));
    var candidates =
        all.stream()
            .filter(h -> !h.id().equals(from.host()))
            .filter(h -> to.isEmpty() || to.get().equals(h.id()))
            .filter(h -> withGroup || others.stream().allMatch(g -> at(g, h.id())))
            .toList();
    var members = new ArrayList<Guest>();
    members.add(guest);
    members.addAll(others);
    var specs = Settling.needing(d.state(), members, candidates);
    var best = Placement.best(specs, candidates, all, Optional.empty(), shunned);
    if (best.isEmpty()) {
      var why =
          Placement.rank(specs, all, Optional.empty(), Set.of()).stream()
              .filter(v -> to.equals(Optional.of(v.host())))
              .findFirst();
      return barred(
          Reason.FITS_NOWHERE,
          why.isPresent()
              ? "guest %s: host %s cannot take it: %s"
                  .formatted(id, why.get().host(), String.join(", ", why.get().reasons()))
              : candidates.isEmpty()
                  ? "guest %s: there is no other host to move it to; add one: haven host add"
                      .formatted(id)
                  : Settling.whyNowhere(specs, candidates, all));
    }
    return new Way.Open(
        guest,
        from,
        d.host(best.get()),
        others.stream().filter(g -> g.phase() instanceof Running && !at(g, best.get())).toList());
  }

  /** Whether it is on a host, or waits for one and would go there. */
  private static boolean at(Guest guest, HostId host) {
    return guest.phase() instanceof Waiting || guest.host().equals(Optional.of(host));
  }

  /** Why a move would part guests that must stay together. */
  private static Optional<Reply> apart(
      Deliberation d,
      Guest guest,
      Running from,
      List<Guest> others,
      Optional<HostId> to,
      boolean withGroup,
      String verb) {
    if (withGroup) {
      return others.stream()
          .filter(g -> !Settling.settled(d, g))
          .findFirst()
          .map(
              g ->
                  refused(
                      Reason.WRONG_STATE,
                      "guest %s: guest %s, which goes with it, is not running in peace; see haven guest show %s"
                          .formatted(guest.id(), g.id(), g.id())));
    }
    boolean joins =
        d.state().hosts().stream()
            .map(Host::id)
            .filter(h -> !h.equals(from.host()))
            .filter(h -> to.isEmpty() || to.get().equals(h))
            .anyMatch(h -> others.stream().allMatch(g -> at(g, h)));
    return others.isEmpty() || joins
        ? Optional.empty()
        : Optional.of(
            refused(
                Reason.WRONG_STATE,
                "guest %s: must stay together with %s, and this would part them; to move all of them: haven %s %s%s --with-group"
                    .formatted(
                        guest.id(),
                        GroupMoves.names(others.stream().map(Guest::id).toList()),
                        verb,
                        guest.id(),
                        to.map(h -> " --to " + h).orElse(""))));
  }

  private static Reply relocate(Deliberation d, Command.Relocate c, String by) {
    return switch (way(d, c.guest(), c.to(), c.withGroup().orElse(false), "relocate")) {
      case Way.Barred b -> b.reply();
      case Way.Open w -> unfit(c.guest(), c.grace()).orElseGet(() -> relocate(d, w, c.grace(), by));
    };
  }

  private static Reply relocate(Deliberation d, Way.Open way, Duration grace, String by) {
    var id = way.guest().id();
    var to = way.to().id();
    var plan = new ArrayList<String>();
    var ops = new ArrayList<OperationId>();
    for (var guest : way.all()) {
      if (!(guest.phase() instanceof Running from)) {
        continue;
      }
      var kind = new Kind.RelocateGuest(guest.id(), from.host(), to, Optional.of(grace));
      ops.add(begin(d, kind, by, "stopping", 2));
      d.change(new Change.GuestMovedByHand(guest.id(), to));
      plan.add("stop guest %s on host %s".formatted(guest.id(), from.host()));
    }
    ops.forEach(op -> Settling.relocate(d, op)); // once each is known to be on its way
    way.all().forEach(g -> plan.add("start guest %s on host %s".formatted(g.id(), to)));
    return new Reply.Accepted(
        way.along().isEmpty()
            ? "guest %s stops on host %s and starts on host %s".formatted(id, way.from().host(), to)
            : "guests %s stop and start on host %s"
                .formatted(GroupMoves.names(way.all().stream().map(Guest::id).toList()), to),
        ops.stream().findFirst(),
        plan);
  }

  private static Reply migrate(Deliberation d, Command.Migrate c, String by) {
    return switch (way(d, c.guest(), c.to(), c.withGroup().orElse(false), "migrate")) {
      case Way.Barred b -> b.reply();
      case Way.Open w -> migrate(d, w, by);
    };
  }

  private static Reply migrate(Deliberation d, Way.Open way, String by) {
    var id = way.guest().id();
    var from = way.from();
    var target = way.to();
    var why = "asked for by " + by;
    for (var guest : way.all()) {
      d.change(new Change.GuestMovedByHand(guest.id(), target.id()));
    }
    var op =
        way.along().isEmpty()
            ? begin(
                d, new Kind.MoveGuest(id, from.host(), target.id()), by, "checking the target", 1)
            : GroupMoves.begin(d, id, way.all(), target, by, why, Optional.empty());
    if (way.along().isEmpty()) {
      MigrationPolicy.begin(d, way.guest(), from, target, Optional.of(op), why);
    }
    return new Reply.Accepted(
        way.along().isEmpty()
            ? "guest %s moves from host %s to host %s".formatted(id, from.host(), target.id())
            : "guests %s move to host %s"
                .formatted(
                    GroupMoves.names(way.all().stream().map(Guest::id).toList()), target.id()),
        Optional.of(op),
        way.all().stream()
            .map(
                g ->
                    "migrate guest %s from host %s to host %s"
                        .formatted(g.id(), g.host().orElseThrow(), target.id()))
            .toList());
  }

  private static Reply cancel(Deliberation d, OperationId id) {
    var known = d.state().operation(id);
    if (known.isEmpty()) {
      return refused(
          Reason.UNKNOWN_NAME, "operation %s: unknown; haven op list shows all".formatted(id));
    }
    var op = known.get();
    if (!op.running()) {
      return refused(Reason.WRONG_STATE, "operation %s: is over (%s)".formatted(id, op.detail()));
    }
    switch (op.kind()) {
      case Kind.MoveGuest k -> abort(d, k.guest());
      case Kind.EvacuateHost k -> {
        cancelGroups(d, id);
        for (var g : d.state().load(k.host()).guests()) {
          if (d.guest(g).phase() instanceof Migrating m && m.operation().equals(Optional.of(id))) {
            abort(d, g);
          }
        }
      }
      case Kind.MakeRoom k -> {
        cancelGroups(d, id);
        for (var g : k.leaving()) {
          if (d.state().guest(g).isPresent()) {
            abort(d, g);
          }
        }
      }
      case Kind.MoveGroup k -> {
        if (k.failure().isPresent()) {
          return refused(
              Reason.WRONG_STATE,
              "operation %s: has failed; the guests go back (%s)".formatted(id, k.failure().get()));
        }
        cancel(d, op, k);
        return ok(
            "operation %s is cancelled; what had moved goes back, as the guests stay together"
                .formatted(id));
      }
      case Kind.FenceHost k -> {
        return refused(
            Reason.NOT_SAFE,
            "operation %s: the order to cut the power of host %s may have left; it cannot be taken back"
                .formatted(id, k.host()));
      }
      case Kind.TestFencing k -> {
        if (d.state()
            .host(k.host())
            .filter(h -> h.state() instanceof HostState.Fencing)
            .isPresent()) {
          return refused(
              Reason.NOT_SAFE,
              "operation %s: the power of host %s is being cut; wait until it is read off"
                  .formatted(id, k.host()));
        }
        Settling.end(d, op, Operation.State.CANCELLED, "cancelled; the host may still be off");
        return ok("operation %s is cancelled; host %s may still be off".formatted(id, k.host()));
      }
      case Kind.FenceStuck k -> {
        if (!d.host(k.host()).online()) {
          return refused(
              Reason.NOT_SAFE,
              "operation %s: the order to cut the power of host %s may have left; it cannot be taken back"
                  .formatted(id, k.host()));
        }
        StuckFence.end(
            d, op, k, Operation.State.CANCELLED, "cancelled; guest %s stays".formatted(k.guest()));
        return ok(
            "operation %s is cancelled; to keep hosts from being fenced for that: haven policy set stuck-destroy alarm"
                .formatted(id));
      }
      case Kind.StartGuest k -> {
        return refused(
            Reason.WRONG_STATE,
            "operation %s: stop the guest instead: haven guest stop %s".formatted(id, k.guest()));
      }
      case Kind.RelocateGuest k -> {
        if (k.later().isPresent()) { // it was not told to stop yet
          Settling.end(
              d,
              op,
              Operation.State.CANCELLED,
              "cancelled; guest %s goes on running on host %s".formatted(k.guest(), k.from()));
          return ok(
              "operation %s is cancelled; guest %s goes on running on host %s"
                  .formatted(id, k.guest(), k.from()));
        }
        Settling.end(d, op, Operation.State.CANCELLED, "cancelled; it starts where it fits best");
        return ok(
            "operation %s is cancelled; guest %s starts again where it fits best"
                .formatted(id, k.guest()));
      }
      case Kind.StopGuest k -> {
        return refused(
            Reason.WRONG_STATE,
            "operation %s: start the guest instead: haven guest start %s".formatted(id, k.guest()));
      }
    }
    Settling.end(d, op, Operation.State.CANCELLED, "cancelled; what had not moved stays");
    return ok("operation %s is cancelled; what had not moved stays".formatted(id));
  }

  /** Ends the moves of groups that are part of an operation; what has arrived goes back. */
  private static void cancelGroups(Deliberation d, OperationId of) {
    for (var op : List.copyOf(d.state().operations())) {
      if (op.running()
          && op.kind() instanceof Kind.MoveGroup k
          && k.of().equals(Optional.of(of))
          && k.failure().isEmpty()) {
        cancel(d, op, k);
      }
    }
  }

  private static void cancel(Deliberation d, Operation op, Kind.MoveGroup k) {
    d.change(new Change.OperationChanged(op.with(k.failed(GroupMoves.CANCELLED))));
    k.from().keySet().forEach(g -> d.state().guest(g).ifPresent(x -> abort(d, x.id())));
  }

  private static void abort(Deliberation d, GuestId id) {
    if (d.guest(id).phase() instanceof Migrating m) {
      switch (m.step()) {
        case CHECKING -> d.phase(id, m.back());
        case MOVING ->
            d.send(
                m.source(),
                m.sourceBoot(),
                new Order.AbortMigration(id, m.sourceEpoch(), m.targetEpoch()));
        case ARRIVED, UNDOING, STAYING -> {}
      }
    }
  }
}
