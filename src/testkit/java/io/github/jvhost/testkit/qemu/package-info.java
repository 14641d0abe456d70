/**
 * QEMU's programs for tests, as child processes.
 *
 * <p>{@link io.github.jvhost.testkit.qemu.StorageDaemon} is a back end of libvhost-user's family:
 * {@code qemu-storage-daemon} exports a file as a vhost-user-blk disk. It serves one front end at a
 * time, and goes on listening when that one disconnects.
 *
 * <pre>
 *     this JVM                            qemu-storage-daemon (its own process)
 *   +---------------+                    +--------------------------------------+
 *   | front end     |== AF_UNIX socket ==| libvhost-user | virtio-blk requests  |
 *   |               |                    |               v                      |
 *   | guest memory  |&lt;-- shared mapping --|   [ throttle: n requests a second ]  |
 *   +---------------+                    |               v                      |
 *                                        |          raw disk file               |
 *                                        +--------------------------------------+
 * </pre>
 *
 * <p>{@link io.github.jvhost.testkit.qemu.QemuSystem} is a whole machine, usually not running. It
 * writes and reads migration streams, and its monitor shows what arrived.
 *
 * <pre>
 *     this JVM                            qemu-system-x86_64 (its own process)
 *   +---------------+                    +--------------------------------------+
 *   | mock back end |== AF_UNIX socket ==| virtio-net-pci over vhost-user       |
 *   |               |== AF_UNIX socket ==| monitor                              |
 *   +---------------+     stream in a    | migrate, migrate-incoming            |
 *                     &lt;------ file ------>|                                      |
 *                                        +--------------------------------------+
 * </pre>
 *
 * <p>{@link io.github.jvhost.testkit.qemu.QemuGuest} is a machine that runs. It boots {@link
 * io.github.jvhost.testkit.qemu.LinuxGuest}, which pings through its network devices, and migrates
 * from one QEMU to another. What listens at the sockets is the caller's: a back end, or a relay in
 * front of one.
 *
 * <pre>
 *    QEMU, source     == AF_UNIX sockets ==  back end, for instance testpmd
 *      |
 *      | migration: an AF_UNIX socket
 *      v
 *    QEMU, destination == AF_UNIX sockets ==  another back end
 * </pre>
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="qemu"}
 */
@NullMarked
package io.github.jvhost.testkit.qemu;

import org.jspecify.annotations.NullMarked;
