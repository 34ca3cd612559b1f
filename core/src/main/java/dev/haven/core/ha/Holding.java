package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.Epoch;

/**
 * A host was ordered to run a guest, under this boot and epoch, and nothing yet proves that it
 * cannot.
 */
public record Holding(BootId boot, Epoch epoch) {}
