/**
 * The wire of vhost-user, pure: bytes in, records out, and back. Nothing here opens a socket,
 * starts a thread or holds state; everything that comes from a peer is checked before a record of
 * it exists.
 *
 * <pre>
 *   one message                                     who may send it when
 *   +-----------------------+------------------+    +-------------------------------+
 *   | Header (12 bytes)     | Payload (size)   |    | FrontEndRequest  id  payload  |
 *   | request flags size    | one record per   |    |                  reply  gate  |
 *   +-----------------------+ layout           |    | BackEndRequest   likewise     |
 *     + up to 8 descriptors +------------------+    | Dialect: the disputed numbers |
 *                                                   +-------------------------------+
 * </pre>
 *
 * <p>Integers travel in the byte order of the host (vhost-user specification, "Message
 * Specification"), because both ends share one machine. Where a layout says otherwise, its record
 * does.
 *
 * <p>Two kinds of failure are kept apart: bytes of a peer that make no sense raise {@link
 * io.github.jvhost.protocol.ProtocolException}; a record that our own code builds out of range
 * raises {@link java.lang.IllegalArgumentException}.
 *
 * <p>Payloads are read from and written to Netty's {@code ByteBuf}, on purpose, and this is the one
 * exported package whose signatures name a type of another library: it does no input and output, so
 * somebody who has a channel of his own needs just these, and bytes without a copy.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="protocol"}
 */
@NullMarked
package io.github.jvhost.protocol;

import org.jspecify.annotations.NullMarked;
