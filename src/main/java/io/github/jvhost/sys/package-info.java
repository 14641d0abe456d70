/**
 * This package and {@code sys.io} are the only ones that call the operating system through foreign
 * functions. Descriptors and eventfds are here. Memory files, mappings, pipes, socket pairs, poll
 * and epoll, sendmsg, recvmsg and the calls themselves are in {@code sys.io}. No embedder needs
 * those, so {@code sys.io} is not exported.
 *
 * <p>A vhost-user front end shares file descriptors with its back end, and the JVM does not manage
 * file descriptors. So each descriptor has exactly one owner and is close-on-exec. A {@link
 * io.github.jvhost.sys.DescriptorLedger} records it while it is open.
 *
 * <pre>
 *                      DescriptorLedger   "eventfd ring 3 kick (fd 17), opened at X.y(X.java:12)"
 *                             ^ opened / closed
 *                             |
 *   EventFd ---owns---- OwnedDescriptor --- FileIdentity   (which file; the same for every dup)
 * </pre>
 *
 * <p>Two descriptors are equal when they are the same open <em>file</em>. Their numbers are not
 * compared: the system uses a number again after it was closed, and a duplicate has another number.
 *
 * <p>Needs {@code --enable-native-access} for this module, and Linux on a 64-bit little-endian
 * machine.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="sys"}
 */
@NullMarked
package io.github.jvhost.sys;

import org.jspecify.annotations.NullMarked;
