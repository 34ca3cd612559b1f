package dev.haven.model.api;

/**
 * {@code POST /v1/voters/{voter}/alone}: an operator says that all other voters are off and stay
 * off, so that this one goes on without a quorum.
 *
 * @param sentence typed by a person, {@link #sentence}
 * @param dryRun only say what may be lost
 */
public record ForceAlone(String sentence, boolean dryRun) {
  /** What is to be typed. */
  public static String sentence(String voter) {
    return "voter %s goes on alone, all others are off and stay off".formatted(voter);
  }
}
