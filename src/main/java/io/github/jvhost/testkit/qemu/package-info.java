/**
 * A real back end of libvhost-user's family for tests: QEMU's {@code qemu-storage-daemon} as a
 * child process, which exports a file as a vhost-user-blk disk.
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
 * <p>It serves one front end at a time, and goes on listening when one leaves.
 */
@NullMarked
package io.github.jvhost.testkit.qemu;

import org.jspecify.annotations.NullMarked;
