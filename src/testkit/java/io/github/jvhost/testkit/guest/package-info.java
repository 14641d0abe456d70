/**
 * A small guest that drives virtio-net as an operating system would. It keeps all its state in
 * guest memory, so that a copy of that memory is enough to migrate it.
 *
 * <pre>
 *             host objects (one set per VMM)                 guest memory (copied by the migration)
 *   +-----------------------------------------------+      +------------------------------------------+
 *   | TestGuest   thread, pause, commands           |      | boot block: magic, NICs, tick, cursor    |
 *   |  +- NicDriver (one per NIC)                   |----->| NIC block: addresses, pairs, sequence    |
 *   |  |    +- RxQueue, TxQueue - DriverRing        |      | ring block: free list, last used, tokens |
 *   |  |    +- ControlQueue ----- DriverRing        |      | desc, avail | used | buffers | mailbox   |
 *   |  +- WorkingSet                                |      | table of expected counters | pages       |
 *   +-----------------------------------------------+      +------------------------------------------+
 *        |  kick, call, GuestIommu      PingRecorder: kept by the host, shared by source and destination
 *        v
 *    back end
 * </pre>
 *
 * <p>Behind an IOMMU its drivers map what their devices may use ({@link
 * io.github.jvhost.testkit.guest.DmaMode}). The addresses follow from guest addresses and from what
 * is in guest memory, so that a copy of the memory and of the mappings is enough.
 *
 * <p>Three things show a migration that copied too little: the working set (pages that the guest
 * writes), the mailbox (received frames that stay where the back end wrote them, with a digest that
 * the guest keeps elsewhere) and the used rings (written by the back end alone). Pages that only
 * the back end writes are shared with nothing that the guest writes, so that a migration which
 * ignores the back end's dirty log cannot be right by accident. (The descriptors of a packed ring
 * are the exception: both sides write them.)
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="guest"}
 */
@NullMarked
package io.github.jvhost.testkit.guest;

import org.jspecify.annotations.NullMarked;
