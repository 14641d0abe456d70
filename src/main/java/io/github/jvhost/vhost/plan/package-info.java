/**
 * What a back end is to hold, what it holds, and the steps from one to the other: desired
 * configuration, shadow, planner, plan. Pure: no socket, no device model, no clock.
 */
@NullMarked
package io.github.jvhost.vhost.plan;

import org.jspecify.annotations.NullMarked;
