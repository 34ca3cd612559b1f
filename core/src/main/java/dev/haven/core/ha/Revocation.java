package dev.haven.core.ha;

import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import java.util.List;

/** A key that somebody else may have lets nobody in any more. */
final class Revocation {
  private Revocation() {}

  static Reply revoke(Deliberation d, Command.RevokeKey c) {
    var key = c.key();
    var what = "the key %s of %s %s".formatted(key.key().substring(0, 8), key.role(), key.name());
    if (d.state().revoked(key.key())) {
      return Replies.ok(what + " is revoked already");
    }
    if (key.role().equals("host") && !c.replaced()) {
      var guests = d.state().load(new HostId(key.name())).guests();
      if (!guests.isEmpty()) {
        return Replies.refused(
            Reason.NOT_SAFE,
            "host %s: holds %d guests, and as far as is known works with this key; empty it first: haven evacuate %s"
                .formatted(key.name(), guests.size(), key.name()));
      }
    }
    d.change(new Change.KeyRevoked(key.revoked(d.at())));
    return Replies.ok(what + " is revoked: it lets nobody in, and its connections end");
  }

  /** All keys on record of a host that is no part of the cluster any more. */
  static void ofHost(Deliberation d, HostId host) {
    for (var key : List.copyOf(d.state().keys())) {
      if (key.role().equals("host") && key.name().equals(host.value()) && key.revoked().isEmpty()) {
        d.change(new Change.KeyRevoked(key.revoked(d.at())));
      }
    }
  }
}
