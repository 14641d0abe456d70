/**
 * One vhost-user connection: a stream socket of the AF_UNIX family, descriptors that travel with
 * messages, deadlines, and replies matched in order to what was asked.
 *
 * <pre>
 *   VhostUserChannel (front end)                     BackEndConnection (the mirror, in backend)
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
 * <p>One write carries at most 32 KiB, cut between messages, with descriptors only for the message
 * that begins it. The kernel hands descriptors over with the write they came with and not with a
 * message, so this is the one arrangement in which they cannot reach the wrong one.
 *
 * <p>Single requests are encoded into the channel's own {@link io.github.jvhost.channel.Messages}.
 * Whoever has many makes another, perhaps long before it is sent; both leave by the same way.
 *
 * <p>Reads and writes never block, and a poll that ends at the caller's deadline comes only where
 * there was nothing to read or no room to write. Socket time-outs are not used, because they cannot
 * be told from the end of the stream. One thread at a time per connection; a virtual one pins its
 * carrier while it waits.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="channel"}
 */
@NullMarked
package io.github.jvhost.channel;

import org.jspecify.annotations.NullMarked;
