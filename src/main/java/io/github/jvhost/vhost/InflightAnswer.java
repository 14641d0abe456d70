package io.github.jvhost.vhost;

import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.sys.OwnedDescriptor;
import org.jspecify.annotations.Nullable;

/**
 * The region in which a back end remembers requests in flight, as it made it. The front end keeps
 * it, and gives it back (SET_INFLIGHT_FD) when the back end has come again.
 *
 * @param layout where it lies in its file; of size 0 when there is nothing to share
 * @param region its file; null when there is nothing to share. The receiver closes it
 */
public record InflightAnswer(Inflight layout, @Nullable OwnedDescriptor region) {}
