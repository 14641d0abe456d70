/**
 * The encoding of a saved device, and of the stream that carries it: QEMU's VMState, byte for byte,
 * from one table that is used for writing and for reading.
 *
 * <pre>
 *   VirtioNetState  --Draft.of---------->  Draft  --Description.write-->  bytes
 *   VirtioNetState  &lt;--CommonRows.build--  Draft  &lt;--Description.read---  bytes        (all big-endian)
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
 * <p>Around the bodies goes one of two envelopes. {@link io.github.jvhost.vmstate.DeviceRecord} is
 * our own, with a length, a generation and a kind. QEMU's has none of these:
 *
 * <pre>
 *   QEVM | configuration | START ram | early sections | PART ram ... | END ram | FULL section ... | 00 | description in JSON
 *
 *   QemuStreamReader  --StreamRecord-->  (the caller)  --StreamRecord-->  QemuStreamWriter
 *                     --RamRecord-----------------------------------------&gt;
 * </pre>
 *
 * <p>A section's length is known of virtio-net devices because they are understood, of others from
 * the description or from a handler of the embedder's. {@link
 * io.github.jvhost.vmstate.StreamRewriter} copies a stream and changes what is asked for.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="vmstate"}
 */
@NullMarked
package io.github.jvhost.vmstate;

import org.jspecify.annotations.NullMarked;
