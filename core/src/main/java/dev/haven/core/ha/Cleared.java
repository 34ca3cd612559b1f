package dev.haven.core.ha;

/**
 * A holding that a proof took away. It is kept until the guest runs again, because a later sign of
 * life of the host gives it back.
 *
 * @param holding as it was
 */
public record Cleared(Proof proof, Holding holding) {}
