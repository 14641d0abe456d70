package io.github.jvhost.channel.backend;

import io.github.jvhost.Bytes;

/**
 * One message that was passed on.
 *
 * @param arrived when its last byte was there, on the clock of {@link System#nanoTime()}
 * @param passed when its last byte was handed to the kernel for the other side, on the same clock
 * @param session which one, counted from 1
 * @param route which way it went
 * @param raw whether these are bytes and no message: part of a message before the stream ended, or
 *     bytes from a header on that announced more than {@link
 *     io.github.jvhost.protocol.Header#MAX_PAYLOAD} bytes
 * @param bytes as they were on the wire: the header and the payload, or the raw bytes
 * @param descriptors how many went with it
 */
public record RelayedMessage(
    long arrived,
    long passed,
    int session,
    RelayRoute route,
    boolean raw,
    Bytes bytes,
    int descriptors) {}
