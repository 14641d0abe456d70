/**
 * A mediator between front ends (QEMU) and back ends (a switch) that know nothing of it.
 *
 * <pre>
 *                  Mediator
 *   front end      +- Nic, one thread ------------------------------------------+      switch
 *   ----message--&gt; | FrontEndLink -&gt; FrontEndMessages -&gt; FrontEndDevice         |
 *   &lt;---answer---- |                                        | desired           |
 *                  |                                        v                   |
 *                  |                SwitchConnection: shadow, planner, plan ----|--&gt; difference
 *                  +------------------------------------------------------------+
 * </pre>
 *
 * <p>What a front end says is state, not a command: it is the <em>desired</em> configuration of its
 * device. What a switch was told is the <em>shadow</em>. The planner finds the difference, for a
 * start, a presetup, a change, a move to another switch and a replay alike. There is no second
 * planner.
 *
 * <p>{@link io.github.jvhost.mediate.NicState} draws the states of a NIC, and has their table.
 * Guest memory is never mapped here. Packets never pass through.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="mediate"}
 */
@NullMarked
package io.github.jvhost.mediate;

import org.jspecify.annotations.NullMarked;
