package dev.haven.lab;

import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import java.util.List;

/**
 * The cluster that runs in a lab, as a client sees it. Whoever has a client for real clusters has
 * one for this.
 */
public interface ClusterClient {
  /**
   * @throws RuntimeException with a message for people if it is refused, or no voter answers in
   *     time
   */
  Reply.Accepted command(Command command);

  Views.Status status();

  /** Lines of the audit log after this index, the oldest first. */
  List<Views.Event> events(long since);
}
