package io.github.jvhost.testkit.trace;

import io.github.jvhost.Bytes;
import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Payload;
import org.jspecify.annotations.Nullable;

/**
 * One message of a capture.
 *
 * @param nanos when it had arrived at the proxy, in nanoseconds since the capture began
 * @param held how long the proxy held it, in nanoseconds
 * @param session the session's number, counted from 1
 * @param route its direction and socket
 * @param raw whether these bytes are no message; then only their number is known
 * @param id the number in the header; 0 if raw
 * @param flags the flags in the header; 0 if raw
 * @param size the bytes of the payload; if raw, all bytes
 * @param descriptors how many descriptors came with it
 * @param content the payload as on the wire; empty if it is not kept, because it may be secret
 *     (crypto sessions) or is no message
 * @param request what the id means on the main socket; null if it is unknown or this is another
 *     socket
 * @param name the request's name, "request 77" or "raw bytes"
 * @param payload decoded; opaque if the content does not fit the layout
 */
public record CapturedMessage(
    long nanos,
    long held,
    int session,
    RelayRoute route,
    boolean raw,
    int id,
    int flags,
    int size,
    int descriptors,
    Bytes content,
    @Nullable FrontEndRequest request,
    String name,
    Payload payload)
    implements CaptureEntry {
  /** {@return when the proxy had passed it on, in nanoseconds since the capture began} */
  public long passed() {
    return nanos + held;
  }

  /** {@return whether an acknowledgement was asked for} */
  public boolean needReply() {
    return (flags & Header.NEED_REPLY) != 0;
  }
}
