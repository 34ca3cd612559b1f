package dev.haven.core.ha;

import dev.haven.model.GuestId;

/**
 * Another guest that opens what this one opens, where at least one of them may write it.
 *
 * @param what the file, device or image
 * @param mayRun whether a host holds that other guest
 */
public record Rival(GuestId guest, String what, boolean mayRun) {}
