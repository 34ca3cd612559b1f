package dev.haven.model.wire;

import dev.haven.model.DomainReport;
import dev.haven.model.PlainText;
import java.time.Duration;
import java.util.Optional;

/** How an order ended. Long texts are shortened to {@link #LONGEST} characters. */
public sealed interface Answer {
  /** Of each text: it becomes a line of the audit log, and what QEMU says last still fits. */
  int LONGEST = 2000;

  /** Done, or was so already. */
  record Done(String detail) implements Answer {
    public Done {
      detail = PlainText.brief(detail, LONGEST);
    }
  }

  /**
   * The agent's word: libvirt, asked after the order came, says that the guest is off or undefined,
   * that no job is left, and every order of the refused epoch will be refused. Answers {@code
   * ConfirmGone}, a {@code StopGuest} and a {@code StartGuest} that failed cleanly.
   *
   * @param detail what libvirt said
   * @param failure why a start failed, for {@code StartGuest}
   * @param cause what kind of failure that is, where it matters
   */
  record Gone(String detail, Optional<String> failure, Optional<Cause> cause) implements Answer {
    public Gone {
      detail = PlainText.brief(detail, LONGEST);
      failure = failure.map(why -> PlainText.brief(why, LONGEST));
    }

    public Gone(String detail, Optional<String> failure) {
      this(detail, failure, Optional.empty());
    }
  }

  /** Failures that are treated in their own way. */
  enum Cause {
    /** Another process holds a lock on a disk of the guest. */
    DISK_LOCKED
  }

  /** It is still there; nothing is proven. */
  record StillThere(DomainReport domain) implements Answer {}

  /**
   * The migration ended well as far as this side can tell: after the switchover its own process
   * ended, or libvirt says that its own domain is gone with no job left. The epoch of the source is
   * refused from now on, so this is also the agent's word. Whether the copy is complete, the target
   * says when it is told to let it run.
   *
   * @param downtime as libvirt measured it, if it has said so by then
   */
  record Migrated(Duration total, Optional<Duration> downtime, String detail) implements Answer {
    public Migrated {
      detail = PlainText.brief(detail, LONGEST);
    }
  }

  /** It did not happen, and what was there before is there still. */
  record Failed(String reason) implements Answer {
    public Failed {
      reason = PlainText.brief(reason, LONGEST);
    }
  }

  /** Nobody knows: a call timed out, or libvirt went away. Never taken for done or failed. */
  record Unknown(String reason) implements Answer {
    public Unknown {
      reason = PlainText.brief(reason, LONGEST);
    }
  }

  /** Refused for an older epoch, term or generation; nothing was touched. */
  record Refused(String reason) implements Answer {
    public Refused {
      reason = PlainText.brief(reason, LONGEST);
    }
  }

  /**
   * Nothing was touched by this order: the agent's disk does not take what must be on it first,
   * such as the leader's term. Given again later; never a sign that a guest cannot be ended.
   */
  record NotNoted(String reason) implements Answer {
    public NotNoted {
      reason = PlainText.brief(reason, LONGEST);
    }
  }
}
