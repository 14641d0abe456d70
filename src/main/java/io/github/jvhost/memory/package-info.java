/**
 * Guest memory for a front end: regions that are parts of backing files, the table that is sent to
 * a back end, checked translation of addresses, and the two records of written pages.
 *
 * <p>A guest page has up to three addresses. Neither this package nor its callers use raw pointers.
 *
 * <pre>
 *   guest address (gpa)   0            1 GiB            4 GiB       5 GiB
 *                         |== "low" ===|      hole      |== "high" ==|
 *                               |                              |
 *   user address          gpa + USER_ADDRESS_BASE: ring addresses are sent as these; no pointer
 *                               |                              |
 *   backing               memfd "low"                    memfd "high"   sent to the back end, once
 *                         (or both are parts of one: "ram" at 0, "ram" at 1 GiB)
 *                         mapping                        mapping        GuestMemory's accessors
 *
 *   a put through GuestMemory --mark--> DirtyBitmap &lt;--collectInto-- DirtyLog &lt;--OR-- back end
 *   (the part of KVM's dirty log)       (this process)               (a shared file)
 * </pre>
 *
 * <p>Addresses come from a guest, which is not trusted. An access that is not within one region
 * throws {@link io.github.jvhost.memory.GuestAddressException} and changes nothing.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="memory"}
 */
@NullMarked
package io.github.jvhost.memory;

import org.jspecify.annotations.NullMarked;
