package dev.haven.core.ha;

import dev.haven.model.HostId;
import dev.haven.model.JoinToken;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;

/** How machines become a part of the cluster: tokens are given out, and each is used once. */
final class Joining {
  /** More at a time is a mistake of a script. */
  private static final int TOKENS = 64;

  private Joining() {}

  static Reply takeAuthority(Deliberation d, Command.TakeAuthority c) {
    if (!d.state().authority().equals(Optional.of(c.key()))) {
      d.change(new Change.AuthorityTaken(c.key()));
    }
    return Replies.ok("the key of the certificate authority stands in the log, sealed");
  }

  static Reply create(Deliberation d, Command.CreateToken c) {
    if (d.state().authority().isEmpty()) {
      return Replies.refused(
          Reason.WRONG_STATE,
          "this cluster has no key of its certificate authority, so nobody can join by a token;"
              + " docs/security.md says how to give it one. Without it: haven ca issue");
    }
    for (var token : List.copyOf(d.state().tokens())) {
      if (!d.at().isBefore(token.until())) {
        d.change(new Change.TokenForgotten(token.id()));
      }
    }
    if (d.state().tokens().size() >= TOKENS) {
      return Replies.refused(
          Reason.WRONG_STATE,
          "there are %d tokens already; revoke some: haven token list".formatted(TOKENS));
    }
    var token = new JoinToken(c.hash(), c.role(), c.name(), d.at().plus(c.within()), none());
    if (d.state().tokens().stream().anyMatch(t -> t.id().equals(token.id()))) {
      return Replies.refused(Reason.NAME_TAKEN, "there is such a token already; make another one");
    }
    d.change(new Change.TokenCreated(token));
    return Replies.ok(
        "token %s lets one %s join until %s"
            .formatted(
                token.id(), token.role().word(), token.until().truncatedTo(ChronoUnit.SECONDS)));
  }

  private static Optional<JoinToken.Use> none() {
    return Optional.empty();
  }

  static Reply revoke(Deliberation d, Command.RevokeToken c) {
    if (d.state().tokens().stream().noneMatch(t -> t.id().equals(c.id()))) {
      return Replies.refused(
          Reason.UNKNOWN_NAME,
          "token %s: there is none; haven token list shows them".formatted(c.id()));
    }
    d.change(new Change.TokenForgotten(c.id()));
    return Replies.ok("token %s lets nobody join any more".formatted(c.id()));
  }

  static Reply use(Deliberation d, Command.UseToken c) {
    var known = find(d, c.hash());
    if (known.isEmpty()) {
      return Replies.refused(
          Reason.UNKNOWN_NAME,
          "this cluster knows no such token: it was revoked, or it ended long ago; make another"
              + " one: haven token create");
    }
    var token = known.get();
    var wrong = wrong(d, token, c);
    if (wrong.isPresent()) {
      return Replies.refused(Reason.WRONG_STATE, wrong.get());
    }
    if (d.state().revoked(c.key())) {
      return Replies.refused(
          Reason.WRONG_STATE,
          "the key of this machine was revoked; haven join --replace makes another one");
    }
    var who = token.role().word() + " " + c.name();
    if (token.use().isPresent()) {
      return Replies.ok(who + " asks again by token " + token.id());
    }
    for (var other : d.state().tokens()) {
      if (clashes(d, other, token, c.name())) {
        return taken(
            "%s: another machine is joining under this name by token %s; choose another name, or if that one is gone: haven token revoke %s"
                .formatted(who, other.id(), other.id()));
      }
    }
    if (c.host().isPresent()) {
      var host = d.state().host(new HostId(c.name()));
      if (host.flatMap(Host::boot).isPresent()) {
        return taken(
            "%s: a machine of this name is part of the cluster; if this one replaces it: haven host remove %s, and join again"
                .formatted(who, c.name()));
      }
      if (host.isPresent() && token.name().isEmpty()) { // with the fencing device of a machine
        return taken(
            "%s: a host of this name is described already, and its fencing devices may be another machine's; choose another one with --name, or if it is this machine: haven token create --role host --name %s"
                .formatted(who, c.name()));
      }
      if (host.isEmpty()) {
        var reply = HostCommands.addHost(d, new Command.AddHost(c.host().get()));
        if (reply instanceof Reply.Refused) {
          return reply;
        }
      }
    }
    d.change(new Change.TokenUsed(token.id(), new JoinToken.Use(c.name(), c.key(), d.at())));
    return Replies.ok("%s joins by token %s".formatted(who, token.id()));
  }

  private static Optional<String> wrong(Deliberation d, JoinToken token, Command.UseToken c) {
    if (!d.at().isBefore(token.until())) {
      return Optional.of(
          "the token ended at %s; make another one: haven token create"
              .formatted(token.until().truncatedTo(ChronoUnit.SECONDS)));
    }
    if (token.role() != c.role()) {
      return Optional.of(
          "the token is that of a %s, not of a %s".formatted(token.role().word(), c.role().word()));
    }
    if (token.name().filter(n -> !n.equals(c.name())).isPresent()) {
      return Optional.of(
          "the token is for %s %s, and this machine calls itself %s: --name %s"
              .formatted(token.role().word(), token.name().get(), c.name(), token.name().get()));
    }
    return token
        .use()
        .filter(u -> !u.by(c.name(), c.key()))
        .map(
            u ->
                "the token was used at %s by %s %s, with another key; if you do not know that machine, remove it. Make another token: haven token create"
                    .formatted(
                        u.at().truncatedTo(ChronoUnit.SECONDS), token.role().word(), u.name()));
  }

  /** Whether the other token's user has that name and may still come. */
  private static boolean clashes(Deliberation d, JoinToken other, JoinToken token, String name) {
    return other.role().votes() == token.role().votes()
        && d.at().isBefore(other.until())
        && other
            .use()
            .filter(u -> u.name().equals(name) && !d.state().revoked(u.key()))
            .isPresent();
  }

  private static Reply taken(String why) {
    return Replies.refused(Reason.NAME_TAKEN, why);
  }

  private static Optional<JoinToken> find(Deliberation d, String hash) {
    return d.state().tokens().stream().filter(t -> t.hash().equals(hash)).findFirst();
  }
}
