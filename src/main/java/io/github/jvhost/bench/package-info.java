/**
 * Benchmarks: what this library costs, always as a ratio to something else that was timed in the
 * same run, because machines are noisy and differ.
 *
 * <pre>
 *   round 1: reference, ours    round 2: ours, reference    round 3: reference, ours ...
 *                 \______ two histograms, nanoseconds for one go ______/
 * </pre>
 *
 * <p>{@code ./jvhost bench} runs them; docs/performance.md says how to read the result.
 */
@NullMarked
package io.github.jvhost.bench;

import org.jspecify.annotations.NullMarked;
