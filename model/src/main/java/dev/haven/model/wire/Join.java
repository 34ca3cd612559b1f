package dev.haven.model.wire;

import dev.haven.model.JoinToken;
import dev.haven.model.Network;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * What a newcomer and a voter say to each other, one message each way: four bytes of length, the
 * most significant first, and as many bytes of JSON.
 */
public final class Join {
  /** Of a request, in bytes. */
  public static final int REQUEST_MAX = 16 << 10;

  /** Of an answer, in bytes. */
  public static final int ANSWER_MAX = 128 << 10;

  /** Where newcomers are let in, unless a voter's file says otherwise. */
  public static final int PORT = 7703;

  private Join() {}

  /**
   * A newcomer asks to be let in, or once more to be made a voter.
   *
   * @param secret of its token
   * @param signingRequest PKCS#10 in Base64: of its key alone, nothing else in it counts
   * @param address at which the others reach it
   * @param networks its own address in each
   * @param apiPort of a voter's API, at its address
   * @param raftPort of a voter's log, at its address
   * @param clock of the newcomer, now
   * @param ready whether its orchestrator runs, so that it can be made a voter
   */
  public record Request(
      String secret,
      JoinToken.Role role,
      String name,
      String signingRequest,
      String address,
      List<Network> networks,
      int apiPort,
      int raftPort,
      Instant clock,
      boolean ready) {
    public Request {
      networks = List.copyOf(networks);
    }

    /** Says nothing of the secret. */
    @Override
    public String toString() {
      return "%s %s at %s asks to join".formatted(role.word(), name, address);
    }
  }

  /** What came of it. */
  public sealed interface Answer {
    /**
     * Let in.
     *
     * @param certificate the newcomer's own, PEM
     * @param authority what it is to trust, PEM
     * @param secretsKey of a voter, the content of the file
     * @param cluster its name, for people
     * @param voters those that there are
     */
    record Welcome(
        String certificate,
        String authority,
        Optional<String> secretsKey,
        String cluster,
        List<ToAgent.Voter> voters,
        int heartbeatPort,
        int joinPort)
        implements Answer {
      public Welcome {
        voters = List.copyOf(voters);
      }

      @Override
      public String toString() {
        return "welcome to " + cluster;
      }
    }

    /** It votes. */
    record Member(String message) implements Answer {}

    /** Another voter leads. @param address its {@code address:port} for newcomers */
    record Elsewhere(String address) implements Answer {}

    /** No. Says why, and the way out. */
    record Refused(String message) implements Answer {}

    /** Not now; the same request may be sent again. */
    record NotNow(String message) implements Answer {}
  }
}
