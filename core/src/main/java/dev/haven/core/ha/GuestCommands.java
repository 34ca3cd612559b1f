package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Failed;
import dev.haven.core.ha.GuestPhase.Stopped;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.model.Definition;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.Rule;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import dev.haven.model.wire.Order;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Commands that create, describe and remove a guest. */
final class GuestCommands {
  private GuestCommands() {}

  static Reply createGuest(Deliberation d, Command.CreateGuest c, Event.CommandReceived e) {
    var spec = c.guest();
    if (d.state().guest(spec.id()).isPresent()) {
      return Replies.refused(
          Reason.NAME_TAKEN,
          "guest %s: exists already; choose another name, or change it: haven guest edit %s"
              .formatted(spec.id(), spec.id()));
    }
    for (var other : d.state().guests()) {
      if (other.spec().uuid().equalsIgnoreCase(spec.uuid())) {
        return Replies.refused(
            Reason.NAME_TAKEN,
            "guest %s: its UUID %s belongs to guest %s; leave it out to get a new one"
                .formatted(spec.id(), spec.uuid(), other.id()));
      }
    }
    var order = StartOrder.wrong(d.state(), spec);
    if (order.isPresent()) {
      return Replies.refused(Reason.INVALID, order.get());
    }
    var definition = definition(spec, e);
    var conflict = Disks.conflict(d.state(), spec, definition);
    if (conflict.isPresent()) {
      return Replies.refused(Reason.INVALID, conflict.get());
    }
    var contradiction = contradiction(d.state(), spec);
    if (contradiction.isPresent()) {
      return Replies.refused(Reason.INVALID, contradiction.get());
    }
    var nowhere = c.start() ? FitsNowhere.whyNot(d.state(), spec) : Optional.<String>empty();
    if (nowhere.isPresent()
        && !MakingRoom.couldBeMade(d, spec)
        && d.state().hosts().stream().anyMatch(h -> h.online() && !h.cordoned())) {
      return Replies.refused(Reason.FITS_NOWHERE, nowhere.get());
    }
    d.change(new Change.GuestDescribed(spec, c.start(), Optional.of(definition)));
    if (!c.start()) {
      return Replies.ok(
          "guest %s is created, stopped%s".formatted(spec.id(), Disks.warning(definition)));
    }
    var op = d.begin(new Kind.StartGuest(spec.id()), e.by(), "starting", 1);
    return new Reply.Accepted(
        "guest %s is created and starts%s".formatted(spec.id(), Disks.warning(definition)),
        Optional.of(op),
        List.of("start guest " + spec.id()));
  }

  /** What its domain XML says, as it was read where the command came in. */
  private static Definition definition(GuestSpec spec, Event.CommandReceived e) {
    return e.definition().orElseGet(() -> Definition.ofAny(spec.domainXml()));
  }

  static Reply editGuest(Deliberation d, Command.EditGuest c, Event.CommandReceived e) {
    var known = d.state().guest(c.guest().id());
    if (known.isEmpty()) {
      return Replies.unknownGuest(d, c.guest().id());
    }
    if (!known.get().spec().uuid().equals(c.guest().uuid())) {
      return Replies.refused(
          Reason.INVALID,
          "guest %s: its UUID cannot change; it is %s"
              .formatted(c.guest().id(), known.get().spec().uuid()));
    }
    var order = StartOrder.wrong(d.state(), c.guest());
    if (order.isPresent()) {
      return Replies.refused(Reason.INVALID, order.get());
    }
    var definition = definition(c.guest(), e);
    var conflict = Disks.conflict(d.state(), c.guest(), definition);
    if (conflict.isPresent()) {
      return Replies.refused(Reason.INVALID, conflict.get());
    }
    var contradiction = contradiction(d.state(), c.guest());
    if (contradiction.isPresent()) {
      return Replies.refused(Reason.INVALID, contradiction.get());
    }
    d.change(new Change.GuestDescribed(c.guest(), known.get().wanted(), Optional.of(definition)));
    Disks.alarms(d, c.guest().id());
    return Replies.ok(
        "guest %s is described again; libvirt sees it at its next start%s%s"
            .formatted(
                c.guest().id(),
                Disks.warning(definition),
                BrokenRules.why(d.state(), c.guest().id())
                    .map(why -> ". Now " + why + ": see haven status")
                    .orElse("")));
  }

  static Reply removeGuest(Deliberation d, GuestId id) {
    var known = d.state().guest(id);
    if (known.isEmpty()) {
      return Replies.unknownGuest(d, id);
    }
    var guest = known.get();
    boolean off = guest.phase() instanceof Stopped || guest.phase() instanceof Failed;
    if (!off || !guest.holders().isEmpty()) {
      return Replies.refused(
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
    return Replies.ok("guest %s is removed; its disks stay".formatted(id));
  }

  /** Why no host could ever satisfy a description: it must be with somebody and apart from them. */
  private static Optional<String> contradiction(ClusterState state, GuestSpec guest) {
    var group = new ArrayList<GuestSpec>();
    for (var id : state.group(guest)) {
      if (id.equals(guest.id())) {
        group.add(guest);
      } else {
        group.add(state.guest(id).orElseThrow().spec());
      }
    }
    for (var one : group) {
      for (var rule : one.rules()) {
        if (rule instanceof Rule.WithGuests w && w.apart() && w.strict()) {
          for (var other : group) {
            if (!other.id().equals(one.id()) && w.value().equals(other.labels().get(w.label()))) {
              return Optional.of(
                  "guest %s: guests %s and %s must stay together, and %s stays apart from %s=%s, which %s has; take one of these rules away"
                      .formatted(
                          guest.id(),
                          one.id(),
                          other.id(),
                          one.id(),
                          w.label(),
                          w.value(),
                          other.id()));
            }
          }
        }
      }
    }
    return Optional.empty();
  }
}
