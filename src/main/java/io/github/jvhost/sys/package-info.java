/**
 * The only room that talks to the operating system through foreign functions: descriptors and
 * eventfds here; memory files, mappings, pipes, socket pairs, poll and epoll, sendmsg and recvmsg
 * in {@code sys.io}, with the calls themselves. No embedder needs those, so that is not exported.
 *
 * <p>Everything that a vhost-user front end shares with its back end is a file descriptor, and a
 * descriptor is the one thing that the JVM does not look after. So each has exactly one owner here,
 * is close-on-exec, and is written down in a {@link io.github.jvhost.sys.DescriptorLedger} from the
 * moment it is opened to the moment it is closed.
 *
 * <pre>
 *                      DescriptorLedger   "eventfd ring 3 kick (fd 17), opened at X.y(X.java:12)"
 *                             ^ opened / closed
 *                             |
 *   EventFd ---owns---- OwnedDescriptor --- FileIdentity   (which file; the same for every dup)
 * </pre>
 *
 * <p>Two descriptors are equal when they are the same <em>file</em>, never because their numbers
 * are: a number is used again as soon as it is closed, and a duplicate has another number.
 *
 * <p>Needs {@code --enable-native-access} for this module, and Linux on a 64-bit little-endian
 * machine.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="sys"}
 */
@NullMarked
package io.github.jvhost.sys;

import org.jspecify.annotations.NullMarked;
