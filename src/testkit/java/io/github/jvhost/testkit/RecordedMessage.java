package io.github.jvhost.testkit;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Payload;
import org.jspecify.annotations.Nullable;

/**
 * One message as a mock back end received it.
 *
 * @param nanos when it had arrived, on the clock of {@link System#nanoTime()}
 * @param connection on which connection, counted from 1
 * @param id the number on the wire
 * @param request what the number means in the back end's dialect, or null if it is unknown
 * @param flags the header's flags
 * @param payload decoded; opaque if the bytes did not fit the request's layout
 * @param descriptors how many descriptors came along
 */
public record RecordedMessage(
    long nanos,
    int connection,
    int id,
    @Nullable FrontEndRequest request,
    int flags,
    Payload payload,
    int descriptors) {
  /** {@return whether an acknowledgement was asked for} */
  public boolean needReply() {
    return (flags & Header.NEED_REPLY) != 0;
  }

  /** {@return the request's name, or "request 77" if the number is unknown} */
  public String name() {
    return request == null ? "request " + id : request.name();
  }
}
