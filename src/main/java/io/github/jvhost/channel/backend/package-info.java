/**
 * The back end's side of a connection, and a relay between a front end and a back end. Exported to
 * the testkit alone: a VMM is a front end and needs none of it.
 *
 * <pre>
 *   BackEndListener --accept--&gt; BackEndConnection   receive: header + descriptors, then payload
 *                                                   reply: in one write
 *   BackEndRequester: what a back end asks on its own channel, and the answers
 *
 *   front end ==socket==&gt; Relay ==socket==&gt; back end
 *                           |
 *                           +--&gt; RelayObserver: each message as it passes
 * </pre>
 *
 * <p>A relay passes on one whole message after the other. It reads only the header, and knows which
 * descriptor opens the back end's own channel.
 */
@NullMarked
package io.github.jvhost.channel.backend;

import org.jspecify.annotations.NullMarked;
