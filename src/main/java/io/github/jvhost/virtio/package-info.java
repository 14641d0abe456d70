/**
 * The device model: a virtio-net device as its driver sees it, and nothing about vhost.
 *
 * <p>{@link io.github.jvhost.virtio.VirtioNet} is the live, mutable device. It has one serial
 * owner. {@link io.github.jvhost.virtio.VirtioNetState} is what can be saved of it, immutable, and
 * free to go anywhere.
 *
 * <pre>
 *    driver in the guest                        owner of the device
 *      | VirtioMmio: registers                    |
 *      | features, status, queues, config         | link, MTU, back end's features, next indexes
 *      v                                          v
 *   +--------------------------- VirtioNet ---------------------------+   DeviceChange
 *   |  transport | status, features | rings 0 .. 2n | MAC, MTU, MQ,   | -------------> listeners
 *   |  (mmio,pci)|                  | (QueueState)  | filters, status |
 *   +------------------------------------------------------------------+
 *        |  snapshot()                        ^  restore(state)
 *        v                                    |
 *       VirtioNetState { HostOffer, TransportState, CommonState, NetState, SavedQueue... }
 *
 *   rings:  RX0 TX0 RX1 TX1 ... CTRL      the data rings belong to the back end,
 *           \____ back end ____/  \__/    the control ring is served here, from guest memory,
 *                                         split (SplitControlRing) or packed (PackedControlRing)
 * </pre>
 *
 * <p>The guest is not trusted: whatever it puts into a ring or a register leads at worst to a
 * device that needs a reset, never to an exception.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="virtio"}
 */
@NullMarked
package io.github.jvhost.virtio;

import org.jspecify.annotations.NullMarked;
