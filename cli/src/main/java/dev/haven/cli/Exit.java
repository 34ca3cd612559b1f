package dev.haven.cli;

/** What the process ends with; programs may rely on these numbers. */
enum Exit {
  OK(0),
  /** It was accepted, tried, and went wrong. */
  FAILED(1),
  /** The command line or a file that it names is wrong; nothing was sent. */
  USAGE(2),
  /** No voter answered; nothing was changed. */
  UNREACHABLE(3),
  /** The cluster said no; nothing was changed. */
  REFUSED(4),
  /** {@code status --check}, {@code fence test}: it runs, but needs a person. */
  ATTENTION(5),
  /** It was sent, and no answer came: it may have been done or not. */
  UNKNOWN(6),
  /** ^C; an operation that had begun goes on. */
  INTERRUPTED(130);

  final int code;

  Exit(int code) {
    this.code = code;
  }
}
