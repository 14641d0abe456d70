package io.github.jvhost.channel.backend;

import io.github.jvhost.protocol.Header;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.List;

/**
 * One request as a back end received it.
 *
 * @param header as it was on the wire
 * @param payload as long as the header says; not copied
 * @param descriptors that came with the header, in order; the receiver closes them
 */
@SuppressWarnings("ArrayRecordComponent") // never compared; a copy per message would have no use
public record Received(Header header, byte[] payload, List<OwnedDescriptor> descriptors) {}
