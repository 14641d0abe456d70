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
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="plan"}
 */
@NullMarked
package io.github.jvhost.vhost.plan;

import org.jspecify.annotations.NullMarked;
