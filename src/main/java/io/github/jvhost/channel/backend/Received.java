package io.github.jvhost.channel.backend;

import io.github.jvhost.protocol.Header;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.List;

/**
 * One request as a back end received it.
 *
 * @param header as it was on the wire
 * @param payload exactly the header's size; not copied, whoever has the record may read it
 * @param descriptors that came with the header, in order; the receiver closes them
 */
@SuppressWarnings("ArrayRecordComponent") // compared nowhere; a copy per message would buy nothing
public record Received(Header header, byte[] payload, List<OwnedDescriptor> descriptors) {}
