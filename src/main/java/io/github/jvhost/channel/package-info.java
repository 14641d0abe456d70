/**
 * One vhost-user connection: a stream socket of the AF_UNIX family, descriptors that are sent with
 * messages, deadlines, and replies that are matched with their requests in order.
 *
 * <pre>
 *   VhostUserChannel (front end)                     BackEndConnection (the other side, in backend)
 *
 *   send --&gt; out buffer --&gt; one write per segment --&gt; receive: header + descriptors, then payload
 *              [fd message | plain | plain | ...]
 *   awaitReply &lt;-- matched &lt;-- in buffer &lt;----------- reply
 *        |             |
 *        |             +-- anything else, or too late (ReplyDeadlines): poisoned, for good
 *        | the same wait
 *   BackEndChannel --&gt; BackEndRequestHandler            BackEndRequester
 *     serve &lt;------------- a second socket ------------- send
 *     answer --------------------------------------------&gt; awaitAnswer
 * </pre>
 *
 * <p>A back end may wait for an answer on its own channel before it answers on the main one, so
 * every wait is for both sockets.
 *
 * <p>One write carries at most 32 KiB of whole messages. Only the message that begins a write may
 * have descriptors. The kernel delivers descriptors with a write and not with a message, so only in
 * this way they cannot reach the wrong message.
 *
 * <p>Single requests are encoded into the channel's own {@link io.github.jvhost.channel.Messages}.
 * A caller with many requests makes another one, perhaps long before it is sent. Both are written
 * by the same code.
 *
 * <p>Reads and writes never block. Only if there is nothing to read or no room to write, a poll
 * waits until the caller's deadline. A sequence of messages is sent without any wait: what there is
 * no room for is left, and the caller polls for output, perhaps on many connections at once. Socket
 * time-outs are not used, because they look the same as the end of the stream. One thread at a time
 * per connection; a virtual one pins its carrier while it waits.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="channel"}
 */
@NullMarked
package io.github.jvhost.channel;

import org.jspecify.annotations.NullMarked;
