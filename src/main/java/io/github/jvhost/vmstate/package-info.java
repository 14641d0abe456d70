/**
 * The encoding of a saved device: QEMU's VMState, byte for byte, from one table that is used for
 * writing and for reading.
 *
 * <pre>
 *   VirtioNetState  --NetModel.of-->  NetModel  --Description.write-->  bytes
 *   VirtioNetState  <--toState------  NetModel  <--Description.read---  bytes        (all big-endian)
 *
 *   Description "virtio-net-device" version 11
 *     fields       mac | tx_waiting | ... | [max_queue_pairs, only if more than 1] | ...     no tags: the table says what is there
 *     subsections  05 len name version fields ...                                            tagged: only those that are needed
 *
 *   the body of a section:
 *     transport (pci or mmio) | virtio | queues | virtio-net-device + its subsections | subsections of virtio
 * </pre>
 *
 * <p>What is read was written by somebody else. Whatever is wrong with it ends as {@link
 * io.github.jvhost.vmstate.VmStateException}, which says where; what is kept of it is bounded by
 * what was sent. A decoded state is a model of its own: neither guest memory nor a live device is
 * touched.
 *
 * <p>Around the bodies goes an envelope of our own, {@link io.github.jvhost.vmstate.DeviceRecord}.
 */
@NullMarked
package io.github.jvhost.vmstate;

import org.jspecify.annotations.NullMarked;
