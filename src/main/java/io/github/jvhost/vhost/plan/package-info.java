/**
 * What a back end is to hold, what it holds, and the steps from one to the other: desired
 * configuration, shadow, planner, plan. Pure: no socket, no device model, no clock.
 *
 * <pre>
 *   DeviceConfig (desired)     Shadow (held)     BackEndCapabilities
 *             \                   |                 /
 *              +----&gt; Planner, row by row of Fact &lt;--+
 *                                 |
 *                               Plan --- carried out ---&gt; Outcome ---&gt; the next Shadow
 * </pre>
 *
 * <p>Here are the interfaces to a back end too: {@link io.github.jvhost.vhost.plan.Carrier} and
 * {@link io.github.jvhost.vhost.plan.Execution} carry a plan out, {@link
 * io.github.jvhost.vhost.plan.BackEndEvents} is what a back end asks by itself.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="plan"}
 */
@NullMarked
package io.github.jvhost.vhost.plan;

import org.jspecify.annotations.NullMarked;
