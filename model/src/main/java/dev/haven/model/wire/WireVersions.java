package dev.haven.model.wire;

/**
 * The versions of the frames and heartbeats between agent and voter that a program understands. Two
 * programs that do not understand each other exchange a hello and the answer to it, and nothing
 * else: {@code version}, {@code host} and {@code boot} of a {@link FromAgent.Hello}, and a {@link
 * ToAgent.Rejected}, are the same in every version.
 *
 * @param oldest 1 or more
 * @param newest at least {@code oldest}
 */
public record WireVersions(int oldest, int newest) {
  /**
   * Of this program. A change of frames, heartbeats or their answers that an earlier program
   * misreads or drops raises it. Before 5 each of them had a number of its own, at most 4.
   */
  public static final WireVersions OURS = new WireVersions(FromAgent.VERSION, FromAgent.VERSION);

  /** What an agent closes a connection with whose voter it does not understand. */
  public static final int CLOSED_FOR_IT = 4_426;

  public WireVersions {
    if (oldest < 1 || newest < oldest) {
      throw new IllegalArgumentException("versions %d to %d".formatted(oldest, newest));
    }
  }

  public boolean understands(int version) {
    return oldest <= version && version <= newest;
  }

  /** For people: {@code version 2}, {@code versions 2 to 3}. */
  public String words() {
    return oldest == newest ? "version " + oldest : "versions %d to %d".formatted(oldest, newest);
  }

  /**
   * What a person does about an agent that a voter with these versions does not understand.
   *
   * @param agent the version of the agent
   * @param host of the agent
   */
  public String wayOut(int agent, String host) {
    return agent > newest
        ? "Upgrade the voters: on each, install the new Haven and run /usr/lib/haven/restart-voter. Or install the old haven-agent on host %s again"
            .formatted(host)
        : "Upgrade haven-agent on host %s".formatted(host);
  }
}
