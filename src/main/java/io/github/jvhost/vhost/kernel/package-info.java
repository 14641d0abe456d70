/**
 * The kernel as a back end: the carrier whose steps are ioctls. {@link
 * io.github.jvhost.vhost.kernel.VhostNetConnection} is vhost-net with a tap.
 *
 * <pre>
 *   Plan --&gt; Turn: step by step, each done when its ioctl returns --&gt; Outcome
 *             ^ one row a fact: the connection's table
 *
 *   ring      0   1     2   3     4   5
 *   pair        0         1         2        each has an open /dev/vhost-net and a queue of the tap
 * </pre>
 *
 * <p>Nothing is acknowledged and no barrier is needed: an ioctl has done its work when it returns.
 */
@NullMarked
package io.github.jvhost.vhost.kernel;

import org.jspecify.annotations.NullMarked;
