package dev.haven.model;

/**
 * Something on which a guest's data lie and which it opens: an image file, a device, a network
 * disk, or what stands behind one of them.
 *
 * @param what a name that is the same wherever the same thing is meant, such as {@code file
 *     /srv/guests/web.qcow2} or {@code inode 42 on nfs4 10.0.0.5:/srv}; 1 to 500 characters
 * @param writable whether the guest may write it
 * @param shareable whether its definition says that several guests may write it at the same time,
 *     as those of a cluster file system do
 */
public record DiskUse(String what, boolean writable, boolean shareable) {
  public static final int LONGEST = 500;

  public DiskUse {
    if (what.isBlank() || what.length() > LONGEST) {
      throw new IllegalArgumentException(
          "the name of a disk must have 1 to %d characters".formatted(LONGEST));
    }
  }

  /** Whether two guests must not have both of these: one writes what the other opens. */
  public boolean excludes(DiskUse other) {
    return what.equals(other.what)
        && (writable || other.writable)
        && !(shareable && other.shareable);
  }
}
