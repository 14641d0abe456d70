/**
 * The mock back end that this project publishes: a vhost-user back end on a real socket that serves
 * split rings of a virtio-net device for real, behaves like the back end that it is told to
 * imitate, spends the time that hardware would need (modelled), and writes down everything that it
 * was told.
 *
 * <pre>
 *   front end ==socket==> MockBackEnd (one thread) --> Faults: answer late, wrong, short or not at all
 *                           |      |
 *                           |      +--> BackEndState (pure) + Personality --> Outcome: answer, effects
 *                           |                                                     |
 *                           +--> BackEndRecord (what was told, charged, dropped)  +--> ModelledHardware (time)
 *                           |                                                     +--> BackEndMemory (mappings, log)
 *   guest memory <==========+--> RingWorker: desc, avail, used, call   <-- kick
 *                                   |
 *                                   +--> testkit.net: one port of the switch
 * </pre>
 */
@NullMarked
package io.github.jvhost.testkit;

import org.jspecify.annotations.NullMarked;
