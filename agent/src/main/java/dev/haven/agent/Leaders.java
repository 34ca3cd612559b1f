package dev.haven.agent;

import java.util.Optional;

/** Who leads, as far as this host has heard: the leader of the highest term wins. */
final class Leaders {
  /**
   * @param voter empty while the term is known and its leader is not
   */
  record Leader(long term, Optional<String> voter) {}

  private Leader leader = new Leader(-1, Optional.empty());
  private Runnable changed = () -> {};

  /**
   * @param changed called, with no lock held, on the thread that brings the news
   */
  synchronized void onChange(Runnable changed) {
    this.changed = changed;
  }

  synchronized Leader leader() {
    return leader;
  }

  void heard(long term, Optional<String> voter) {
    Runnable tell;
    synchronized (this) {
      boolean news =
          term > leader.term()
              || (term == leader.term() && leader.voter().isEmpty() && voter.isPresent());
      if (!news) {
        return;
      }
      leader = new Leader(term, voter);
      tell = changed;
    }
    tell.run();
  }
}
