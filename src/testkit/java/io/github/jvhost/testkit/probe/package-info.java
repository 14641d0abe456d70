/**
 * Asks a back end what it offers, without starting or changing anything.
 *
 * <pre>
 *   BackEndProbe --GET_FEATURES, GET_PROTOCOL_FEATURES--&gt; any back end
 *        |        --SET_PROTOCOL_FEATURES (the least)--&gt;
 *        |        --GET_QUEUE_NUM, GET_MAX_MEM_SLOTS, GET_STATUS, N x GET_FEATURES--&gt;
 *        v
 *   ProbeResult --&gt; PresetupVerdict, one for each way of presetup
 * </pre>
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="probe"}
 */
@NullMarked
package io.github.jvhost.testkit.probe;

import org.jspecify.annotations.NullMarked;
