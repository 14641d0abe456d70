/**
 * Benchmarks: what this library costs, always as a ratio to something else that was timed in the
 * same run, because machines are noisy and differ.
 *
 * <pre>
 *   round 1: reference, ours    round 2: ours, reference    round 3: reference, ours ...
 *                 \______ two histograms, nanoseconds for one go ______/
 * </pre>
 *
 * <p>Stop windows are measured at a back end in C, and against a front end in C: both are peer.c,
 * which is built where there is a compiler.
 *
 * <pre>
 *   once:        library --- ConversationRecorder --- AnsweringPeer     what is sent is recorded
 *   each round:  library ---------------------------- AnsweringPeer     connect, presetup, window
 *                TellingPeer ------------------------ AnsweringPeer     the same bytes, from C
 *                library, no presetup --------------- AnsweringPeer     QEMU's order
 *                                     what it received from the first two is compared
 * </pre>
 *
 * <p>{@code ./jvhost bench} runs them; docs/performance.md says how to read the result.
 */
@NullMarked
package io.github.jvhost.bench;

import org.jspecify.annotations.NullMarked;
