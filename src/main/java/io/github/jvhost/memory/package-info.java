/**
 * Guest memory as a front end sees it: regions that are parts of backing files, the table that a
 * back end is told, translation with bounds, and the two ways in which a changed page becomes
 * known.
 *
 * <p>A guest page has up to three addresses. Nothing in this package, nor above it, uses a raw
 * pointer.
 *
 * <pre>
 *   guest address (gpa)   0            1 GiB            4 GiB       5 GiB
 *                         |== "low" ===|      hole      |== "high" ==|
 *                               |                              |
 *   user address          gpa + USER_ADDRESS_BASE: by this ring addresses are told; no pointer
 *                               |                              |
 *   backing               memfd "low"                    memfd "high"   sent to the back end, once
 *                         (or both are parts of one: "ram" at 0, "ram" at 1 GiB)
 *                         mapping                        mapping        GuestMemory's accessors
 *
 *   a put through GuestMemory --mark--> DirtyBitmap &lt;--collectInto-- DirtyLog &lt;--OR-- back end
 *   (the part of KVM's dirty log)       (this process)               (a shared file)
 * </pre>
 *
 * <p>Addresses come from a guest, and a guest is not trusted: an access that does not lie within
 * one region throws {@link io.github.jvhost.memory.GuestAddressException} and touches nothing.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="memory"}
 */
@NullMarked
package io.github.jvhost.memory;

import org.jspecify.annotations.NullMarked;
