package dev.haven.core.ha;

import dev.haven.model.api.Fact;
import dev.haven.model.api.Reply;
import java.util.List;
import java.util.Optional;

/**
 * What follows from an event.
 *
 * @param changes to commit first; if there are none, nothing needs a quorum
 * @param actions to do after that
 * @param ahead those of the actions that need not wait for the changes: that a guest is let run on
 *     its migration's target once the source's agent has said that it is gone there is committed
 *     with the intent, and its pause lasts until then
 * @param reason in one sentence, also for doing nothing
 * @param reply for a command
 * @param more whether there is more to do at once, in an entry of its own: {@link Event.GoOn}
 */
public record Decision(
    List<Change> changes,
    List<Action> actions,
    List<Action.Resume> ahead,
    List<Fact> facts,
    String reason,
    Optional<Reply> reply,
    boolean more) {
  public Decision {
    changes = List.copyOf(changes);
    actions = List.copyOf(actions);
    ahead = List.copyOf(ahead);
    facts = List.copyOf(facts);
  }

  public static Decision none(String reason) {
    return new Decision(
        List.of(), List.of(), List.of(), List.of(), reason, Optional.empty(), false);
  }
}
