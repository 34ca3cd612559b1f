package dev.haven.model;

import java.util.Optional;

/** What is kept on disk has a number, and a reader knows one number alone. */
public final class Formats {
  private Formats() {}

  /**
   * Why it cannot be read, and the way out; empty if it can.
   *
   * @param ours the format that this Haven reads
   * @param found the format that it has
   * @param what it is, and where
   */
  public static Optional<String> otherThan(int ours, int found, String what) {
    if (found == ours) {
      return Optional.empty();
    }
    return Optional.of(
        "%s has format %d, and this Haven reads format %d alone: %s"
            .formatted(
                what,
                found,
                ours,
                found > ours
                    ? "a newer Haven wrote it; upgrade this one"
                    : "an older Haven wrote it. Install that version again, or form the cluster"
                        + " again with an empty data directory on every voter"));
  }
}
