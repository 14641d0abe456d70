/**
 * The kernel as a back end: the carriers whose steps are ioctls. {@link
 * io.github.jvhost.vhost.kernel.VhostNetConnection} is vhost-net with a tap, {@link
 * io.github.jvhost.vhost.kernel.VhostVdpaConnection} a vDPA device.
 *
 * <pre>
 *   Plan --&gt; Turn: step by step, each done when its ioctl returns --&gt; Outcome
 *             ^ one row a fact: the connection's table
 *
 *   vhost-net, at once                                    vhost-vdpa, on a thread of the device
 *   ring   0   1     2   3                                one descriptor for all rings; when a
 *   pair     0         1      each has an open            plan is done, the thread signals an
 *                             /dev/vhost-net and a        eventfd
 *                             queue of the tap
 * </pre>
 *
 * <p>Nothing is acknowledged and no barrier is needed: an ioctl has done its work when it returns.
 * The status of a vDPA device is the exception, so it is read back.
 */
@NullMarked
package io.github.jvhost.vhost.kernel;

import org.jspecify.annotations.NullMarked;
