package io.github.jvhost.testkit;

import io.github.jvhost.protocol.VringAddress;
import org.jspecify.annotations.Nullable;

/**
 * The state of one ring of a mock back end at one moment.
 *
 * @param ring its number
 * @param size entries, or 0 if no size was sent or it was forgotten
 * @param base where it continues, as GET_VRING_BASE encodes it, advanced by the chains that were
 *     served
 * @param nextUsed the next used index; of a packed ring bit 15 is its wrap counter
 * @param address the addresses, or null if none were sent or they were forgotten
 * @param kickTold whether a kick is known, with or without a descriptor
 * @param callTold whether a call is known, with or without a descriptor
 * @param enabled the enable flag
 * @param started whether the back end serves the ring
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
