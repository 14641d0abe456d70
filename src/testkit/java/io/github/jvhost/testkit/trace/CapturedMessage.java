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
 * @param nanos when it had arrived at the proxy, since the capture began
 * @param held how long the proxy had it, in nanoseconds
 * @param session which one, counted from 1
 * @param route which way it went
 * @param raw whether these are bytes that are no message; nothing is known of them but their number
 * @param id of the header, 0 where raw
 * @param flags of the header, 0 where raw
 * @param size bytes of the payload; where raw, all bytes
 * @param descriptors how many went along
 * @param content the payload as it was on the wire; empty where it is not kept, because it may be
 *     secret (crypto sessions) or is no message
 * @param request what the id means on the main socket; null: nothing, or it is no main socket
 * @param name of the request, "request 77" or "raw bytes"
 * @param payload decoded; opaque where the content does not fit the layout
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
  /** {@return when it had been passed on, in nanoseconds since the capture began} */
  public long passed() {
    return nanos + held;
  }

  /** {@return whether an acknowledgement was asked for} */
  public boolean needReply() {
    return (flags & Header.NEED_REPLY) != 0;
  }
}
