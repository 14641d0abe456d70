package io.github.jvhost.channel;

import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Acts on a back end's requests.
 *
 * <p>It is called on the thread that is waiting for the back end, perhaps within the stop window.
 * It must not block, and must not use the device or its channel. The one exception is {@link
 * VhostUserChannel#sendUncollected}, which answers a missing translation.
 */
public interface BackEndRequestHandler {
  /**
   * Acts on one request. It was negotiated, is well-formed, and has the right number of
   * descriptors.
   *
   * @param request what is asked
   * @param payload in the request's layout
   * @param descriptors that came with it. A handler that keeps one removes it from the list and
   *     owns it; the others are closed afterwards
   * @return the answer that is sent if the back end asked for one. An exception is logged and
   *     counts as {@link Answer#REFUSED}
   */
  Answer handle(BackEndRequest request, Payload payload, List<OwnedDescriptor> descriptors);

  /**
   * An answer to the back end.
   *
   * @param result 0 is success
   * @param descriptor of the object that SHARED_OBJECT_LOOKUP found, null for all other requests;
   *     the handler keeps it
   */
  record Answer(long result, @Nullable OwnedDescriptor descriptor) {
    /** Success. */
    public static final Answer DONE = new Answer(0, null);

    /** Failure. */
    public static final Answer REFUSED = new Answer(1, null);
  }
}
