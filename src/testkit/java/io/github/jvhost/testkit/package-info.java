/**
 * The mock back end that this project publishes: a vhost-user back end on a real socket that serves
 * the rings of a virtio-net device. It behaves like the back end that its personality names, takes
 * the time that hardware would need (modelled), makes the scripted faults, and records everything
 * that it receives.
 *
 * <pre>
 *   front end ==socket==> MockBackEnd (one thread) --> Faults: answer late, wrong, short or not at all
 *       ^                   |      |
 *       |                   |      +--> BackEndState (pure) + Personality --> Outcome: answer, effects
 *       |                   |                |                                    |
 *       |                   |                +--> FrontEndRules: RuleBreach       +--> ModelledHardware (time)
 *       |                   |                +--> BackEndTranslations: RingIotlb  |
 *       |                   |                                                     +--> SessionMemory (mappings, log)
 *       |                   +--> BackEndRecord (what was received, charged, dropped)  +--> SessionTransfers (in-flight
 *       |                   |                                                     |      regions, state, objects)
 *       +==own channel==  BackEndAsker (a thread)  &lt;-- calls in-band, tests       +--> RingSignals (kick, call, err)
 *                           |
 *   guest memory &lt;==========+--> RingTurn: descriptors taken and used, call   &lt;-- kick
 *                                   |
 *                                   +--> testkit.net: one port of the switch
 * </pre>
 *
 * <p>{@link io.github.jvhost.testkit.BackEndDevice} holds what a test fills in: configuration
 * space, state, shared objects.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="testkit"}
 */
@NullMarked
package io.github.jvhost.testkit;

import org.jspecify.annotations.NullMarked;
