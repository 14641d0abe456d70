package io.github.jvhost.testkit;

import io.github.jvhost.protocol.VringAddress;
import org.jspecify.annotations.Nullable;

/**
 * What a mock back end knows of one ring, at one moment.
 *
 * @param ring its number
 * @param size entries, 0 when never told or forgotten
 * @param base where it goes on as GET_VRING_BASE encodes it, advanced by what was served
 * @param nextUsed the next used index; of a packed ring bit 15 is its wrap counter
 * @param address what was told, null when never told or forgotten
 * @param kickTold whether a kick is known, with or without a descriptor
 * @param callTold whether a call is known, with or without a descriptor
 * @param enabled the enable flag
 * @param started whether the ring is touched
 */
public record RingView(
    int ring,
    int size,
    int base,
    int nextUsed,
    @Nullable VringAddress address,
    boolean kickTold,
    boolean callTold,
    boolean enabled,
    boolean started) {}
