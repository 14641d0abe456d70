/**
 * vhost-user: the carrier whose back end is a process at the other end of a socket. {@link
 * io.github.jvhost.vhost.user.VhostUserConnection} is one connection, {@link
 * io.github.jvhost.vhost.user.VhostUserFrontEnd} has its single requests. A plan reaches the back
 * end as messages:
 *
 * <pre>
 *   Plan --&gt; Batch: encoded messages, up to where an answer is needed --&gt; Flight: batch by batch
 *             ^ one row a step: StepMessage                                  --&gt; Outcome
 * </pre>
 *
 * <p>A batch is encoded once, and may be sent much later. A plan that was made before the stop
 * window differs in nothing else.
 */
@NullMarked
package io.github.jvhost.vhost.user;

import org.jspecify.annotations.NullMarked;
