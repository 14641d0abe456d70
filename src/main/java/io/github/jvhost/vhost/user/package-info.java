/**
 * How a plan reaches a back end as vhost-user messages.
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
