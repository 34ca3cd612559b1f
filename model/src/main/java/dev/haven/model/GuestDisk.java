package dev.haven.model;

import java.util.Optional;

/**
 * A disk as a guest's definition names it.
 *
 * @param use what it is and whether the guest may write it
 * @param path the file or device on the guest's host; empty for a network disk and the like, which
 *     no host can look at
 * @param format libvirt's name of the image's format, such as {@code qcow2}; empty where the
 *     definition does not say, which libvirt takes for {@code raw}
 */
public record GuestDisk(DiskUse use, Optional<String> path, String format) {}
