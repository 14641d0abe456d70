package io.github.jvhost.vhost.user;

import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.sys.OwnedDescriptor;
import org.jspecify.annotations.Nullable;

/**
 * The region that a back end has made to record its requests in flight. The front end keeps it, and
 * sends it (SET_INFLIGHT_FD) to the next back end.
 *
 * @param layout its place in the file; of size 0 when there is nothing to share
 * @param region its file; null when there is nothing to share. The receiver closes it
 */
public record InflightAnswer(Inflight layout, @Nullable OwnedDescriptor region) {}
