package dev.haven.lab;

import dev.haven.model.api.Command;
import dev.haven.model.api.Incident;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import java.util.List;

/**
 * The cluster that runs in a lab, as a client sees it. A client for real clusters is one for this.
 */
public interface LabClient {
  /**
   * @throws RuntimeException with a message for people if it is refused, or no voter answers in
   *     time
   */
  Reply.Accepted command(Command command);

  /** The same for a caller that goes on either way. */
  Attempt attempt(Command command);

  /** What became of a command, as far as its sender can know. */
  sealed interface Attempt {
    /** On the disks of a majority. */
    record Acknowledged(Reply.Accepted reply) implements Attempt {}

    /** Nothing was changed. */
    record Refused(String why) implements Attempt {}

    /** No answer: it may have been done, may be done yet, or never. */
    record Unknown(String why) implements Attempt {}
  }

  Views.Status status();

  /** Lines of the audit log after this index, the oldest first. */
  List<Views.Event> events(long since);

  /** All incidents that the audit log tells of, oldest first. */
  List<Incident> incidents();
}
