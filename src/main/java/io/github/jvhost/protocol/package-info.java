/**
 * The messages of vhost-user: this package decodes bytes into records and encodes records into
 * bytes. It opens no socket, starts no thread and holds no state. It checks a peer's bytes before
 * it makes a record of them.
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
 * <p>Integers have the byte order of the host (vhost-user specification, "Message Specification"),
 * because both ends run on one machine. The record of a layout says where it has another byte
 * order.
 *
 * <p>There are two kinds of failure. Invalid bytes of a peer raise {@link
 * io.github.jvhost.protocol.ProtocolException}. Our own code that builds a record with a value out
 * of range gets an {@link java.lang.IllegalArgumentException}.
 *
 * <p>Payloads are read from and written to Netty's {@code ByteBuf}. No other exported package has a
 * type of another library in its signatures. The reason: this package does no input and output, and
 * an embedder with a channel of his own can use it without copying bytes.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="protocol"}
 */
@NullMarked
package io.github.jvhost.protocol;

import org.jspecify.annotations.NullMarked;
