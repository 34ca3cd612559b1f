package dev.haven.core.lead;

import java.util.Optional;

/**
 * What a voter says of itself.
 *
 * @param secretsKey tells its secrets.key from others and nothing of it; {@code ""} if it has none
 * @param waits what it waits for a person to do, for people; empty if for nothing
 */
public record Standing(String secretsKey, Optional<String> waits) {
  public static final Standing NOTHING = new Standing("", Optional.empty());
}
