/**
 * vhost: what a back end is to hold, what it holds, and the shortest way from the one to the other.
 *
 * <pre>
 *   VirtioNet, GuestMemory, eventfds                      the device model
 *        |
 *        v
 *   DeviceConfig (desired)      Shadow (what the back end is known to hold)
 *        |                        |            ^
 *        +----------+   +---------+            |
 *                   v   v                      |
 *                  Planner  ----  Plan  ---->  Carrier   ----  Outcome
 *                  (pure)     (steps with     (pipelined, one wait,
 *                              reasons)        one deadline)
 * </pre>
 *
 * <p>Every transition of a device goes this way: its first start, presetup, the stop window of a
 * live migration, a change of queue pairs at run time, a back end that came back, and the stop.
 * {@link io.github.jvhost.vhost.plan.Planner} is a pure function. What it may send at which time is
 * data, for example {@link io.github.jvhost.vhost.plan.BackEndProfile}.
 *
 * <p>Steps are at the level of vhost, not of the wire. A {@link
 * io.github.jvhost.vhost.plan.Carrier} carries them out: as vhost-user messages here
 * (io.github.jvhost.vhost.user); vhost-vdpa and the kernel's vhost could take the same plan as
 * ioctls.
 *
 * <p>{@link io.github.jvhost.vhost.Observer} reports transitions to an embedder's metrics. Flight
 * recordings have events: docs/observability.md.
 *
 * <p>What a stop window sends is planned and encoded before it ({@link
 * io.github.jvhost.vhost.VhostNetMigration#prepareStart}); {@link
 * io.github.jvhost.vhost.DeviceStart} and {@link io.github.jvhost.vhost.DeviceStop} then compare
 * and patch.
 *
 * <p>A device has one serial owner: no type here may be used by two threads at once, except the
 * immutable ones (configurations, shadows, plans, outcomes), and {@link
 * io.github.jvhost.vhost.VhostNet}, its migration half ({@link
 * io.github.jvhost.vhost.VhostNetMigration}) and its group, which hold the device's lock.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="vhost"}
 */
@NullMarked
package io.github.jvhost.vhost;

import org.jspecify.annotations.NullMarked;
