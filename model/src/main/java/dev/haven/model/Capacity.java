package dev.haven.model;

/**
 * What a host has, as its agent read it from libvirt.
 *
 * @param memoryMib all of the host's memory
 * @param cpus logical processors
 * @param hypervisor for people, such as {@code QEMU 7.2.0, libvirt 9.0.0}
 */
public record Capacity(long memoryMib, int cpus, String hypervisor) {
  public static final Capacity UNKNOWN = new Capacity(0, 0, "unknown");
}
