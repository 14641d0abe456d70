package io.github.jvhost.channel;

import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of a back end's requests.
 *
 * <p>It is called on the thread that happens to wait for the back end, perhaps within the stop
 * window: it must not block, and must not use the device or its channel. The one exception is
 * {@link VhostUserChannel#sendUncollected}, by which a missing translation is answered.
 */
public interface BackEndRequestHandler {
  /**
   * Acts on one request: negotiated, well-formed, with as many descriptors as belong to it.
   *
   * @param request what is asked
   * @param payload in the request's layout
   * @param descriptors that came along; whoever wants to keep one removes it from the list and owns
   *     it, what is left is closed afterwards
   * @return what the back end is told, if it asked to be told. An exception is logged and counts as
   *     {@link Answer#REFUSED}
   */
  Answer handle(BackEndRequest request, Payload payload, List<OwnedDescriptor> descriptors);

  /**
   * What the back end is told.
   *
   * @param result 0 is success
   * @param descriptor of the object that SHARED_OBJECT_LOOKUP found, null for all else; stays the
   *     handler's
   */
  record Answer(long result, @Nullable OwnedDescriptor descriptor) {
    /** Success. */
    public static final Answer DONE = new Answer(0, null);

    /** Failure. */
    public static final Answer REFUSED = new Answer(1, null);
  }
}
