package io.github.jvhost.channel;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.List;

/**
 * An answer, matched to what was asked.
 *
 * @param request what was asked
 * @param payload the explicit answer, or a {@link io.github.jvhost.protocol.U64} acknowledgement (0
 *     is success)
 * @param descriptors that came with it; the receiver closes them
 */
public record Reply(FrontEndRequest request, Payload payload, List<OwnedDescriptor> descriptors) {}
