/**
 * The encoding of a saved device and of its migration stream: QEMU's VMState, byte for byte. One
 * table is used for writing and for reading.
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
 * <p>The input is not trusted. If it is invalid, methods throw a {@link
 * io.github.jvhost.vmstate.VmStateException}, which says where. The memory that is used for it is
 * limited by the bytes that were received. A decoded state is a separate object: decoding changes
 * neither guest memory nor a live device.
 *
 * <p>A body is in one of two envelopes. {@link io.github.jvhost.vmstate.DeviceRecord} is this
 * library's own, with a length, a generation and a kind. QEMU's envelope has none of these:
 *
 * <pre>
 *   QEVM | configuration | START ram | early sections | PART ram ... | END ram | FULL section ... | 00 | description in JSON
 *
 *   QemuStreamReader  --StreamRecord-->  (the caller)  --StreamRecord-->  QemuStreamWriter
 *                     --RamRecord-----------------------------------------&gt;
 * </pre>
 *
 * <p>The reader decodes the sections of virtio-net devices, so it knows their length. The length of
 * other sections comes from the description or from a handler of the embedder. {@link
 * io.github.jvhost.vmstate.StreamRewriter} copies a stream with changes.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="vmstate"}
 */
@NullMarked
package io.github.jvhost.vmstate;

import org.jspecify.annotations.NullMarked;
